import jax

from mnist_horizon import networks
from mnist_horizon.networks import NetworkSpec


def test_learning_rate_rules():
    params = networks.init(
        NetworkSpec("mlp", 2, 16, phase_visible=True), 10, (8, 8), jax.random.key(0)
    )

    def factors(rule, width):
        tree = networks.learning_rate_factors((params, {}), rule, width)[0]
        return {f"{a}.{b}": float(leaf) for a, layer in tree.items() for b, leaf in layer.items()}

    for rule, width, expected in [
        ("constant", 16, 1.0),
        ("sqrt_width", 16, 2.0),
        ("sqrt_width", 256, 0.5),
        ("capped_sqrt_width", 16, 1.0),
        ("capped_sqrt_width", 256, 0.5),
    ]:
        assert set(factors(rule, width).values()) == {expected}
    by_leaf = factors("mup", 256)
    assert {name for name, factor in by_leaf.items() if factor == 0.25} == {
        "hidden1.kernel",
        "last.kernel",
    }
    assert set(by_leaf.values()) == {0.25, 1.0}
    assert set(factors("mup", networks.REFERENCE_WIDTH).values()) == {1.0}


def test_a_parameter_outside_of_a_layer_has_the_common_factor():
    factors = networks.learning_rate_factors({"scale": jax.numpy.ones(3)}, "mup", 256)
    assert float(factors["scale"]) == 1.0

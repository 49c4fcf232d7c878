import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from mnist_horizon import networks
from mnist_horizon.networks import NetworkSpec

SPECS = [
    NetworkSpec("mlp", 1, 16),
    NetworkSpec("mlp", 2, 16, phase_visible=True),
    NetworkSpec("mlp", 3, 8),
    NetworkSpec("cnn", 1, 4),
    NetworkSpec("cnn", 2, 4, phase_visible=True),
    NetworkSpec("cnn", 3, 2),
]
SHAPES = [(8, 8), (28, 28), (7, 7)]


def size_of(tree):
    return sum(leaf.size for leaf in jax.tree.leaves(tree))


@pytest.mark.parametrize("spec", SPECS, ids=str)
@pytest.mark.parametrize("shape", SHAPES)
def test_parameters_are_counted_as_they_are(spec, shape):
    tree = jax.eval_shape(lambda key: networks.init(spec, 10, shape, key), jax.random.key(0))
    assert networks.count_parameters(spec, 10, shape) == size_of(tree)


def test_counts_by_hand():
    mlp = NetworkSpec("mlp", 2, 64)
    assert networks.count_parameters(mlp, 10, (28, 28)) == 785 * 64 + 65 * 64 + 65 * 10
    products = [784 * 64, 64 * 64, 64 * 10]
    assert networks.forward_flops(mlp, 10, (28, 28)) == 2 * sum(products)
    # Backward: every kernel's gradient, and the gradient of every input but the observations.
    assert networks.backward_flops(mlp, 10, (28, 28)) == 2 * (sum(products) + sum(products[1:]))


@pytest.mark.parametrize(
    "spec",
    [
        NetworkSpec("mlp", 1, 256),
        NetworkSpec("mlp", 2, 128),
        NetworkSpec("mlp", 2, 128, phase_visible=True),
        NetworkSpec("cnn", 2, 32),
        NetworkSpec("cnn", 3, 16),
    ],
    ids=str,
)
def test_flops_against_the_compilers_count(spec):
    """Biases, activations and the loss are not counted: a few per cent of such networks.

    A CNN of depth 1 is not among them: 25 multiply-adds for each activation, at any width.
    """
    shape, batch = (28, 28), 64
    params = networks.init(spec, 10, shape, jax.random.key(0))
    inputs = networks.first_inputs(spec, jnp.zeros((batch, *shape), jnp.uint8))
    phase = jnp.ones((batch, 2)) if spec.phase_visible else None

    def loss(params, inputs, phase):
        return jnp.sum(networks.apply(spec, 10, params, inputs, phase) ** 2)

    def compiled_flops(function):
        analysis = jax.jit(function).lower(params, inputs, phase).compile().cost_analysis()
        return analysis["flops"] / batch

    forward = networks.forward_flops(spec, 10, shape)
    assert compiled_flops(loss) == pytest.approx(forward, rel=0.05)
    both = forward + networks.backward_flops(spec, 10, shape)
    assert compiled_flops(jax.grad(loss)) == pytest.approx(both, rel=0.05)


@pytest.mark.parametrize(
    ("side", "channels", "size"), [(28, 1, 5), (14, 4, 3), (7, 4, 3), (8, 1, 5)]
)
def test_patches_and_a_product_are_a_convolution(side, channels, size):
    generator = np.random.default_rng(0)
    grid = jnp.asarray(generator.normal(size=(2, side, side, channels)).astype(np.float32))
    kernel = jnp.asarray(generator.normal(size=(size, size, channels, 6)).astype(np.float32))
    half = -(-side // 2)
    low = (size - 1) // 2
    padding = [(low, (half - 1) * 2 + size - side - low)] * 2
    expected = lax.conv_general_dilated(
        grid, kernel, (2, 2), padding, dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    cut = networks.patches(grid, size)
    ours = (cut @ kernel.reshape(-1, 6)).reshape(expected.shape)
    assert expected.shape[1] == half
    assert jnp.allclose(ours, expected, atol=1e-4)


def test_cnn_is_two_convolutions_and_a_linear_layer():
    spec = NetworkSpec("cnn", 2, 3)
    images = jax.random.randint(jax.random.key(1), (4, 8, 8), 0, 256).astype(jnp.uint8)
    params = networks.init(spec, 10, (8, 8), jax.random.key(0))
    ours = networks.apply(spec, 10, params, networks.first_inputs(spec, images))

    def convolve(grid, layer, size, padding):
        kernel = layer["kernel"].reshape(size, size, grid.shape[-1], -1)
        names = ("NHWC", "HWIO", "NHWC")
        return lax.conv_general_dilated(grid, kernel, (2, 2), [padding] * 2, None, None, names)

    grid = images[..., None] / 255
    grid = networks.activation(convolve(grid, params["first"], 5, (2, 1)) + params["first"]["bias"])
    grid = networks.activation(
        convolve(grid, params["hidden1"], 3, (1, 0)) + params["hidden1"]["bias"]
    )
    expected = grid.reshape(4, -1) @ params["last"]["kernel"] + params["last"]["bias"]
    assert jnp.allclose(ours, expected, atol=1e-5)


@pytest.mark.parametrize("name", ["mlp", "cnn"])
def test_mlp_and_cnn_read_the_phase_only_where_it_is_visible(name):
    inputs = jnp.zeros((3, 8, 8), jnp.uint8)
    phases = jnp.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    spec = NetworkSpec(name, 2, 8, phase_visible=True)
    params = networks.init(spec, 10, (8, 8), jax.random.key(0))
    outputs = networks.apply(spec, 10, params, networks.first_inputs(spec, inputs), phases)
    assert not jnp.allclose(outputs[0], outputs[1])
    hidden = networks.init(NetworkSpec(name, 2, 8), 10, (8, 8), jax.random.key(0))
    assert "phase" in params
    assert "phase" not in hidden


@pytest.mark.parametrize("name", ["mlp", "cnn"])
@pytest.mark.parametrize(("precision", "tolerance"), [("tf32", 1e-3), ("bf16", 2e-2)])
def test_lower_precisions_run_and_are_close(name, precision, tolerance):
    exact = NetworkSpec(name, 2, 16)
    params = networks.init(exact, 10, (8, 8), jax.random.key(0))
    images = jax.random.randint(jax.random.key(1), (16, 8, 8), 0, 256).astype(jnp.uint8)
    inputs = networks.first_inputs(exact, images)
    outputs, close = (
        networks.apply(NetworkSpec(name, 2, 16, chosen), 10, params, inputs)
        for chosen in ("f32", precision)
    )
    assert close.dtype == jnp.float32
    assert float(jnp.abs(close - outputs).max() / jnp.abs(outputs).max()) < tolerance
    if precision == "bf16":
        assert not jnp.array_equal(close, outputs)


def equations(jaxpr):
    """Every equation of a jaxpr, those of the functions that it calls included."""
    for equation in jaxpr.eqns:
        yield equation
        for value in equation.params.values():
            inner = getattr(value, "jaxpr", value)
            if hasattr(inner, "eqns"):
                yield from equations(inner)


def test_precision_is_set_on_every_product(monkeypatch):
    def precisions(precision):
        spec = NetworkSpec("mlp", 2, 8, precision, phase_visible=True)
        params = networks.init(spec, 10, (8, 8), jax.random.key(0))
        jaxpr = jax.make_jaxpr(lambda p, x, f: networks.apply(spec, 10, p, x, f))(
            params, jnp.zeros((4, 64)), jnp.zeros((4, 2))
        )
        products = [e for e in equations(jaxpr.jaxpr) if e.primitive.name == "dot_general"]
        assert len(products) == 4
        types = {str(e.invars[0].aval.dtype) for e in products}
        return {e.params["precision"] for e in products}, types

    assert precisions("f32") == ({(lax.Precision.HIGHEST,) * 2}, {"float32"})
    assert precisions("tf32") == ({(lax.Precision.HIGH,) * 2}, {"float32"})
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert precisions("bf16")[1] == {"bfloat16"}


def test_rounded_factors_are_those_of_bf16():
    """On CPUs the product of rounded factors is that of bf16 factors with f32 sums."""
    lhs, rhs = (jax.random.normal(jax.random.key(i), (32, 32)) for i in range(2))
    dimensions = (((1,), (0,)), ((), ()))
    found = networks.dot_general("bf16")(lhs, rhs, dimensions)
    exact = (np.asarray(x.astype(jnp.bfloat16), np.float64) for x in (lhs, rhs))
    np.testing.assert_allclose(found, np.matmul(*exact), rtol=1e-4, atol=1e-5)
    assert float(jnp.abs(found - lhs @ rhs).max()) > 1e-3


@pytest.mark.parametrize("width", [64, 1024])
def test_initial_variance_is_gain_over_fan_in(width):
    params = networks.init(NetworkSpec("mlp", 2, width), 10, (28, 28), jax.random.key(0))
    variances = {name: float(layer["kernel"].var()) for name, layer in params.items()}
    expected = {"first": 2 / 784, "hidden1": 2 / width, "last": 0.01 / width}
    for name, kernel_variance in variances.items():
        draws = params[name]["kernel"].size
        assert kernel_variance == pytest.approx(expected[name], rel=4 * (2 / draws) ** 0.5)
        assert not params[name]["bias"].any()


def test_the_first_policy_is_nearly_uniform_at_every_width():
    images = jax.random.randint(jax.random.key(1), (32, 8, 8), 0, 256).astype(jnp.uint8)
    for width in (2, 32, 512):
        spec = NetworkSpec("mlp", 1, width)
        params = networks.init(spec, 10, (8, 8), jax.random.key(width))
        policy = jax.nn.softmax(
            networks.apply(spec, 10, params, networks.first_inputs(spec, images))
        )
        assert 0.05 < float(policy.min()) <= float(policy.max()) < 0.2


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


def test_first_inputs_scale_bytes_and_refuse_what_a_cnn_cannot_see():
    images = jnp.array([[[0, 255], [51, 102]]], jnp.uint8)
    mlp = networks.first_inputs(NetworkSpec("mlp", 1, 2), images)
    assert jnp.allclose(mlp, jnp.array([[0.0, 1.0, 0.2, 0.4]]))
    assert networks.first_inputs(NetworkSpec("cnn", 1, 2), images).shape == (1, 1, 25)
    for shape in [(1, 6), (1, 4, 6), (1, 4, 4, 3)]:
        with pytest.raises(ValueError, match="'cnn' needs square images, not shape"):
            networks.first_inputs(NetworkSpec("cnn", 1, 2), jnp.zeros(shape, jnp.uint8))

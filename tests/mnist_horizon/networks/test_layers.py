"""What networks are made of, against XLA's own convolution, its precisions and NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from mnist_horizon import networks
from mnist_horizon.networks import NetworkSpec


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


def equations(jaxpr):
    """Every equation of a jaxpr, those of the functions that it calls included."""
    for equation in jaxpr.eqns:
        yield equation
        for value in equation.params.values():
            inner = getattr(value, "jaxpr", value)
            if hasattr(inner, "eqns"):
                yield from equations(inner)


def test_precision_is_set_on_every_product():
    def products(precision, platform):
        spec = NetworkSpec("mlp", 2, 8, precision, phase_visible=True)
        params = networks.init(spec, 10, (8, 8), jax.random.key(0))
        gradient = jax.grad(lambda p, x, f: (networks.apply(spec, 10, p, x, f) ** 2).sum())
        traced = jax.jit(gradient).trace(params, jnp.zeros((4, 64)), jnp.zeros((4, 2)))
        text = traced.lower(lowering_platforms=(platform,)).as_text()
        lines = [line for line in text.splitlines() if "stablehlo.dot_general" in line]
        assert len(lines) == 4 + 4 + 2  # of the gradients' inputs, two are no observations
        return lines

    for platform in ("cpu", "cuda", "tpu"):
        for precision, name in (("f32", "HIGHEST"), ("tf32", "HIGH")):
            for line in products(precision, platform):
                assert f"precision = [{name}, {name}]" in line
                assert "bf16" not in line
    assert all(line.count("bf16>") == 2 for line in products("bf16", "cuda"))
    assert all(line.count("bf16>") == 2 for line in products("bf16", "tpu"))
    assert not any("bf16" in line for line in products("bf16", "cpu"))


def test_rounded_factors_are_those_of_bf16():
    """On CPUs the product of rounded factors is that of bf16 factors with f32 sums."""
    lhs, rhs = (jax.random.normal(jax.random.key(i), (32, 32)) for i in range(2))
    dimensions = (((1,), (0,)), ((), ()))
    found = networks.dot_general("bf16")(lhs, rhs, dimensions)
    exact = (np.asarray(x.astype(jnp.bfloat16), np.float64) for x in (lhs, rhs))
    np.testing.assert_allclose(found, np.matmul(*exact), rtol=1e-4, atol=1e-5)
    assert float(jnp.abs(found - lhs @ rhs).max()) > 1e-3


@pytest.mark.parametrize("outputs_first", [False, True])
@pytest.mark.parametrize("shape", [(5, 4), (3, 5, 4)])
def test_a_layer_product_is_the_product_with_the_same_gradients(shape, outputs_first):
    inputs, kernel = (
        jax.random.normal(jax.random.key(i), s) for i, s in enumerate([shape, (4, 6)])
    )
    ours = networks.layer_product("f32", outputs_first=outputs_first)

    def plain(inputs, kernel):
        return jnp.moveaxis(inputs @ kernel, -1, 0) if outputs_first else inputs @ kernel

    def loss(product, inputs, kernel):
        return jnp.sum(jnp.sin(product(inputs, kernel)))

    found, expected = (
        jax.value_and_grad(loss, (1, 2))(product, inputs, kernel) for product in (ours, plain)
    )
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), found, expected
    )


def test_what_is_not_differentiated_costs_no_product():
    product = networks.layer_product("f32")
    inputs, kernel = jnp.ones((3, 4)), jnp.ones((4, 2))

    def products(arguments):
        code = jax.make_jaxpr(jax.grad(lambda x, k: jnp.sum(product(x, k)), arguments))
        return str(code(inputs, kernel)).count("dot_general[")

    assert products((0, 1)) == products(1) + 1 == 3


def test_the_activation_is_a_leaky_relu():
    values = jnp.array([-2.0, -0.0, 0.0, 3.0])
    assert networks.activation(values).tolist() == pytest.approx([-0.2, 0.0, 0.0, 3.0])
    gradient = jax.grad(lambda x: jnp.sum(networks.activation(x) * jnp.arange(1.0, 5.0)))(values)
    assert gradient.tolist() == pytest.approx([0.1, 2.0, 3.0, 4.0])


@pytest.mark.parametrize("name", networks.ACTIVATIONS)
def test_an_activation_by_name_and_its_gradient(name):
    values = jnp.array([-2.0, -0.5, 0.5, 3.0])
    expected = {
        "leaky_relu": ([-0.2, -0.05, 0.5, 3.0], [0.1, 0.1, 1.0, 1.0]),
        "relu": ([0.0, 0.0, 0.5, 3.0], [0.0, 0.0, 1.0, 1.0]),
        "tanh": (np.tanh(values), 1 - np.tanh(values) ** 2),
        "linear": (values, [1.0, 1.0, 1.0, 1.0]),
    }[name]
    function = networks.ACTIVATIONS[name].function
    np.testing.assert_allclose(function(values), expected[0], rtol=1e-6)
    gradient = jax.grad(lambda x: jnp.sum(function(x)))(values)
    np.testing.assert_allclose(gradient, expected[1], atol=1e-6)


@pytest.mark.parametrize("name", networks.ACTIVATIONS)
def test_signals_keep_their_size_through_layers_of_each_activation(name):
    """Mean squares before the activation, in the fourth hidden layer over the first."""
    spec = NetworkSpec("mlp", 4, 256, activation=name)
    params = networks.init(spec, 10, (8, 8), jax.random.key(0))
    function, gain = networks.ACTIVATIONS[name]
    hidden = 0.3 * jax.random.normal(jax.random.key(1), (200, 64))  # about as images have it
    squares = []
    for layer in ("first", "hidden1", "hidden2", "hidden3"):
        assert params[layer]["kernel"].var() * len(params[layer]["kernel"]) == pytest.approx(
            gain, rel=0.05
        )
        before = hidden @ params[layer]["kernel"]
        squares.append(float(jnp.mean(before**2)))
        hidden = function(before)
    least = 0.5 if name == "tanh" else 0.7  # its slope falls with the signal
    assert least < squares[-1] / squares[0] < 1.4


@pytest.mark.parametrize("width", [64, 1024])
def test_initial_variance_is_gain_over_fan_in(width):
    params = networks.init(NetworkSpec("mlp", 2, width), 10, (28, 28), jax.random.key(0))
    variances = {name: float(layer["kernel"].var()) for name, layer in params.items()}
    expected = {"first": 2 / 784, "hidden1": 2 / width, "last": 0.01 / width}
    for name, kernel_variance in variances.items():
        draws = params[name]["kernel"].size
        assert kernel_variance == pytest.approx(expected[name], rel=4 * (2 / draws) ** 0.5)
        assert not params[name]["bias"].any()

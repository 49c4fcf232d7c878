"""Costs by tracing, against closed forms, hand counts and the compiler's own."""

import math

import jax
import jax.numpy as jnp
import pytest

from mnist_horizon import networks
from mnist_horizon.networks import DenseLayer, NetworkError, NetworkSpec
from tests.mnist_horizon.networks import user_networks

assert user_networks.Residual  # they are registered

SPECS = [
    NetworkSpec("mlp", 1, 16),
    NetworkSpec("mlp", 2, 16, phase_visible=True),
    NetworkSpec("mlp", 3, 8),
    NetworkSpec("cnn", 1, 4),
    NetworkSpec("cnn", 2, 4, phase_visible=True),
    NetworkSpec("cnn", 3, 2),
]
SHAPES = [(8, 8), (28, 28), (7, 7)]


def closed_form(spec, outputs, shape):
    """The dense layers of an MLP or a CNN from what they are by definition."""
    phase = [DenseLayer("phase", (), 2, spec.width)] * spec.phase_visible
    numbers = range(1, spec.depth)
    if spec.name == "mlp":
        first = DenseLayer("first", (), math.prod(shape), spec.width)
        hidden = [DenseLayer(f"hidden{i}", (), spec.width, spec.width) for i in numbers]
        return [first, *phase, *hidden, DenseLayer("last", (), spec.width, outputs)]
    side, channels = -(-shape[0] // 2), spec.width
    layers = [DenseLayer("first", (side**2,), 25, channels), *phase]
    for i in numbers:
        side = -(-side // 2)
        layers.append(DenseLayer(f"hidden{i}", (side**2,), 9 * channels, 2 * channels))
        channels *= 2
    return [*layers, DenseLayer("last", (), side**2 * channels, outputs)]


@pytest.mark.parametrize("outputs", [1, 10])
@pytest.mark.parametrize("spec", SPECS, ids=str)
@pytest.mark.parametrize("shape", SHAPES)
def test_costs_are_those_of_the_closed_form(spec, shape, outputs):
    layers = closed_form(spec, outputs, shape)
    assert list(networks.dense_layers(spec, outputs, shape)) == layers
    parameters = sum(layer.fan_out * (layer.fan_in + (layer.name != "phase")) for layer in layers)
    assert networks.count_parameters(spec, outputs, shape) == parameters
    flops = {layer.name: 2 * layer.inputs * layer.fan_out for layer in layers}
    assert networks.forward_flops(spec, outputs, shape) == sum(flops.values())
    backward = 2 * sum(flops.values()) - flops["first"] - flops.get("phase", 0)
    assert networks.backward_flops(spec, outputs, shape) == backward


@pytest.mark.parametrize("name", ["mlp", "cnn", "residual_mlp"])
def test_an_activation_changes_no_cost(name):
    chosen = [networks.LEAKY_RELU, *(networks.ACTIVATIONS if name == "mlp" else ["tanh"])]
    specs = [NetworkSpec(name, 2, 4, activation=one) for one in chosen]
    counts = (networks.count_parameters, networks.forward_flops, networks.backward_flops)
    assert len({tuple(count(one, 10, (8, 8)) for count in counts) for one in specs}) == 1
    networks.check_noise_is_measurable(specs[-1], 10, (8, 8))


@pytest.mark.parametrize("name", ["mlp", "cnn", "residual_mlp"])
def test_every_hidden_layer_has_the_activation_that_was_chosen(name):
    spec = NetworkSpec(name, 3, 4, activation="tanh")

    def network(images):
        params = networks.init(spec, 10, (8, 8), jax.random.key(0))
        return networks.apply(spec, 10, params, networks.first_inputs(spec, images))

    code = str(jax.make_jaxpr(network)(jnp.zeros((1, 8, 8))))
    assert code.count("= tanh ") == 2 * spec.depth, "once to initialise, once to apply"


def test_a_network_with_an_activation_of_its_own_offers_no_choice():
    networks.check_activation(NetworkSpec("user_residual", 2, 4), 10, (8, 8))
    networks.check_activation(NetworkSpec("mlp", 2, 4, activation="tanh"), 10, (8, 8))
    with pytest.raises(NetworkError, match="'user_residual' has no activation to choose"):
        networks.check_activation(NetworkSpec("user_residual", 2, 4, activation="tanh"), 10, (8, 8))


def size_of(tree):
    return sum(leaf.size for leaf in jax.tree.leaves(tree))


@pytest.mark.parametrize("name", ["mlp", "cnn", "attention", "repeated", "convolution"])
def test_parameters_are_counted_as_they_are(name):
    spec, shape = NetworkSpec(name, 2, 4), (8, 8)
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
        NetworkSpec("user_residual", 3, 128),
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


def test_a_layer_beside_the_first_needs_no_gradient_of_the_observations_either():
    """`attention` has two layers that look at the observations, and products without kernels."""
    spec, rows, width = NetworkSpec("attention", 1, 6), 8, 6
    once = rows * 8 * width
    beside, mixing, last = once, 2 * rows * rows * width, width * 10
    assert networks.forward_flops(spec, 10, (8, 8)) == 2 * (once + beside + mixing + last)
    assert networks.backward_flops(spec, 10, (8, 8)) == 2 * (once + beside + 2 * mixing + 2 * last)


def test_a_loop_of_known_length_is_counted_as_often_as_it_is_done():
    one, four = (networks.forward_flops(NetworkSpec("repeated", n, 6), 10, (8, 8)) for n in (1, 4))
    assert four - one == 3 * 2 * 6 * 6


def test_what_cannot_be_counted_is_refused():
    spec = NetworkSpec("convolution", 1, 4)
    message = "network 'convolution': its FLOPs cannot be counted: it has a convolution: write"
    for count in (networks.forward_flops, networks.backward_flops):
        with pytest.raises(NetworkError, match=message):
            count(spec, 10, (8, 8))


@pytest.mark.parametrize(("name", "others"), [("attention", "norm"), ("repeated", "kernel")])
def test_noise_is_measured_of_dense_layers_alone(name, others):
    networks.check_noise_is_measurable(NetworkSpec("user_residual", 2, 4), 10, (8, 8))
    with pytest.raises(NetworkError, match=f"network '{name}': gradient noise .* has .*{others}"):
        networks.check_noise_is_measurable(NetworkSpec(name, 2, 4), 10, (8, 8))

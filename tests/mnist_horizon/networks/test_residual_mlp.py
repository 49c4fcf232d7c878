import jax
import jax.numpy as jnp
import numpy as np

from mnist_horizon import networks
from mnist_horizon.networks import NetworkSpec


def test_hidden_layers_add_to_what_they_are_given():
    spec = NetworkSpec("residual_mlp", 3, 5, phase_visible=True)
    images = jax.random.randint(jax.random.key(1), (4, 3, 3), 0, 256).astype(jnp.uint8)
    phase = jax.random.normal(jax.random.key(2), (4, 2))
    params = networks.init(spec, 10, (3, 3), jax.random.key(0))
    params = jax.tree.map(lambda leaf: leaf + 0.1, params)  # biases that are not 0
    ours = networks.apply(spec, 10, params, networks.first_inputs(spec, images), phase)
    exact = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), params)

    def product(name, values):
        return values @ exact[name]["kernel"] + exact[name]["bias"]

    def leaky(values):
        return np.where(values > 0, values, 0.1 * values)

    hidden = product("first", np.asarray(images, np.float64).reshape(4, 9) / 255)
    hidden = leaky(hidden + np.asarray(phase, np.float64) @ exact["phase"]["kernel"])
    for name in ("hidden1", "hidden2"):
        hidden = hidden + leaky(product(name, hidden))
    np.testing.assert_allclose(ours, product("last", hidden), rtol=1e-4, atol=1e-5)


def test_parameters_and_flops_are_those_of_an_mlp():
    mlp, residual = NetworkSpec("mlp", 3, 8), NetworkSpec("residual_mlp", 3, 8)
    for count in (networks.count_parameters, networks.forward_flops, networks.backward_flops):
        assert count(residual, 10, (8, 8)) == count(mlp, 10, (8, 8))

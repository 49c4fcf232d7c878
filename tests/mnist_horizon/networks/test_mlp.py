import jax
import jax.numpy as jnp
import numpy as np

from mnist_horizon import networks
from mnist_horizon.networks import NetworkSpec


def test_an_mlp_is_products_and_leaky_relus():
    spec = NetworkSpec("mlp", 2, 5, phase_visible=True)
    images = jax.random.randint(jax.random.key(1), (4, 3, 3), 0, 256).astype(jnp.uint8)
    phase = jax.random.normal(jax.random.key(2), (4, 2))
    params = networks.init(spec, 10, (3, 3), jax.random.key(0))
    params = jax.tree.map(lambda leaf: leaf + 0.1, params)  # biases that are not 0
    ours = networks.apply(spec, 10, params, networks.first_inputs(spec, images), phase)
    exact = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), params)
    first, hidden, last = exact["first"], exact["hidden1"], exact["last"]

    def leaky(values):
        return np.where(values > 0, values, 0.1 * values)

    seen = np.asarray(images, np.float64).reshape(4, 9) / 255 @ first["kernel"] + first["bias"]
    seen = leaky(seen + np.asarray(phase, np.float64) @ exact["phase"]["kernel"])
    seen = leaky(seen @ hidden["kernel"] + hidden["bias"])
    np.testing.assert_allclose(ours, seen @ last["kernel"] + last["bias"], rtol=1e-4, atol=1e-5)


def test_the_first_policy_is_nearly_uniform_at_every_width():
    images = jax.random.randint(jax.random.key(1), (32, 8, 8), 0, 256).astype(jnp.uint8)
    for width in (2, 32, 512):
        spec = NetworkSpec("mlp", 1, width)
        params = networks.init(spec, 10, (8, 8), jax.random.key(width))
        policy = jax.nn.softmax(
            networks.apply(spec, 10, params, networks.first_inputs(spec, images))
        )
        assert 0.05 < float(policy.min()) <= float(policy.max()) < 0.2

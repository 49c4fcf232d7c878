import jax.numpy as jnp
import numpy as np

from mnist_horizon import optimizers


def test_momentum_sums_past_gradients():
    momentum = optimizers.build("momentum")
    gradients = [{"kernel": jnp.array([value, 2.0])} for value in (1.0, -3.0, 5.0)]
    state = momentum.init(gradients[0])
    for gradient in gradients:
        direction, state = momentum.update(gradient, state)
    expected = [5 - 3 * 0.9 + 0.9**2, 2 * (1 + 0.9 + 0.9**2)]
    np.testing.assert_allclose(direction["kernel"], expected, rtol=1e-6)

import jax.numpy as jnp
import numpy as np
import pytest

from mnist_horizon import optimizers


def test_adam_by_hand():
    """Two steps; biases of the means corrected, 1e-8 beside the root."""
    adam = optimizers.build("adam")
    gradients = [2.0, -1.0]
    state = adam.init(jnp.zeros(()))
    mean = square = 0.0
    for number, gradient in enumerate(gradients, start=1):
        direction, state = adam.update(jnp.float32(gradient), state)
        mean, square = 0.9 * mean + 0.1 * gradient, 0.999 * square + 0.001 * gradient**2
        expected = mean / (1 - 0.9**number) / (np.sqrt(square / (1 - 0.999**number)) + 1e-8)
        assert float(direction) == pytest.approx(expected, rel=1e-4)

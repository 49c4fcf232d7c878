import jax
import jax.numpy as jnp

from mnist_horizon import optimizers


def test_sgd_is_the_gradient():
    sgd, gradient = optimizers.build("sgd"), {"kernel": jnp.array([1.0, -2.0])}
    direction, state = sgd.update(gradient, sgd.init(gradient))
    assert (direction["kernel"] == gradient["kernel"]).all()
    assert not jax.tree.leaves(state)

"""Stochastic gradient descent."""

import optax

from mnist_horizon.optimizers.optimizer import register


@register("sgd")
def sgd() -> optax.GradientTransformation:
    """The gradient itself."""
    return optax.identity()

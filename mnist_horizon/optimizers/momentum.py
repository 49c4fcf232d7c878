"""Gradient descent with momentum (Polyak 1964)."""

import optax

from mnist_horizon.optimizers.optimizer import register


@register("momentum")
def momentum() -> optax.GradientTransformation:
    """The sum of past gradients, each worth 0.9 of the one after it."""
    return optax.trace(decay=0.9)

"""Adam (Kingma and Ba 2015, arXiv 1412.6980)."""

import optax

from mnist_horizon.optimizers.optimizer import register


@register("adam")
def adam() -> optax.GradientTransformation:
    """The mean of past gradients over the root of the mean of their squares."""
    return optax.scale_by_adam()

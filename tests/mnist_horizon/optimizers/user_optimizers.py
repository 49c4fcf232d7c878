"""Optimisers as a user writes them: nothing else of the project knows them."""

import optax

from mnist_horizon.optimizers import register


@register("user_lion")
def lion() -> optax.GradientTransformation:
    """The sign of an interpolated momentum (Chen et al. 2023, arXiv 2302.06675)."""
    return optax.scale_by_lion()

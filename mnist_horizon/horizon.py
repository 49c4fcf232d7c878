"""The horizon length of a discount, and the variance horizon that multiplies the noise.

Weights gamma^k over future rewards have a Kish effective number of timesteps

    h = (sum_k gamma^k)^2 / sum_k gamma^(2k) = (1 + gamma) / (1 - gamma),

the horizon length of Hilton, Tang and Schulman (2023, arXiv 2301.13442).
"""

from typing import TypeVar

import numpy as np

from mnist_horizon.lazy_jax import Array

Number = TypeVar("Number", float, np.ndarray, Array)


def discount_from_horizon(horizon: Number) -> Number:
    """Discount `gamma = 1 - 2 / (h + 1)` of a horizon length h >= 1 (h = 1 is gamma = 0)."""
    return 1 - 2 / (horizon + 1)


def horizon_from_discount(discount: Number) -> Number:
    """Horizon length `h = (1 + gamma) / (1 - gamma)` of a discount 0 <= gamma < 1."""
    return (1 + discount) / (1 - discount)


def variance_horizon(horizon: Number) -> Number:
    """`gamma^2 / (1 - gamma^2) = (h - 2 + 1/h) / 4`: multiplies the noise of later rewards.

    It is the variance of `sum_{k>=1} gamma^k r_k` for independent rewards of unit variance.
    """
    return (horizon - 2 + 1 / horizon) / 4

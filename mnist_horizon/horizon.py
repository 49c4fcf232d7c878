"""The horizon length of a discount, and the variance horizon that multiplies the noise.

Weights gamma^k over future rewards have a Kish effective number of timesteps

    h = (sum_k gamma^k)^2 / sum_k gamma^(2k) = (1 + gamma) / (1 - gamma),

the horizon length of Hilton, Tang and Schulman (2023, arXiv 2301.13442).

Runs train in single precision, where discounts just below 1 are 2^-24 apart: above a horizon of
about 1e5 the discount that is run is that of another horizon (`single_precision_fault`).
"""

import math
from typing import TypeVar

import numpy as np

from mnist_horizon.lazy_jax import Array

Number = TypeVar("Number", float, np.ndarray, Array)

LARGEST_ERROR = 0.01
"""Of the horizon that is run, relative to the one that was asked for."""
_LONGEST = 2.0**25 - 1  # of the largest discount below 1, 1 - 2^-24


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


def single_precision_horizon(horizon: float) -> float:
    """The horizon length that is run: that of the discount, rounded to single precision.

    It differs by a factor of up to about `1 + 1.5e-8 h`; by -0.14% at h = 1e5. Infinite where the
    discount is rounded to 1.
    """
    rounded = float(np.float32(discount_from_horizon(horizon)))
    return horizon_from_discount(rounded) if rounded < 1 else math.inf


def single_precision_fault(horizon: float) -> str:
    """What to change about a horizon that single precision does not hold; empty if it does.

    A horizon that would be run with an error above `LARGEST_ERROR` is refused. The message names
    the nearest one that is run as it is written, so that results carry the horizon that was run.
    """
    run = single_precision_horizon(horizon)
    if abs(run / horizon - 1) <= LARGEST_ERROR:
        return ""
    nearest = min(run, _LONGEST)
    return (
        f"{horizon:.9g} would be run as {run:.9g} in single precision: "
        f"choose {nearest:.9g}, or any up to 600000"
    )

"""The regressors of the horizon law: `h - 1`, and the variance horizon `(h - 2 + 1/h) / 4`.

Both are 0 at h = 1.
"""

import numpy as np

from mnist_horizon.horizon import variance_horizon

REGRESSORS = ("h-1", "variance_horizon")


def regressor_values(horizon: np.ndarray, regressor: str) -> np.ndarray:
    """x of each horizon, shape [horizon]."""
    horizon = np.asarray(horizon, dtype=float)
    return horizon - 1 if regressor == "h-1" else variance_horizon(horizon)


def horizon_of(x: float, regressor: str) -> float:
    """The horizon h >= 1 at which the regressor is x >= 0."""
    if regressor == "h-1" or not np.isfinite(x):
        return x + 1
    half = 1 + 2 * x  # h^2 - 2 (1 + 2 x) h + 1 = 0
    return float(half + np.sqrt(half**2 - 1))

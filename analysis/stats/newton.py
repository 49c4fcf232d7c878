"""Damped Newton steps within bounds: for likelihoods of a few parameters with known curvature.

Levenberg and Marquardt's damping: the step solves `(H + d diag|H|) step = -gradient` over the
parameters that are not held at a bound, and d grows until the objective falls. Quasi-Newton methods
need five times as many evaluations here, where an evaluation is most of the work.
"""

from collections.abc import Callable, Sequence

import numpy as np
from scipy.linalg.lapack import dposv

Evaluated = tuple[float, np.ndarray, np.ndarray]
"""An objective's value, gradient, shape [n], and curvature or an approximation of it, [n, n]."""

_LEAST_DAMPING, _LARGEST_DAMPING = 1e-9, 1e9
_LONGEST = 1.5  # of a step in any parameter: parameters are logs
_STEPS = 300


def minimise(
    objective: Callable[[np.ndarray], Evaluated],
    start: np.ndarray,
    bounds: Sequence[tuple[float, float]],
    tolerance: float = 1e-9,
) -> tuple[np.ndarray, float]:
    """A local minimum within bounds, and the objective there.

    Args:
        objective: value, gradient and curvature at a point; the value is finite.
        start: where to start, shape [n]; moved into the bounds.
        bounds: of each parameter; where both are equal it is held fixed.
        tolerance: a step that is expected to lower the objective by less is the last.
    """
    low, high = np.array(bounds, dtype=float).T
    point = np.clip(start, low, high)
    value, gradient, curvature = objective(point)
    damping, rise = 1e-4, 4.0
    for _ in range(_STEPS):
        outward = ((point <= low) & (gradient >= 0)) | ((point >= high) & (gradient <= 0))
        free = np.flatnonzero(~outward & (low < high))
        if free.size == 0 or damping > _LARGEST_DAMPING:
            break
        step = _step(gradient[free], curvature[free[:, None], free], damping)
        if step is not None:
            trial = point.copy()
            trial[free] += np.clip(step, -_LONGEST, _LONGEST)
            trial = np.clip(trial, low, high)
            moved = trial - point
            slope = gradient @ moved
            expected = -(slope + 0.5 * moved @ curvature @ moved)
            if abs(slope) < tolerance:
                break
            result = objective(trial)
            gain = value - result[0]
            if gain > 0:
                # Nielsen's rule: less damping where the gain is what was expected.
                ratio = min(gain / max(expected, 1e-300), 1.0)
                damping = max(damping * max(0.1, 1 - (2 * ratio - 1) ** 3), _LEAST_DAMPING)
                rise = 4.0
                point, (value, gradient, curvature) = trial, result
                continue
        damping, rise = damping * rise, rise * 2
    return point, value


def _step(gradient: np.ndarray, curvature: np.ndarray, damping: float) -> np.ndarray | None:
    """The damped step, or None where the damped curvature is not positive."""
    scale = np.abs(curvature.diagonal())
    damped = curvature.copy()
    damped.flat[:: len(scale) + 1] += damping * np.maximum(scale, 1e-8 * scale.max())
    _, step, failed = dposv(damped, -gradient)
    return None if failed or not np.all(np.isfinite(step)) else step

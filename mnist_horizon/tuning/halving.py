"""Successive halving: the score of a run, and which candidates a rung keeps.

After Jamieson and Talwalkar 2016 (arXiv 1502.07943): all candidates get a small budget, the better
ones more. Decay and bonus are to be common to many cells, so that every pair of them stays in
every cell, and of each pair the best rates are kept.
"""

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from mnist_horizon.tuning.settings import Candidate, kept_rates

THRESHOLDS = (0.5, 0.7, 0.85)
"""Returns whose interactions are averaged, where a sweep names none; the analysis has the same."""

FAR_BELOW = 100.0
"""How far below thresholds that are not positive a diverged run counts."""

PENALTY = 5.0
"""Log interactions that a return of 1 short of a threshold adds: 0.1 adds a factor 1.6."""


def log_interactions(
    ends: Float[np.ndarray, "row"],
    returns: Float[np.ndarray, "row"],
    budget: float,
    thresholds: Sequence[float] = THRESHOLDS,
) -> Float[np.ndarray, "threshold"]:
    """Log interactions of a run to each of some returns.

    The curve is made monotone by isotonic regression, weighted by interactions, and the crossing
    is interpolated in log E. A return that is not reached counts as
    `log(budget) + PENALTY (threshold - R)`, R the end of the monotone curve: as if it were reached
    at the end of the last rung, and later the more is missing, so that of two runs that end below
    it the higher one is better. A run that stops being finite ends with R = 0, or, where returns
    may be below 0, far below the thresholds.

    Rows stand at the ends of their intervals. All candidates of a cell have the same intervals, and
    only differences between them are used.

    Args:
        ends: interactions after which each row was noted, increasing.
        returns: mean return since the row before; from the first that is not finite on, the run
            has diverged.
        budget: interactions of the last rung.
        thresholds: the returns, increasing.
    """
    from scipy.optimize import isotonic_regression  # half a second, of commands that need it

    finite = np.isfinite(returns)
    last = len(returns) if finite.all() else int(np.argmin(finite))
    reached = 0.0 if thresholds[0] > 0 else thresholds[0] - FAR_BELOW
    curve, logs = np.zeros(0), np.log(ends[:last])
    if last:
        weights = np.diff(ends[:last], prepend=0.0)
        curve = np.asarray(isotonic_regression(returns[:last], weights=weights).x)
        reached = float(curve[-1]) if last == len(returns) else reached
    found = []
    for threshold in thresholds:
        place = int(np.searchsorted(curve, threshold))
        if place == last:
            found.append(math.log(budget) + PENALTY * (threshold - reached))
        elif place == 0:
            found.append(float(logs[0]))
        else:
            pair = slice(place - 1, place + 1)
            found.append(float(np.interp(threshold, curve[pair], logs[pair])))
    return np.array(found)


def all_reached(
    ends: Float[np.ndarray, "row"],
    returns: Float[np.ndarray, "*run row"],
    thresholds: Sequence[float] = THRESHOLDS,
) -> bool:
    """Whether every run is past the last threshold, so that more interactions change no score."""
    if not len(ends) or not (returns[..., -1] >= thresholds[-1]).all():
        return False
    most = math.log(ends[-1])
    runs = returns.reshape(-1, len(ends))
    return all(log_interactions(ends, run, math.inf, thresholds).max() <= most for run in runs)


def keep(candidates: Sequence[Candidate], scores: Float[np.ndarray, "candidate"]) -> list[int]:
    """Numbers of the candidates that go on: of each decay and bonus the best third of the rates.

    At least `settings.LEAST_RATES` stay. Of equal scores the lower rate stays.

    Args:
        candidates: those of a rung.
        scores: mean log interactions of each; low is good.
    """
    kept: list[int] = []
    for pair in sorted({candidate.pair for candidate in candidates}):
        own = [i for i, candidate in enumerate(candidates) if candidate.pair == pair]
        own.sort(key=lambda i: (scores[i], candidates[i].learning_rate))
        kept += own[: kept_rates(len(own))]
    return sorted(kept)

"""Intervals that are right for few seeds.

The independent unit is the seed: runs of a seed share observations across horizons, so that their
values are correlated. Leaving out one seed at a time gives a standard error without a model of this
correlation, and Student's t with (seeds - 1) degrees of freedom makes the interval right for 3 to 6
seeds, where percentile bootstraps cover about 80%.

The likelihood gives the *shape* of an interval (an exponent's or a knee's is asymmetric), the seeds
give its *width*: the profile likelihood is rescaled so that its curvature at the maximum is the one
that leaving out seeds shows (the adjusted profile of Chandler and Bate 2007, Biometrika 94, 167).
"""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.optimize import brentq
from scipy.special import expit, logit, ndtri

from analysis.stats.distributions import t_quantile

LEVEL = 0.95

Interval = tuple[float, float]


@dataclass(frozen=True)
class Scale:
    """An increasing map to a scale on which an estimate is about normal, and its inverse."""

    to: Callable[[float], float]
    back: Callable[[float], float]


LINEAR = Scale(float, float)
LOG = Scale(lambda value: float(np.log(value)), lambda value: float(np.exp(value)))
LOGIT = Scale(lambda value: float(logit(value)), lambda value: float(expit(value)))


def arcsinh_scale(unit: float) -> Scale:
    """Linear about 0, where a sign is uncertain, and logarithmic far from it."""
    return Scale(
        lambda value: float(np.arcsinh(value / unit)), lambda value: float(np.sinh(value) * unit)
    )


@functools.cache
def t_factor(clusters: int) -> float:
    """Half width of a 95% interval in standard errors, for a mean over `clusters` seeds."""
    return t_quantile(0.5 + LEVEL / 2, clusters - 1)


def t_reach(
    deviation: Float[np.ndarray, "*n"], clusters: Int[np.ndarray, "*n"]
) -> Float[np.ndarray, "*n"]:
    """Half width of the 95% interval of a mean over seeds; NaN for a single seed.

    Args:
        deviation: standard deviation over the seeds (with n - 1).
        clusters: number of seeds.
    """
    counts = np.maximum(clusters, 1)
    factors = {count: t_factor(count) if count > 1 else np.nan for count in np.unique(counts)}
    return np.vectorize(factors.get, otypes=[float])(counts) * deviation / np.sqrt(counts)


def mean_interval(values: Float[np.ndarray, "seed"]) -> tuple[float, float, float]:
    """Mean over seeds and the ends of its 95% interval (NaN with one seed)."""
    values = np.asarray(values, dtype=float)
    if len(values) < 2:
        return float(values.mean()), float("nan"), float("nan")
    half = float(t_reach(values.std(ddof=1)[None], np.array([len(values)]))[0])
    return float(values.mean()), float(values.mean() - half), float(values.mean() + half)


def rank_correlation(
    x: Float[np.ndarray, "unit"], y: Float[np.ndarray, "unit"]
) -> tuple[float, float, float]:
    """Spearman's rank correlation and the ends of its 95% interval, for at least 4 units.

    By Fisher's z with the variance `(1 + r^2 / 2) / (n - 3)` (Bonett and Wright 2000, Psychometrika
    65, 23). A perfect order has the interval of one in which two neighbours change places, up to 1.

    Args:
        x: values, ties allowed.
        y: values of the same units.
    """
    count = len(x)
    ranks = np.stack([_ranks(x), _ranks(y)])
    if np.any(np.ptp(ranks, axis=1) == 0):
        return 0.0, -1.0, 1.0
    r = float(np.corrcoef(ranks)[0, 1])
    most = 1 - 12 / (count**3 - count)
    inner = float(np.clip(r, -most, most))
    half = ndtri(0.5 + LEVEL / 2) * np.sqrt((1 + inner**2 / 2) / (count - 3))
    low, high = np.tanh(np.arctanh(inner) + np.array([-half, half])).tolist()
    return r, min(low, r), max(high, r)


def _ranks(values: Float[np.ndarray, "unit"]) -> Float[np.ndarray, "unit"]:
    """Ranks from 1 on; equal values have their mean rank."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks: np.ndarray = (np.cumsum(counts) - (counts - 1) / 2)[place]
    return ranks


def jackknife_error(estimate: float, left_out: np.ndarray) -> float:
    """Standard error `sqrt((S - 1) / S * sum_s (estimate_(s) - estimate)^2)` over S seeds.

    Args:
        estimate: from all seeds.
        left_out: estimates without one seed each, shape [seed], S >= 2.
    """
    seeds = len(left_out)
    return float(np.sqrt((seeds - 1) / seeds * np.sum((left_out - estimate) ** 2)))


def jackknife_interval(
    estimate: float, left_out: Sequence[float] | np.ndarray, scale: Scale = LINEAR
) -> Interval | None:
    """95% interval of a number by leaving out seeds, symmetric on the scale given.

    Args:
        estimate: from all seeds.
        left_out: estimates without one seed each, shape [seed].
        scale: on which the estimate is about normal.

    Returns:
        The interval; None with fewer than two seeds.
    """
    if len(left_out) < 2:
        return None
    with np.errstate(all="ignore"):  # ends beyond what a float holds are 0 or infinite
        center = scale.to(estimate)
        error = jackknife_error(center, np.array([scale.to(value) for value in left_out]))
        half = t_factor(len(left_out)) * error
        return scale.back(center - half), scale.back(center + half)


def profile_interval(
    log_likelihood: Callable[[float], float],
    estimate: float,
    error: float,
    clusters: int,
    limits: Interval,
) -> Interval:
    """95% interval from a profile likelihood, rescaled to the standard error between seeds.

    With the signed root `r(x) = sign(x - x0) sqrt(2 (l(x0) - l(x)))` and its own standard error
    `1 / r'(x0)`, the interval is where `|r(x)| r'(x0)^-1 <= t error`, t of `clusters - 1` degrees.

    Args:
        log_likelihood: maximised over everything but x.
        estimate: x0, where it is largest.
        error: standard error of x0 by leaving out seeds.
        clusters: number of seeds.
        limits: of the search; an end that is not reached there is returned as the limit.
    """
    top = log_likelihood(estimate)

    @functools.cache  # searches that start where the last one ended do not repeat exactly
    def root(x: float) -> float:
        return 0.0 if x == estimate else np.sqrt(max(2 * (top - log_likelihood(x)), 0.0))

    step = max(1e-3, 0.25 * error)
    sides = [x for x in (estimate - step, estimate + step) if limits[0] < x < limits[1]]
    slope = float(np.mean([root(x) / step for x in sides])) if sides else 0.0
    if error <= 0 or slope <= 0:
        return (estimate, estimate) if error <= 0 else limits
    # r' from a secant: the profile's own standard error is 1 / slope.
    needed = t_factor(clusters) * error * slope
    ends = []
    for limit in limits:
        if root(limit) <= needed:
            ends.append(limit)
            continue
        # The quadratic guess is close: widen from it instead of searching the whole range.
        reach = t_factor(clusters) * error * np.sign(limit - estimate)
        outer = estimate + 1.5 * reach
        while (outer - limit) * np.sign(reach) < 0 and root(outer) < needed:
            outer += reach
        outer = limit if (outer - limit) * np.sign(reach) > 0 else outer
        ends.append(
            float(brentq(lambda x: root(x) - needed, estimate, outer, xtol=1e-3, maxiter=50))
        )
    return ends[0], ends[1]

"""The best horizon of a delay: where the interactions under `periodic:k` are fewest.

Theory: a short horizon loses the signal (a payment is k steps away), a long one adds noise of the
future, so that E is U-shaped in h with its minimum at h of order k. The measurement here does not
use the theory: it is a cubic in log h through log E around the horizon with the lowest E, censored
runs included, with an interval by leaving out seeds.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from analysis.laws.law import Quantity, flat, leave_out_interval
from analysis.stats import censored
from analysis.stats.censored import Sample
from analysis.stats.fit_test import REFUSED, Saturated
from analysis.stats.intervals import LOG, Interval
from mnist_horizon.schedules import Schedule

_REACH = 2  # measured horizons on each side of the lowest that the cubic goes through


@dataclass(frozen=True)
class BestHorizon:
    """The best horizon of a delay, measured and by the law of horizon and schedule.

    Attributes:
        schedule: a schedule with a delay.
        threshold: the return to reach.
        measured: lowest point of the cubic; at an edge, the outermost measured horizon. No interval
            at an edge or with one seed.
        edge: "shortest" or "longest" where the lowest measured horizon is the outermost, so that
            the best may lie beyond; else empty.
        predicted: by the fitted law; no interval with one seed.
    """

    schedule: Schedule
    threshold: float
    measured: Quantity
    edge: str
    predicted: Quantity

    @property
    def quantities(self) -> dict[str, Quantity]:
        """Both best horizons."""
        return {"measured": self.measured, "predicted": self.predicted}

    def to_json(self) -> dict[str, Any]:
        """The entry in the law of `fits.json`."""
        numbers = flat(self.quantities)
        named = {"schedule": str(self.schedule), "threshold": self.threshold, "edge": self.edge}
        return named | numbers


@dataclass(frozen=True)
class _Cubic:
    """log E as `least + e^c (d^2 / 2 + skew d^3 / 6)`, d = log h - best.

    Parameters in the order least, c, best, skew; the skew is 0 for fewer than 4 horizons.
    """

    log_h: np.ndarray
    ends: Interval
    skewed: bool

    @property
    def bounds(self) -> list[tuple[float, float]]:
        """Bounds of the parameters: the slope changes sign once within one e-fold of the least."""
        return [(-5.0, 70.0), (-9.0, 4.0), self.ends, (-1.0 * self.skewed, 1.0 * self.skewed)]

    def __call__(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        distance, bend, skew = self.log_h - theta[2], np.exp(theta[1]), theta[3]
        rise = bend * (distance**2 / 2 + skew * distance**3 / 6)
        by_best = -bend * (distance + skew * distance**2 / 2)
        parts = (np.ones_like(rise), rise, by_best, bend * distance**3 / 6)
        return theta[0] + rise, np.stack(parts, axis=1)

    def take(self, keep: np.ndarray) -> "_Cubic":
        return _Cubic(self.log_h[keep], self.ends, self.skewed)


@dataclass(frozen=True)
class MeasuredBest:
    """The best horizon of some runs, without a theory.

    Attributes:
        value: as `BestHorizon.measured`.
        edge: as of `BestHorizon`.
        lowest: the measured horizon with the lowest mean log E.
        fit_test: how often runs of a cubic would lie as far from it; None at an edge.
        curve: log E by the cubic at log horizons of its window; None at an edge.
    """

    value: Quantity
    edge: str
    lowest: float
    fit_test: float | None = None
    curve: Callable[[np.ndarray], np.ndarray] | None = None

    @property
    def is_refused(self) -> bool:
        """Whether the runs do not lie on a cubic."""
        return self.fit_test is not None and self.fit_test < REFUSED


def best_horizon_of(
    schedule: Schedule, runs: Sample, horizon: np.ndarray, threshold: float, predicted: Quantity
) -> BestHorizon | None:
    """The best horizon of a delay's runs; None where it cannot be determined (`measure_best`).

    Args:
        schedule: the schedule of the runs.
        runs: of one width and threshold.
        horizon: of each run, shape [run].
        threshold: the return to reach.
        predicted: by the law of horizon and schedule.
    """
    best = measure_best(runs, horizon)
    if best is None:
        return None
    return BestHorizon(schedule, threshold, best.value, best.edge, predicted)


def measure_best(runs: Sample, horizon: np.ndarray) -> MeasuredBest | None:
    """The best horizon of the runs of one width and threshold, by a cubic about the lowest.

    Returns:
        None with fewer than 3 horizons, or none at which all seeds reach the return.
    """
    lowest = _lowest(runs, horizon)
    if lowest is None:
        return None
    levels = np.unique(horizon)
    place = int(np.flatnonzero(levels == lowest)[0])
    if place in (0, len(levels) - 1):
        return MeasuredBest(Quantity(lowest), "shortest" if place == 0 else "longest", lowest)
    window = levels[max(place - _REACH, 0) : place + _REACH + 1]
    return _fit_cubic(runs, horizon, lowest, window)


def _lowest(runs: Sample, horizon: np.ndarray) -> float | None:
    """The measured horizon with the least mean log E among those at which no run is censored."""
    mean_log_e = {}
    for level in np.unique(horizon):
        here = horizon == level
        if runs.values.exact[here].all():
            mean_log_e[float(level)] = float(runs.values.log_e[here].mean())
    if not mean_log_e or len(np.unique(horizon)) < 3:
        return None
    return min(mean_log_e, key=lambda level: mean_log_e[level])


def _fit_cubic(
    runs: Sample, horizon: np.ndarray, lowest: float, window: np.ndarray
) -> MeasuredBest:
    """The lowest point of the cubic through the horizons of a window, with its interval."""
    near = np.isin(horizon, window)
    ends = (float(np.log(window[0])), float(np.log(window[-1])))
    skewed = len(window) > 3
    values = runs.values.take(near)
    sample = Sample(_Cubic(np.log(horizon[near]), ends, skewed), values, runs.seed[near])
    start = np.array([values.log_e.min(), -1.0, np.log(lowest), -0.3 * skewed])
    full = sample.fit([start])
    left_out = censored.parameters(sample.fits_without_each_seed(full), len(start))

    def best(theta: np.ndarray) -> float:
        return float(np.exp(theta[2]))

    cell = np.unique(horizon[near], return_inverse=True)[1].ravel()
    return MeasuredBest(
        Quantity(best(full.theta), leave_out_interval(best, full.theta, left_out, LOG)),
        "",
        lowest,
        Saturated.of(values, cell, groups=1).p_value(full),
        partial(_on_cubic, ends=ends, skewed=skewed, theta=full.theta),
    )


def _on_cubic(
    log_h: np.ndarray, ends: tuple[float, float], skewed: bool, theta: np.ndarray
) -> np.ndarray:
    """log E of a fitted cubic."""
    return _Cubic(log_h, ends, skewed)(theta)[0]

"""The best horizon of each delay: where the interactions under `periodic:k` are least.

Theory: a short horizon loses the signal (a payment is k steps away), a long one adds noise of the
future, so that E is U-shaped in h with its least of the order of k. Measured here without it: a
parabola in log h through log E around the lowest measured horizon, censored runs included, with an
interval by leaving out seeds.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from analysis.laws.schedule import JointData, JointLaw
from analysis.stats import censored, intervals
from analysis.stats.intervals import Interval
from mnist_horizon.schedules import Schedule

_REACH = 2  # measured horizons on each side of the lowest that the cubic goes through


@dataclass(frozen=True)
class BestHorizon:
    """The best horizon of a delay, measured and by the joint law.

    Attributes:
        schedule: `periodic:k`.
        threshold: the return to reach.
        measured: lowest point of the cubic; at an edge, the outermost measured horizon.
        measured_ci: its 95% interval; None at an edge or with one seed.
        edge: "shortest" or "longest" where the lowest measured horizon is the outermost, so that
            the best may lie beyond; else empty.
        predicted: by the fitted joint law, with its interval.
        predicted_ci: None with one seed.
    """

    schedule: Schedule
    threshold: float
    measured: float
    measured_ci: Interval | None
    edge: str
    predicted: float
    predicted_ci: Interval | None

    def to_json(self) -> dict[str, Any]:
        """The entry in the joint law of `fits.json`."""
        entry = {key: value for key, value in vars(self).items() if value is not None}
        entry = {k: list(v) if isinstance(v, tuple) else v for k, v in entry.items()}
        return {**entry, "schedule": str(self.schedule)}


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


def best_horizons(law: JointLaw) -> tuple[list[BestHorizon], list[str]]:
    """The best horizon of each delay above 1 of a joint law's runs, and notes on those without."""
    found, notes = [], []
    for number, schedule in enumerate(law.data.mean.schedules):
        if not schedule.adds_up or schedule.period == 1:
            continue
        own = law.data.take(law.data.mean.schedule == number)
        lowest = _lowest(own)
        if lowest is None:
            notes.append(
                f"best horizon of {schedule} to a return of {law.threshold:g}: no horizon at which "
                "all seeds reach it, or fewer than 3 horizons"
            )
            continue
        measured, ends, edge = _measure(own, lowest)
        predicted = law.best_horizon(schedule)
        found.append(BestHorizon(schedule, law.threshold, measured, ends, edge, *predicted))
    return found, notes


def _lowest(data: JointData) -> float | None:
    """The measured horizon with the least mean log E among those that all seeds manage."""
    horizon, whole = data.mean.horizon, {}
    for level in np.unique(horizon):
        here = horizon == level
        if data.exact[here].all():
            whole[float(level)] = float(data.values.log_e[here].mean())
    if not whole or len(np.unique(horizon)) < 3:
        return None
    return min(whole, key=lambda level: whole[level])


def _measure(data: JointData, lowest: float) -> tuple[float, Interval | None, str]:
    """Best horizon, its interval, and the edge at which it lies if it does."""
    levels = np.unique(data.mean.horizon)
    place = int(np.flatnonzero(levels == lowest)[0])
    if place in (0, len(levels) - 1):
        return lowest, None, "shortest" if place == 0 else "longest"
    window = levels[max(place - _REACH, 0) : place + _REACH + 1]
    near = data.take(np.isin(data.mean.horizon, window))
    ends = (float(np.log(window[0])), float(np.log(window[-1])))
    skewed = len(window) > 3
    start = np.array([near.values.log_e.min(), -1.0, np.log(lowest), -0.3 * skewed])
    full = censored.fit(_Cubic(np.log(near.mean.horizon), ends, skewed), near.values, [start])
    best = float(full.theta[2])
    left_out = []
    for part in near.without_each_seed():
        mean = _Cubic(np.log(part.mean.horizon), ends, skewed)
        left_out.append(censored.fit(mean, part.values, [full.theta], full.spread).theta[2])
    if not left_out:
        return float(np.exp(best)), None, ""
    low, high = intervals.jackknife_interval(best, np.array(left_out))
    return float(np.exp(best)), (float(np.exp(low)), float(np.exp(high))), ""

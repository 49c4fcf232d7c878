"""What the batch adds to the horizon law: its constant part belongs to the batch, not to the task.

Steps needed go as `S_min (1 + B_noise / B)` (McCandlish et al. 2018, arXiv 1812.06162), and the
noise scale is affine in the variance horizon x of the discount, so that

    E = S_min (B + n_0 + n_1 x),    B_noise(h) = n_0 + n_1 x

with S_min of each width and n_0, n_1 shared. The knee at batch B is where `x = (B + n_0) / n_1`; at
small B it is `n_0 / n_1`, the one that belongs to the task.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from analysis.data.crossings import choose_learning_rates
from analysis.laws.horizon import HorizonData, describe, groups, horizon_data, horizon_of
from analysis.stats import censored, intervals
from analysis.stats.intervals import Interval
from mnist_horizon.horizon import variance_horizon

_BATCH_COLUMNS = ("batch", "environments", "rollout_length")


@dataclass(frozen=True)
class BatchMean:
    """log E as a function of log S_min of each width, log n_0 and log n_1.

    Attributes:
        batch: batch of each run, shape [run].
        x: variance horizon of each run, shape [run].
        width: number of the width of each run, shape [run].
        widths: how many widths there are.
    """

    batch: np.ndarray
    x: np.ndarray
    width: np.ndarray
    widths: int

    @property
    def bounds(self) -> list[tuple[float, float]]:
        """Bounds of the parameters, in their order."""
        smallest, largest = np.log(self.batch.min()), np.log(self.batch.max())
        return [(-30.0, 70.0)] * self.widths + [(smallest - 12, largest + 12)] * 2

    def __call__(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean of log E, shape [run], and derivatives, shape [run, parameter]."""
        constant, growing = np.exp(theta[self.widths :])
        inside = self.batch + constant + growing * self.x
        derivatives = np.zeros((len(self.x), len(theta)))
        derivatives[np.arange(len(self.x)), self.width] = 1
        derivatives[:, -2] = constant / inside
        derivatives[:, -1] = growing * self.x / inside
        return theta[self.width] + np.log(inside), derivatives

    def take(self, keep: np.ndarray) -> "BatchMean":
        """The mean at the runs where `keep`, shape [run], is true."""
        return BatchMean(self.batch[keep], self.x[keep], self.width[keep], self.widths)


@dataclass(frozen=True)
class BatchLaw:
    """`E = S_min (B + n_0 + n_1 x)` of one group and threshold.

    Intervals are None with one seed, or where a noise constant is at an end of its search.

    Attributes:
        group: settings held fixed (without the batch).
        threshold: the return to reach.
        s_min: least steps (geometric mean over pooled widths).
        noise_constant: n_0, in interactions.
        noise_growth: n_1, in interactions.
        knee_small_batch: knee as B goes to 0.
        knees: knee by batch.
        runs: how many there are, of them `censored`.
    """

    group: dict[str, Any]
    threshold: float
    s_min: float
    noise_constant: float
    noise_growth: float
    s_min_ci: Interval | None
    noise_constant_ci: Interval | None
    noise_growth_ci: Interval | None
    knee_small_batch: float
    knee_small_batch_ci: Interval | None
    knees: dict[int, float]
    runs: int
    censored: int

    def to_json(self) -> dict[str, Any]:
        """The entry of `fits.json`, absent what is not there."""
        entry = {key: value for key, value in vars(self).items() if value is not None}
        entry["knees"] = {str(batch): knee for batch, knee in self.knees.items()}
        return {k: list(v) if isinstance(v, tuple) else v for k, v in entry.items()}


def fit_batch_laws(table: pd.DataFrame) -> tuple[list[BatchLaw], list[str]]:
    """Fit the law for each group and threshold that has several batches; returns laws and notes.

    Args:
        table: interactions to threshold (`thresholds.interactions_to_threshold`).
    """
    if "batch" not in table:
        return [], []
    table, notes = choose_learning_rates(table)
    laws = []
    for group, threshold, rows in groups(table, aside=_BATCH_COLUMNS):
        if rows["batch"].nunique() < 2:
            continue
        data, problems = horizon_data(rows)
        label = f"several batches, {describe(group, threshold)}"
        notes += [f"{label}: {problem}" for problem in problems]
        if data is not None:
            laws.append(_fit_group(group, threshold, data))
            if data.seeds > 1 and laws[-1].knee_small_batch_ci is None:
                notes.append(
                    f"{label}: no interval of the knee at small batches, the noise n_0 or n_1 is "
                    "lost beside the batch; smaller batches or longer horizons are needed"
                )
    return laws, notes


def _fit_group(group: dict[str, Any], threshold: float, data: HorizonData) -> BatchLaw:
    """Fit one group, and again without each seed."""
    k = len(data.widths)
    mean = BatchMean(data.batch, variance_horizon(data.horizon), data.width, k)
    typical = np.log(np.median(data.batch))
    level = float(np.median(data.values.log_e)) - typical - np.log(3)
    starts = [np.array([level] * k + [typical, typical + growth]) for growth in (-4.0, -2.0, 0.0)]
    full = censored.fit(mean, data.values, starts)
    left_out = [
        censored.fit(mean.take(keep), data.values.take(keep), [full.theta], full.spread).theta
        for keep in (data.seed != seed for seed in range(data.seeds))
        if keep.any()
    ]

    def interval(number: Callable[[np.ndarray], float]) -> Interval | None:
        if not left_out:
            return None
        return intervals.jackknife_interval(
            number(full.theta), np.array([number(theta) for theta in left_out])
        )

    (low_bound, high_bound) = mean.bounds[-1]

    def open_ends(name: int) -> bool:
        """Whether a noise constant is at the end of its search, where nothing is measured."""
        values = np.array([theta[name] for theta in (full.theta, *left_out)])
        return bool(np.any((values <= low_bound) | (values >= high_bound)))

    def exp(ends: Interval | None) -> Interval | None:
        return None if ends is None else (float(np.exp(ends[0])), float(np.exp(ends[1])))

    log_ratio = float(full.theta[-2] - full.theta[-1])
    is_open = {name: open_ends(name) for name in (-2, -1)}
    ratio_ci = None
    if not any(is_open.values()):
        ratio_ci = exp(interval(lambda theta: theta[-2] - theta[-1]))
    constant, growth = (float(value) for value in np.exp(full.theta[-2:]))
    return BatchLaw(
        group=group,
        threshold=threshold,
        s_min=float(np.exp(full.theta[:k].mean())),
        noise_constant=constant,
        noise_growth=growth,
        s_min_ci=exp(interval(lambda theta: float(theta[:k].mean()))),
        noise_constant_ci=None if is_open[-2] else exp(interval(lambda theta: theta[-2])),
        noise_growth_ci=None if is_open[-1] else exp(interval(lambda theta: theta[-1])),
        knee_small_batch=horizon_of(float(np.exp(log_ratio)), "variance_horizon"),
        knee_small_batch_ci=None
        if ratio_ci is None
        else (
            horizon_of(ratio_ci[0], "variance_horizon"),
            horizon_of(ratio_ci[1], "variance_horizon"),
        ),
        knees={
            int(batch): horizon_of((batch + constant) / growth, "variance_horizon")
            for batch in np.unique(data.batch)
        },
        runs=len(data.horizon),
        censored=int(data.values.right.sum()),
    )

"""The effect of the batch on the horizon law: the batch is a term of the law's constant part.

Steps needed go as `S_min (1 + B_noise / B)` (McCandlish et al. 2018, arXiv 1812.06162), and the
noise scale is affine in the variance horizon x of the discount, so that

    E = S_min (B + n_0 + n_1 x),    B_noise(h) = n_0 + n_1 x

with S_min of each width and n_0, n_1 shared. The knee at batch B is where `x = (B + n_0) / n_1`; as
B goes to 0 it is where `x = n_0 / n_1`, which depends on the task but not on the batch.
"""

import functools
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import pandas as pd

from analysis.data.families import split
from analysis.laws.horizon_forms import HorizonData, horizon_data
from analysis.laws.law import Fits, FittedLaw, Quantity, leave_out_interval
from analysis.laws.regressors import horizon_of
from analysis.stats import censored
from analysis.stats.censored import Sample
from analysis.stats.intervals import LOG, Interval
from mnist_horizon.horizon import variance_horizon


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
class BatchLaw(FittedLaw):
    """`E = S_min (B + n_0 + n_1 x)` of one group and threshold.

    Attributes:
        group: settings held fixed (without the batch).
        threshold: the return to reach.
        data: the runs.
        mean: the mean function at the runs.
        theta: log S_min of each width, log n_0 and log n_1.
        left_out: the same without each seed in turn, shape [seed, parameter].
    """

    group: dict[str, Any]
    threshold: float
    data: HorizonData
    mean: BatchMean
    theta: np.ndarray
    left_out: np.ndarray

    @property
    def seeds(self) -> list[int]:
        """The seeds of its runs."""
        return self.data.seeds

    @functools.cached_property
    def quantities(self) -> dict[str, Quantity]:
        """s_min (geometric mean over pooled widths), n_0, n_1, and the knee as B goes to 0.

        A noise constant at a bound of the search has no interval: it is not determined there.
        """
        return {
            "s_min": self._quantity(lambda theta: np.exp(theta[:-2].mean())),
            "noise_constant": self._quantity(lambda theta: np.exp(theta[-2]), -2),
            "noise_growth": self._quantity(lambda theta: np.exp(theta[-1]), -1),
            "knee_small_batch": self._knee_small_batch(),
        }

    @property
    def determined_by(self) -> dict[str, str]:
        """Batches and horizons beyond those of the runs."""
        smaller, larger = self.data.batch.min(), self.data.batch.max()
        longer = f"longer horizons than {self.data.horizon.max():g}"
        return {
            "s_min": f"batches larger than {larger:g}",
            "noise_constant": f"batches smaller than {smaller:g}",
            "noise_growth": longer,
            "knee_small_batch": f"batches smaller than {smaller:g} or {longer}",
        }

    def _quantity(self, number: Any, *places: int) -> Quantity:
        ends = leave_out_interval(number, self.theta, self.left_out, LOG)
        return Quantity(float(number(self.theta)), None if self._is_open(*places) else ends)

    def _knee_small_batch(self) -> Quantity:
        ratio = self._quantity(lambda theta: np.exp(theta[-2] - theta[-1]), -2, -1)
        ends: Interval | None = None
        if ratio.interval is not None:
            low, high = (horizon_of(end, "variance_horizon") for end in ratio.interval)
            ends = low, high
        return Quantity(horizon_of(ratio.value, "variance_horizon"), ends)

    def _is_open(self, *places: int) -> bool:
        """Whether a parameter is at a bound of the search, with all seeds or without one."""
        low, high = self.mean.bounds[-1]
        values = np.stack([self.theta, *self.left_out])[:, list(places)]
        return bool(np.any((values <= low) | (values >= high)))

    @property
    def knees(self) -> dict[int, float]:
        """The knee at each batch of the runs."""
        constant, growth = np.exp(self.theta[-2:]).tolist()
        return {
            int(batch): horizon_of((batch + constant) / growth, "variance_horizon")
            for batch in np.unique(self.data.batch)
        }

    def predict(self, rows: pd.DataFrame) -> np.ndarray:
        """Interactions of rows with `horizon` and `batch`, at the mean of pooled widths."""
        x = variance_horizon(rows["horizon"].to_numpy(float))
        s_min, constant, growth = np.exp([self.theta[:-2].mean(), *self.theta[-2:]])
        predicted: np.ndarray = s_min * (rows["batch"].to_numpy(float) + constant + growth * x)
        return predicted

    def without_seed(self, seed: int) -> Self:
        """The law at the parameters that it has without the runs of one seed."""
        theta = self.left_out[self.seeds.index(seed)]
        return replace(self, theta=theta, left_out=self.left_out[:0])

    def details(self) -> dict[str, Any]:
        """What else the entry of `fits.json` holds."""
        return {
            "threshold": self.threshold,
            "knees": self.knees,
            "runs": len(self.data.horizon),
            "censored": int(self.data.values.right.sum()),
        }


def fit_batch_laws(table: pd.DataFrame) -> Fits:
    """Fit the law for each group and threshold that has several batches.

    Args:
        table: interactions to threshold, one run per seed (`data.crossings`).
    """
    if "batch" not in table:
        return Fits()
    laws, notes = [], []
    for varying in (("horizon", "batch"), ("horizon", "batch", "width")):
        for group in split(table, *varying):
            rows = group.rows
            if rows["batch"].nunique() < 2 or ("width" in varying and rows["width"].nunique() < 2):
                continue
            data, problems = horizon_data(rows)
            label = f"several batches, {group.label}"
            notes += [f"{label}: {problem}" for problem in problems]
            if data is None:
                continue
            law = _fit_group(group.settings, group.threshold, data)
            laws.append(law)
            if len(law.seeds) > 1 and not law.quantities["knee_small_batch"].is_bounded:
                notes.append(
                    f"{label}: no interval of the knee at small batches, the noise n_0 or n_1 is "
                    "too small beside the batch; smaller batches or longer horizons are needed"
                )
    return Fits(tuple(laws), tuple(notes))


def _fit_group(group: dict[str, Any], threshold: float, data: HorizonData) -> BatchLaw:
    """Fit one group, and again without each seed."""
    widths = len(data.widths)
    mean = BatchMean(data.batch, variance_horizon(data.horizon), data.width, widths)
    sample = Sample(mean, data.values, data.seed)
    typical = np.log(np.median(data.batch))
    level = float(np.median(data.values.log_e)) - typical - np.log(3)
    starts = [
        np.array([level] * widths + [typical, typical + growth]) for growth in (-4.0, -2.0, 0.0)
    ]
    full = sample.fit(starts)
    left_out = censored.parameters(sample.fits_without_each_seed(full), len(full.theta))
    return BatchLaw(group, threshold, data, mean, full.theta, left_out)

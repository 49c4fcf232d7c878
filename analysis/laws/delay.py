"""The law of a delay: interactions against horizon where rewards come late.

Under `periodic:k` and `streak:k` a right answer is paid up to k - 1 steps later. A short horizon
loses this signal, a long one adds noise of the future: E is U-shaped in h, with a best horizon of
the order of k, so that no law that grows with the horizon holds. For each width and threshold:

- the best horizon, by a cubic in log h that uses no theory (`best_horizon`);
- where rewards add up, the best horizon and the curve by the theory of the gradient's noise
  (`schedule.ScheduleMean`), fitted to these runs alone;
- without any curve: what the shortest and the longest horizon need, over the best measured one.
"""

import functools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import pandas as pd

from analysis.data.families import Group, schedule_of, split
from analysis.laws.best_horizon import MeasuredBest, measure_best
from analysis.laws.horizon_forms import HorizonData
from analysis.laws.law import Fits, FittedLaw, Quantity
from analysis.laws.multiplier import Ratio, SeedValues
from analysis.laws.schedule import ScheduleMean, best_by_theory
from analysis.stats import censored
from analysis.stats.censored import Fit, Sample
from analysis.stats.fit_test import REFUSED
from mnist_horizon import theory
from mnist_horizon.schedules import Schedule

_HORIZONS_FOR_THEORY = 5  # it has four parameters
_NAMED_RUNS = 5  # ids of runs that an entry gives


@dataclass(frozen=True)
class DelayTheory:
    """The theory of the gradient's noise, fitted to the runs of one delay.

    Attributes:
        schedule: the schedule.
        mean: log E by the theory at the runs.
        fit: the maximum over all seeds.
        left_out: parameters without each seed in turn, shape [seed, parameter].
        fit_test: how often runs of the theory would lie as far from it.
    """

    schedule: Schedule
    mean: ScheduleMean
    fit: Fit
    left_out: np.ndarray
    fit_test: float | None

    @property
    def is_refused(self) -> bool:
        """Whether the runs do not lie on the theory's curve."""
        return self.fit_test is not None and self.fit_test < REFUSED

    def curve(self, horizon: np.ndarray) -> np.ndarray:
        """Interactions, shape [horizon], at the median batch of the runs."""
        horizon = np.asarray(horizon, dtype=float)
        batch = np.full(len(horizon), np.median(self.mean.batch))
        mean = replace(self.mean, schedule=np.zeros(len(horizon), int), horizon=horizon)
        return np.exp(replace(mean, batch=batch)(self.fit.theta)[0])


@dataclass(frozen=True)
class DelayLaw(FittedLaw):
    """Interactions against horizon under one delay, of one width and threshold.

    Attributes:
        group: every setting that is held fixed.
        threshold: the return to reach.
        schedule: a schedule with a delay.
        data: the runs.
        best: the best horizon, measured.
        theory: None where the rewards do not add up, or there are fewer than 5 horizons.
        intervals: whether its numbers have intervals.
    """

    group: dict[str, Any]
    threshold: float
    schedule: Schedule
    data: HorizonData
    best: MeasuredBest
    theory: DelayTheory | None
    intervals: bool = True

    @property
    def seeds(self) -> list[int]:
        """The seeds of its runs."""
        return self.data.seeds

    @property
    def measured(self) -> tuple[float, float]:
        """Smallest and largest horizon of the data."""
        return float(self.data.horizon.min()), float(self.data.horizon.max())

    @functools.cached_property
    def quantities(self) -> dict[str, Quantity]:
        """The best horizon measured and by the theory, and the costs of both ends of the range.

        `cost_shortest` and `cost_longest` are interactions over those of the best horizon.
        """
        numbers = {"best_horizon": self.best.value}
        if self.theory is not None:
            found = best_by_theory(self.schedule, self.theory.fit.theta, self.theory.left_out)
            numbers["predicted"] = found
        numbers |= {name: one.ratio for name, one in self.costs.items() if not one.is_bound}
        if not self.intervals:
            numbers = {name: Quantity(one.value) for name, one in numbers.items()}
        return numbers

    def is_determined(self, name: str, one: Quantity) -> bool:
        """Whether a number is determined; none of a curve that the runs do not lie on."""
        if name == "best_horizon" and (self.best.edge or self.best.is_refused):
            return False
        if name == "predicted" and self.theory is not None and self.theory.is_refused:
            return False
        return one.is_determined

    @property
    def determined_by(self) -> dict[str, str]:
        """Horizons beyond the end at which the least interactions lie."""
        beyond = {
            "shortest": f"horizons below {self.measured[0]:g}",
            "longest": f"horizons above {self.measured[1]:g}",
        }
        needed = beyond.get(self.best.edge, "more horizons near the best one")
        return {"best_horizon": needed, "predicted": "another law: the runs do not lie on this one"}

    @functools.cached_property
    def costs(self) -> dict[str, Ratio]:
        """What each end of the measured range needs, over the best measured horizon.

        The best horizon is chosen for each seed by the other seeds: the least of several noisy
        means is biased, unless the choice excludes the seed. A ratio of an end at which runs are
        right-censored is a lower bound.
        """
        values = SeedValues.of(self.data)
        best = _best_by_other_seeds(values.log_e[values.reached])
        found = {}
        for name, end in zip(("cost_shortest", "cost_longest"), self.measured, strict=True):
            logs = values.log_e[end].groupby("seed").mean() - best
            if end == self.best.lowest or values.left[end].any() or not logs.notna().any():
                continue
            is_bound = bool(values.right[end].any())
            found[name] = Ratio.of(self.best.lowest, end, logs.dropna().to_numpy(), is_bound)
        return found

    @property
    def verdict(self) -> str:
        """`inside` where the best horizon is shown to lie inside the range, else `undecided`."""
        both = [one.verdict for one in self.costs.values()] == ["more", "more"]
        return "inside" if both and self.determined["best_horizon"] else "undecided"

    def predict(self, rows: pd.DataFrame) -> np.ndarray:
        """Interactions of rows with `horizon`: by the theory, without it by the cubic."""
        horizon = rows["horizon"].to_numpy(float)
        if self.theory is not None:
            return self.theory.curve(horizon)
        if self.best.curve is None:
            return np.full(len(horizon), np.nan)
        return np.exp(self.best.curve(np.log(horizon)))

    def without_seed(self, seed: int) -> Self:
        """The law fitted again without the runs of one seed; its numbers have no intervals.

        Raises:
            ValueError: no best horizon can be measured without them.
        """
        data = self.data.without_seed(seed)
        best = _measured(data)
        if best is None:
            raise ValueError(f"without seed {seed} no best horizon can be measured")
        fitted = _theory(self.schedule, data, self.threshold)
        return replace(self, data=data, best=best, theory=fitted, intervals=False)

    def details(self) -> dict[str, Any]:
        """What else the entry of `fits.json` holds."""
        tests = {"cubic": self.best.fit_test, "theory": self.theory and self.theory.fit_test}
        return {
            "threshold": self.threshold,
            "schedule": str(self.schedule),
            "delay": self.schedule.period,
            "edge": self.best.edge,
            "lowest": self.best.lowest,
            "costs": {name: one.to_json() for name, one in self.costs.items()},
            "fit_test": {name: p for name, p in tests.items() if p is not None},
            "measured": self.measured,
            "verdict": self.verdict,
            "runs": len(self.data.horizon),
            "censored": int(self.data.values.right.sum()),
            "fell_back": len(self.data.fell_back),
            "fell_back_runs": self.data.fell_back[:_NAMED_RUNS],
        }


def _best_by_other_seeds(log_e: pd.DataFrame) -> pd.Series:
    """log E of each seed at the horizon that is best on the other seeds (of one, at its own)."""
    by_seed = log_e.groupby("seed").mean()
    others = (by_seed.sum() - by_seed.fillna(0.0)) / (by_seed.notna().sum() - by_seed.notna())
    chosen = (others if len(by_seed) > 1 else by_seed).idxmin(axis=1)
    return pd.Series({seed: by_seed.loc[seed, best] for seed, best in chosen.items()})


def fit_delay_laws(table: pd.DataFrame) -> Fits:
    """Fit the law of each delay, width and threshold.

    Args:
        table: interactions to threshold, one run per seed (`data.crossings`).
    """
    laws: list[DelayLaw] = []
    without: dict[str, int] = {}
    for group, schedule in _delays(table):
        data = HorizonData.from_rows(group.rows)
        best = _measured(data)
        if best is None:
            without[str(schedule)] = without.get(str(schedule), 0) + 1
            continue
        fitted = _theory(schedule, data, group.threshold)
        laws.append(DelayLaw(group.settings, group.threshold, schedule, data, best, fitted))
    notes = (
        f"{schedule}: no law of the delay for {count} pairs of width and return, it needs at least "
        "3 horizons, and one at which all seeds reach the return"
        for schedule, count in without.items()
    )
    return Fits(tuple(laws), tuple(notes))


def _delays(table: pd.DataFrame) -> Iterator[tuple[Group, Schedule]]:
    """Groups of runs that differ in horizon only, of schedules with a delay."""
    if "schedule" not in table:
        return
    for group in split(table, "horizon"):
        schedule = schedule_of(group.settings)
        if schedule.period > 1:
            yield group, schedule


def _measured(data: HorizonData) -> MeasuredBest | None:
    return measure_best(Sample(None, data.values, data.seed), data.horizon)


def _theory(schedule: Schedule, data: HorizonData, threshold: float) -> DelayTheory | None:
    """The theory fitted to the runs of one delay, where it is known and they allow it."""
    horizons = len(np.unique(data.horizon[data.values.exact]))
    known = schedule.adds_up and theory.has_closed_form(schedule)
    if not known or horizons < _HORIZONS_FOR_THEORY or not data.batch.min() > 0:
        return None
    if not 0 < threshold < 1:
        return None
    none = np.zeros(len(data.horizon), dtype=int)
    mean = ScheduleMean((schedule,), none, data.horizon, data.batch, threshold)
    sample = Sample(mean, data.values, data.seed)
    full = sample.fit(mean.start(data.values))
    left_out = censored.parameters(sample.fits_without_each_seed(full), len(full.theta))
    return DelayTheory(schedule, mean, full, left_out, data.saturated.p_value(full))

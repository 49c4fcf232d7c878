"""Does a task's own gradient noise predict its knee? Predicted beside measured, over tasks.

A run at h = 1 gives q (`data.horizon_cost`), the cost of a unit of the variance horizon x, so that
the prediction is `E(h) / E(1) = 1 + q x`: the multiplier at each horizon, and the knee where
`x = 1 / q`. x is that of rollouts as long as those of the runs. The prediction uses no run at
another horizon and fits nothing; its interval is Student's t over seeds, of log q.

The path is taken to be the same at every horizon, each step of it to cost what the noise says for
the best step size (McCandlish et al. 2018, arXiv 1812.06162) and the gradient to be that of the
return: an adaptive optimiser, a rate far from the best and an entropy bonus are left out.
"""

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Self

import numpy as np
import pandas as pd
from scipy.optimize import brentq

from analysis.data.horizon_cost import COLUMN, window_variance_horizon
from analysis.laws.horizon import HorizonLaw
from analysis.laws.law import Quantity, flat
from analysis.stats.intervals import jackknife_interval, mean_interval, rank_correlation
from mnist_horizon.horizon import discount_from_horizon

LEAST_TASKS = 4
"""Tasks are compared with their predictions where as many have both knees."""

_LONGEST = 1e6  # no knee is looked for beyond


@dataclass(frozen=True)
class KneeAgreement:
    """Measured knees against predicted ones, of one return to reach; tasks are the units.

    Attributes:
        predicted: the predicted knee by task.
        measured: the measured knee by task, in the same order.
    """

    predicted: Mapping[str, float]
    measured: Mapping[str, float]

    @functools.cached_property
    def _logs(self) -> tuple[np.ndarray, np.ndarray]:
        """log predicted and log measured, each of shape [task]."""
        return np.log([*self.predicted.values()]), np.log([*self.measured.values()])

    @property
    def quantities(self) -> dict[str, Quantity]:
        """Ratio, slope and rank correlation, each with its interval.

        `knee_ratio` is the geometric mean of measured over predicted, `knee_slope` that of log
        measured on log predicted (least squares, interval by leaving out tasks), `knee_rank`
        Spearman's rank correlation.
        """
        predicted, measured = self._logs
        ratio, *ends = np.exp(mean_interval(measured - predicted))
        keep = ~np.eye(len(predicted), dtype=bool)
        slope = _slope(predicted, measured)
        left_out = [_slope(predicted[rest], measured[rest]) for rest in keep]
        rank, *rank_ends = rank_correlation(predicted, measured)
        return {
            "knee_ratio": Quantity(float(ratio), (float(ends[0]), float(ends[1]))),
            "knee_slope": Quantity(slope, jackknife_interval(slope, left_out)),
            "knee_rank": Quantity(rank, (rank_ends[0], rank_ends[1])),
        }

    @property
    def within_factor(self) -> float:
        """e to the root mean square of log measured over predicted."""
        predicted, measured = self._logs
        return float(np.exp(np.sqrt(np.mean((measured - predicted) ** 2))))

    @property
    def within_factor_after_ratio(self) -> float:
        """The same with every prediction multiplied by `knee_ratio`: the scatter alone."""
        predicted, measured = self._logs
        return float(np.exp(np.std(measured - predicted, ddof=1)))

    @property
    def measured_factor(self) -> float:
        """The scatter of the measured knees about their own mean: what a prediction has to beat."""
        return float(np.exp(np.std(self._logs[1], ddof=1)))

    def to_json(self) -> dict[str, Any]:
        """What `fits.json` holds, in the entries of the return to reach."""
        return {
            "tasks": len(self.predicted),
            **flat(self.quantities),
            "within_factor": self.within_factor,
            "within_factor_after_ratio": self.within_factor_after_ratio,
            "measured_factor": self.measured_factor,
        }


def _slope(x: np.ndarray, y: np.ndarray) -> float:
    centred = x - x.mean()
    squares = float(centred @ centred)
    return float(centred @ y) / squares if squares > 0 else 0.0


@dataclass(frozen=True)
class TaskLaw(HorizonLaw):
    """The horizon law of one task, with what its gradient noise predicts where that was measured.

    Attributes:
        cost: q by seed, of the runs at h = 1 that reach the return.
        rollout_length: steps of a rollout; 0 where it is not known.
        over_tasks: how well the knees of all tasks are predicted; None with fewer than 4 of them.
    """

    cost: Mapping[int, float] = field(default_factory=dict)
    rollout_length: int = 0
    over_tasks: KneeAgreement | None = None

    @classmethod
    def of(cls, law: HorizonLaw, task: str, rows: pd.DataFrame) -> Self:
        """A horizon law with its task's name and the measured noise in its rows (`COLUMN`)."""
        same = {one.name: getattr(law, one.name) for one in fields(HorizonLaw)}
        same["labels"] = {"task": task}
        if COLUMN not in rows:
            return cls(**same)
        known = rows[(rows["threshold"] == law.threshold) & rows[COLUMN].notna()]
        cost = dict(zip(known["seed"].tolist(), known[COLUMN].tolist(), strict=True))
        steps = int(rows["rollout_length"].iloc[0]) if "rollout_length" in rows else 0
        return cls(**same, cost=cost, rollout_length=steps)

    @functools.cached_property
    def predicted(self) -> dict[str, Quantity]:
        """The predicted knee, and the predicted multiplier where that is measured from h = 1 on."""
        if not self.cost:
            return {}
        cost, low, high = np.exp(mean_interval(np.log(list(self.cost.values())))).tolist()
        ends = [low, high] if len(self.cost) > 1 else []
        knee, *knees = (knee_of_cost(one, self.rollout_length) for one in (cost, *ends))
        found = {"predicted_knee": _quantity(knee, knees[::-1])}
        measured = self.multiplier.measured
        if measured is not None and measured.horizons[0] == 1:
            x = _x(measured.horizons[1], self.rollout_length)
            multipliers = [1 + one * x for one in ends]
            found["predicted_multiplier"] = _quantity(1 + cost * x, multipliers)
        return found

    def without_seed(self, seed: int) -> Self:
        """The law at the parameters that it has without the runs of one seed."""
        rest = {other: cost for other, cost in self.cost.items() if other != seed}
        return replace(super().without_seed(seed), cost=rest)

    def details(self) -> dict[str, Any]:
        """What else the entry of `fits.json` holds."""
        over_tasks = self.over_tasks.to_json() if self.over_tasks else None
        predicted = {"cost_per_variance_horizon": self.cost or None, **flat(self.predicted)}
        return {**super().details(), **predicted, "prediction_over_tasks": over_tasks}


def _quantity(value: float, ends: Sequence[float]) -> Quantity:
    return Quantity(value, (ends[0], ends[1]) if ends else None, least=1.0)


def _x(horizon: float, rollout_length: int) -> float:
    return float(window_variance_horizon(discount_from_horizon(horizon), rollout_length))


def knee_of_cost(cost: float, rollout_length: int = 0) -> float:
    """The horizon at which `cost * x = 1`; infinite where it would be beyond 10^6.

    Args:
        cost: q, positive.
        rollout_length: steps of a rollout; 0: without end.
    """

    def excess(log_horizon: float) -> float:
        return cost * _x(math.exp(log_horizon), rollout_length) - 1

    end = math.log(_LONGEST)
    return math.exp(brentq(excess, 0.0, end)) if excess(end) > 0 else math.inf


def with_agreement(laws: Sequence[TaskLaw]) -> list[TaskLaw]:
    """Laws of several tasks and returns, each with the agreement over the tasks of its return."""
    by_return = {
        law.threshold: agreement([one for one in laws if one.threshold == law.threshold])
        for law in laws
    }
    return [replace(law, over_tasks=by_return[law.threshold]) for law in laws]


def agreement(laws: Sequence[TaskLaw]) -> KneeAgreement | None:
    """Agreement of the laws of one return; None where fewer than 4 have both knees."""
    predicted, measured = {}, {}
    for law in laws:
        knees = law.shown_knee, law.predicted.get("predicted_knee")
        if knees[0] is not None and knees[1] is not None and math.isfinite(knees[1].value):
            measured[law.labels["task"]] = knees[0].value
            predicted[law.labels["task"]] = knees[1].value
    return KneeAgreement(predicted, measured) if len(measured) >= LEAST_TASKS else None

"""Whether bits or noise say what a sparse reward costs.

For each run the interactions E to a return are weighted, along its own learning curve mu(E), by

- bits:  I = sum of dE b(schedule, mu), b the mutual information of rewards and right answers in
  bits per step (`Schedule.bits`): what the rewards can have told until the return is reached;
- noise: S = sum of dE / n(schedule, h, mu), n the noise over signal^2 of the schedule at this
  horizon by its closed form, in units of the future's noise (`theory.noise_over_signal` at
  A / (F v) = 1 and a small signal): how many steps without noise the interactions are worth.

If runs needed the same bits under all schedules, I would not depend on the schedule; if they need
the same progress, S would not. Neither has a fitted constant. Within each horizon and seed, log E,
log I and log S are compared with their means over the schedules: the **spread** is the root mean
square of these differences over schedules and horizons. A smaller spread predicts better.
Intervals are Student's t over seeds of the logs of spreads.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import pandas as pd

from analysis.data.crossings import THRESHOLDS, interactions_to_threshold
from analysis.data.families import Group, schedule_names, schedule_of, split, without_references
from analysis.laws.horizon_forms import left_censored
from analysis.laws.law import Fits, FittedLaw, Quantity
from analysis.stats.intervals import mean_interval
from mnist_horizon import theory
from mnist_horizon.schedules import Schedule

WEIGHTS = ("interactions", "bits", "steps")
"""What is compared: E, I and S."""

LEAST_SCHEDULES = 3
_SMALL_SIGNAL = 1e-6
_EDGE = 1e-3


@dataclass(frozen=True)
class BitsLaw(FittedLaw):
    """Spreads of interactions, bits and steps without noise, of one group and return.

    Attributes:
        group: settings held fixed, without schedule and horizon.
        threshold: the return to reach.
        table: one row per run that reaches it: `name` of the schedule, `horizon`, `seed`, and the
            logs of `WEIGHTS`.
        left_out: runs that do not reach it, or whose schedule has no closed form.
    """

    group: dict[str, Any]
    threshold: float
    table: pd.DataFrame
    left_out: int

    @property
    def seeds(self) -> list[int]:
        """The seeds of its runs."""
        return sorted(int(seed) for seed in self.table["seed"].unique())

    def spreads(self) -> pd.DataFrame:
        """Log of the spread of each weight, by seed."""
        cells = self.table.groupby(["seed", "horizon"])
        columns = list(WEIGHTS)
        away = self.table[columns] - cells[columns].transform("mean")
        square = (away**2).groupby(self.table["seed"]).mean()
        return np.log(np.sqrt(square).clip(lower=1e-12))

    @property
    def quantities(self) -> dict[str, Quantity]:
        """Spreads as factors' logs, and that of bits over that of steps."""
        logs = self.spreads()
        found = {f"{name}_spread": _quantity(logs[name]) for name in WEIGHTS}
        return {**found, "bits_over_steps": _quantity(logs["bits"] - logs["steps"])}

    @property
    def verdict(self) -> str:
        """`noise` or `bits` predicts better, or undecided."""
        low, high = self.quantities["bits_over_steps"].interval or (0.0, np.inf)
        return "noise" if low > 1 else "bits" if high < 1 else "undecided"

    def predict(self, rows: pd.DataFrame) -> np.ndarray:
        """Interactions of rows with `name` and `horizon`: E of dense, at equal S.

        By the mean over seeds of what a step without noise takes under each schedule.
        """
        per_step = self.table["interactions"] - self.table["steps"]
        keys = [self.table["name"], self.table["horizon"]]
        cost = per_step.groupby(keys).mean()
        steps = self.table["steps"].mean()
        index = pd.MultiIndex.from_frame(rows[["name", "horizon"]])
        return np.asarray(np.exp(cost.reindex(index).to_numpy() + steps))

    def without_seed(self, seed: int) -> Self:
        """The same without the runs of one seed."""
        return replace(self, table=self.table[self.table["seed"] != seed])

    def details(self) -> dict[str, Any]:
        """What else the entry of `fits.json` holds."""
        return {
            "threshold": self.threshold,
            "schedules": sorted(self.table["name"].unique()),
            "runs": len(self.table),
            "runs_left_out": self.left_out,
            "verdict": self.verdict,
        }


def _quantity(logs: pd.Series) -> Quantity:
    mean, low, high = np.exp(mean_interval(logs.to_numpy())).tolist()
    return Quantity(mean, (low, high) if len(logs) > 1 else None)


def fit_bits_laws(frame: pd.DataFrame) -> Fits:
    """Every width and return that at least `LEAST_SCHEDULES` schedules reach at one horizon.

    Groups with returns below 0 or above 1 are left out: they are no share of right answers.

    Args:
        frame: one row per run and evaluation.
    """
    if not {"schedule", "schedule_level"} <= set(frame):
        return Fits()
    frame = without_references(frame)
    if frame[["schedule", "schedule_level"]].drop_duplicates().shape[0] < LEAST_SCHEDULES:
        return Fits()
    found, notes = [], []
    for group in split(frame, "schedule", "horizon"):
        if not group.rows["return_mean"].dropna().between(0, 1).all():
            notes.append(f"bits and noise, {group.label}: left out, returns are not in 0 to 1")
            continue
        crossings = interactions_to_threshold(group.rows, THRESHOLDS)
        for threshold, rows in crossings.groupby("threshold"):
            law = _law(group, float(threshold), rows)
            if law is not None:
                found.append(law)
    return Fits(tuple(found), tuple(notes))


def _law(group: Group, threshold: float, crossings: pd.DataFrame) -> BitsLaw | None:
    known = ~(crossings["censored"] | left_censored(crossings))
    reached = crossings[known].assign(name=schedule_names(crossings[known]))
    rows = pd.DataFrame(_weighted(group.rows, reached))
    if rows.empty:
        return None
    # A schedule counts at a horizon where every seed reaches the return under it.
    seeds = rows["seed"].nunique()
    rows = rows[rows.groupby(["name", "horizon"])["seed"].transform("nunique") == seeds]
    several = rows.groupby("horizon")["name"].transform("nunique") >= LEAST_SCHEDULES
    rows = rows[several].reset_index(drop=True)
    if rows.empty:
        return None
    return BitsLaw(group.settings, threshold, rows, len(crossings) - len(rows))


def _weighted(curves: pd.DataFrame, reached: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """A row per run whose schedule has both closed forms."""
    runs = dict(iter(curves.groupby("run_id")))
    for row in reached.to_dict("records"):
        schedule = schedule_of(row)
        if not theory.has_closed_form(schedule):
            continue
        run = runs[row["run_id"]].sort_values("interactions")
        values = weights_of(run, schedule, float(row["horizon"]), float(row["interactions"]))
        if all(np.isfinite(one) and one > 0 for one in values.values()):
            logs = {name: float(np.log(one)) for name, one in values.items()}
            yield {"name": row["name"], "horizon": row["horizon"], "seed": row["seed"], **logs}


def weights_of(
    run: pd.DataFrame, schedule: Schedule, horizon: float, interactions: float
) -> dict[str, float]:
    """E, I and S of a run up to its crossing, from the mean return of each row.

    Args:
        run: rows of one run, in order, each a mean since the row before.
        schedule: of the run.
        horizon: of the run.
        interactions: at which it reaches the return.
    """
    ends = np.minimum(run["interactions"].to_numpy(float), interactions)
    steps = np.diff(ends, prepend=0.0)
    accuracy = np.clip(run["return_mean"].to_numpy(float), _EDGE, 1 - _EDGE)
    noise = [
        theory.noise_over_signal(
            schedule, horizon, theory.moments_from_ratio(1.0, float(mu), _SMALL_SIGNAL)
        )
        for mu in accuracy
    ]
    return {
        "interactions": float(steps.sum()),
        "bits": float(np.sum(steps * schedule.bits(accuracy))),
        "steps": float(np.sum(steps / (np.array(noise) * _SMALL_SIGNAL))),
    }

"""What the interactions to a return are spent on: the task, the objective, action noise, horizon.

RL at horizon h is compared with runs that see the same examples and sample no reward
(`mnist_horizon.algorithms`):

    E(h) = task + objective + action_noise + horizon (h - 1)

    task          E of cross-entropy on the labels (`supervised`)
    objective     E of the exact gradient of the mean of pi(label | x) (`exact`) less that of
                  `supervised`
    action_noise  E of RL at h = 1 less that of `exact`: exploration, and the noise of actions
    horizon       b of the horizon law `E = a + b (h - 1)` of the same runs, per step of horizon

The first three are arithmetic means over seeds, paired: seed s of a reference sees the examples of
seed s of RL. Intervals are Student's t over seeds, of `task` in log. The ratios of neighbours,
`exact_over_supervised` and `h1_over_exact`, are geometric means. A part with censored runs on a
side is not given; where they are all on a side that bounds it, it is a bound.

By the theory of the gradient's noise `predicted_h1_over_exact` is what the action part of the noise
measured along the runs at h = 1 says of the last ratio (`data.noise.action_noise_ratio`).
"""

import functools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import pandas as pd

from analysis.data.families import Group, with_references
from analysis.laws.horizon import affine_numbers
from analysis.laws.horizon_forms import FormFit, fit_form, horizon_data, left_censored
from analysis.laws.law import Fits, FittedLaw, Quantity
from analysis.stats.intervals import LOG, jackknife_interval, mean_interval

SIDES = ("supervised", "exact", "h1")
"""What is compared: the two references, and RL at h = 1."""

PARTS: Mapping[str, tuple[str, str | None]] = {
    "task": ("supervised", None),
    "objective": ("exact", "supervised"),
    "action_noise": ("h1", "exact"),
}
"""Each part in interactions: the interactions of one side less those of another."""

RATIOS: Mapping[str, tuple[str, str]] = {
    "exact_over_supervised": ("exact", "supervised"),
    "h1_over_exact": ("h1", "exact"),
}
"""Each ratio: the interactions of one side over those of another."""

_NAMED_RUNS = 5  # ids of censored runs that a note gives


@dataclass(frozen=True)
class Decomposition(FittedLaw):
    """The parts of one group of RL at one width and threshold.

    Attributes:
        group: settings of the runs of RL.
        threshold: the return to reach.
        runs: rows of crossings by side, of `SIDES`, one per seed, indexed by the seed; a side
            without runs is absent.
        affine: the affine form of the horizon law in h - 1, where there is one.
        predicted: what the noise says of `h1_over_exact`, by seed; those of which it is known.
    """

    group: dict[str, Any]
    threshold: float
    runs: Mapping[str, pd.DataFrame]
    affine: FormFit | None
    predicted: pd.Series

    @property
    def seeds(self) -> list[int]:
        """The seeds of its runs."""
        return sorted({int(seed) for rows in self.runs.values() for seed in rows.index})

    @functools.cached_property
    def quantities(self) -> dict[str, Quantity]:
        """The parts in interactions, the ratios, and the ratio that the noise predicts."""
        found = {name: self._part(*sides) for name, sides in PARTS.items()}
        found["horizon"] = affine_numbers(self.affine)["b"] if self.affine else None
        found |= {name: self._ratio(*sides) for name, sides in RATIOS.items()}
        if len(self.predicted):
            found["predicted_h1_over_exact"] = _geometric(self.predicted.to_numpy(float))
        return {name: one for name, one in found.items() if one is not None}

    def _part(self, upper: str, lower: str | None) -> Quantity | None:
        values = self._values(upper, lower)
        if values is None or self._bound(upper, lower):
            return None
        above, below = values
        if lower is None:
            left_out = [np.delete(above, place).mean() for place in range(len(above))]
            ends = jackknife_interval(above.mean(), left_out, LOG) if len(above) > 1 else None
            return Quantity(float(above.mean()), ends)
        mean, *between = mean_interval(above - below)
        return Quantity(mean, (between[0], between[1]) if len(above) > 1 else None)

    def _ratio(self, upper: str, lower: str) -> Quantity | None:
        values = self._values(upper, lower)
        if values is None or self._bound(upper, lower):
            return None
        return _geometric(values[0] / values[1])

    def _shared(self, upper: str, lower: str | None) -> pd.Index:
        """Seeds that both sides have."""
        found = [self.runs[side].index for side in (upper, lower) if side in self.runs]
        if len(found) < (1 if lower is None else 2):
            return pd.Index([])
        return functools.reduce(lambda one, other: one.intersection(other), found).sort_values()

    def _values(self, upper: str, lower: str | None) -> tuple[np.ndarray, np.ndarray] | None:
        """Interactions of both sides, shape [seed] (0 where there is no lower one)."""
        seeds = self._shared(upper, lower)
        if seeds.empty:
            return None
        above = self.runs[upper].loc[seeds, "interactions"].to_numpy(float)
        if lower is None:
            return above, np.zeros_like(above)
        return above, self.runs[lower].loc[seeds, "interactions"].to_numpy(float)

    def _bound(self, upper: str, lower: str | None) -> str:
        """Which bound censored runs make of a part: "", "at_least", "at_most" or "unknown"."""
        seeds = self._shared(upper, lower)
        above = self.runs[upper].loc[seeds]
        higher, less = above["censored"].any(), left_censored(above).any()
        if lower is not None:
            below = self.runs[lower].loc[seeds]
            higher, less = higher or left_censored(below).any(), less or below["censored"].any()
        return _BOUNDS[bool(higher), bool(less)]

    @functools.cached_property
    def bounds(self) -> dict[str, dict[str, float]]:
        """What is known of parts and ratios with censored runs: `{"task": {"at_least": 1e5}}`.

        The end of the 95% interval of what the runs had used when they ended; with one seed that
        itself.
        """
        found = {}
        for name, (upper, lower) in {**PARTS, **RATIOS}.items():
            values = self._values(upper, lower)
            bound = self._bound(upper, lower) if values else ""
            if values is None or bound in ("", "unknown"):
                continue
            in_log = lower is None or name in RATIOS
            above, below = values
            gaps = np.log(above) if lower is None else above - below
            gaps = np.log(above / below) if name in RATIOS else gaps
            mean, *ends = mean_interval(gaps)
            end = ends[bound == "at_most"] if len(gaps) > 1 else mean
            found[name] = {bound: float(np.exp(end) if in_log else end)}
        return found

    @property
    def determined_by(self) -> dict[str, str]:
        """Longer horizons, for the part of the horizon."""
        if self.affine is None:
            return {}
        if self.affine.is_refused:
            return {"horizon": "another law: the runs do not lie on E = a + b (h - 1)"}
        return {"horizon": f"longer horizons than {self.affine.data.horizon.max():g}"}

    def is_determined(self, name: str, one: Quantity) -> bool:
        """By its interval; the part of the horizon where the runs lie on its law, too."""
        refused = name == "horizon" and self.affine is not None and self.affine.is_refused
        return one.is_determined and not refused

    def predict(self, rows: pd.DataFrame) -> np.ndarray:
        """Interactions of RL of rows with `horizon`: mean at h = 1, and `horizon` (h - 1) more.

        NaN where the runs have no such number.
        """
        at_one = self._values("h1", None)
        beyond = rows["horizon"].to_numpy(float) - 1
        slope = self.quantities["horizon"].value if self.affine else np.nan
        added = np.where(beyond == 0, 0.0, slope * beyond)
        return (np.nan if at_one is None else at_one[0].mean()) + added

    def without_seed(self, seed: int) -> Self:
        """The parts without the runs of one seed."""
        kept = {side: rows.drop(seed, errors="ignore") for side, rows in self.runs.items()}
        affine = self.affine
        if affine is not None and seed in affine.data.seeds:
            affine = affine.without_seed(seed) if len(affine.left_out) else None
        return replace(
            self,
            runs={side: rows for side, rows in kept.items() if len(rows)},
            affine=affine,
            predicted=self.predicted.drop(seed, errors="ignore"),
        )

    def details(self) -> dict[str, Any]:
        """What else the entry of `fits.json` holds."""
        return {
            "threshold": self.threshold,
            "bounds": self.bounds,
            "runs": {side: len(rows) for side, rows in self.runs.items()},
            "censored": {side: int(rows["censored"].sum()) for side, rows in self.runs.items()},
        }

    def gaps(self) -> list[str]:
        """One line for each part that its runs do not give, though its sides have runs."""
        lines = []
        for name, (upper, lower) in PARTS.items():
            sides = [side for side in (upper, lower) if side]
            if not all(side in self.runs for side in sides):
                continue
            seeds = self._shared(upper, lower)
            if seeds.empty:
                lines.append(f"no part {name}: {upper} and {lower} share no seed")
            elif self._bound(upper, lower):
                runs = [run for side in sides for run in _censored_runs(self.runs[side].loc[seeds])]
                more = f" and {len(runs) - _NAMED_RUNS} more" if len(runs) > _NAMED_RUNS else ""
                named = f"{', '.join(runs[:_NAMED_RUNS])}{more}"
                lines.append(f"no part {name}, only a bound at most: censored runs {named}")
        return lines


_BOUNDS = {
    (False, False): "",
    (True, False): "at_least",
    (False, True): "at_most",
    (True, True): "unknown",
}


def _geometric(values: np.ndarray) -> Quantity:
    """Geometric mean over seeds with its interval, shape [seed]."""
    mean, low, high = np.exp(mean_interval(np.log(values)))
    return Quantity(float(mean), (float(low), float(high)) if len(values) > 1 else None)


def _censored_runs(rows: pd.DataFrame) -> list[str]:
    """Ids of the runs that are right- or left-censored."""
    return [str(run) for run in rows.loc[rows["censored"] | left_censored(rows), "run_id"]]


def fit_decompositions(table: pd.DataFrame) -> Fits:
    """The parts for each group of RL under dense rewards, at each width and threshold.

    A sweep without references has none, and no note.

    Args:
        table: interactions to threshold, one run per seed (`data.crossings`), with
            `action_noise_ratio` where noise was measured (`Measurements.crossings_with_noise`).
    """
    if not {"algorithm", "schedule"} <= set(table):
        return Fits()
    entries, notes = [], []
    for group, references in with_references(table[table["schedule"] == "dense"], "horizon"):
        one = _of(group, references)
        entries.append(one)
        notes += [f"{group.label}: {gap}" for gap in one.gaps()]
    return Fits(tuple(entries), tuple(dict.fromkeys(notes)))


def _of(group: Group, references: pd.DataFrame) -> Decomposition:
    """The parts of one group of RL."""
    rows = group.rows
    at_one = rows[rows["horizon"] == 1].set_index("seed")
    found = {name: part.set_index("seed") for name, part in references.groupby("algorithm")}
    found["h1"] = at_one
    runs = {side: found[side] for side in SIDES if side in found and len(found[side])}
    predicted = at_one.get("action_noise_ratio", pd.Series(dtype=float)).dropna()
    return Decomposition(group.settings, group.threshold, runs, _affine(rows), predicted)


def _affine(rows: pd.DataFrame) -> FormFit | None:
    """The affine form of the group's horizon law; `horizon_law` notes why there is none."""
    data, _ = horizon_data(rows)
    try:
        return None if data is None else fit_form(data, "affine", "h-1")
    except (np.linalg.LinAlgError, FloatingPointError):
        return None

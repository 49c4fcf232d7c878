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
measured along the runs at h = 1 says of the last ratio (`data.noise.action_noise_ratio`), at equal
learning rates: a rate that suits less noise makes the exact gradient faster than that.
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
from analysis.stats.intervals import LINEAR, LOG, jackknife_interval, mean_interval

SIDES = ("supervised", "exact", "h1")
"""What is compared: the two references, and RL at h = 1."""

PARTS: Mapping[str, tuple[str, str | None]] = {
    "task": ("supervised", None),
    "objective": ("exact", "supervised"),
    "action_noise": ("h1", "exact"),
}
"""Each part in interactions: the interactions of one side less those of another."""

RATIOS: Mapping[str, str] = {
    "exact_over_supervised": "objective",
    "h1_over_exact": "action_noise",
}
"""Each ratio, with the part whose sides it compares."""

_NEEDED = ("run_id", "interactions", "censored")
_NAMED_RUNS = 5  # ids of censored runs that a note gives


@dataclass(frozen=True)
class Pair:
    """Two sides at the seeds that both have.

    Attributes:
        above: interactions of one side, shape [seed].
        below: those of the other, shape [seed]; None where nothing is taken off.
        bound: which bound their difference is: "", "at_least", "at_most" or "unknown".
        censored: ids of the censored runs of both.
    """

    above: np.ndarray
    below: np.ndarray | None
    bound: str
    censored: tuple[str, ...]

    @classmethod
    def of(cls, above: pd.DataFrame, below: pd.DataFrame | None) -> Self:
        """From rows of `Decomposition.runs`."""
        if below is None:
            seeds, higher, lower = above.index, above["censored"], above["left_censored"]
            runs, other = above["run_id"][higher | lower], None
        else:
            seeds = above.index.intersection(below.index).sort_values()
            above, below = above.reindex(seeds), below.reindex(seeds)
            higher = above["censored"] | below["left_censored"]
            lower = above["left_censored"] | below["censored"]
            ids = [one["run_id"][one["censored"] | one["left_censored"]] for one in (above, below)]
            runs, other = pd.concat(ids), below["interactions"].to_numpy(float)
        bound = _BOUNDS[bool(higher.any()), bool(lower.any())]
        return cls(above["interactions"].to_numpy(float), other, bound, tuple(map(str, runs)))

    @property
    def difference(self) -> np.ndarray:
        """What the first side needs more, shape [seed]."""
        return self.above if self.below is None else self.above - self.below

    @property
    def log_ratio(self) -> np.ndarray:
        """log of the first side over the second, or of the first alone, shape [seed]."""
        return np.log(self.above if self.below is None else self.above / self.below)

    @property
    def part(self) -> Quantity:
        """Mean difference; its interval is symmetric in log where there is nothing to take off."""
        gaps = self.difference
        scale = LOG if self.below is None else LINEAR
        left_out = (gaps.sum() - gaps) / max(len(gaps) - 1, 1)
        return Quantity(float(gaps.mean()), jackknife_interval(float(gaps.mean()), left_out, scale))

    @property
    def ratio(self) -> Quantity:
        """Geometric mean of the ratio."""
        return _geometric(self.log_ratio)

    def known_end(self, in_log: bool) -> dict[str, float]:
        """The bound that censored runs make: `{"at_least": value}`; empty where there is none."""
        if self.bound not in ("at_least", "at_most"):
            return {}
        mean, low, high = mean_interval(self.log_ratio if in_log else self.difference)
        end = mean if len(self.above) < 2 else low if self.bound == "at_least" else high
        return {self.bound: float(np.exp(end) if in_log else end)}


_BOUNDS = {
    (False, False): "",
    (True, False): "at_least",
    (False, True): "at_most",
    (True, True): "unknown",
}


def _geometric(logs: np.ndarray) -> Quantity:
    """Geometric mean over seeds with its interval, from logs, shape [seed]."""
    mean, low, high = np.exp(mean_interval(logs))
    return Quantity(float(mean), (float(low), float(high)) if len(logs) > 1 else None)


@dataclass(frozen=True)
class Decomposition(FittedLaw):
    """The parts of one group of RL at one width and threshold.

    Attributes:
        group: settings of the runs of RL.
        threshold: the return to reach.
        runs: `run_id`, `interactions`, `censored` and `left_censored` (and `learning_rate`, where
            it is known) by side, of `SIDES`, one row per seed, indexed by the seed; a side without
            runs is absent.
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
    def pairs(self) -> dict[str, Pair]:
        """The sides of each part, where both have runs."""
        return {
            name: Pair.of(self.runs[upper], self.runs[lower] if lower else None)
            for name, (upper, lower) in PARTS.items()
            if upper in self.runs and (lower is None or lower in self.runs)
        }

    @functools.cached_property
    def quantities(self) -> dict[str, Quantity]:
        """The parts in interactions, the ratios, and the ratio that the noise predicts."""
        known = {n: pair for n, pair in self.pairs.items() if len(pair.above) and not pair.bound}
        found = {name: pair.part for name, pair in known.items()}
        if self.affine is not None:
            found["horizon"] = affine_numbers(self.affine)["b"]
        found |= {name: known[part].ratio for name, part in RATIOS.items() if part in known}
        if len(self.predicted):
            found["predicted_h1_over_exact"] = _geometric(np.log(self.predicted.to_numpy(float)))
        return found

    @functools.cached_property
    def bounds(self) -> dict[str, dict[str, float]]:
        """What is known of parts and ratios with censored runs: `{"task": {"at_least": 1e5}}`.

        The end of the 95% interval of what the runs had used when they ended; with one seed that
        itself.
        """
        parts = {name: pair.known_end(pair.below is None) for name, pair in self.pairs.items()}
        for name, part in RATIOS.items():
            if part in self.pairs:
                parts[name] = self.pairs[part].known_end(in_log=True)
        return {name: one for name, one in parts.items() if one}

    @property
    def determined_by(self) -> dict[str, str]:
        """Longer horizons, for the part of the horizon."""
        if self.affine is None:
            return {}
        if self.affine.is_refused:
            return {"horizon": "another law: the runs do not lie on the affine form"}
        return {"horizon": f"longer horizons than {self.affine.data.horizon.max():g}"}

    def is_determined(self, name: str, one: Quantity) -> bool:
        """By its interval; the part of the horizon where the runs lie on its law, too."""
        refused = name == "horizon" and self.affine is not None and self.affine.is_refused
        return one.is_determined and not refused

    def predict(self, rows: pd.DataFrame) -> np.ndarray:
        """Interactions of RL of rows with `horizon`: mean at h = 1, and `horizon` (h - 1) more.

        NaN where the runs have no such number.
        """
        at_one = self.runs["h1"]["interactions"].mean() if "h1" in self.runs else np.nan
        beyond = rows["horizon"].to_numpy(float) - 1
        slope = self.quantities["horizon"].value if self.affine else np.nan
        return np.asarray(at_one + np.where(beyond == 0, 0.0, slope * beyond))

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
            "learning_rates": self.learning_rates,
            "runs": {side: len(rows) for side, rows in self.runs.items()},
            "censored": {side: int(rows["censored"].sum()) for side, rows in self.runs.items()},
        }

    @property
    def learning_rates(self) -> dict[str, list[float]]:
        """The rates of the runs of each side, where they are known."""
        return {
            side: sorted({float(rate) for rate in rows["learning_rate"]})
            for side, rows in self.runs.items()
            if "learning_rate" in rows
        }

    def gaps(self) -> list[str]:
        """One line for each part that its runs do not give, though its sides have runs."""
        lines = []
        for name, pair in self.pairs.items():
            if not len(pair.above):
                lines.append(f"no part {name}: {' and '.join(map(str, PARTS[name]))} share no seed")
            elif pair.bound:
                more = len(pair.censored) - _NAMED_RUNS
                named = ", ".join(pair.censored[:_NAMED_RUNS])
                named += f" and {more} more" if more > 0 else ""
                lines.append(f"no part {name}, a bound at most: censored runs {named}")
        if "h1" not in self.runs:
            lines.append("no part action_noise: no runs at h = 1")
        return lines


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
    found = {str(name): part.set_index("seed") for name, part in references.groupby("algorithm")}
    found["h1"] = at_one
    rate = ["learning_rate"] if "learning_rate" in rows else []
    runs = {
        side: found[side][[*_NEEDED, *rate]].assign(left_censored=left_censored(found[side]))
        for side in SIDES
        if side in found and len(found[side])
    }
    predicted = at_one.get("action_noise_ratio", pd.Series(dtype=float)).dropna()
    return Decomposition(group.settings, group.threshold, runs, _affine(rows), predicted)


def _affine(rows: pd.DataFrame) -> FormFit | None:
    """The affine form of the group's horizon law; `horizon_law` notes why there is none."""
    data, _ = horizon_data(rows)
    try:
        return None if data is None else fit_form(data, "affine", "h-1")
    except (np.linalg.LinAlgError, FloatingPointError):
        return None

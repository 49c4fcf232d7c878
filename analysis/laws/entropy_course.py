"""How the policy's entropy falls along training, and how its KL from the initial policy grows.

The first author of the paper recalls that entropy falls about linearly, sometimes faster at first,
and moves around more than KL. For each run's course, from its first row to where its entropy (made
monotone) has fallen by `FALLEN` of its whole fall, straight lines

    entropy:  H = a + b E,   H = a + b log E,   H = a + b sqrt(KL)
    KL:       K = a + b E,   K = a + b log E,   K = a + b sqrt(E)

are fitted by least squares, weighted by the interactions of each row, to the rows up to half of the
course's interactions, and predict the others. **Error**: the weighted root mean square of predicted
less measured there, over the whole change of the course. **Roughness**: the root mean square of a
row's distance from the straight line (in log E) between its neighbours, over the same change;
entropy is a mean over all interactions since the row before, KL of one policy on fixed test
examples, so that a ratio of 1 does not say that single batches would move as little.

Numbers are geometric means over the courses of a family (widths and horizons); intervals are
Student's t over seeds of the logs, each seed's mean over its courses.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float
from scipy.optimize import isotonic_regression

from analysis.data.crossings import row_places
from analysis.data.families import Group, split, without_references
from analysis.laws.law import Fits, FittedLaw, Quantity, flat, plain
from analysis.stats.intervals import mean_interval

FALLEN = 0.8
"""Share of the fall of entropy at which a course ends: then it levels off near its lowest."""

LEAST_SEEN, LEAST_HELD_OUT = 5, 3
LEAST_FALL = 0.1
"""Nats by which entropy must fall for a run to have a course."""

ENTROPY_FORMS = ("entropy_linear", "entropy_log", "entropy_sqrt_kl")
KL_FORMS = ("kl_linear", "kl_log", "kl_sqrt")
UNDECIDED = "undecided"

_LEAST = 1e-6


@dataclass(frozen=True)
class Course:
    """One run's rows up to the end of its course, arrays of shape [row].

    Attributes:
        places: E at which the mean entropy of each row lies.
        ends: E of each row, at which KL is measured.
        entropy: nats per step.
        kl: nats per step.
    """

    places: np.ndarray
    ends: np.ndarray
    entropy: np.ndarray
    kl: np.ndarray

    @property
    def seen(self) -> Bool[np.ndarray, "row"]:
        """Rows that forms are fitted to."""
        seen: np.ndarray = self.ends <= self.ends[-1] / 2
        return seen

    def regressors(self) -> Mapping[str, tuple[np.ndarray, np.ndarray]]:
        """x and y of each form's straight line."""
        root = np.sqrt(np.maximum(self.kl, 0.0))
        of_entropy = (self.places, np.log(self.places), root)
        of_kl = (self.ends, np.log(self.ends), np.sqrt(self.ends))
        return {
            **{name: (x, self.entropy) for name, x in zip(ENTROPY_FORMS, of_entropy, strict=True)},
            **{name: (x, self.kl) for name, x in zip(KL_FORMS, of_kl, strict=True)},
        }

    def errors(self) -> dict[str, float]:
        """Of each form, and the roughness of both."""
        weights = np.diff(self.ends, prepend=0.0)
        found = {
            name: _heldout_error(x, y, weights, self.seen)
            for name, (x, y) in self.regressors().items()
        }
        rough = {
            "entropy_roughness": _roughness(np.log(self.places), self.entropy),
            "kl_roughness": _roughness(np.log(self.ends), self.kl),
        }
        return {name: max(value, _LEAST) for name, value in {**found, **rough}.items()}


def _line(x: np.ndarray, y: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Slope and intercept by weighted least squares."""
    return np.polyfit(x, y, 1, w=np.sqrt(weights))


def _heldout_error(
    x: Float[np.ndarray, "row"],
    y: Float[np.ndarray, "row"],
    weights: Float[np.ndarray, "row"],
    seen: Bool[np.ndarray, "row"],
) -> float:
    predicted = np.polyval(_line(x[seen], y[seen], weights[seen]), x[~seen])
    square = np.average((predicted - y[~seen]) ** 2, weights=weights[~seen])
    return float(np.sqrt(square) / np.ptp(y))


def _roughness(x: Float[np.ndarray, "row"], y: Float[np.ndarray, "row"]) -> float:
    share = (x[1:-1] - x[:-2]) / (x[2:] - x[:-2])
    away = y[1:-1] - (y[:-2] + share * (y[2:] - y[:-2]))
    return float(np.sqrt(np.mean(away**2)) / np.ptp(y))


def course_of(run: pd.DataFrame) -> Course | None:
    """A run's course; None where its entropy hardly falls, or the course has too few rows.

    Args:
        run: rows of one run, with `entropy` and `kl_initial`.
    """
    run = run[run["interactions"] > 0].sort_values("interactions")
    run = run.dropna(subset=["entropy", "kl_initial"])
    if len(run) < LEAST_SEEN + LEAST_HELD_OUT:
        return None
    entropy = run["entropy"].to_numpy(float)
    smooth = isotonic_regression(entropy, increasing=False).x
    fall = smooth[0] - smooth[-1]
    if fall < LEAST_FALL:
        return None
    end = int(np.flatnonzero(smooth <= smooth[0] - FALLEN * fall)[0]) + 1
    course = Course(
        row_places(run)[:end],
        run["interactions"].to_numpy(float)[:end],
        entropy[:end],
        run["kl_initial"].to_numpy(float)[:end],
    )
    enough = course.seen.sum() >= LEAST_SEEN and (~course.seen).sum() >= LEAST_HELD_OUT
    changes = np.ptp(course.entropy) > 0 and np.ptp(course.kl) > 0
    return course if enough and changes else None


@dataclass(frozen=True)
class EntropyCourse(FittedLaw):
    """Errors of the forms over the courses of a family.

    Attributes:
        group: settings held fixed, without width and horizon.
        logs: log errors and roughness, one row per course, by (width, horizon, seed).
        courses: the courses, in the order of the rows.
    """

    group: dict[str, Any]
    logs: pd.DataFrame
    courses: tuple[Course, ...]

    @property
    def seeds(self) -> list[int]:
        """The seeds that have a course."""
        return sorted({int(seed) for seed in self.logs.index.get_level_values("seed")})

    @property
    def quantities(self) -> dict[str, Quantity]:
        """The error of each form, and the roughness of entropy over that of KL."""
        found = {name: self._mean(self.logs[name]) for name in (*ENTROPY_FORMS, *KL_FORMS)}
        ratio = self.logs["entropy_roughness"] - self.logs["kl_roughness"]
        return {**found, "roughness_ratio": self._mean(ratio)}

    def _mean(self, logs: pd.Series) -> Quantity:
        by_seed = logs.groupby("seed").mean().to_numpy()
        mean, low, high = np.exp(mean_interval(by_seed)).tolist()
        return Quantity(mean, (low, high) if len(by_seed) > 1 else None)

    def over_best(self, forms: tuple[str, ...]) -> tuple[str, dict[str, Quantity]]:
        """The form with the least error, and the error of each other form over its."""
        best = min(forms, key=lambda name: float(self.logs[name].mean()))
        others = [name for name in forms if name != best]
        return best, {name: self._mean(self.logs[name] - self.logs[best]) for name in others}

    def verdict(self, forms: tuple[str, ...]) -> str:
        """The form that all others are shown to be worse than, or undecided."""
        best, others = self.over_best(forms)
        shown = [one.interval is not None and one.interval[0] > 1 for one in others.values()]
        return best if all(shown) else UNDECIDED

    def predict(self, rows: pd.DataFrame) -> np.ndarray:
        """Entropy at `kl_initial`, by one line in sqrt(KL) through all courses."""
        root = np.concatenate([np.sqrt(np.maximum(one.kl, 0.0)) for one in self.courses])
        entropy = np.concatenate([one.entropy for one in self.courses])
        line = _line(root, entropy, np.ones_like(root))
        return np.asarray(np.polyval(line, np.sqrt(np.maximum(rows["kl_initial"], 0.0))))

    def without_seed(self, seed: int) -> Self:
        """The same without the courses of one seed."""
        kept = self.logs.index.get_level_values("seed") != seed
        courses = tuple(one for one, keep in zip(self.courses, kept, strict=True) if keep)
        return replace(self, logs=self.logs[kept], courses=courses)

    def details(self) -> dict[str, Any]:
        """What else the entry of `fits.json` holds."""
        found: dict[str, Any] = {"runs": len(self.courses)}
        for name, forms in (("entropy", ENTROPY_FORMS), ("kl", KL_FORMS)):
            best, others = self.over_best(forms)
            found[name] = {
                "best": self.verdict(forms),
                "least": best,
                "over_least": {other: flat({"ratio": one}) for other, one in others.items()},
            }
        plain_details: dict[str, Any] = plain(found)
        return plain_details


def fit_entropy_courses(frame: pd.DataFrame) -> Fits:
    """The courses of every family of RL that has entropies.

    Args:
        frame: one row per run and evaluation.
    """
    if not {"entropy", "kl_initial"} <= set(frame):
        return Fits()
    found = []
    for group in split(without_references(frame), "width", "horizon"):
        courses = dict(_courses(group))
        if courses:
            index = pd.MultiIndex.from_tuples(courses, names=["width", "horizon", "seed"])
            logs = np.log(pd.DataFrame([one.errors() for one in courses.values()], index=index))
            found.append(EntropyCourse(group.settings, logs, tuple(courses.values())))
    return Fits(tuple(found))


def _courses(group: Group) -> Iterator[tuple[tuple[float, float, int], Course]]:
    for (width, horizon, seed), run in group.rows.groupby(["width", "horizon", "seed"]):
        course = course_of(run) if run["run_id"].nunique() == 1 else None
        if course is not None:
            yield (float(width), float(horizon), int(seed)), course

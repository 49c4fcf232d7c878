"""Which shape predicts the last factor 4 of a learning curve from what precedes it.

Curves of return against interactions of one group (fixed width, horizon, schedule, algorithm, ...),
averaged over seeds. The shapes:

- `sigmoid`: `R = R_0 + (R_max - R_0) / (1 + (E_mid/E)^c)`, on the whole curve. Khatri et al. 2025
  (arXiv 2510.13786) fit sigmoids to the pass rates of language models against RL compute.
- `power`: `R_max - R = (E_c/E)^alpha`, on the whole curve;
- `sigmoid_late`, `power_late`: the same without the first 1/64 of training, as Hilton, Tang and
  Schulman 2023 (arXiv 2301.13442) leave it out. Far beyond its middle a sigmoid is the power law,
  with one number more;
- `link`: the power law of intrinsic performance (`laws.power`), fitted to the first quarter of the
  training of all sizes at this horizon together, from 4 sizes on (with 3 it cannot be checked). Its
  link is a regression: beyond the highest level of any size it predicts the highest return
  (`beyond_link`: of which share of the rows).

**Held-out error**: a shape is fitted to the rows that end by a quarter of the training and predicts
the others; the error is the root mean square of predicted less measured return, over rows that are
about even in log E. `heldout_log_error` is the same of log(1 - R). Beside it stand the errors of
the fit to the whole curve (`error`), and on its rows of the first 1/64 (`early_error`) and
after (`late_error`).

**Least squares of the return itself**, not of its logit: the return is what is predicted, a logit
has no value where a return is 0 or 1 and no bounded noise near there, and R_0 and R_max are linear
in the return, so that the best fit is found for certain (`stats.rising_curves`).

**Intervals** leave out one seed at a time, on log errors, all groups at once: runs of a seed share
examples. The comparison over groups is of log errors, paired within groups; from 3 groups on its
interval is no narrower than Student's over the groups.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import pandas as pd

from analysis.data.crossings import row_places
from analysis.data.families import Group, split
from analysis.laws.law import Fits, FittedLaw, Quantity
from analysis.laws.power.curves import EARLY_SHARE, FitError, learning_curves
from analysis.laws.power.level_estimate import LevelEstimate, estimate_levels
from analysis.stats.intervals import LINEAR, LOG, Interval, jackknife_interval, mean_interval
from analysis.stats.rising_curves import POWER, SIGMOID, Rise, Rising, fit_rising

SEEN_SHARE = 1 / 4
"""Share of training that a shape is fitted to before it predicts the rest."""

LEAST_SEEN, LEAST_HELD_OUT = 6, 3
"""Rows of a curve before and after that share with which it is long enough."""

LEAST_RISE = 0.05
"""Rise of the return by then, from its lowest, with which there is something to predict from."""

SHAPES = ("sigmoid", "sigmoid_late", "power", "power_late", "link")
"""Every shape."""

LEAST_SIZES = 4
"""Sizes from which on there is a link."""

LEAST_GROUPS = 3
"""Groups from which on the comparison over groups has their spread."""

UNDECIDED = "undecided"

_RISES: Mapping[str, Rise] = {
    **{"sigmoid": SIGMOID, "sigmoid_late": SIGMOID},
    **{"power": POWER, "power_late": POWER},
}
_SHORTEST_SHARE = 1 / 2  # of the longest run's training; shorter runs of a group are left out
_LEAST_GAP = 1e-4  # of a return to 1, below which log(1 - R) does not follow it
_LEAST_ERROR = 1e-9


@dataclass(frozen=True)
class GroupCurves:
    """The curves of a group's seeds at common places.

    Attributes:
        group: settings held fixed, and `parameters`.
        parameters: N.
        seeds: in order.
        ends: interactions at the end of each row, shape [row].
        places: log E at which a row's return lies (`crossings.row_places`), shape [row].
        returns: shape [seed, row].
    """

    group: dict[str, Any]
    parameters: float
    seeds: tuple[int, ...]
    ends: np.ndarray
    places: np.ndarray
    returns: np.ndarray

    @property
    def seen(self) -> np.ndarray:
        """Whether a row ends by a quarter of the training, shape [row]."""
        return np.asarray(self.ends <= SEEN_SHARE * self.ends[-1])

    @property
    def early(self) -> np.ndarray:
        """Whether a row ends in the first 1/64 of the training, shape [row]."""
        return np.asarray(self.ends <= EARLY_SHARE * self.ends[-1])

    @property
    def means(self) -> np.ndarray:
        """Returns averaged over all seeds, then without each in turn, shape [1 + seed, row]."""
        whole, count = self.returns.mean(axis=0), len(self.seeds)
        if count < 2:
            return whole[None]
        return np.concatenate([whole[None], (count * whole - self.returns) / (count - 1)])

    @property
    def is_long_enough(self) -> bool:
        """Whether there are rows on both sides, and the return has risen before."""
        seen = self.returns.mean(axis=0)[self.seen]
        if len(seen) < LEAST_SEEN or len(self.ends) - len(seen) < LEAST_HELD_OUT:
            return False
        return bool(seen[-3:].mean() - seen.min() >= LEAST_RISE)

    def without_seed(self, seed: int) -> Self:
        """The same places without one seed."""
        kept = [other != seed for other in self.seeds]
        seeds = tuple(other for other in self.seeds if other != seed)
        return replace(self, seeds=seeds, returns=self.returns[kept])


@dataclass(frozen=True)
class ShapeFit:
    """One shape on one group. Arrays over fits are of all seeds, then without each in turn.

    Attributes:
        predicted: returns of all rows by the fit to the first quarter, shape [fit, row].
        errors: `heldout_error` and `heldout_log_error`, and of shapes fitted to single curves
            `error`, `early_error` and `late_error` of that to the whole curve, each of shape [fit].
        whole: the fit to the whole curve; None of the link.
        highest: the highest return that the link has.
    """

    predicted: np.ndarray
    errors: dict[str, np.ndarray]
    whole: Rising | None = None
    highest: float = math.inf

    def of_fit(self, number: int) -> Self:
        """The same of one fit."""
        errors = {name: values[[number]] for name, values in self.errors.items()}
        whole = self.whole and self.whole.only(number)
        return replace(self, predicted=self.predicted[[number]], errors=errors, whole=whole)


@dataclass(frozen=True)
class CurveShapes(FittedLaw):
    """The shapes of one group.

    Attributes:
        group: settings held fixed.
        curves: what they are fitted to.
        shapes: by name, those that could be fitted.
    """

    group: dict[str, Any]
    curves: GroupCurves
    shapes: dict[str, ShapeFit]

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds of its runs."""
        return self.curves.seeds

    @property
    def quantities(self) -> dict[str, Quantity]:
        """The held-out error of each shape, as `sigmoid_heldout_error`."""
        return {
            f"{name}_heldout_error": _positive(one.errors["heldout_error"])
            for name, one in self.shapes.items()
        }

    @property
    def determined_by(self) -> dict[str, str]:
        """Longer curves."""
        return dict.fromkeys(self.quantities, "longer runs, with more evaluations")

    @property
    def best(self) -> str:
        """The shape of least held-out error; undecided where another may predict as well."""
        return decide(self.log_ratio, list(self.shapes))

    def log_ratio(self, one: str, other: str) -> tuple[float, Interval | None]:
        """log held-out error of one shape over that of another, with its interval over seeds."""
        values = [np.log(self.shapes[name].errors["heldout_error"]) for name in (one, other)]
        ratio = values[0] - values[1]
        return float(ratio[0]), jackknife_interval(float(ratio[0]), ratio[1:])

    def predict(self, rows: pd.DataFrame) -> np.ndarray:
        """Returns of rows with `interactions`, by the shape closest to the whole curve."""
        fitted = {name: one for name, one in self.shapes.items() if one.whole is not None}
        closest = min(fitted.values(), key=lambda one: float(one.errors["error"][0]))
        assert closest.whole is not None
        return closest.whole.at(np.log(rows["interactions"].to_numpy(float)))[0]

    def without_seed(self, seed: int) -> Self:
        """The shapes without the runs of one seed."""
        number = 1 + self.seeds.index(seed)
        shapes = {name: one.of_fit(number) for name, one in self.shapes.items()}
        return replace(self, curves=self.curves.without_seed(seed), shapes=shapes)

    def details(self) -> dict[str, Any]:
        """What else the entry of `fits.json` holds: the numbers of each shape."""
        curves, mean = self.curves, self.curves.means[0]
        left = mean[~curves.seen] - mean[curves.seen][-1]
        return {
            "parameters": curves.parameters,
            "interactions": float(curves.ends[-1]),
            "rows": {"fitted": int(curves.seen.sum()), "heldout": int((~curves.seen).sum())},
            "heldout_rise": _root_mean_square(left),
            "best": self.best,
            "shapes": {name: self.numbers(self._numbers_of(name)) for name in self.shapes}
            | self._beyond(),
            "runs": len(curves.seeds),
        }

    def _beyond(self) -> dict[str, Any]:
        """The link's numbers with the share of held-out rows at the highest return that it has."""
        if "link" not in self.shapes:
            return {}
        link = self.shapes["link"]
        share = np.mean(link.predicted[0, ~self.curves.seen] >= link.highest - 1e-9)
        return {"link": {**self.numbers(self._numbers_of("link")), "beyond_link": float(share)}}

    def _numbers_of(self, name: str) -> dict[str, Quantity]:
        """Errors of a shape and the constants of its fit to the whole curve."""
        one = self.shapes[name]
        found = {key: _positive(values) for key, values in one.errors.items()}
        if one.whole is None:
            return found
        return found | constants(name, one.whole)


def constants(shape: str, fit: Rising) -> dict[str, Quantity]:
    """R_max and the others of a shape; one at the bound of its search has an open interval.

    Args:
        shape: its name.
        fit: of all seeds, then without each in turn.
    """
    end_free, start_free, *bends_free = [not any(one) for one in fit.at_bound.T.tolist()]
    found = {"r_max": _number(fit.end, end_free, LINEAR)}
    if _RISES[shape] is SIGMOID:
        middle, slope = np.exp(fit.bends.T)
        found["r_0"] = _number(fit.start, start_free, LINEAR)
        found["e_mid"] = _number(middle, bends_free[0], LOG)
        found["c"] = _number(slope, bends_free[1], LOG)
        return found
    alpha = np.exp(fit.bends[:, 0])
    log_e_c = fit.first + np.log(np.maximum(fit.end - fit.start, 1e-300)) / alpha
    free = bends_free[0] and start_free
    found["alpha"] = _number(alpha, bends_free[0], LOG)
    found["log_e_c"] = _number(log_e_c, free and end_free, LINEAR)
    return found


def _number(values: np.ndarray, is_free: bool, scale: Any) -> Quantity:
    ends = jackknife_interval(float(values[0]), values[1:], scale)
    return Quantity(float(values[0]), ends if is_free or ends is None else (-math.inf, math.inf))


def _positive(values: np.ndarray) -> Quantity:
    """An error with its interval over seeds, on the log.

    Args:
        values: of all seeds, then without each in turn, shape [fit].
    """
    return Quantity(float(values[0]), jackknife_interval(float(values[0]), values[1:], LOG), 0.0)


def decide(log_ratio: Any, shapes: Sequence[str]) -> str:
    """The shape that every other one is worse than, by intervals of log ratios of errors.

    Args:
        log_ratio: of two shapes' errors, with its interval or None.
        shapes: their names.
    """
    if len(shapes) < 2:
        return UNDECIDED
    best = min(shapes, key=lambda name: log_ratio(name, shapes[0])[0])
    others = [log_ratio(name, best)[1] for name in shapes if name != best]
    return best if all(ends is not None and ends[0] > 0 for ends in others) else UNDECIDED


def _root_mean_square(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(values**2)))


@dataclass(frozen=True)
class ShapesCompared(FittedLaw):
    """The shapes over all groups of a family: those that differ in width and horizon only.

    Attributes:
        group: settings held fixed.
        groups: one for each width and horizon.
    """

    group: dict[str, Any]
    groups: tuple[CurveShapes, ...]

    @property
    def seeds(self) -> list[int]:
        """The seeds of all groups."""
        return sorted({seed for one in self.groups for seed in one.seeds})

    @property
    def shapes(self) -> list[str]:
        """Shapes that some group has."""
        return [name for name in SHAPES if any(name in one.shapes for one in self.groups)]

    @property
    def quantities(self) -> dict[str, Quantity]:
        """Held-out error of each other shape over the sigmoid's, as `power_over_sigmoid`."""
        found = {}
        for name in self.shapes[1:]:
            ratio, ends = self.log_ratio(name, "sigmoid")
            interval = None if ends is None else (math.exp(ends[0]), math.exp(ends[1]))
            found[f"{name}_over_sigmoid"] = Quantity(math.exp(ratio), interval, least=0.0)
        return found

    @property
    def determined_by(self) -> dict[str, str]:
        """Longer curves."""
        return dict.fromkeys(self.quantities, "longer runs, or more widths and horizons")

    @property
    def best(self) -> str:
        """The shape that predicts best on average; undecided where another may do as well."""
        return decide(self.log_ratio, self.shapes)

    def log_ratio(self, one: str, other: str) -> tuple[float, Interval | None]:
        """log held-out error of a shape over another's, averaged over the groups that have both.

        The interval is the wider of those over seeds (leaving one out of all groups at once) and,
        from 3 groups on, over groups; None with one seed.
        """
        both = [group for group in self.groups if {one, other} <= set(group.shapes)]
        if not both:
            return math.nan, None

        def ratios(seed: int | None = None) -> np.ndarray:
            logs = [_log_errors(both, name, "heldout_error", seed) for name in (one, other)]
            return np.asarray(logs[0] - logs[1])

        values = ratios()
        mean = float(values.mean())
        ends = jackknife_interval(mean, [ratios(seed).mean() for seed in self._left_out])
        if ends is not None and len(both) >= LEAST_GROUPS:
            _, low, high = mean_interval(values)
            ends = min(ends[0], low), max(ends[1], high)
        return mean, ends

    @property
    def _left_out(self) -> list[int]:
        """The seeds that were left out of fits; none of a law without a seed, or of one seed."""
        have = [one for one in self.groups if len(one.shapes["sigmoid"].predicted) > 1]
        return sorted({seed for one in have for seed in one.seeds})

    def average(self, shape: str, error: str) -> Quantity:
        """Geometric mean of an error over the groups of a shape, with its interval over seeds."""
        having = [one for one in self.groups if error in _errors_of(one, shape)]
        whole = _log_errors(having, shape, error).mean()
        others = [_log_errors(having, shape, error, seed).mean() for seed in self._left_out]
        return _positive(np.exp([whole, *others]))

    def predict(self, rows: pd.DataFrame) -> np.ndarray:
        """Returns of rows with `parameters`, `horizon` and `interactions` (NaN of other groups)."""
        returns = np.full(len(rows), np.nan)
        for one in self.groups:
            is_here = rows["parameters"] == one.curves.parameters
            is_here &= rows["horizon"] == one.group["horizon"]
            returns[is_here] = one.predict(rows[is_here])
        return returns

    def without_seed(self, seed: int) -> Self:
        """The comparison without the runs of one seed."""
        groups = [one.without_seed(seed) for one in self.groups if set(one.seeds) != {seed}]
        return replace(self, groups=tuple(groups))

    def details(self) -> dict[str, Any]:
        """What else the entry of `fits.json` holds."""
        counts = [one.best for one in self.groups]
        shapes = {}
        for name in self.shapes:
            having = [one for one in self.groups if name in one.shapes]
            errors = {key: self.average(name, key) for key in _errors_of(having[0], name)}
            count = {"groups": len(having), "best_in": counts.count(name)}
            shapes[name] = {**count, **self.numbers(errors)}
        return {
            "joint": True,
            "groups": len(self.groups),
            "best": self.best,
            "undecided_in": counts.count(UNDECIDED),
            "shapes": shapes,
            "over_least": self._over_least(),
            "runs": sum(len(one.seeds) for one in self.groups),
        }

    def _over_least(self) -> dict[str, Any]:
        """Ratios of the other shapes' held-out errors over that of the least, as JSON holds them.

        A shape that shares no group with that of the least error is not there.
        """
        least = min(self.shapes, key=lambda name: self.log_ratio(name, "sigmoid")[0])
        found = {}
        for name in self.shapes:
            ratio, ends = self.log_ratio(name, least)
            if name != least and math.isfinite(ratio):
                interval = None if ends is None else (math.exp(ends[0]), math.exp(ends[1]))
                found[name] = self.numbers({"ratio": Quantity(math.exp(ratio), interval, 0.0)})
        return {"shape": least, "others": found}


def _errors_of(group: CurveShapes, shape: str) -> dict[str, np.ndarray]:
    return group.shapes[shape].errors if shape in group.shapes else {}


def _log_errors(
    groups: Sequence[CurveShapes], shape: str, error: str, seed: int | None = None
) -> np.ndarray:
    """Log errors of a shape, of all seeds or without one where others are left, shape [group]."""
    found = []
    for one in groups:
        values = one.shapes[shape].errors[error]
        is_left_out = seed in one.seeds and len(values) > 1
        found.append(np.log(values[1 + one.seeds.index(int(seed or 0)) if is_left_out else 0]))
    return np.array(found)


def fit_curve_shapes(frame: pd.DataFrame) -> Fits:
    """The shapes of every group with curves that are long enough, and those of each family.

    Groups whose curves are too short, or have not risen by a quarter of their training, are absent
    without a note: they are no fault of a sweep. Runs with returns beyond 0 to 1 are counted.

    Args:
        frame: tidy results, one run per width, horizon and seed of each group.
    """
    runs = frame["run_id"].nunique()
    others = _others(frame)
    frame = _usable(frame[~frame["run_id"].isin(others)])
    found: list[CurveShapes] = []
    compared: list[ShapesCompared] = []
    for settings, horizons in _families(frame) if len(frame) else ():
        groups = [one for sizes in horizons for one in fit_sizes(sizes)]
        if groups:
            found += groups
            compared.append(ShapesCompared(settings, tuple(groups)))
    note = f"shapes of curves: {len(others)} of {runs} runs left out, returns are not in 0 to 1"
    return Fits((*found, *compared), (note,) if others else ())


def _families(frame: pd.DataFrame) -> Iterator[tuple[dict[str, Any], list[list[Group]]]]:
    """Settings of each family of runs, and its groups of one size by horizon.

    Args:
        frame: rows with their numbers as index.
    """
    number = np.empty(len(frame), dtype=int)
    families = list(split(frame, "width", "horizon"))
    for place, family in enumerate(families):
        number[family.rows.index] = place
    by_horizon: list[dict[float, list[Group]]] = [{} for _ in families]
    for group in split(frame):
        first = group.rows.index[0]
        horizon = float(group.rows["horizon"].iloc[0])
        by_horizon[number[first]].setdefault(horizon, []).append(group)
    for family, horizons in zip(families, by_horizon, strict=True):
        yield family.settings, [horizons[one] for one in sorted(horizons)]


_BEYOND = 0.1


def _others(frame: pd.DataFrame) -> list[str]:
    """Ids of runs with returns that are not in 0 to 1, where the shapes start and end: costs.

    Measured with noise, a return near an end may lie a little beyond it.
    """
    beyond = ~frame["return_mean"].dropna().between(-_BEYOND, 1 + _BEYOND)
    ids: list[str] = frame.loc[beyond.index[beyond], "run_id"].unique().tolist()
    return ids


def _usable(frame: pd.DataFrame) -> pd.DataFrame:
    """Rows after the first interaction with a return, of runs that have one in each, in order."""
    spoilt = frame.loc[frame["return_mean"].isna(), "run_id"].unique()
    frame = frame[(frame["interactions"] > 0) & ~frame["run_id"].isin(spoilt)]
    frame = frame.drop_duplicates(["run_id", "interactions"])
    return frame.sort_values(["run_id", "interactions"], kind="stable", ignore_index=True)


def fit_sizes(groups: Sequence[Group]) -> Iterator[CurveShapes]:
    """The shapes of each size of one horizon, those whose curves are long enough."""
    sizes = [
        (curves, group.rows)
        for group in groups
        if (curves := group_curves(group.settings, group.rows)) is not None
    ]
    whole = [curves for curves, _ in sizes if curves.is_long_enough]
    estimate = _link_of(sizes) if whole and len(sizes) >= LEAST_SIZES else None
    for curves in whole:
        shapes = {name: fit_shape(name, curves) for name in _RISES}
        linked = None if estimate is None else _linked(estimate, curves)
        fitted = {name: one for name, one in {**shapes, "link": linked}.items() if one is not None}
        yield CurveShapes(curves.group, curves, fitted)


def group_curves(settings: dict[str, Any], frame: pd.DataFrame) -> GroupCurves | None:
    """The runs of a group at the places of the one that ends first; None where they share none.

    A run that ends before half of the longest one's training is left out; of several runs of a seed
    the first counts.
    """
    firsts = frame.drop_duplicates("seed").sort_values("seed")[["seed", "run_id"]]
    runs = {int(seed): frame[frame["run_id"] == name] for seed, name in firsts.to_numpy()}
    ends = {seed: float(run["interactions"].iloc[-1]) for seed, run in runs.items()}
    long = [seed for seed, end in ends.items() if end >= _SHORTEST_SHARE * max(ends.values())]
    runs = {seed: runs[seed] for seed in long}
    places = {seed: np.log(row_places(run)) for seed, run in runs.items()}
    first = min(runs, key=lambda seed: ends[seed])
    kept = places[first] >= max(one[0] for one in places.values())
    if not kept.any():
        return None
    returns = [
        np.interp(places[first][kept], places[one], runs[one]["return_mean"]) for one in runs
    ]
    return GroupCurves(
        group=settings,
        parameters=float(frame["parameters"].iloc[0]),
        seeds=tuple(runs),
        ends=runs[first]["interactions"].to_numpy(float)[kept],
        places=places[first][kept],
        returns=np.array(returns),
    )


def fit_shape(name: str, curves: GroupCurves) -> ShapeFit | None:
    """A shape fitted to the averaged curves; None where too few rows are left to it.

    Args:
        name: one of `SHAPES` but the link.
        curves: of a group.
    """
    fitted = ~curves.early if name.endswith("_late") else np.full(len(curves.ends), True)
    seen = fitted & curves.seen
    if seen.sum() < LEAST_SEEN:
        return None
    means = curves.means
    predicted = fit_rising(_RISES[name], curves.places[seen], means[:, seen]).at(curves.places)
    whole = fit_rising(_RISES[name], curves.places[fitted], means[:, fitted])
    errors = _heldout_errors(predicted, curves)
    residuals = whole.at(curves.places) - means
    errors["error"] = _errors(residuals)
    errors["late_error"] = _errors(residuals[:, ~curves.early])
    if curves.early.any():
        errors["early_error"] = _errors(residuals[:, curves.early])
    return ShapeFit(predicted, errors, whole)


def _errors(residuals: np.ndarray) -> np.ndarray:
    """Root mean squares over rows, above 0, shape [fit]."""
    return np.asarray(np.maximum(np.sqrt(np.mean(residuals**2, axis=1)), _LEAST_ERROR))


def _heldout_errors(predicted: np.ndarray, curves: GroupCurves) -> dict[str, np.ndarray]:
    """Errors of predictions on the rows after a quarter of the training."""
    predicted, measured = predicted[:, ~curves.seen], curves.means[:, ~curves.seen]
    gaps = (np.log(np.maximum(1 - one, _LEAST_GAP)) for one in (predicted, measured))
    logs = next(gaps) - next(gaps)
    return {"heldout_error": _errors(predicted - measured), "heldout_log_error": _errors(logs)}


def _link_of(sizes: Sequence[tuple[GroupCurves, pd.DataFrame]]) -> LevelEstimate | None:
    """Level sets and link of the first quarter of each size's training; None without a fit."""
    seen = [
        rows[
            rows["seed"].isin(curves.seeds) & (rows["interactions"] <= SEEN_SHARE * curves.ends[-1])
        ]
        for curves, rows in sizes
    ]
    try:
        return estimate_levels([learning_curves(pd.concat(seen))], np.random.default_rng(0))
    except FitError:
        return None


def _linked(estimate: LevelEstimate, curves: GroupCurves) -> ShapeFit:
    """Predictions of the power law of all sizes for one of them."""
    seeds = curves.seeds if len(curves.seeds) > 1 else ()
    others = [estimate.leaving_out(one) if one in estimate.seeds else estimate for one in seeds]
    at = np.full(len(curves.places), curves.parameters), np.exp(curves.places)
    predicted = np.clip([one.returns(*at) for one in (estimate, *others)], 0.0, 1.0)
    link = estimate.fit.link
    highest = float(link.returns(np.array([link.high]))[0])
    return ShapeFit(predicted, _heldout_errors(predicted, curves), highest=highest)

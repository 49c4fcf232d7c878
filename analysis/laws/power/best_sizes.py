"""The size that needs the least compute for a return, measured: no law of the curves is assumed.

With E(N, R) the interactions to a return R (isotonic curves, geometric mean over seeds), a return
costs C(N, R) = N E(N, R). Its *best size* N*(R) and least compute C*(R) are where the parabola in
log N is least that goes through the size of least log C, its neighbours, and all within a factor
`REACH`. Two numbers are measured:

- b, the exponent of `N* ~ C*^b`: the slope, by least squares, of log N* against log C*;
- k, the second derivative of log C by log N at N*.

On runs that follow the power law of intrinsic performance `b = alpha_E / (alpha_N + alpha_E)` and
`k = alpha_N + alpha_E`, so that `alpha_N = (1 - b) k` and `alpha_E = b k`. This needs the law of
the sizes near the best ones alone, and so stands where residuals refuse one for all. *Proof of k*:
on `u + v = const` with u ~ N^-alpha_N and v ~ E^-alpha_E, `d log E / d log N = -(alpha_N u) /
(alpha_E v)`, which is -1 at the best size; its derivative there is `-d log(u/v) / d log N =
alpha_N + alpha_E`. A profile is steeper below its best size than above, which a parabola is not: k
is that of the law whose profiles, at the same sizes, have parabolas of the same curvature.

A return is used where every seed of its best size and of both neighbours reaches it, and computes
are even in log. On curves of known exponents without noise, with sizes a factor 1.5 apart and over
a factor 100 in compute or more, b is off by up to `PARABOLA_ERROR`, the others by up to 9%; over a
factor 40 b is off by up to 0.023.

Intervals add the error of leaving out seeds and that of leaving out sizes, as if each size had a
deviation of its own (its learning rate), each with Student's t, and that of the parabolas.
"""

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int
from scipy.optimize import brentq

from analysis.data.crossings import RunCurve, crossing
from analysis.data.families import split
from analysis.laws.equality import Condition, Equality, EqualityTest, Exponents, Part
from analysis.laws.law import Fits, FittedLaw, Quantity
from analysis.laws.power.equality import families_of, laws_of_references
from analysis.laws.power.single import power_law_groups
from analysis.stats.intervals import Interval, jackknife_error, t_factor
from mnist_horizon.algorithms import REFERENCES

RETURNS = 400
"""Returns at which best sizes are looked for, evenly spaced from the lowest to the highest."""

COMPUTES = 60
"""Computes at which they enter the slope, even in log."""

REACH = 2.4
"""Sizes within this factor of the one of least compute enter its parabola."""

CURVATURES = tuple(np.geomspace(0.1, 10.0, 16).tolist())
"""Between which k is looked for, in turn."""

FIRST_ROWS = 4
"""Rows of a run before a crossing counts: where the first ones are to be placed is uncertain."""

PARABOLA_ERROR = 0.015
"""Of b; that of alpha_N and alpha_E is six times as large, as a share."""

LEAST_RANGE = 30.0
"""Factor of compute that best sizes must span for an exponent."""

BEST = "optimal_size_exponent"
NAMES = (BEST, "alpha_n", "alpha_e")

_EXPONENT = Exponents((BEST,), np.asarray, lambda at: np.ones((1, 1)), deciding=(BEST,))


@dataclass(frozen=True)
class BestSizes(FittedLaw):
    """Best sizes of one horizon, or of an algorithm without one.

    Attributes:
        group: settings held fixed, horizon included.
        parameters: N, increasing, shape [size].
        returns: the returns looked at, shape [return].
        log_interactions: log E to each return, NaN where not reached, [size, seed, return].
        of_seeds: the seeds, in order.
    """

    group: dict[str, Any]
    parameters: Float[np.ndarray, "size"]
    returns: Float[np.ndarray, "return"]
    log_interactions: Float[np.ndarray, "size seed return"]
    of_seeds: tuple[int, ...]

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds that all sizes have."""
        return self.of_seeds

    @property
    def is_reference(self) -> bool:
        """Whether it is of an algorithm without a horizon."""
        return self.group.get("algorithm") in REFERENCES

    def table(self) -> pd.DataFrame:
        """Best sizes in order of compute.

        Columns `return_mean`, `compute` (parameters x interactions), `parameters`, `curvature`.
        """
        log_n = np.log(self.parameters)
        sizes, compute, curvature = _least(log_n, self._log_compute())
        found = np.isfinite(sizes)
        table = {
            "return_mean": self.returns[found],
            "compute": np.exp(compute[found]),
            "parameters": np.exp(sizes[found]),
            "curvature": curvature[found],
        }
        return pd.DataFrame(table).sort_values("compute", ignore_index=True)

    def _log_compute(self) -> Float[np.ndarray, "size return"]:
        return self.log_interactions.mean(axis=1) + np.log(self.parameters)[:, None]

    def _even(self) -> pd.DataFrame:
        """The table in logs at computes even in log; empty over less than `LEAST_RANGE`."""
        table = self.table()
        log_c = np.log(table["compute"].to_numpy())
        if len(table) < 3 or np.ptp(log_c) < np.log(LEAST_RANGE):
            return pd.DataFrame()
        even = np.linspace(log_c[0], log_c[-1], COMPUTES)
        log_n = np.interp(even, log_c, np.log(table["parameters"].to_numpy()))
        curvature = np.interp(even, log_c, table["curvature"].to_numpy())
        return pd.DataFrame({"log_c": even, "log_n": log_n, "curvature": curvature})

    def slope(self) -> float:
        """b; NaN where best sizes span less than `LEAST_RANGE` in compute."""
        even = self._even()
        return float("nan") if even.empty else float(np.polyfit(even["log_c"], even["log_n"], 1)[0])

    def exponents(self) -> Float[np.ndarray, "3"]:
        """Those of `NAMES`, NaN where they are not known."""
        slope, even = self.slope(), self._even()
        if even.empty:
            return np.full(len(NAMES), np.nan)
        mean = float(even["curvature"].mean())
        curvature = _unbiased(mean, slope, np.log(self.parameters), even["log_n"].to_numpy())
        return np.array([slope, (1 - slope) * curvature, slope * curvature])

    @functools.cached_property
    def quantities(self) -> dict[str, Quantity]:
        """The exponent of the best size in compute, and alpha_N and alpha_E about it."""
        values = self.exponents()
        reach = self._reach(values)
        intervals: list[Interval | None] = [None] * len(NAMES)
        if reach is not None:
            ends = np.nan_to_num([values - reach, values + reach], nan=np.inf)
            ends[0] = np.where(np.isinf(ends[0]), -np.inf, ends[0])
            intervals = [(float(low), float(high)) for low, high in ends.T]
        return {
            name: Quantity(float(value), ends, within=(0.0, 1.0) if name == BEST else None)
            for name, value, ends in zip(NAMES, values, intervals, strict=True)
        }

    def _reach(self, values: Float[np.ndarray, "3"]) -> Float[np.ndarray, "3"] | None:
        """Half the widths of the intervals; None with one seed, or without an exponent."""
        if len(self.seeds) < 2 or not np.isfinite(values[0]):
            return None
        by_seed = np.array([self.without_seed(seed).exponents() for seed in self.seeds])
        by_size = np.array([self.without_size(size).exponents() for size in self.near_best])
        halves = [
            t_factor(len(left_out)) * np.array([*map(jackknife_error, values, left_out.T)])
            for left_out in (by_seed, by_size)
        ]
        of_parabolas = PARABOLA_ERROR * np.array([1.0, *np.abs(values[1:]) * 6])
        return of_parabolas + np.hypot(*halves)

    @property
    def determined_by(self) -> dict[str, str]:
        """More compute, or sizes that are closer to each other."""
        return dict.fromkeys(NAMES, "longer runs, or more sizes close to the best ones")

    @property
    def near_best(self) -> list[float]:
        """The sizes that are in the parabola of some return."""
        _, windows = _windows(np.log(self.parameters), self._log_compute())
        return [float(size) for size in self.parameters[windows.any(axis=1)]]

    def predict(self, rows: pd.DataFrame) -> np.ndarray:
        """Best sizes at `compute`, by the power law through the middle of the points."""
        table = np.log(self.table()[["compute", "parameters"]])
        middle = table.mean()
        away = np.log(rows["compute"].to_numpy(float)) - middle["compute"]
        return np.asarray(np.exp(middle["parameters"] + self.slope() * away))

    def without_seed(self, seed: int) -> Self:
        """The same without the runs of one seed."""
        kept = [place for place, other in enumerate(self.of_seeds) if other != seed]
        seeds = tuple(self.of_seeds[place] for place in kept)
        return replace(self, log_interactions=self.log_interactions[:, kept], of_seeds=seeds)

    def without_size(self, size: float) -> Self:
        """The same without one size."""
        kept = self.parameters != size
        return replace(
            self,
            parameters=self.parameters[kept],
            log_interactions=self.log_interactions[kept],
        )

    def details(self) -> dict[str, Any]:
        """The ends of the returns, computes and sizes that the exponents are of."""
        table = self.table()
        ends = {
            name: [float(table[name].min()), float(table[name].max())]
            for name in ("return_mean", "compute", "parameters")
            if len(table)
        }
        return {**ends, "runs": len(self.parameters) * len(self.seeds)}

    def condition(self) -> Condition:
        """b as `laws.equality` compares it; its variance is that of a slope."""
        log_c = np.log(self.table()["compute"])
        return Condition(
            algorithm=str(self.group.get("algorithm", "")),
            horizon=None if self.is_reference else float(self.group["horizon"]),
            values=np.array([self.slope()]),
            left_out={seed: np.array([self.without_seed(seed).slope()]) for seed in self.seeds},
            variance=1 / float(np.ptp(log_c)) ** 2,
        )


def _windows(
    log_n: Float[np.ndarray, "size"], log_c: Float[np.ndarray, "size return"]
) -> tuple[Int[np.ndarray, "return"], Bool[np.ndarray, "size return"]]:
    """Place of the size of least compute, and the sizes that its parabola goes through.

    They are its neighbours, and all within `REACH` that reach the return; the place is -1, and
    there are none, where it or a neighbour does not reach it.
    """
    reached = np.isfinite(log_c)
    best = np.argmin(np.where(reached, log_c, np.inf), axis=0)
    places = np.arange(len(log_n))[:, None]
    beside = np.abs(places - best) <= 1
    inside = (best > 0) & (best < len(log_n) - 1) & (reached | ~beside).all(axis=0)
    near = np.abs(log_n[:, None] - log_n[best]) <= np.log(REACH)
    return np.where(inside, best, -1), (beside | near) & reached & inside


def _least(
    log_n: Float[np.ndarray, "size"], log_c: Float[np.ndarray, "size return"]
) -> Float[np.ndarray, "3 return"]:
    """log N*, log C* and curvature of each return by the parabola about its best size, or NaN."""
    best, windows = _windows(log_n, log_c)
    found = np.full((3, len(best)), np.nan)
    # One fit for all returns with the same sizes in their parabolas.
    kinds, number = np.unique(np.vstack([best, windows]), axis=1, return_inverse=True)
    for place, kind in enumerate(kinds.T):
        middle, window, here = kind[0], kind[1:].astype(bool), number == place
        if middle < 0:
            continue
        x = log_n[window] - log_n[middle]
        square, slope, least = np.polyfit(x, log_c[window][:, here], 2)
        away = -slope / (2 * np.where(square > 0, square, np.nan))
        away[np.abs(away) > np.log(REACH)] = np.nan
        found[:, here] = log_n[middle] + away, least + away * (slope + away * square), 2 * square
    found[:, np.isnan(found[0])] = np.nan
    return found


def _unbiased(
    measured: float,
    slope: float,
    log_n: Float[np.ndarray, "size"],
    best: Float[np.ndarray, "profile"],
) -> float:
    """k of the law whose parabolas have a mean curvature; NaN where there is none.

    Args:
        measured: mean curvature of the parabolas.
        slope: b.
        log_n: sizes.
        best: log N* of the profiles that the mean is over.
    """

    def parabolas(k: float, true: np.ndarray) -> Float[np.ndarray, "3 profile"]:
        """Those of the law with best sizes at `true`.

        With log N* at x = 0 and u + v = 1: u = b exp(-alpha_N x), and
        `log C = x - log((1 - u) / (1 - b)) / alpha_E`.
        """
        x = log_n[:, None] - true
        rest = np.maximum(1 - slope * np.exp(-(1 - slope) * k * x), 0.0)
        with np.errstate(divide="ignore"):
            log_c = x - np.log(rest / (1 - slope)) / (slope * k)
        return _least(log_n, np.where(rest > 0, log_c, np.nan))

    def excess(k: float) -> float:
        """Mean curvature of the law's parabolas that have the measured best sizes, less that."""
        away = parabolas(k, best)[0] - best
        shift = np.nanmean(away) if np.isfinite(away).any() else 0.0
        curvature = parabolas(k, best - shift)[2]
        return float(np.nanmean(curvature)) - measured if np.isfinite(curvature).any() else np.inf

    # Where it is steep, most profiles lack a size below the best one: the least k that fits.
    before = 0.0
    for k in CURVATURES if 0 < slope < 1 else ():
        if excess(k) > 0:
            return float(brentq(excess, before, k, xtol=1e-4)) if before else float("nan")
        before = k
    return float("nan")


def fit_best_sizes(frame: pd.DataFrame) -> Fits:
    """Best sizes of every group and horizon that has them.

    Args:
        frame: tidy results, one run per size, horizon and seed of each group.
    """
    found = []
    for group in power_law_groups(frame):
        for _, runs in group.rows.groupby("horizon"):
            fitted = measure_best_sizes(runs)
            if fitted is not None and not fitted.table().empty:
                found.append(fitted)
    return Fits(tuple(found))


def measure_best_sizes(runs: pd.DataFrame) -> BestSizes | None:
    """Best sizes of one group and horizon.

    Args:
        runs: tidy results, one run per size and seed.

    Returns:
        None with fewer than 3 sizes, without a seed that all have, or where a seed has two runs.
    """
    runs = runs.dropna(subset=["return_mean"])
    sizes = sorted(set(runs["parameters"]))
    if runs.groupby(["parameters", "seed"])["run_id"].nunique().gt(1).any():
        return None
    by_run = {
        (float(size), int(seed)): RunCurve.of(
            run["interactions"].to_numpy(), run["return_mean"].to_numpy()
        )
        for (size, seed), run in runs.groupby(["parameters", "seed"])
    }
    seeds = [s for s in sorted(set(runs["seed"])) if all((n, s) in by_run for n in sizes)]
    if len(sizes) < 3 or not seeds:
        return None
    values = runs["return_mean"].to_numpy(float)
    returns = np.linspace(np.nanmin(values), np.nanmax(values), RETURNS)
    log_e = [[_log_crossings(by_run[size, s], returns) for s in seeds] for size in sizes]
    return BestSizes(
        group=next(split(runs, "width")).settings,
        parameters=np.array(sizes, dtype=float),
        returns=returns,
        log_interactions=np.array(log_e),
        of_seeds=tuple(int(seed) for seed in seeds),
    )


def _log_crossings(
    curve: RunCurve, returns: Float[np.ndarray, "return"]
) -> Float[np.ndarray, "return"]:
    """log E at which a curve reaches each return; NaN where it does not, or too early."""
    first = curve.places[:FIRST_ROWS][-1]
    found = [crossing(curve.places, curve.monotone, one)[:2] for one in returns.tolist()]
    return np.array([np.nan if censored or at <= first else np.log(at) for at, censored in found])


def compare_best_sizes(laws: Sequence[BestSizes]) -> list[Equality]:
    """The exponents of each family over its horizons, and with the references at its shortest one.

    Exponents that the runs do not determine are left out: they differ from nothing.

    Args:
        laws: of `fit_best_sizes`.
    """
    found = []
    for group, of_rl in families_of(laws):
        references = laws_of_references(laws, of_rl[0])
        known = [one for one in of_rl if one.determined[BEST]]
        beside = [one for one in references if one.determined[BEST]]
        compared: Mapping[Any, list[BestSizes]] = {
            "horizons": known,
            "references": [*known[:1], *beside] if known and beside else [],
        }
        found += [
            _equality(group, among, members)
            for among, members in compared.items()
            if len(members) > 1
        ]
    return found


def _equality(group: dict[str, Any], among: Any, laws: Sequence[BestSizes]) -> Equality:
    return Equality(
        group=group,
        among=among,
        exponents=_EXPONENT,
        conditions=tuple(one.condition() for one in laws),
        parts=tuple(_parts(laws)),
    )


def _parts(laws: Sequence[BestSizes]) -> Iterator[Part]:
    """The test without each size that is near the best ones of a law.

    Nothing differs where the parabolas' own error explains it, however well the seeds agree.
    """
    values = [one.slope() for one in laws]
    if np.ptp(values) < 2 * PARABOLA_ERROR:
        yield Part("the error of the parabolas", 1.0)
    for size in sorted({size for one in laws for size in one.near_best}):
        rest = [one.without_size(size) for one in laws]
        if any(np.isnan(one.slope()) for one in rest):
            continue
        test = EqualityTest.of([one.condition() for one in rest])
        if test is not None:
            yield Part(f"size N = {size:,.0f}", test.p)

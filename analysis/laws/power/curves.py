"""Learning curves as the power law needs them: averaged over seeds, on one grid, weighted.

- Rows are placed where a curve has the mean that they report (`crossings.place_in_interval`) and
  interpolated, linearly in log E, on a grid that all runs share.
- **Early training is left out**: a size's curve begins at 1/64 of its training, as in the paper,
  and not before its averaged return has risen 3/4 of the way from the lowest return of all sizes to
  its own highest. The law describes learning, not the phase before it: at long horizons the return
  stays near chance for much longer than 1/64 of training. In simulations with transients longer
  than 1/64 (mean bias of alpha_E up to 25%, +8% for a slow decay) the bias is then under 3%.
- A curve ends where its first seed ends: the mean beyond would be over the seeds that stopped last.
- **A plateau** at an intermediate return, after which the return rises again, delays all that
  follows by its length: what precedes its end is left out, and where the delay is over a tenth of
  the interactions at the first point, the size is in `plateaus`: the law does not describe it.
- **A collapse**: from where a run has fallen below its best return for good, it is left out.
- **Points are weighted by their noise**, var R = floor^2 + (shift * dR/dlogE)^2: evaluation noise
  and seeds that are ahead or behind in log E. Both numbers are measured from the spread over seeds.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import minimize
from sklearn.isotonic import isotonic_regression

from analysis.data.crossings import place_in_interval
from analysis.data.families import split

EARLY_SHARE = 1 / 64
"""Share of training at its start that is left out of fits (the paper's)."""

RISEN_SHARE = 3 / 4
"""Share of the rise of a size's averaged return up to which training also counts as early."""

MINIMUM_SIZES = 3
MINIMUM_SEEDS = 2
MINIMUM_ROWS = 4
"""Rows of a run with which it counts as a curve."""

COLLAPSE = 0.1
"""Share of a run's rise that it must lose for good, and 5 times its noise, to have collapsed."""

_COLLAPSE_WINDOW = 1.5  # in E, over which returns are averaged
_PLATEAU_WINDOW = 4  # grid steps, a factor 2 in E
_PLATEAU_SLOPE = 1 / 4  # of the slopes before and after
_PLATEAU_RISE = 1 / 20
_LARGEST_DELAY = 0.1

_GRID_STEP = np.log(64) / 24
_SHORTEST_SHARE = 1 / 8
_LEAST_FLOOR = 0.01  # of the mean variance over seeds
Curve = tuple[np.ndarray, np.ndarray]
"""log E and return of one run, both of shape [row]."""


class FitError(ValueError):
    """The law cannot be fitted; the message says in one line what is missing."""


@dataclass(frozen=True)
class SeedNoise:
    """How much seeds differ, `var R = floor^2 + (shift dR/dlogE)^2`.

    Attributes:
        floor: standard deviation of the return of one seed at a point.
        shift: standard deviation of log E by which a run is ahead or behind.
    """

    floor: float
    shift: float


@dataclass(frozen=True)
class LearningCurves:
    """Returns of all sizes at one horizon; arrays over points are of shape [point].

    Attributes:
        group: the columns held fixed, and the horizon.
        parameters: N of each point.
        interactions: E of each point.
        seeds: the seeds, whether or not every size has each.
        returns: return of each seed, NaN where a size lacks the seed, shape [seed, point].
        variance: variance of one seed's return at each point, by `noise`, shape [point].
        noise: how much seeds differ.
        sizes: distinct N, shape [size].
        flops_per_interaction: training FLOPs per interaction of each size, shape [size].
        runs: runs used.
        notes: one line for everything left out.
        plateaus: sizes whose curves a plateau delays, in parameters.
        widths: width of each size, shape [size]; empty where the results have none.
    """

    group: dict[str, Any]
    parameters: np.ndarray
    interactions: np.ndarray
    seeds: tuple[int, ...]
    returns: np.ndarray
    variance: np.ndarray
    noise: SeedNoise
    sizes: np.ndarray
    flops_per_interaction: np.ndarray
    runs: int
    notes: tuple[str, ...] = ()
    plateaus: tuple[float, ...] = ()
    widths: tuple[float, ...] = ()

    @property
    def horizon(self) -> float:
        """Horizon length of these runs."""
        return float(self.group["horizon"])

    @property
    def seeds_at(self) -> np.ndarray:
        """Seeds at each point, shape [point]."""
        return np.isfinite(self.returns).sum(axis=0)

    @property
    def mean(self) -> np.ndarray:
        """Return averaged over seeds, shape [point]."""
        return np.nanmean(self.returns, axis=0)

    @property
    def weight(self) -> np.ndarray:
        """Inverse variance of the averaged return, shape [point]."""
        return self.seeds_at / self.variance

    def without_seed(self, seed: int) -> "LearningCurves":
        """The same points without one seed; sizes with no other seed are left out."""
        others = np.array([other != seed for other in self.seeds])
        returns = self.returns[others]
        kept = np.isfinite(returns).any(axis=0)
        return replace(
            self,
            seeds=tuple(other for other in self.seeds if other != seed),
            parameters=self.parameters[kept],
            interactions=self.interactions[kept],
            returns=returns[:, kept],
            variance=self.variance[kept],
        )


def learning_curves(frame: pd.DataFrame) -> LearningCurves:
    """Prepare the runs of one group and horizon.

    Args:
        frame: tidy results of one run per size and seed; all other settings hold one value.

    Raises:
        FitError: settings are mixed, a seed has two runs, or sizes or seeds are too few.
    """
    group = _single_group(frame)
    frame, notes = _usable(frame)
    _require_sizes_and_seeds(frame)
    seeds = sorted(frame["seed"].unique())
    sizes = frame.groupby("parameters", as_index=False)["flops_per_interaction"].first()
    lowest = float(frame.groupby(["parameters", "interactions"])["return_mean"].mean().min())
    by_size, more = _curves_by_size(frame, seeds)
    last = math.log(float(frame["interactions"].max()))
    per_size, delayed, late = _on_grids(by_size, len(seeds), last, lowest)
    notes += more + late
    log_e = np.concatenate([grid for grid, _ in per_size])
    if not log_e.size:
        raise FitError(
            "no interactions that all seeds of a size have covered after the first 1/64 of"
            " training: the power law needs longer runs, with more evaluations"
        )
    returns = np.concatenate([values for _, values in per_size], axis=1)
    parameters = np.repeat(sizes["parameters"].to_numpy(float), [len(g) for g, _ in per_size])
    noise, variance = measure_noise(parameters, log_e, returns)
    _require_learning(returns, variance)
    return LearningCurves(
        group=group,
        parameters=parameters,
        interactions=np.exp(log_e),
        seeds=tuple(int(seed) for seed in seeds),
        returns=returns,
        variance=variance,
        noise=noise,
        sizes=sizes["parameters"].to_numpy(float),
        flops_per_interaction=sizes["flops_per_interaction"].to_numpy(float),
        runs=sum(int(np.isfinite(values).any(axis=1).sum()) for _, values in per_size),
        notes=tuple(notes),
        plateaus=tuple(delayed),
        widths=tuple(frame.groupby("parameters")["width"].first()) if "width" in frame else (),
    )


def _curves_by_size(
    frame: pd.DataFrame, seeds: Sequence[int]
) -> tuple[dict[float, dict[int, Curve]], list[str]]:
    """Curves by size and place of the seed, up to a collapse, without runs that hardly began."""
    by_size: dict[float, dict[int, Curve]] = {}
    notes: list[str] = []
    collapsed = 0
    for size, rows in frame.groupby("parameters"):
        whole = {seeds.index(seed): _curve(run) for seed, run in rows.groupby("seed")}
        curves = {i: before_collapse(*curve) for i, curve in whole.items()}
        collapsed += sum(len(curves[i][0]) < len(whole[i][0]) for i in whole)
        by_size[size], too_short = _without_short_runs(curves)
        notes += [
            f"seed {seeds[i]} of the size of {size} parameters {_TOO_SHORT}" for i in too_short
        ]
    if collapsed:
        notes.append(
            f"{collapsed} runs fell below their best return for good: what follows is left out"
        )
    return by_size, notes


def _on_grids(
    by_size: Mapping[float, dict[int, Curve]], seeds: int, last: float, lowest: float
) -> tuple[list[tuple[np.ndarray, np.ndarray]], list[float], list[str]]:
    """Grid and returns of each size; the sizes that a plateau delays; a note on plateaus."""
    per_size, delayed, plateaus = [], [], 0
    for size, curves in by_size.items():
        grid, returns = _once_risen(*_on_grid(curves, seeds, last), lowest)
        ends = plateau(curves)
        if ends is not None:
            plateaus += 1
            grid, returns = grid[grid >= ends[1]], returns[:, grid >= ends[1]]
            length = math.exp(ends[1]) - math.exp(ends[0])
            if not len(grid) or length > _LARGEST_DELAY * math.exp(grid[0]):
                delayed.append(float(size))
        per_size.append((grid, returns))
    note = f"{plateaus} sizes have a plateau in their curves: what precedes its end is left out"
    return per_size, delayed, [note] if plateaus else []


_TOO_SHORT = "left out: it ends before 1/8 of the training of the others"


def measure_noise(
    parameters: np.ndarray, log_interactions: np.ndarray, returns: np.ndarray
) -> tuple[SeedNoise, np.ndarray]:
    """How much seeds differ, and the variance of one seed's return at each point, shape [point].

    floor and shift maximise the Gaussian likelihood of the seeds about their mean, summed over all
    points; slopes are those of the averaged curves made monotone.

    Args:
        parameters: N of each point; the points of a size are contiguous, shape [point].
        log_interactions: log E, increasing within a size, shape [point].
        returns: shape [seed, point], NaN where a seed is missing.

    Raises:
        FitError: no size has two seeds, or seeds do not differ at all.
    """
    counts = np.isfinite(returns).sum(axis=0)
    mean = np.nanmean(returns, axis=0)
    slope = np.zeros_like(mean)
    for size in np.unique(parameters):
        here = parameters == size
        if here.sum() > 1:
            slope[here] = np.gradient(isotonic_regression(mean[here]), log_interactions[here])
    freedom = counts - 1.0
    if not freedom.any():
        raise FitError("no size has two seeds: weights and intervals need the spread over seeds")
    squares = np.nansum((returns - mean) ** 2, axis=0)
    total = squares.sum() / freedom.sum()
    if total <= 0:
        raise FitError("the returns of all seeds are the same: weights need seeds that differ")

    steepness = max(float(np.mean(slope**2)), 1e-300)

    def noise(logs: np.ndarray) -> SeedNoise:
        floor, shift = np.sqrt(total * np.exp(logs)).tolist()
        return SeedNoise(floor, shift / math.sqrt(steepness))

    def variance(logs: np.ndarray) -> np.ndarray:
        parts = noise(logs)
        return parts.floor**2 + (parts.shift * slope) ** 2

    def deviance(logs: np.ndarray) -> tuple[float, np.ndarray]:
        expected = variance(logs)
        floor = total * np.exp(logs[0])
        slopes = freedom / expected - squares / expected**2
        gradient = np.array([np.sum(slopes) * floor, np.sum(slopes * (expected - floor))])
        return float(np.sum(freedom * np.log(expected) + squares / expected)), gradient

    # Without a lower bound of the floor, points that are flat by chance would outweigh all others.
    bounds = [(np.log(_LEAST_FLOOR), np.log(10)), (np.log(1e-6), np.log(1e3))]
    best = min(
        (
            minimize(deviance, start, jac=True, bounds=bounds)
            for start in ([-1.0, -1.0], [-4.0, 0.0])
        ),
        key=lambda result: result.fun,
    )
    return noise(best.x), variance(best.x)


def _single_group(frame: pd.DataFrame) -> dict[str, Any]:
    """Settings held fixed; raises FitError where one of them varies or a seed has two runs."""
    if frame.empty:
        raise FitError("there are no rows: the power law needs runs of at least 3 sizes")
    groups = list(split(frame, "width"))
    if len(groups) > 1:
        raise FitError(f"{len(groups)} groups of settings: fit each separately")
    if (frame.groupby(["parameters", "seed"])["run_id"].nunique() > 1).any():
        raise FitError("a size and seed has several runs: choose one learning rate first")
    return groups[0].settings


def _usable(frame: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Rows of runs without a NaN return, after the first interaction."""
    spoilt = frame.loc[~np.isfinite(frame["return_mean"]), "run_id"].unique()
    notes = [f"{len(spoilt)} runs left out, not all of their returns are numbers"] * bool(
        len(spoilt)
    )
    frame = frame[(frame["interactions"] > 0) & ~frame["run_id"].isin(spoilt)]
    if frame.empty:
        raise FitError("every run has returns that are not numbers: look for runs that diverged")
    rows = frame.groupby("run_id")["interactions"].transform("nunique")
    few = frame.loc[rows < MINIMUM_ROWS, "run_id"].nunique()
    if few:
        notes.append(f"{few} runs left out, they have fewer than {MINIMUM_ROWS} rows")
    frame = frame[rows >= MINIMUM_ROWS]
    if frame.empty:
        raise FitError(
            f"every run has fewer than {MINIMUM_ROWS} rows: the power law needs learning curves"
            " (more evaluations of each run)"
        )
    return frame, notes


def _require_sizes_and_seeds(frame: pd.DataFrame) -> None:
    sizes = frame["parameters"].nunique()
    if sizes < MINIMUM_SIZES:
        raise FitError(
            f"{sizes} network size{'s' * (sizes > 1)} with results: the power law needs at least"
            f" {MINIMUM_SIZES} (add widths)"
        )
    if frame["seed"].nunique() < MINIMUM_SEEDS:
        raise FitError(
            "1 seed with results: weights and intervals come from the spread over seeds, which"
            " needs at least 2, better 4 or more (add seeds)"
        )


def _require_learning(returns: np.ndarray, variance: np.ndarray) -> None:
    mean = np.nanmean(returns, axis=0)
    if np.ptp(mean) < 5 * np.sqrt(np.median(variance)):
        raise FitError(
            f"the return stays within {np.ptp(mean):.2g} after the first 1/64 of training, no more"
            " than its noise: the power law needs runs that learn (a larger budget)"
        )


def _curve(run: pd.DataFrame) -> Curve:
    """log E and return of one run, in order."""
    run = run.sort_values("interactions").drop_duplicates("interactions")
    places = place_in_interval(run["interactions"].to_numpy(float))
    return np.log(places), run["return_mean"].to_numpy(float)


def before_collapse(log_e: np.ndarray, returns: np.ndarray) -> Curve:
    """A run's curve up to its best return, where it falls below that for good; else all of it.

    Returns are averaged over the last factor 1.5 in E, by interactions. A run has collapsed where
    the last of these means is below the best one by 5 times the noise of a row and by a tenth of
    the run's rise. The noise is that of second differences, robust to the curve's bends.

    Args:
        log_e: increasing, shape [row].
        returns: shape [row].
    """
    if len(log_e) < MINIMUM_ROWS:
        return log_e, returns
    places = np.exp(log_e)
    total = np.concatenate([[0.0], np.cumsum(returns[1:] * np.diff(places))])
    start = np.maximum(places / _COLLAPSE_WINDOW, places[0])
    width = np.maximum(places - start, 1e-300)
    means = np.where(places > start, (total - np.interp(start, places, total)) / width, returns)
    noise = np.median(np.abs(np.diff(returns, 2))) / 0.6745 / math.sqrt(6)
    best = int(np.argmax(means))
    risen, fallen = means[best] - means[0], means[best] - means[-1]
    least = max(5 * noise, 1e-9 * np.abs(returns).max())
    if risen <= least or fallen <= max(least, COLLAPSE * risen):
        return log_e, returns
    return log_e[: best + 1], returns[: best + 1]


def plateau(curves: Mapping[int, Curve]) -> tuple[float, float] | None:
    """log E between which the averaged return of a size's runs rests before it rises again.

    Slopes are over a factor 2 in E. A plateau is where the slope is under 1/4 of the largest before
    and of the largest after, and where these are over 5 times the noise between seeds and a
    twentieth of the rise. Chance level has no slope before it, a curve that saturates none after.
    """
    start = max(log_e[0] for log_e, _ in curves.values())
    grid = np.arange(start, min(log_e[-1] for log_e, _ in curves.values()), _GRID_STEP)
    if len(grid) < 3 * _PLATEAU_WINDOW + 1:
        return None
    returns = np.array([np.interp(grid, *curve) for curve in curves.values()])
    slopes = returns[:, _PLATEAU_WINDOW:] - returns[:, :-_PLATEAU_WINDOW]
    mean = slopes.mean(axis=0)
    inside = slice(_PLATEAU_WINDOW, -_PLATEAU_WINDOW)
    before = np.maximum.accumulate(mean)[: -2 * _PLATEAU_WINDOW]
    after = np.maximum.accumulate(mean[::-1])[::-1][2 * _PLATEAU_WINDOW :]
    least = np.minimum(before, after)
    noise = math.sqrt(slopes.var(axis=0, ddof=1).max() / len(slopes)) if len(slopes) > 1 else 0.0
    large = least > max(5 * noise, _PLATEAU_RISE * float(np.ptp(returns.mean(axis=0))))
    rests = large & (mean[inside] < _PLATEAU_SLOPE * least)
    if not rests.any():
        return None
    first, final = np.flatnonzero(rests)[[0, -1]] + _PLATEAU_WINDOW
    return float(grid[first]), float(grid[final + _PLATEAU_WINDOW])


def _once_risen(
    grid: np.ndarray, returns: np.ndarray, lowest: float
) -> tuple[np.ndarray, np.ndarray]:
    """The points of a size from where its averaged return, made monotone, has risen.

    Args:
        grid: log E, shape [point].
        returns: shape [seed, point].
        lowest: averaged return of any size before learning.
    """
    if not len(grid):
        return grid, returns
    mean = isotonic_regression(np.nanmean(returns, axis=0))
    risen = mean >= lowest + RISEN_SHARE * (mean[-1] - lowest)
    return grid[risen], returns[:, risen]


def _without_short_runs(curves: dict[int, Curve]) -> tuple[dict[int, Curve], list[int]]:
    """A size's curves by seed without those that end far before the others; the seeds of these."""
    ends = {seed: log_e[-1] for seed, (log_e, _) in curves.items() if len(log_e)}
    least = max(ends.values()) + np.log(_SHORTEST_SHARE)
    kept = {seed: curves[seed] for seed, end in ends.items() if end >= least}
    return kept, [seed for seed in ends if seed not in kept]


def _on_grid(curves: dict[int, Curve], seeds: int, last: float) -> tuple[np.ndarray, np.ndarray]:
    """log E of a size's points, from 1/64 of its training to where its first seed ends; returns."""
    longest = max(log_e[-1] for log_e, _ in curves.values())
    start = max(longest + np.log(EARLY_SHARE), *(log_e[0] for log_e, _ in curves.values()))
    end = min(log_e[-1] for log_e, _ in curves.values())
    steps = np.arange(np.ceil((last - start) / _GRID_STEP), -1, -1)
    grid = last - _GRID_STEP * steps
    grid = grid[(grid >= start) & (grid <= end)]
    returns = np.full((seeds, len(grid)), np.nan)
    for seed, curve in curves.items():
        returns[seed] = np.interp(grid, *curve)
    return grid, returns

"""Interactions to threshold: how much experience a run needs to reach a return.

A run **reaches** a return where it first does so lastingly: at the first place E from which its
mean return over (E, 2 E] is at least that return. Up to the end of that window its curve is made
monotone by isotonic regression, and the crossing is interpolated in log E. What comes later plays
no part: a run that learns and then collapses did reach the return, and is marked as fallen back.
Where there is no such window (a run may end just past the return) all rows count.

A run that does not cross is right-censored, one that is above the threshold from its first row on
is left-censored; both stay in the table.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd
from scipy.optimize import isotonic_regression

from analysis.stats.intervals import mean_interval
from mnist_horizon.results import RUN_COLUMNS

THRESHOLDS = (0.5, 0.7, 0.85)
"""Thresholds of return, fixed before any run."""


LASTING = 2.0
"""A return is reached where the mean up to this factor of interactions later is as high."""

LAST_ROWS = 3
"""A run has fallen back where as many of its last rows are below a return that it had reached."""


def place_in_interval(ends: np.ndarray) -> np.ndarray:
    """Interactions at which a run's curve has the mean that each row reports.

    A row is a mean over the interactions since the row before, (E0, E1]. It is placed at the
    identric mean `(E1^E1 / E0^E0)^(1 / (E1 - E0)) / e`: the mean of log E over the interval, so
    that curves linear in log E, as interpolation assumes between rows, are reproduced exactly
    (rows placed at E1 would delay every run by half an interval).

    Args:
        ends: increasing positive interactions of one run's rows, shape [row].

    Returns:
        The place of each row, shape [row]; the first interval starts at 0, so its place is E1 / e.
    """
    ends = np.asarray(ends, dtype=float)
    starts = np.concatenate([[0.0], ends[:-1]])
    log_starts = np.log(starts, out=np.zeros_like(starts), where=starts > 0)  # 0 log 0 = 0
    mean_log = (ends * np.log(ends) - starts * log_starts) / (ends - starts) - 1
    return np.exp(mean_log)


def row_places(run: pd.DataFrame) -> np.ndarray:
    """Where the rows of one run lie, in interactions, shape [row].

    Args:
        run: rows of one run, in order, after 0 interactions. Rows are means over the interactions
            since the row before (`place_in_interval`), unless a column `averaged` says that they
            were measured at the row itself.
    """
    ends = run["interactions"].to_numpy(float)
    return place_in_interval(ends) if "averaged" not in run or run["averaged"].all() else ends


@dataclass(frozen=True)
class RunCurve:
    """A run's learning curve.

    Attributes:
        ends: increasing positive interactions, shape [row].
        returns: mean over the interactions since the row before, shape [row].
        averaged: whether they are that; if not, they were measured at the row itself.
    """

    ends: np.ndarray
    returns: np.ndarray
    averaged: bool = True

    @classmethod
    def of(cls, interactions: np.ndarray, returns: np.ndarray) -> Self:
        """The curve of rows in any order; those at zero interactions are left out."""
        order = np.argsort(interactions, kind="stable")
        order = order[np.asarray(interactions)[order] > 0]
        return cls(
            np.asarray(interactions, dtype=float)[order], np.asarray(returns, dtype=float)[order]
        )

    @functools.cached_property
    def weights(self) -> np.ndarray:
        """Interactions that each row stands for: those since the row before, shape [row]."""
        return np.diff(self.ends, prepend=0.0)

    @functools.cached_property
    def places(self) -> np.ndarray:
        """Where each row's return is placed (`place_in_interval`), shape [row]."""
        return place_in_interval(self.ends) if self.averaged else self.ends

    @functools.cached_property
    def monotone(self) -> np.ndarray:
        """Isotonic returns of all rows, shape [row]."""
        return self._monotone(len(self.ends))

    def _monotone(self, rows: int) -> np.ndarray:
        # The variance of a mean goes as the inverse of what it is over; points have equal ones.
        weights = self.weights[:rows] if self.averaged else None
        fitted = isotonic_regression(self.returns[:rows], weights=weights).x
        return np.asarray(fitted)

    @functools.cached_property
    def _windows(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean return over (E, 2 E] from each row's start E, and how many rows end with it.

        The window of the first row starts at 0 and ends at twice its end; rows with windows that
        the run does not fill are left out.
        """
        starts = np.concatenate([self.ends[:1], self.ends[:-1]])
        rows = np.searchsorted(self.ends, LASTING * starts) + 1
        first = np.flatnonzero(rows <= len(self.ends))
        weight = np.concatenate([[0.0], np.cumsum(self.weights)])
        area = np.concatenate([[0.0], np.cumsum(self.weights * self.returns)])
        rows = rows[first]
        return (area[rows] - area[first]) / (weight[rows] - weight[first]), rows

    def reach(self, threshold: float) -> tuple[float, bool, bool, bool]:
        """Where the run first lastingly reaches a return.

        Returns:
            `(interactions, censored, left_censored, fell_back)`, the first three as of `crossing`;
            fallen back is a run that lastingly reached the return and of which the isotonic curve
            of all rows ends below it, or the last `LAST_ROWS` rows are all below.
        """
        means, rows = self._windows
        lasting = np.flatnonzero(means >= threshold)
        if not lasting.size:
            return *crossing(self.places, self.monotone, threshold), False
        end = int(rows[lasting[0]])
        curve = self._monotone(end)
        # Rounding may leave the end of the curve, a mean of the same rows, just below.
        curve[-1] = max(curve[-1], threshold)
        found = crossing(self.places[:end], curve, threshold)
        last = self.returns[end:][-LAST_ROWS:]
        are_below = len(last) == LAST_ROWS and bool((last < threshold).all())
        return *found, are_below or bool(self.monotone[-1] < threshold)


def crossing(
    places: np.ndarray, monotone_returns: np.ndarray, threshold: float
) -> tuple[float, bool, bool]:
    """Where a monotone curve first reaches a threshold, interpolated linearly in log E.

    Returns:
        `(interactions, censored, left_censored)`: right-censored at the last place where the curve
        stays below, left-censored at the first place where it starts above.
    """
    reached = int(np.searchsorted(monotone_returns, threshold, side="left"))
    if reached == len(places):
        return float(places[-1]), True, False
    if reached == 0:
        return float(places[0]), False, bool(monotone_returns[0] > threshold)
    low, high = monotone_returns[reached - 1], monotone_returns[reached]
    share = (threshold - low) / (high - low)
    log_low, log_high = np.log(places[reached - 1]), np.log(places[reached])
    return float(np.exp(log_low + share * (log_high - log_low))), False, False


def run_scores(frame: pd.DataFrame) -> pd.Series:
    """Return of each run averaged over log E, by run id; a run of a single row has its return.

    Up to a constant it is minus the log interactions to a return, averaged over all returns.
    """
    frame = frame[frame["interactions"] > 0].sort_values(["run_id", "interactions"])
    weight = np.log(frame["interactions"]).groupby(frame["run_id"]).diff().fillna(0.0)
    area = frame.assign(weight=weight, area=weight * frame["return_mean"]).groupby("run_id")
    sums = area[["area", "weight"]].sum()
    return (sums["area"] / sums["weight"]).where(sums["weight"] > 0, area["return_mean"].mean())


def interactions_to_threshold(
    frame: pd.DataFrame, thresholds: tuple[float, ...] = THRESHOLDS
) -> pd.DataFrame:
    """Interactions that each run needs to reach each threshold.

    Args:
        frame: tidy results (`mnist_horizon.results.read_results(...).frame`).
        thresholds: returns to reach.

    Returns:
        One row per run and threshold: the run's settings and `score`, `threshold`, `interactions`,
        `censored` (right: it did not reach the return, `interactions` is its last place),
        `left_censored` (it was above the return from its first row on) and `fell_back` (it reached
        the return and later fell below it).
    """
    settings = [name for name in RUN_COLUMNS if name in frame]
    frame = frame[frame["interactions"] > 0].drop_duplicates(["run_id", "interactions"])
    frame = frame.sort_values(["run_id", "interactions"], kind="stable", ignore_index=True)
    first = np.flatnonzero(~frame["run_id"].duplicated().to_numpy())
    last = np.append(first, len(frame))[1:]
    ends = frame["interactions"].to_numpy(float)
    returns = frame["return_mean"].to_numpy(float)
    averaged = frame["averaged"].to_numpy(bool) if "averaged" in frame else np.full(len(ends), True)
    curves = [
        RunCurve(ends[i:j], returns[i:j], bool(averaged[i]))
        for i, j in zip(first, last, strict=True)
    ]
    runs = frame.loc[first, settings].reset_index(drop=True)
    runs["score"] = runs["run_id"].map(run_scores(frame))
    tables = []
    for threshold in thresholds:
        columns = pd.DataFrame([curve.reach(threshold) for curve in curves], columns=[*_FOUND])
        columns = columns.astype(_FOUND)
        tables.append(pd.concat([runs.assign(threshold=float(threshold)), columns], axis=1))
    return pd.concat(tables, ignore_index=True)


_FOUND = {"interactions": float, "censored": bool, "left_censored": bool, "fell_back": bool}


def means_over_seeds(
    crossings: pd.DataFrame, keys: Sequence[str], column: str = "interactions"
) -> pd.DataFrame:
    """Geometric means over seeds of crossings, with their 95% intervals.

    Returns:
        One row per combination of `keys`: these, `column`, `low` and `high` (NaN with one seed, and
        where a run is right-censored, as the mean is a lower bound then), `censored` (whether any
        run is) and `seeds`.
    """
    rows = []
    for key, cell in crossings.groupby(list(keys), sort=True):
        mean, low, high = np.exp(mean_interval(np.log(cell[column].to_numpy(float))))
        censored = bool(cell["censored"].any())
        row = dict(zip(keys, key, strict=True)) | {column: mean, "censored": censored}
        ends = (np.nan, np.nan) if censored else (low, high)
        rows.append(row | {"low": ends[0], "high": ends[1], "seeds": len(cell)})
    return pd.DataFrame(rows, columns=[*keys, column, "low", "high", "censored", "seeds"])

"""Interactions to threshold: how much experience a run needs to reach a return.

A run's curve is made monotone by isotonic regression, and the crossing is interpolated in log E.
A run that never crosses is right-censored, one that is above from its first row on left-censored;
both stay in the table.
"""

import numpy as np
import pandas as pd
from sklearn.isotonic import isotonic_regression

from mnist_horizon.results import RUN_COLUMNS

THRESHOLDS = (0.5, 0.7, 0.85)
"""Thresholds of return, fixed before any run."""


def place_in_interval(ends: np.ndarray) -> np.ndarray:
    """Interactions at which a run's curve has the mean that each row reports.

    A row is a mean over the interactions since the row before, (E0, E1]. It is placed at the
    identric mean `(E1^E1 / E0^E0)^(1 / (E1 - E0)) / e`: the mean of log E over the interval, so
    that curves linear in log E, as interpolation assumes them between rows, are met exactly
    (placing rows at E1 would make every run late by half an interval).

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


def monotone_curve(interactions: np.ndarray, returns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Places (interactions) and isotonic returns of one run, both of shape [row].

    A row's weight is the interactions that it is a mean over: the variance of a mean goes as their
    inverse. Rows at zero interactions are left out.
    """
    order = np.argsort(interactions, kind="stable")
    order = order[np.asarray(interactions)[order] > 0]
    ends = np.asarray(interactions, dtype=float)[order]
    weights = np.diff(ends, prepend=0.0)
    fitted = isotonic_regression(np.asarray(returns, dtype=float)[order], sample_weight=weights)
    return place_in_interval(ends), fitted


def crossing(
    places: np.ndarray, monotone_returns: np.ndarray, threshold: float
) -> tuple[float, bool, bool]:
    """Where a monotone curve first reaches a threshold, interpolated linearly in log E.

    Returns:
        `(interactions, censored, early)`: right-censored at the last place where the curve stays
        below, early (left-censored at the first place) where it starts above.
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


def interactions_to_threshold(
    frame: pd.DataFrame, thresholds: tuple[float, ...] = THRESHOLDS
) -> pd.DataFrame:
    """Interactions that each run needs to reach each threshold.

    Args:
        frame: tidy results (`mnist_horizon.results.read_results(...).frame`).
        thresholds: returns to reach.

    Returns:
        One row a run and threshold: the run's settings, `threshold`, `interactions` (float),
        `censored` (right: it never got there, `interactions` is how far it was seen) and `early`
        (left: it was there from its first row on).
    """
    settings = [name for name in RUN_COLUMNS if name in frame]
    frame = frame[frame["interactions"] > 0].drop_duplicates(["run_id", "interactions"])
    frame = frame.sort_values(["run_id", "interactions"], kind="stable", ignore_index=True)
    first = np.flatnonzero(~frame["run_id"].duplicated().to_numpy())
    last = np.append(first[1:], len(frame))
    ends = frame["interactions"].to_numpy(float)
    returns = frame["return_mean"].to_numpy(float)
    curves = [monotone_curve(ends[i:j], returns[i:j]) for i, j in zip(first, last, strict=True)]
    runs = frame.loc[first, settings].reset_index(drop=True)
    tables = []
    for threshold in thresholds:
        crossings = [crossing(places, curve, threshold) for places, curve in curves]
        found = pd.DataFrame(crossings, columns=["interactions", "censored", "early"])
        found = found.astype({"interactions": float, "censored": bool, "early": bool})
        tables.append(pd.concat([runs.assign(threshold=float(threshold)), found], axis=1))
    return pd.concat(tables, ignore_index=True)


def choose_learning_rates(table: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Keep one learning rate a seed where several were tried: the one that is best on other seeds.

    For each width, horizon, threshold and the other settings, the rate of a seed is the one whose
    median interactions over the *other* seeds are least (a censored run counts as infinite). The
    best over noisy runs would be too good by the noise; a choice that has not seen the seed is not.

    Args:
        table: what `interactions_to_threshold` returns.

    Returns:
        The rows kept, with their own learning rates, and a note that states the rule if it was
        needed.
    """
    if "learning_rate" not in table:
        return table, []
    aside = ("run_id", "seed", "learning_rate")
    keys = [name for name in RUN_COLUMNS if name in table and name not in aside] + ["threshold"]
    several = table.groupby(keys, dropna=False)["learning_rate"].transform("nunique") > 1
    if not several.any():
        return table, []
    kept = [table[~several]]
    for _, rows in table[several].groupby(keys, dropna=False, sort=False):
        needed = rows["interactions"].where(~rows["censored"], np.inf)
        for seed in rows["seed"].unique():
            others = rows["seed"] != seed
            judges = others if others.any() else ~others
            median = needed[judges].groupby(rows["learning_rate"][judges]).median()
            here = rows[rows["seed"] == seed]
            median = median[median.index.isin(here["learning_rate"])]
            if median.empty:
                continue
            # None of them gets there: the middle rate stands for them, censored as it is.
            middle = median.index[len(median) // 2]
            best = median.idxmin() if np.isfinite(median).any() else middle
            kept.append(here[here["learning_rate"] == best])
    rates = ", ".join(f"{rate:g}" for rate in sorted(table.loc[several, "learning_rate"].unique()))
    note = (
        f"learning rates {rates}: for each width and horizon a seed's run is the one at the rate "
        "with the least median interactions over the other seeds"
    )
    return pd.concat(kept, ignore_index=True), [note]

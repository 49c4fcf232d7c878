"""What a longer horizon should cost, from the gradient noise of runs at h = 1 alone.

At a point of training, a step of the loss needs `B + B_noise` interactions, and with dense rewards
`B_noise = tr(A - m m^T + F v x) / |m|^2` (x the variance horizon). A run at h = 1 spends its
interactions dE in proportion to `B + tr(A - m m^T) / |m|^2`, so that over the same path to a return

    E(h) / E(1) = 1 + q x,    q = (1 / E(1)) integral of tr(F) v / (B |m|^2 + tr(A - m m^T)) dE

from 0 to E(1). Only runs at h = 1 are needed: their future part is 0, but F and v are measured
there, and it is their interactions that are averaged over. No fit of interactions enters.
"""

import numpy as np
import pandas as pd

COLUMN = "horizon_cost"
"""q of a run at h = 1, up to the threshold of its row."""

_NEEDED = ("run_id", "interactions", "batch", "signal", "action", "state", "fisher")


def cost_along_training(noise: pd.DataFrame) -> pd.DataFrame:
    """q of each row of dense runs at h = 1: `tr(F) v / (B |m|^2 + action + state)`.

    Args:
        noise: rows of noise tables (`results.read_noise`).

    Returns:
        `run_id`, `interactions` and `q`; without rows of older tables, which lack F and v.
    """
    if not {*_NEEDED, "score_variance", "schedule", "horizon"} <= set(noise):
        return pd.DataFrame(columns=["run_id", "interactions", "q"])
    rows = noise[(noise["schedule"] == "dense") & (noise["horizon"] == 1)]
    # A small |m|^2 is measured with an error that may be negative; its mean is right.
    needed = rows["batch"] * rows["signal"] + rows["action"] + rows["state"]
    q = rows["fisher"] * rows["score_variance"] / needed
    found = rows[["run_id", "interactions"]].assign(q=q)
    return found[np.isfinite(q) & (needed > 0)].sort_values(["run_id", "interactions"])


def with_horizon_cost(crossings: pd.DataFrame, noise: pd.DataFrame) -> pd.DataFrame:
    """Crossings with the column `horizon_cost`, where noise was measured.

    It is NaN for other horizons and schedules, for censored runs, and for runs of which no noise
    was measured before the threshold.

    Args:
        crossings: interactions to thresholds (`crossings.interactions_to_threshold`).
        noise: rows of noise tables; may be empty.
    """
    along = cost_along_training(noise)
    if along.empty:
        return crossings
    paths = {
        run: (path["interactions"].to_numpy(float), path["q"].to_numpy(float))
        for run, path in along.groupby("run_id")
    }
    columns = crossings[["run_id", "interactions", "censored", "left_censored"]]
    costs = [
        _mean_to(*paths[run], end) if run in paths and not (right or left) else np.nan
        for run, end, right, left in columns.itertuples(index=False)
    ]
    return crossings.assign(**{COLUMN: costs})


def _mean_to(places: np.ndarray, q: np.ndarray, end: float) -> float:
    """Mean of q over interactions from 0 to `end`, by trapezoids; constant before the first."""
    inside = places < end
    if not inside.any():
        return float("nan")
    at = np.concatenate([[0.0], places[inside], [end]])
    return float(np.trapezoid(np.interp(at, places, q), at) / end)


def window_variance_horizon(discount: np.ndarray | float, steps: int) -> np.ndarray:
    """x averaged over the steps of a rollout, whose end cuts off what would follow.

    `x_T = (1/T) sum over k < T of gamma^2 (1 - gamma^(2k)) / (1 - gamma^2)`; for T = 0 (not known)
    it is x = `gamma^2 / (1 - gamma^2)`.
    """
    square = np.asarray(discount, dtype=float) ** 2
    whole = square / (1 - square)
    if steps == 0:
        return whole
    return np.asarray(whole * (1 - (1 - square**steps) / (steps * (1 - square))))

"""The best policies by their KL from the initial one (`mnist_horizon.frontier`), beside runs."""

import numpy as np
import pandas as pd

KINDS = ("proxy_optimum", "gold_optimum", "best_of_n")
"""The policy with the most pay at its KL, that with the most gold, and the best of n samples."""


def gold_curves(frame: pd.DataFrame, frontiers: pd.DataFrame) -> pd.DataFrame:
    """Rows of runs that are paid a proxy, with what the best policies have at the same KL.

    Rows of one sample of the test examples are kept: a run's last row may be of another.

    Args:
        frame: tidy results.
        frontiers: tables of the best policies; empty where none is known.

    Returns:
        The rows with `KIND_gold` and `KIND_proxy` of each kind (NaN where not known).
    """
    if not {"test_gold", "test_return", "kl_initial"} <= set(frame):
        return frame[:0]
    rows = frame[frame[["test_gold", "test_return", "kl_initial"]].notna().all(axis=1)]
    if rows.empty:
        return rows
    if "test_examples" in rows:
        usual = rows.groupby("run_id")["test_examples"].transform(lambda one: one.mode().iloc[0])
        rows = rows[rows["test_examples"] == usual]
    names = [f"{kind}_{value}" for kind in KINDS for value in ("gold", "proxy")]
    rows = rows.assign(**dict.fromkeys(names, np.nan))
    known = dict(list(frontiers.groupby("run_id"))) if len(frontiers) else {}
    parts = [_beside(run, known.get(run_id)) for run_id, run in rows.groupby("run_id")]
    return pd.concat(parts, ignore_index=True)


def _beside(run: pd.DataFrame, frontier: pd.DataFrame | None) -> pd.DataFrame:
    """A run's rows with the best policies at their KL, linear in sqrt KL, the last beyond it."""
    if frontier is None:
        return run
    columns = {}
    place = np.sqrt(run["kl_initial"].clip(lower=0))
    for kind, points in frontier.sort_values("kl").groupby("kind"):
        known = np.sqrt(points["kl"].clip(lower=0))
        for value in ("gold", "proxy"):
            columns[f"{kind}_{value}"] = np.interp(place, known, points[value])
    return run.assign(**columns)

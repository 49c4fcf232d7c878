"""Learning curves: the place of each row, averages over seeds, and scores of whole runs."""

from collections.abc import Collection, Sequence

import numpy as np
import pandas as pd

from analysis.data.crossings import row_places, run_scores
from analysis.stats.intervals import t_reach

CELL = ("width", "parameters", "horizon")
"""Columns by which the curves of a figure differ; seeds of a cell are averaged."""


def placed(frame: pd.DataFrame) -> pd.DataFrame:
    """Rows with `interactions` moved from the end of their interval to where its mean lies.

    See `crossings.row_places`; rows at zero interactions are left out.
    """
    frame = frame[frame["interactions"] > 0].drop_duplicates(["run_id", "interactions"])
    frame = frame.sort_values(["run_id", "interactions"], kind="stable", ignore_index=True)
    ends = frame["interactions"].to_numpy(float)
    found = [row_places(run) for _, run in frame.groupby("run_id")]  # sorted, as the rows are
    return frame.assign(interactions=np.concatenate(found) if found else ends)


def has_curves(frame: pd.DataFrame, unfinished: Collection[str] = ()) -> bool:
    """Whether `seed_averages` gives a line somewhere: of an unfinished run, or of a cell.

    A run with one row has none, and neither has a cell whose runs have no interactions in common.
    """
    ends = placed(frame).groupby([*CELL, "run_id"])["interactions"].agg(["min", "max"])
    is_unfinished = ends.index.get_level_values("run_id").isin(list(unfinished))
    common = ends[~is_unfinished].groupby(list(CELL)).agg({"min": "max", "max": "min"})
    lines = [*(part["min"] < part["max"] for part in (ends[is_unfinished], common))]
    return bool(pd.concat(lines).any())


def seed_averages(
    frame: pd.DataFrame, values: Sequence[str], unfinished: Collection[str] = ()
) -> pd.DataFrame:
    """Mean, lowest and highest over seeds of some columns, along training.

    Runs of a cell are interpolated linearly in log E, at every place where any of them has a row,
    within the range that all of them cover. Unfinished runs are not averaged but keep their rows.

    Args:
        frame: tidy results of one family of runs (one value for all but size, horizon and seed).
        values: columns to average.
        unfinished: ids of runs that are not done.

    Returns:
        One row per cell and place: the columns of `CELL`, `interactions`, for each value `v` its
        `v`, `v_lowest` and `v_highest`, `seeds`, and `run_id` (empty for an average).
    """
    frame = placed(frame)
    is_unfinished = frame["run_id"].isin(list(unfinished))
    parts = [
        _average(cell, values).assign(**dict(zip(CELL, key, strict=True)), run_id="")
        for key, cell in frame[~is_unfinished].groupby(list(CELL))
    ]
    for run, rows in frame[is_unfinished].groupby("run_id"):
        part = rows[[*CELL, "interactions", *values]].assign(run_id=run, seeds=1)
        ends = {f"{name}_{end}": rows[name] for name in values for end in ("lowest", "highest")}
        parts.append(part.assign(**ends))
    columns = [name for value in values for name in (value, f"{value}_lowest", f"{value}_highest")]
    return pd.concat(parts, ignore_index=True)[
        [*CELL, "run_id", "interactions", *columns, "seeds"]
    ].sort_values([*CELL, "run_id", "interactions"], ignore_index=True)


def _average(cell: pd.DataFrame, values: Sequence[str]) -> pd.DataFrame:
    """Averages of one cell over its runs."""
    runs = [rows for _, rows in cell.groupby("run_id", sort=True)]
    start = max(rows["interactions"].iloc[0] for rows in runs)
    end = min(rows["interactions"].iloc[-1] for rows in runs)
    places = np.unique(cell["interactions"])
    places = places[(places >= start) & (places <= end)]
    table = {"interactions": places, "seeds": np.full(len(places), len(runs))}
    for name in values:
        curves = np.array(
            [np.interp(np.log(places), np.log(rows["interactions"]), rows[name]) for rows in runs]
        ).reshape(len(runs), len(places))
        table[name] = curves.mean(axis=0)
        table[f"{name}_lowest"] = curves.min(axis=0)
        table[f"{name}_highest"] = curves.max(axis=0)
    return pd.DataFrame(table)


def learning_rate_scores(frame: pd.DataFrame) -> pd.DataFrame:
    """Scores (`run_scores`) of each horizon, width and learning rate over seeds.

    Returns:
        One row each: horizon, width, learning_rate, `score` (mean over seeds), `low` and `high`
        (its 95% interval; the score itself with one seed), `seeds`, and `best`, whether no other
        rate of the width and horizon has a higher score.
    """
    keys = ["horizon", "width", "learning_rate"]
    runs = frame.drop_duplicates("run_id").assign(score=lambda rows: rows["run_id"])
    runs["score"] = runs["run_id"].map(run_scores(frame))
    scores = runs.groupby(keys)["score"].agg(["mean", "std", "size"]).reset_index()
    table = scores.rename(columns={"mean": "score", "size": "seeds"})
    half = np.nan_to_num(t_reach(table["std"].to_numpy(float), table["seeds"].to_numpy()))
    best = table.groupby(["horizon", "width"])["score"].transform("max") == table["score"]
    table = table.assign(low=table["score"] - half, high=table["score"] + half, best=best)
    return table.drop(columns="std")

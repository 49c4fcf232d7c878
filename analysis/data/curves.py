"""Families of runs, and the numbers behind the figures of their curves."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from analysis.data.crossings import place_in_interval
from analysis.laws.power.curves import GROUP_COLUMNS
from mnist_horizon.schedules import make

CELL = ("width", "parameters", "horizon")
"""What tells the curves of a figure apart; seeds of a cell are averaged."""


def placed(frame: pd.DataFrame) -> pd.DataFrame:
    """Rows with `interactions` moved from the end of their interval to where its mean lies.

    See `thresholds.place_in_interval`; rows at zero interactions are left out.
    """
    frame = frame[frame["interactions"] > 0].drop_duplicates(["run_id", "interactions"])
    frame = frame.sort_values(["run_id", "interactions"], kind="stable", ignore_index=True)
    ends = frame["interactions"].to_numpy(float)
    first = np.flatnonzero(~frame["run_id"].duplicated().to_numpy())
    places = [place_in_interval(part) for part in np.split(ends, first[1:])]
    return frame.assign(interactions=np.concatenate(places) if len(ends) else ends)


def seed_averages(
    frame: pd.DataFrame, values: Sequence[str], unfinished: Collection[str] = ()
) -> pd.DataFrame:
    """Mean, lowest and highest over seeds of some columns, along training.

    Runs of a cell are read off, linearly in log E, where any of them has a row and all of them
    were going on. Unfinished runs are not averaged: each keeps rows of its own.

    Args:
        frame: tidy results of one family of runs (one value for all but size, horizon and seed).
        values: columns to average.
        unfinished: ids of runs that are not done.

    Returns:
        One row a cell and place: the columns of `CELL`, `interactions`, for each value `v` its
        `v`, `v_lowest` and `v_highest`, `seeds`, and `run_id` (empty for an average).
    """
    frame = placed(frame)
    going = frame["run_id"].isin(list(unfinished))
    parts = [
        _average(cell, values).assign(**dict(zip(CELL, key, strict=True)), run_id="")
        for key, cell in frame[~going].groupby(list(CELL))
    ]
    for run, rows in frame[going].groupby("run_id"):
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
    """Return averaged over log E for each horizon, width and learning rate, over seeds.

    A run of a single row has that row's return.

    Returns:
        One row each: horizon, width, learning_rate, `score` (mean over seeds), `error` (standard
        error over seeds, NaN with one) and `seeds`.
    """
    frame = frame[frame["interactions"] > 0].sort_values(["run_id", "interactions"])
    weight = np.log(frame["interactions"]).groupby(frame["run_id"]).diff().fillna(0.0)
    area = frame.assign(weight=weight, area=weight * frame["return_mean"])
    keys = ["horizon", "width", "learning_rate"]
    runs = area.groupby([*keys, "run_id"])
    sums = runs[["area", "weight"]].sum()
    score = (sums["area"] / sums["weight"]).where(sums["weight"] > 0, runs["return_mean"].mean())
    scores = score.groupby(keys).agg(["mean", "std", "size"])
    table = scores.reset_index().rename(columns={"mean": "score", "size": "seeds"})
    return table.assign(error=table["std"] / np.sqrt(table["seeds"])).drop(columns="std")


def with_best_learning_rates(frame: pd.DataFrame) -> pd.DataFrame:
    """Rows at the learning rate of the highest score of their width and horizon."""
    scores = learning_rate_scores(frame)
    best = scores.loc[scores.groupby(["horizon", "width"])["score"].idxmax()]
    return frame.merge(best[["horizon", "width", "learning_rate"]])


@dataclass(frozen=True)
class Family:
    """Runs that differ in size, horizon, learning rate and seed only.

    Attributes:
        label: what sets the family apart from the others, for readers.
        slug: the same for file names; empty where there is only one family.
        settings: the value of every column that is held fixed.
        frame: its rows.
    """

    label: str
    slug: str
    settings: dict[str, Any]
    frame: pd.DataFrame

    @property
    def several_learning_rates(self) -> bool:
        """Whether some size and horizon has runs with several learning rates."""
        rates = self.frame.groupby(["width", "horizon"])["learning_rate"].nunique()
        return bool(rates.max() > 1)

    def select(self, table: pd.DataFrame) -> pd.DataFrame:
        """Rows of another table with the same settings, as far as it has the columns."""
        same = [table[name] == value for name, value in self.settings.items() if name in table]
        return table[np.logical_and.reduce(same)]

    def matches(self, group: Mapping[str, Any]) -> bool:
        """Whether a fit's group lies in this family."""
        return all(group[name] == value for name, value in self.settings.items() if name in group)


def families(frame: pd.DataFrame) -> list[Family]:
    """The families of runs in tidy results, those with most runs first."""
    columns = [name for name in GROUP_COLUMNS if name in frame]
    varying = [name for name in columns if frame[name].nunique() > 1]
    found = []
    for key, rows in frame.groupby(columns, sort=True):
        settings = dict(zip(columns, key, strict=True))
        schedule = str(make(settings["schedule"], float(settings["schedule_level"])))
        aside = ("task", "schedule", "schedule_level", "batch")
        extra = [f"{name} {settings[name]}" for name in varying if name not in aside]
        extra += [f"batch {settings['batch']}"] if "batch" in varying else []
        label = ", ".join([str(settings["task"]), schedule, *extra])
        slug = re.sub(r"[^a-z0-9.]+", "-", label.lower()).strip("-") if varying else ""
        found.append(Family(label, slug, settings, rows))
    return sorted(found, key=lambda family: -family.frame["run_id"].nunique())

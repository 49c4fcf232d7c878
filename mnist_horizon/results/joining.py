"""Distinguish runs that have the same id, in several directories or in one.

A run is identified by its id, its axes and its settings. Where a table has all settings (the column
`settings`), columns that follow from them are not compared, and neither are settings that only say
how a run is observed; elsewhere all columns of a run are compared.
"""

from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from mnist_horizon.results.schema import DERIVED_COLUMNS, RUN_COLUMNS, learning_settings

_IDENTITY = [name for name in RUN_COLUMNS if name != "run_id"]
_GIVEN = [name for name in _IDENTITY if name not in (*DERIVED_COLUMNS, "settings")]


def runs_of(frame: pd.DataFrame) -> pd.DataFrame:
    """A row per run with the columns that identify it (None where absent), by `run_id`."""
    runs = frame.drop_duplicates("run_id").set_index("run_id")
    missing = {name: None for name in _IDENTITY if name not in runs}
    return runs.assign(**missing)[_IDENTITY]


def same_run(one: Mapping[Hashable, Any], other: Mapping[Hashable, Any]) -> bool:
    """Whether two runs of the same id are the same, by their columns (`runs_of`)."""
    if any(_differ(one[name], other[name]) for name in _GIVEN):
        return False
    if one["settings"] and other["settings"]:
        return learning_settings(one["settings"]) == learning_settings(other["settings"])
    return not any(_differ(one[name], other[name]) for name in DERIVED_COLUMNS)


def rename_ambiguous_runs(folder: Path, frame: pd.DataFrame, notes: list[str]) -> pd.DataFrame:
    """Rename runs of one directory that share an id but not their settings: `id`, `id@2`, ..."""
    columns = [name for name in RUN_COLUMNS if name in frame]
    identity = frame[columns]
    has_settings = identity["settings"] != ""
    derived = [name for name in DERIVED_COLUMNS if name in frame]
    identity = identity.assign(
        settings=identity["settings"].map(learning_settings),
        **{name: identity[name].mask(has_settings, 0) for name in derived},
    )
    distinct = identity.dropna().drop_duplicates()
    count = distinct.groupby("run_id").cumcount() + 1
    if (count == 1).all():
        return frame
    notes.append(f"{folder}: {int((count > 1).sum())} runs renamed, other settings share their id")
    numbers = identity.merge(distinct.assign(count=count), how="left")["count"].fillna(1)
    suffixes = ["" if number == 1 else f"@{number:.0f}" for number in numbers]
    return frame.assign(run_id=frame["run_id"] + suffixes)


def join(
    frames: Mapping[Path, pd.DataFrame],
    runs: Mapping[Path, pd.DataFrame],
    notes: list[str],
    by: Sequence[str] = ("run_id", "interactions"),
) -> tuple[pd.DataFrame, dict[Path, dict[str, str]]]:
    """One table of all directories, each run once.

    Args:
        frames: rows by directory.
        runs: the runs of each directory (`runs_of`), in the order in which they get their ids; a
            directory may be without rows.
        notes: gains a line for what is renamed or left out.
        by: the columns that tell rows apart.

    Returns:
        The table, and for each directory the new ids of the runs that got one.
    """
    parts: list[pd.DataFrame] = []
    names: dict[Path, dict[str, str]] = {}
    known: dict[str, list[tuple[str, dict[Hashable, Any]]]] = {}
    read: set[str] = set()
    for folder, table in runs.items():
        names[folder] = _new_names(folder, table, known)
        if folder not in frames:
            continue
        frame = frames[folder]
        changed = {run for run in frame["run_id"].unique() if run in names[folder]}
        if changed:
            notes.append(f"{folder}: {len(changed)} runs renamed, other settings share their id")
            frame = frame.assign(run_id=frame["run_id"].replace(names[folder]))
        already_read = frame["run_id"].isin(read)
        if already_read.any():
            count = frame["run_id"][already_read].nunique()
            notes.append(f"{folder}: {count} runs left out, read from another folder")
            frame = frame[~already_read]
        repeated = frame.duplicated(list(by))
        if repeated.any():
            notes.append(f"{folder}: {int(repeated.sum())} repeated rows left out")
            frame = frame[~repeated]
        parts.append(frame)
        read |= set(frame["run_id"].unique())
    return pd.concat(parts, ignore_index=True), names


def _new_names(
    folder: Path, table: pd.DataFrame, known: dict[str, list[tuple[str, dict[Hashable, Any]]]]
) -> dict[str, str]:
    """New ids of the runs whose id another run has already; adds all to `known` (by old id)."""
    new: dict[str, str] = {}
    rows = zip(table.index, table.to_dict("records"), strict=True)
    for run_id, run in rows:
        others = known.setdefault(run_id, [])
        same = [name for name, other in others if same_run(run, other)]
        name = same[0] if same else run_id
        if others and not same:
            taken = {name for name, _ in others}
            name, number = f"{run_id}@{folder.name}", 1
            while name in taken:
                number += 1
                name = f"{run_id}@{folder.name}@{number}"
        if not same:
            others.append((name, run))
        if name != run_id:
            new[run_id] = name
    return new


def _differ(one: Any, other: Any) -> bool:
    """Whether two values differ; a missing value equals any other."""
    return not pd.isna(one) and not pd.isna(other) and bool(one != other)

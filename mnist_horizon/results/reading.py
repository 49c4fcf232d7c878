"""Read the tables of working directories, finished or not, and say what was left out."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from mnist_horizon.errors import CONTROLS, printable
from mnist_horizon.results import joining, parquet
from mnist_horizon.results.errors import ResultsError, one_line
from mnist_horizon.results.records import read_programs, read_sweep
from mnist_horizon.results.schema import (
    CROSSINGS_SCHEMA,
    DEFAULTS,
    FRONTIER_SCHEMA,
    NOISE_SCHEMA,
    READ_SCHEMA,
    REQUIRED_COLUMNS,
    REQUIRED_CROSSING_COLUMNS,
    REQUIRED_NOISE_COLUMNS,
    RUN_COLUMNS,
    conform,
    json_object,
)
from mnist_horizon.schedules import make

ALWAYS_READ = ("run_id", "interactions", "return_mean")

LONGEST_TEXT = 500
"""Most characters of a cell of text, other than settings: names and ids, which are drawn."""

_JSON_COLUMNS = ("settings", "task_settings")


@dataclass(frozen=True)
class Results:
    """What was read: the rows, what could not be read, and which runs are unfinished.

    Attributes:
        frame: one row per run and evaluation, sorted by run and interactions.
        notes: one line for each thing that was left out.
        unfinished: ids of runs whose program is not done and that are short of their budget.
    """

    frame: pd.DataFrame
    notes: tuple[str, ...]
    unfinished: frozenset[str] = frozenset()


def read_results(
    workdirs: Path | str | Sequence[Path | str], columns: Iterable[str] | None = None
) -> Results:
    """Read the results of one or more working directories, finished or not.

    Tables that are damaged or lack a required column, and rows without a finite return, are left
    out with a note. A run that is in several directories is read once where its settings agree
    (`joining.same_run`); where they differ, the later one's id gets an `@` and its directory's name
    appended.

    Args:
        workdirs: one directory or several.
        columns: which of `READ_SCHEMA` (`run_id`, `interactions`, `return_mean` always are).

    Raises:
        ResultsError: there is no row to read.
    """
    folders = _folders(workdirs)
    wanted = {*READ_SCHEMA.names} if columns is None else {*columns, *ALWAYS_READ}
    # Runs are distinguished by all columns that identify them, whichever were requested.
    schema = pa.schema([field for field in READ_SCHEMA if field.name in wanted | {*RUN_COLUMNS}])
    notes: list[str] = []
    frames: dict[Path, pd.DataFrame] = {}
    unfinished: dict[Path, set[str]] = {}
    for folder in folders:
        frame = _read_folder(folder, "results", schema, REQUIRED_COLUMNS, notes)
        if frame is not None:
            frames[folder] = joining.rename_ambiguous_runs(folder, frame, notes)
            unfinished[folder] = _unfinished(folder, frame, notes)
    if not frames:
        raise ResultsError(_nothing("results", folders, notes))
    runs = {folder: joining.runs_of(frame) for folder, frame in frames.items()}
    frame, names = joining.join(frames, runs, notes)
    frame = _finite(frame[[name for name in schema.names if name in wanted]], notes)
    if frame.empty:
        raise ResultsError(_nothing("results", folders, notes))
    frame = frame.sort_values(["run_id", "interactions"], kind="stable", ignore_index=True)
    return Results(frame, tuple(notes), _by_final_id(unfinished, runs, names))


def read_noise(workdirs: Path | str | Sequence[Path | str]) -> Results:
    """Read the gradient-noise tables of one or more working directories, as `read_results` does.

    Runs have the ids that `read_results` gives them for the same directories.

    Raises:
        ResultsError: there is no row to read.
    """
    by = ["run_id", "interactions"]
    return _read_beside(workdirs, "noise", NOISE_SCHEMA, REQUIRED_NOISE_COLUMNS, by)


def read_frontiers(workdirs: Path | str | Sequence[Path | str]) -> Results:
    """Read the frontiers of one or more working directories, as `read_noise` does.

    Raises:
        ResultsError: there is no row to read.
    """
    by = ["run_id", "kind", "parameter"]
    return _read_beside(workdirs, "frontier", FRONTIER_SCHEMA, FRONTIER_SCHEMA.names, by)


def _read_beside(
    workdirs: Path | str | Sequence[Path | str],
    kind: str,
    schema: pa.Schema,
    required: Sequence[str],
    by: list[str],
) -> Results:
    """Tables of one kind, with the ids that `read_results` gives to their runs.

    Args:
        workdirs: one directory or several.
        kind: the folder of the tables.
        schema: their columns.
        required: those that must be there.
        by: the columns that tell rows apart, in the order of the rows.
    """
    folders = _folders(workdirs)
    notes: list[str] = []
    frames: dict[Path, pd.DataFrame] = {}
    runs: dict[Path, pd.DataFrame] = {}
    for folder in folders:
        frame = _read_folder(folder, kind, schema, required, notes)
        parts = []
        if frame is not None:
            frames[folder] = joining.rename_ambiguous_runs(folder, frame, notes)
            parts = [joining.runs_of(frames[folder])]
        # The notes on the results are those of `read_results`.
        results = _read_folder(folder, "results", _RUN_SCHEMA, REQUIRED_COLUMNS, [])
        if results is not None:
            parts = [joining.runs_of(joining.rename_ambiguous_runs(folder, results, [])), *parts]
        if parts:
            together = pd.concat(parts)
            runs[folder] = together[~together.index.duplicated()]
    if not frames:
        raise ResultsError(_nothing(kind, folders, notes))
    frame, _ = joining.join(frames, runs, notes, by=by)
    frame = frame.sort_values(by, kind="stable", ignore_index=True)
    return Results(frame, tuple(notes))


def read_crossings(workdirs: Path | str | Sequence[Path | str]) -> Results:
    """Read the tables of crossings, of runs without curves, of one or more working directories.

    Crossings of a directory that has curves, and of a run that has one in another directory, are
    left out with a note: they follow from these. Ids are distinguished from those that
    `read_results` gives for the same directories.

    Returns:
        The rows, none where all were left out, and the notes.

    Raises:
        ResultsError: there is no table to read.
    """
    folders = _folders(workdirs)
    notes: list[str] = []
    frames: dict[Path, pd.DataFrame] = {}
    runs: dict[Path, pd.DataFrame] = {}
    for folder in folders:
        # The notes on the results are those of `read_results`.
        results = _read_folder(folder, "results", _RUN_SCHEMA, REQUIRED_COLUMNS, [])
        if results is not None:
            runs[folder] = joining.runs_of(joining.rename_ambiguous_runs(folder, results, []))
    for folder in folders:
        columns = REQUIRED_CROSSING_COLUMNS
        frame = _read_folder(folder, "crossings", CROSSINGS_SCHEMA, columns, notes)
        if frame is not None and folder in runs:
            notes.append(f"{folder}: its crossings are left out, they follow from its curves")
        elif frame is not None:
            frames[folder] = joining.rename_ambiguous_runs(folder, frame, notes)
            runs[folder] = joining.runs_of(frames[folder])
    if not frames:
        raise ResultsError(_nothing("crossings", folders, notes))
    frame, names = joining.join(frames, runs, notes, by=("run_id", "threshold"))
    curves = {
        names[folder].get(run, run)
        for folder in runs
        if folder not in frames
        for run in runs[folder].index
    }
    has_curve = frame["run_id"].isin(curves)
    if has_curve.any():
        count = frame["run_id"][has_curve].nunique()
        of_runs = f"{count} run{'s' * (count != 1)}"
        notes.append(f"crossings of {of_runs} left out: a curve is in another folder")
    frame = frame[~has_curve]
    needed = [name for name in REQUIRED_CROSSING_COLUMNS if name != "run_id"]
    empty = ~np.isfinite(frame["threshold"]) | frame[needed].isna().any(axis=1)
    if empty.any():
        notes.append(f"{int(empty.sum())} rows left out: a required column is empty there")
    frame = _possible(frame[~empty & (frame["interactions"] > 0)], notes)
    frame = frame.sort_values(["run_id", "threshold"], kind="stable", ignore_index=True)
    return Results(frame, tuple(notes))


_RUN_SCHEMA = pa.schema([field for field in READ_SCHEMA if field.name in RUN_COLUMNS])


def _folders(workdirs: Path | str | Sequence[Path | str]) -> list[Path]:
    """The directories in order, each once."""
    given = [workdirs] if isinstance(workdirs, Path | str) else workdirs
    return list(dict.fromkeys(map(Path, given)))


def _by_final_id(
    unfinished: Mapping[Path, set[str]],
    runs: Mapping[Path, pd.DataFrame],
    names: Mapping[Path, Mapping[str, str]],
) -> frozenset[str]:
    """Ids in the joined table of unfinished runs, without those read from an earlier folder."""
    result: set[str] = set()
    read: set[str] = set()
    for folder, ids in unfinished.items():
        result |= {names[folder].get(run, run) for run in ids} - read
        read |= {names[folder].get(run, run) for run in runs[folder].index}
    return frozenset(result)


def _read_folder(
    workdir: Path, kind: str, schema: pa.Schema, required: Sequence[str], notes: list[str]
) -> pd.DataFrame | None:
    """All readable tables of `WORKDIR/<kind>`; None if there is none."""
    if not workdir.is_dir():
        notes.append(f"{workdir}: left out, no such folder")
        return None
    tables = []
    for path in sorted((workdir / kind).glob("*.parquet")):
        name = printable(path)
        try:
            tables.append(_checked_texts(_read_table(path, schema, required), name, notes))
        except ResultsError as error:
            notes.append(f"{name}: left out, {error}")
        except (OSError, pa.ArrowException) as error:
            notes.append(f"{name}: left out, cannot be read: {one_line(error)}")
    return pa.concat_tables(tables).to_pandas() if tables else None


def _read_table(path: Path, schema: pa.Schema, required: Sequence[str]) -> pa.Table:
    """A table in the columns of the schema.

    Raises:
        ResultsError: it lacks a required column or has one twice, or needs too much memory.
        OSError, pa.ArrowException: it cannot be read.
    """
    names = parquet.column_names(path)
    if missing := [name for name in required if name not in names]:
        raise ResultsError(f"it lacks the column {', '.join(missing)}")
    if twice := [name for name in schema.names if names.count(name) > 1]:
        raise ResultsError(f"it has the column {twice[0]} more than once")
    present = [name for name in schema.names if name in names]
    filled = len(schema) - len(present)
    return conform(parquet.read_table(path, present, filled), schema)


def _checked_texts(table: pa.Table, name: str, notes: list[str]) -> pa.Table:
    """A table whose texts can be parsed, drawn and printed; what cannot is noted.

    Control characters are replaced, settings that are no JSON object are not used, and rows with a
    name longer than `LONGEST_TEXT` are left out.

    Raises:
        pa.ArrowException: a text is not UTF-8.
    """
    table.validate(full=True)
    left_out = 0
    for number, field in enumerate(table.schema):
        if not pa.types.is_string(field.type):
            continue
        known = table.column(number).unique()  # few: a table has as many of each as it has runs
        if field.name in _JSON_COLUMNS:
            bad = [text for text in known.to_pylist() if text and json_object(text) is None]
            new = [DEFAULTS[field.name]] * len(bad)
            problem = f"{field.name} that are no JSON object are not used"
        else:
            bad = known.filter(pc.match_substring_regex(known, f"[{CONTROLS}]")).to_pylist()
            new = [re.sub(f"[{CONTROLS}]", "\ufffd", text) for text in bad]
            problem = f"control characters in {field.name} are replaced"
            long = known.filter(pc.greater(pc.utf8_length(known), LONGEST_TEXT))
            if len(long):
                rows = table.num_rows
                table = table.filter(pc.invert(pc.is_in(table.column(number), long)))
                left_out += rows - table.num_rows
        if bad:
            notes.append(f"{name}: {problem}")
            table = table.set_column(number, field, _replaced(table.column(number), bad, new))
    if left_out:
        longest = f"a name there has more than {LONGEST_TEXT} characters"
        notes.append(f"{name}: {left_out} rows left out: {longest}")
    return table


def _replaced(column: pa.ChunkedArray, old: list[str], new: list[str]) -> pa.ChunkedArray:
    """Texts with those of `old` replaced by those of `new`."""
    place = pc.index_in(column, pa.array(old, pa.string()))
    return pc.coalesce(pa.array(new, pa.string()).take(place), column)


def _finite(frame: pd.DataFrame, notes: list[str]) -> pd.DataFrame:
    """Leave out rows without a finite return or without a value that every reader needs."""
    needed = [name for name in REQUIRED_COLUMNS if name in frame and name != "return_mean"]
    empty = frame[needed].isna().any(axis=1)
    if empty.any():
        notes.append(f"{int(empty.sum())} rows left out: a required column is empty there")
    good = pd.Series(np.isfinite(frame["return_mean"].to_numpy(float)), index=frame.index)
    bad = frame[~good & ~empty]
    if len(bad):
        first = bad.iloc[0]
        notes.append(
            f"{len(bad)} rows of {bad['run_id'].nunique()} runs left out: their return is not a "
            f"number (first: {first['run_id']} at {int(first['interactions'])} interactions)"
        )
    whole = {field.name: "int64" for field in READ_SCHEMA if pa.types.is_integer(field.type)}
    # An empty value turns a column of whole numbers into floats; without it, they convert back.
    frame = frame[good & ~empty].astype({name: whole[name] for name in frame if name in whole})
    return _possible(frame, notes)


def _possible(frame: pd.DataFrame, notes: list[str]) -> pd.DataFrame:
    """Leave out rows with impossible numbers, and runs that never started."""
    began = frame.groupby("run_id")["interactions"].transform("max") > 0
    tests = {"interactions are below 0, or none come after 0": began & (frame["interactions"] >= 0)}
    if "horizon" in frame:
        inside = frame["horizon"].between(1, np.finfo(float).max)
        tests["the horizon is not from 1 to below infinity"] = inside
    for name in ("parameters", "flops_per_interaction"):
        if name in frame:
            tests[f"{name} is 0"] = frame[name] > 0
    if {"schedule", "schedule_level"} <= set(frame):
        named = frame.groupby(["schedule", "schedule_level"])["run_id"]
        tests["there is no such schedule"] = named.transform(lambda rows: _is_schedule(*rows.name))
    good = pd.Series(True, index=frame.index)
    for problem, passed in tests.items():
        if bad := int((good & ~passed).sum()):
            notes.append(f"{bad} rows left out: {problem}")
        good &= passed
    return frame[good]


def _is_schedule(kind: str, level: float) -> bool:
    try:
        make(kind, float(level))
    except ValueError:
        return False
    return True


def _unfinished(workdir: Path, frame: pd.DataFrame, notes: list[str]) -> set[str]:
    """Runs of programs that are not done whose last row is short of the sweep's budget."""
    programs, damaged = read_programs(workdir)
    notes += damaged
    running = {
        run for program in programs if not program.get("done") for run in program.get("runs", ())
    }
    if not running:
        return set()
    try:
        budget = float(read_sweep(workdir).get("budget", np.inf))
    except (ResultsError, TypeError, ValueError):
        budget = np.inf
    last = frame.groupby("run_id")["interactions"].max()
    done = set(last.index[last.to_numpy() >= budget])
    if left := running - done:
        notes.append(
            f"{workdir}: the sweep is unfinished: {len(left)} runs are short of the budget"
        )
    return left


def _nothing(kind: str, folders: Sequence[Path], notes: Sequence[str]) -> str:
    places = ", ".join(str(folder / kind) for folder in folders)
    detail = f" ({'; '.join(notes)})" if notes else ""
    return f"no {kind} to read in {places}{detail}: run a sweep with this --workdir first"

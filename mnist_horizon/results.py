"""Results on disk: the tables of a working directory, how they are written and read.

    WORKDIR/sweep.json                   the spec of the sweep
    WORKDIR/programs/<program>.json      runs, whether they are done, provenance
    WORKDIR/results/<program>.parquet    tidy: one row a run and evaluation (`SCHEMA`)
    WORKDIR/noise/<program>.parquet      gradient noise: one row likewise (`NOISE_SCHEMA`)
    WORKDIR/policies/<run>.msgpack       final parameters

Everything is written to a temporary file in the same folder and renamed, so that a reader sees
either the old table or the new one. Rows of others' making are read too: they need only
`REQUIRED_COLUMNS`, the rest takes `DEFAULTS`.
"""

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from flax import serialization

from mnist_horizon import schedules
from mnist_horizon.errors import InputError

_TEXT = ("run_id", "task", "task_settings", "network", "algorithm", "baseline", "optimizer")
_TEXT_AFTER_LEVEL = ("schedule", "precision")

SCHEMA = pa.schema(
    [(name, pa.string()) for name in (*_TEXT, *_TEXT_AFTER_LEVEL)]
    + [("schedule_level", pa.float64())]
    + [
        (name, pa.int64())
        for name in ("depth", "width", "parameters", "environments", "rollout_length", "batch")
    ]
    + [
        (name, pa.float64())
        for name in (
            *("flops_per_interaction", "horizon", "discount", "gae_lambda"),
            *("learning_rate", "entropy_coef", "kl_coef"),
        )
    ]
    + [("phase_visible", pa.bool_())]
    + [(name, pa.int64()) for name in ("seed", "interactions", "updates")]
    + [
        (name, pa.float64())
        for name in (
            *("return_mean", "reward_mean", "train_accuracy", "test_accuracy"),
            *("entropy", "kl_initial"),
        )
    ]
)
"""Columns of a results table; their meaning and units are listed in the README."""

NOISE_SCHEMA = pa.schema(
    [(name, pa.string()) for name in ("run_id", "task", "schedule", "baseline")]
    + [(name, pa.float64()) for name in ("schedule_level", "horizon", "discount")]
    + [(name, pa.int64()) for name in ("width", "seed", "batch", "interactions")]
    + [
        (name, pa.float64())
        for name in (
            *("total", "future", "action", "state", "signal"),
            *("predicted_total", "predicted_future", "predicted_action", "predicted_state"),
        )
    ]
)
"""Columns of a noise table: parts of tr Cov of the per-timestep gradient, `signal` is |m|^2."""

REQUIRED_COLUMNS = (
    *("run_id", "task", "network", "algorithm", "schedule", "schedule_level", "width"),
    *("parameters", "flops_per_interaction", "horizon", "discount", "seed", "interactions"),
    "return_mean",
)

DEFAULTS: dict[str, Any] = {
    "task_settings": "{}",
    "baseline": "",
    "optimizer": "",
    "precision": "",
    "depth": 0,
    "environments": 0,
    "rollout_length": 0,
    "batch": 0,
    "gae_lambda": 1.0,
    "learning_rate": 0.0,
    "entropy_coef": 0.0,
    "kl_coef": 0.0,
    "phase_visible": False,
    "updates": 0,
    "reward_mean": float("nan"),
    "train_accuracy": float("nan"),
    "test_accuracy": float("nan"),
    "entropy": float("nan"),
    "kl_initial": float("nan"),
}
"""Values of the optional columns where a table lacks them (0 and "" say: not given)."""

MEASURED_COLUMNS = (
    *("interactions", "updates", "return_mean", "reward_mean", "train_accuracy", "test_accuracy"),
    *("entropy", "kl_initial"),
)

RUN_COLUMNS = tuple(name for name in SCHEMA.names if name not in MEASURED_COLUMNS)
"""Columns that hold one value a run: its id, its settings and its seed."""


class ResultsError(InputError):
    """There is nothing to read, or it cannot be written; the message is one line."""


@dataclass(frozen=True)
class Results:
    """What was read: the rows, what could not be read, and which runs are still going on.

    Attributes:
        frame: one row a run and evaluation, sorted by run and interactions.
        notes: one line for each thing that was left out.
        unfinished: ids of runs whose program is not done and that are short of their budget.
    """

    frame: pd.DataFrame
    notes: tuple[str, ...]
    unfinished: frozenset[str] = frozenset()


def write_atomically(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Call `write` with a temporary file in the folder of `path`, flush it to disk, rename it.

    The temporary file's name follows from `path`, so that what a killed process left is written
    over by the one that goes on; whoever writes a path holds the lock of its program or sweep.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with temporary.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_results(
    path: Path | str, rows: Sequence[Mapping[str, Any]] | pd.DataFrame, schema: pa.Schema = SCHEMA
) -> None:
    """Write a results table (or, with `schema=NOISE_SCHEMA`, a noise table) atomically.

    Args:
        path: `WORKDIR/results/<program>.parquet`; its folder is made.
        rows: one mapping or one row an evaluation; optional columns may be absent.
        schema: the columns to write, in this order.

    Raises:
        ResultsError: a required column is absent, a column is unknown or of a wrong type.
    """
    frame = rows if isinstance(rows, pd.DataFrame) else pd.DataFrame(list(rows))
    required = REQUIRED_COLUMNS if schema is SCHEMA else tuple(schema.names)
    missing = [name for name in required if name not in frame]
    unknown = [str(name) for name in frame if name not in schema.names]
    if missing or unknown:
        problem = f"lacks {', '.join(missing)}" if missing else f"has unknown {', '.join(unknown)}"
        raise ResultsError(f"{path}: the table to write {problem}")
    try:
        table = _conform(pa.Table.from_pandas(frame, preserve_index=False), schema)
    except pa.ArrowException as error:
        raise ResultsError(f"{path}: cannot write: {_one_line(error)}") from error
    write_atomically(Path(path), lambda file: pq.write_table(table, file, compression="zstd"))


def read_results(
    workdirs: Path | str | Sequence[Path | str], columns: Iterable[str] | None = None
) -> Results:
    """Read the results of one or more working directories, finished or not.

    Tables that are damaged or lack a required column, and rows without a finite return, are left
    out with a note. A run that stands in several directories is read once where its settings
    agree; where they differ, the later one's id gets its directory's name behind an `@`.

    Args:
        workdirs: one directory or several.
        columns: names of `SCHEMA` to read (`run_id`, `interactions`, `return_mean` always are).

    Raises:
        ResultsError: there is not one row to read.
    """
    folders = [Path(workdirs)] if isinstance(workdirs, Path | str) else [*map(Path, workdirs)]
    chosen = SCHEMA
    if columns is not None:
        wanted = {*columns, "run_id", "interactions", "return_mean"}
        chosen = pa.schema([field for field in SCHEMA if field.name in wanted])
    notes: list[str] = []
    frames: dict[Path, pd.DataFrame] = {}
    unfinished: set[str] = set()
    for folder in dict.fromkeys(folders):
        frame = _read_folder(folder, "results", chosen, REQUIRED_COLUMNS, notes)
        if frame is not None:
            frames[folder] = frame
            unfinished |= _unfinished(folder, frame, notes)
    if not frames:
        raise ResultsError(_nothing("results", folders, notes))
    frame = _join(frames, notes)
    frame = _finite(frame, notes)
    if frame.empty:
        raise ResultsError(_nothing("results", folders, notes))
    frame = frame.sort_values(["run_id", "interactions"], kind="stable", ignore_index=True)
    return Results(frame, tuple(notes), frozenset(unfinished))


def read_noise(workdirs: Path | str | Sequence[Path | str]) -> Results:
    """Read the gradient-noise tables of one or more working directories, as `read_results` does.

    Raises:
        ResultsError: there is not one row to read.
    """
    folders = [Path(workdirs)] if isinstance(workdirs, Path | str) else [*map(Path, workdirs)]
    notes: list[str] = []
    read = (
        _read_folder(folder, "noise", NOISE_SCHEMA, tuple(NOISE_SCHEMA.names), notes)
        for folder in dict.fromkeys(folders)
    )
    frames = [frame for frame in read if frame is not None]
    if not frames:
        raise ResultsError(_nothing("noise", folders, notes))
    frame = pd.concat(frames, ignore_index=True).sort_values(
        ["run_id", "interactions"], kind="stable", ignore_index=True
    )
    return Results(frame, tuple(notes))


def read_sweep(workdir: Path | str) -> dict[str, Any]:
    """Read the sweep's spec, `WORKDIR/sweep.json`.

    Raises:
        ResultsError: it is absent or no JSON object.
    """
    path = Path(workdir) / "sweep.json"
    try:
        spec = json.loads(path.read_text())
    except FileNotFoundError:
        raise ResultsError(f"{path}: not found, so {workdir} holds no sweep") from None
    except (OSError, ValueError) as error:
        raise ResultsError(f"{path}: cannot be read: {_one_line(error)}") from None
    if not isinstance(spec, dict):
        raise ResultsError(f"{path}: not a JSON object")
    return spec


def read_programs(workdir: Path | str) -> tuple[list[dict[str, Any]], list[str]]:
    """Read every `WORKDIR/programs/<program>.json`: programs, and a note for each damaged one."""
    programs, notes = [], []
    for path in sorted((Path(workdir) / "programs").glob("*.json")):
        try:
            program = json.loads(path.read_text())
        except (OSError, ValueError) as error:
            notes.append(f"{path}: left out, cannot be read: {_one_line(error)}")
            continue
        runs = program.get("runs", []) if isinstance(program, dict) else None
        if isinstance(runs, list) and all(isinstance(run, str) for run in runs):
            programs.append(program)
        else:
            notes.append(f"{path}: left out, not a program's record")
    return programs, notes


def save_policy(workdir: Path | str, run_id: str, params: Any) -> None:
    """Write a run's final policy parameters (a pytree of arrays) to `WORKDIR/policies/`."""
    data = serialization.msgpack_serialize(serialization.to_state_dict(params))
    write_atomically(_policy_path(workdir, run_id), lambda file: file.write(data))


def load_policy(workdir: Path | str, run_id: str) -> dict[str, Any]:
    """Read a run's final policy parameters: nested dictionaries of NumPy arrays.

    Raises:
        ResultsError: the run has no policy there, or its file is damaged.
    """
    path = _policy_path(workdir, run_id)
    try:
        return serialization.msgpack_restore(path.read_bytes())
    except FileNotFoundError:
        raise ResultsError(f"{path}: not found: no finished run {run_id!r} there") from None
    except Exception as error:  # msgpack raises its own kinds, all of them for damaged bytes
        raise ResultsError(f"{path}: cannot be read: {_one_line(error)}") from error


def _policy_path(workdir: Path | str, run_id: str) -> Path:
    if not run_id or Path(run_id).name != run_id:
        raise ResultsError(f"{run_id!r} is no run id: it may not be empty or name a folder")
    return Path(workdir) / "policies" / f"{run_id}.msgpack"


def _read_folder(
    workdir: Path, kind: str, schema: pa.Schema, required: Sequence[str], notes: list[str]
) -> pd.DataFrame | None:
    """All readable tables of `WORKDIR/<kind>`; None if there is none."""
    if not workdir.is_dir():
        notes.append(f"{workdir}: left out, no such folder")
        return None
    tables = []
    for path in sorted((workdir / kind).glob("*.parquet")):
        try:
            names = pq.read_schema(path).names
            missing = [name for name in required if name not in names]
            if missing:
                notes.append(f"{path}: left out, it lacks the column {', '.join(missing)}")
                continue
            present = [name for name in schema.names if name in names]
            # One file, not a data set: no partition columns are guessed from the path.
            table = pq.ParquetFile(path).read(columns=present)
            tables.append(_conform(table, schema))
        except (OSError, pa.ArrowException) as error:
            notes.append(f"{path}: left out, cannot be read: {_one_line(error)}")
    return pa.concat_tables(tables).to_pandas() if tables else None


def _conform(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Give a table the columns, types and order of the schema; absent values take their default."""
    columns = []
    for field in schema:
        default = DEFAULTS.get(field.name)
        if field.name not in table.column_names:
            columns.append(pa.repeat(pa.scalar(default, field.type), table.num_rows))
            continue
        column = table.column(field.name).cast(field.type)
        columns.append(column if default is None else column.fill_null(default))
    return pa.Table.from_arrays(columns, schema=schema)


def _join(frames: dict[Path, pd.DataFrame], notes: list[str]) -> pd.DataFrame:
    """One frame of all directories, each run once (see `read_results`)."""
    seen: pd.DataFrame | None = None
    parts = []
    for folder, frame in frames.items():
        settings = [name for name in RUN_COLUMNS if name in frame]
        frame = _told_apart(folder, frame, settings, notes)
        runs = frame.drop_duplicates("run_id")[settings].set_index("run_id")
        if seen is not None:
            both = runs.index.intersection(seen.index)
            mine, theirs = runs.loc[both].fillna(0), seen.loc[both].fillna(0)
            same = both[(mine == theirs).all(axis=1).to_numpy()]
            other = both.difference(same)
            if len(same):
                notes.append(f"{folder}: {len(same)} runs left out, read from another folder")
                frame = frame[~frame["run_id"].isin(same)]
            if len(other):
                notes.append(f"{folder}: {len(other)} runs renamed, other settings bear their id")
                renamed = {run: f"{run}@{folder.name}" for run in other}
                frame = frame.assign(run_id=frame["run_id"].replace(renamed))
        repeated = frame.duplicated(["run_id", "interactions"])
        if repeated.any():
            notes.append(f"{folder}: {int(repeated.sum())} repeated rows left out")
            frame = frame[~repeated]
        parts.append(frame)
        runs = frame.drop_duplicates("run_id")[settings].set_index("run_id")
        seen = runs if seen is None else pd.concat([seen, runs])
    return pd.concat(parts, ignore_index=True)


def _told_apart(
    folder: Path, frame: pd.DataFrame, settings: list[str], notes: list[str]
) -> pd.DataFrame:
    """Rename runs of one folder that bear an id with several settings: `id`, `id@2`, ..."""
    distinct = frame[settings].dropna().drop_duplicates()
    count = distinct.groupby("run_id").cumcount() + 1
    if (count == 1).all():
        return frame
    notes.append(f"{folder}: {int((count > 1).sum())} runs renamed, other settings bear their id")
    numbers = frame[settings].merge(distinct.assign(count=count), how="left")["count"].fillna(1)
    suffixes = ["" if number == 1 else f"@{number:.0f}" for number in numbers]
    return frame.assign(run_id=frame["run_id"] + suffixes)


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
    whole = {field.name: "int64" for field in SCHEMA if pa.types.is_integer(field.type)}
    # An empty value turns a column of whole numbers into floats; without it, they are whole again.
    frame = frame[good & ~empty].astype({name: whole[name] for name in frame if name in whole})
    return _possible(frame, notes)


def _possible(frame: pd.DataFrame, notes: list[str]) -> pd.DataFrame:
    """Leave out rows whose numbers cannot be, and runs that never began."""
    began = frame.groupby("run_id")["interactions"].transform("max") > 0
    tests = {"interactions are below 0, or none come after 0": began & (frame["interactions"] >= 0)}
    if "horizon" in frame:
        inside = frame["horizon"].between(1, np.finfo(float).max)
        tests["a horizon is from 1 to below infinity"] = inside
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
        schedules.make(kind, float(level))
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


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]

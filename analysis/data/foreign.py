"""Tables that others wrote: CSV, Parquet, TensorBoard's event files and W&B's CSV export.

`read` gives one table with the columns of the files, and two more where these have none of that
name: `file` (the file's name without its ending) and `row` (its number, from 1 on). TensorBoard's
and W&B's files are series, not tables; they are read as a table of `run`, `step` and a column for
each series.
"""

import hashlib
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from pandas.io.common import get_handle, infer_compression

from analysis.data.csv_text import unquoted
from mnist_horizon import files
from mnist_horizon.errors import InputError
from mnist_horizon.results import ResultsError, parquet

FORMATS = ("csv", "parquet", "tensorboard", "wandb")

MOST_UNPACKED = 2**30
"""Bytes of a compressed CSV file when it is unpacked: a small one could fill the memory."""

_SERIES_FORMATS = ("tensorboard", "wandb")
_EVENTS = "tfevents"
_LOWEST, _HIGHEST = "__MIN", "__MAX"  # what W&B appends for the range over a smoothing window


@dataclass(frozen=True)
class ForeignTable:
    """What was read.

    Attributes:
        table: the rows; cells of CSV files are text, an empty one is "".
        checksums: SHA-256 of each file that was read, by its path as given.
        roles: columns whose meaning the format says, by their names in the results.
        has_gaps: whether rows may lack a series because it was not logged at that step.
    """

    table: pd.DataFrame
    checksums: dict[str, str]
    roles: dict[str, str] = field(default_factory=dict)
    has_gaps: bool = False


def read(paths: Sequence[Path], form: str = "auto", wanted: Collection[str] = ()) -> ForeignTable:
    """Read files of one format into one table.

    Args:
        paths: files; for TensorBoard also folders, whose subfolders are the runs.
        form: one of `FORMATS`, or "auto": by the ending, and for CSV by the names of the columns.
        wanted: the series to read; all where none of these exists.

    Raises:
        InputError: a file cannot be read or is empty, formats are mixed, a series has a value that
            is not finite, or an extra is missing.
    """
    parts: list[pd.DataFrame] = []
    checksums: dict[str, str] = {}
    forms = {path: form_of(path) if form == "auto" else form for path in paths}
    if len(set(forms.values())) > 1:
        raise InputError(f"files of several formats ({', '.join(set(forms.values()))}): name one")
    for path, kind in forms.items():
        part = _READERS[kind](path)
        if part.empty:
            raise InputError(f"{path}: it has no rows")
        name = path.name.split(".")[0] or path.name
        parts.append(part if "file" in part else part.assign(file=name))
        for file in _event_files(path) if kind == "tensorboard" else [path]:
            checksums[str(file)] = _checksum(file)
    table = pd.concat(parts, ignore_index=True)
    roles: dict[str, str] = {}
    if kind in _SERIES_FORMATS:
        table, roles = _columns_of_series(table, wanted)
    if "row" not in table:
        table = table.assign(row=np.arange(1, len(table) + 1))
    return ForeignTable(table, checksums, roles, kind in _SERIES_FORMATS)


def form_of(path: Path) -> str:
    """The format of a file or folder: by its ending, W&B's export by its columns.

    Raises:
        InputError: it does not exist or cannot be read.
    """
    if path.is_dir() or _EVENTS in path.name:
        return "tensorboard"
    if path.suffix in (".parquet", ".pq"):
        return "parquet"
    names = list(_csv(path, rows=1))
    return "wandb" if any(f"{name}{_LOWEST}" in names for name in names) else "csv"


def _csv(path: Path, rows: int | None = None) -> pd.DataFrame:
    """A CSV file, separated by commas, semicolons or tabs; its cells are text."""
    try:
        _check_unpacked(path)
        for separator in (",", ";", "\t"):
            table = pd.read_csv(
                path,
                sep=separator,
                dtype=str,
                keep_default_na=False,
                encoding="utf-8-sig",
                skipinitialspace=True,
                nrows=rows,
            )
            if len(table.columns) > 1:
                break
    except InputError:
        raise
    except (OSError, ValueError, EOFError, zlib.error, zipfile.BadZipFile) as error:
        raise _unreadable(path, error) from None
    if not isinstance(table.index, pd.RangeIndex):
        raise InputError(f"{path}: its rows have more fields than its first line has names")
    return unquoted(table.fillna("")).rename(columns=str.strip)


def _check_unpacked(path: Path) -> None:
    """Refuse a compressed file that is larger than `MOST_UNPACKED` when it is not.

    Raises:
        InputError: it is.
        OSError: it cannot be read, or is not a regular file.
    """
    files.check_regular(path)
    if infer_compression(path, "infer") is None:
        return
    with get_handle(path, "rb", compression="infer") as handles:
        size = 0
        while part := handles.handle.read(2**20):
            size += len(part)
            if size > MOST_UNPACKED:
                raise InputError(
                    f"{path}: more than {MOST_UNPACKED / 1e9:.1f} GB when it is unpacked: unpack "
                    "it yourself if you trust it"
                )


def _parquet(path: Path) -> pd.DataFrame:
    try:
        table = parquet.read_table(path)
    except ResultsError as error:
        raise InputError(f"{path}: {error}") from None
    except (OSError, pa.ArrowException) as error:
        raise _unreadable(path, error) from None
    names = table.column_names
    if twice := [name for name in names if names.count(name) > 1]:
        raise InputError(f"{path}: it has the column {twice[0]} more than once: rename one")
    return table.to_pandas(ignore_metadata=True)  # pandas' own would hide columns in an index


def _wandb(path: Path) -> pd.DataFrame:
    """Rows of run, step, series and value: a column is named "RUN - SERIES", the first is steps."""
    table = _csv(path)
    step = table.columns[0]
    parts = []
    for name in table.columns[1:]:
        run, dash, series = name.rpartition(" - ")
        is_range = name.endswith((_LOWEST, _HIGHEST))
        if not dash or is_range or series.startswith("_"):  # _step, _runtime: W&B's own
            continue
        logged = table[table[name] != ""]
        part = {"run": run, "step": logged[step], "series": series, "value": logged[name]}
        parts.append(pd.DataFrame(part))
    if not parts:
        raise InputError(f'{path}: no column is named "RUN - SERIES", as W&B\'s export has them')
    return pd.concat(parts, ignore_index=True)


def _tensorboard(path: Path) -> pd.DataFrame:
    """Rows of run, step, series and value, of all scalars in a folder of runs, or in one file."""
    try:
        from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
    except ImportError:
        raise InputError(
            "TensorBoard's files need the extra import: make setup EXTRAS=import"
        ) from None
    rows = []
    for file in _event_files(path):
        inside = file.parent.relative_to(path if path.is_dir() else path.parent).as_posix()
        run = path.name if inside == "." and path.is_dir() else inside
        run = path.absolute().parent.name if inside == "." and not path.is_dir() else run
        try:
            events = list(EventFileLoader(str(file)).Load())
        except (OSError, ValueError, RuntimeError) as error:
            raise _unreadable(file, error) from None
        rows += [(run, event.step, *scalar) for event in events for scalar in _scalars(event)]
    return pd.DataFrame(rows, columns=["run", "step", "series", "value"])


def _scalars(event: object) -> Iterator[tuple[str, float]]:
    """Names and values of an event's scalars (of any writer: old ones are converted on reading)."""
    from tensorboard.util.tensor_util import make_ndarray

    for value in event.summary.value:  # type: ignore[attr-defined]
        is_number = value.HasField("tensor") and not value.tensor.tensor_shape.dim
        if is_number and value.metadata.plugin_data.plugin_name in ("scalars", ""):
            number = make_ndarray(value.tensor)
            if number.dtype.kind in "fiu":
                yield value.tag, float(number)


def _event_files(path: Path) -> list[Path]:
    """The event files in a folder, at any depth; a file itself."""
    if not path.is_dir():
        return [path]
    found = sorted(file for file in path.rglob(f"*{_EVENTS}*") if file.is_file())
    if not found:
        raise InputError(f"{path}: a folder without TensorBoard's event files (*{_EVENTS}*)")
    return found


_READERS: dict[str, Callable[[Path], pd.DataFrame]] = {
    "csv": _csv,
    "parquet": _parquet,
    "tensorboard": _tensorboard,
    "wandb": _wandb,
}


def _columns_of_series(
    rows: pd.DataFrame, wanted: Collection[str]
) -> tuple[pd.DataFrame, dict[str, str]]:
    """One row per run and step with a column for each series, and what these columns are.

    A step that was logged again, by a run that was restarted, has its last value.
    """
    names = list(rows["series"].unique())
    chosen = [name for name in names if name in wanted]
    values = pd.to_numeric(rows["value"], errors="coerce")
    bad = rows[~np.isfinite(values) & rows["series"].isin(chosen or names[: len(names) == 1])]
    if len(bad):
        run, step, series, value, *_ = bad.iloc[0]
        raise InputError(f"{series}: {value} of run {run} at step {step} is not a finite number")
    rows = rows.assign(value=values)
    rows = rows[rows["series"].isin(chosen or names)]
    rows = rows.drop_duplicates(["file", "run", "step", "series"], keep="last")
    table = rows.set_index(["file", "run", "step", "series"])["value"].unstack(sort=False)
    roles = {"run_id": "run", "interactions": "step"}
    if len(names) == 1:
        roles["return_mean"] = names[0]
    return table.reset_index().rename_axis(columns=None), roles


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _unreadable(path: Path, error: BaseException) -> InputError:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return InputError(f"{path}: cannot be read: {' '.join(reason.split())[:200]}")

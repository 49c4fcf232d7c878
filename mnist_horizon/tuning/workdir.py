"""A search's working directory, and the search itself: cell after cell, then the rule.

`tuning.json` has the settings, `cells/<cell>.parquet` the rows of each cell that is done, written
at once; `tuning.parquet` all of them and `rule.json` the rule, when no cell is missing.
"""

import json
import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from mnist_horizon import files, interruption, terminal
from mnist_horizon.algorithms import ALGORITHMS
from mnist_horizon.errors import SweepError
from mnist_horizon.results import parquet
from mnist_horizon.sweeps import plan
from mnist_horizon.sweeps.spec import check_network, differences
from mnist_horizon.tasks import LoadedTask
from mnist_horizon.tuning import cells, rule
from mnist_horizon.tuning.settings import Cell, Tuning

LOG = logging.getLogger(__name__)

SETTINGS, TABLE, RULE = "tuning.json", "tuning.parquet", "rule.json"
FOLDERS = ("cells", "locks")


def check(folder: Path, tuning: Tuning, is_written: bool = True) -> None:
    """Refuse a directory that does not suit a search, without touching it.

    Args:
        folder: the directory.
        tuning: the search.
        is_written: whether the directory must be writable.

    Raises:
        InputError: it cannot be written, or holds something else, or a search with other settings.
    """
    files.check_usable(folder, (SETTINGS, TABLE, RULE, terminal.PROBLEMS), FOLDERS, is_written)
    for cell in tuning.cells:
        files.check_name(cell.name)
    if (folder / "sweep.json").exists():
        raise SweepError(f"{folder} holds a sweep: choose another --workdir")
    settings = _plain(tuning)
    if changes := differences(_started(folder).get("settings", settings), settings):
        raise SweepError(
            f"{folder} holds a search with other settings ({'; '.join(changes)}): "
            "choose another --workdir, or the previous settings"
        )


def check_task(folder: Path, tuning: Tuning, task: LoadedTask) -> None:
    """Refuse data, networks and sizes that the search cannot use, without touching the directory.

    Raises:
        InputError: the data are not those it was started with, the network does not suit them, or
            a rung does not fit into `max_program_bytes`.
    """
    content = _started(folder).get("task", task.provenance["content"])
    if content != task.provenance["content"]:
        raise SweepError(f"task: {folder} was started with other data: choose another --workdir")
    sweep = tuning.spec
    check_network(sweep, task.task.classes, task.task.train.images.shape[1:])
    most = max(len(tuning.candidates(cell.algorithm)) for cell in tuning.cells)
    for number, width in enumerate(sweep.widths):
        needed = plan.memory_of_width(sweep, width, task.task).total(len(tuning.seeds), most)
        if needed > sweep.max_program_bytes:
            raise SweepError(
                f"widths[{number}]: {most} candidates need {needed / 1e6:,.0f} MB at once, "
                f"max_program_bytes is {sweep.max_program_bytes / 1e6:,.0f} MB: try fewer"
            )


def missing(folder: Path, tuning: Tuning) -> list[Cell]:
    """Cells that have no results yet."""
    return [cell for cell in tuning.cells if not _file(folder, cell).exists()]


def search(folder: Path, tuning: Tuning, task: LoadedTask) -> dict[str, Any] | None:
    """Search the cells that are missing, and fit the rule.

    Several processes may search in one directory: each takes cells that no other works on.

    Args:
        folder: the working directory; created if absent.
        tuning: the search.
        task: the task that its sweep names, loaded.

    Returns:
        The rule (`rule.fit`), or None where cells are left to other processes.

    Raises:
        InputError: the directory holds something else (`check`, `check_task`).
        Interrupted: a signal was received (`interruption`); cells that are done are kept.
        OSError: the directory cannot be written; its files are complete.
    """
    with files.lock(files.inside(folder, "locks", "search"), wait=True):
        check(folder, tuning)
        check_task(folder, tuning, task)
        content = {"settings": _plain(tuning), "task": task.provenance["content"]}
        files.write_text(files.inside(folder, SETTINGS), json.dumps(content, indent=1))
    waiting = missing(folder, tuning)
    LOG.info(
        "%d cells, %d of them done already", len(tuning.cells), len(tuning.cells) - len(waiting)
    )
    with interruption.requested() as stop:
        _search(folder, tuning, task, waiting, stop)
    if left := missing(folder, tuning):
        LOG.info("left to other processes: %s", ", ".join(cell.name for cell in left))
        return None
    table = pd.concat([_read(_file(folder, cell)) for cell in tuning.cells], ignore_index=True)
    found = rule.fit(tuning, table)
    _write(files.inside(folder, TABLE), table)
    files.write_text(files.inside(folder, RULE), json.dumps(found, indent=1))
    return found


def _search(
    folder: Path,
    tuning: Tuning,
    task: LoadedTask,
    waiting: Sequence[Cell],
    stop: Callable[[], bool],
) -> None:
    for number, cell in enumerate(waiting, 1):
        with files.lock(files.inside(folder, "locks", cell.name)) as is_free:
            if not is_free or _file(folder, cell).exists():
                continue
            started = time.monotonic()
            rows = pd.DataFrame(cells.run_cell(tuning, cell, task.task, stop))
            _write(_file(folder, cell), rows)
            last = rows[rows["rung"] == rows["rung"].max()]
            means = last.groupby([*rule.PAIR, "learning_rate"])["score"].mean()
            decay, bonus, rate = means.idxmin()
            LOG.info(
                "%d of %d: %s, %.0f s: best rate %.3g with decay %g and bonus %g",
                *(number, len(waiting), cell.name, time.monotonic() - started),
                *(rate, decay, bonus),
            )


def _file(folder: Path, cell: Cell) -> Path:
    return files.inside(folder, "cells", f"{files.check_name(cell.name)}.parquet")


def _write(path: Path, table: pd.DataFrame) -> None:
    content = pa.Table.from_pandas(table, preserve_index=False)
    files.write_atomically(path, lambda file: pq.write_table(content, file, compression="zstd"))


def _read(path: Path) -> pd.DataFrame:
    try:
        table = parquet.read_table(path).to_pandas()
        are_numbers = all(table[name].dtype.kind in "bif" for name in cells.NUMBERS)
        if not are_numbers or not table["algorithm"].isin(ALGORITHMS).all():
            raise ValueError
        return table
    except (OSError, ValueError, LookupError, pa.ArrowException):
        raise SweepError(f"{path}: cannot be read: remove it, and it is made again") from None


def _plain(tuning: Tuning) -> dict[str, Any]:
    """Settings as they are read back from JSON."""
    plain: dict[str, Any] = json.loads(json.dumps(tuning.to_json()))
    return plain


def _started(folder: Path) -> dict[str, Any]:
    """What the directory was started with; empty where it is new."""
    path = folder / SETTINGS
    if not path.exists():
        return {}
    try:
        started: dict[str, Any] = files.read_json(path)
        if isinstance(started, dict) and isinstance(started.get("settings", {}), dict):
            return started
        raise ValueError
    except (OSError, ValueError):
        raise SweepError(f"{path}: cannot be read: choose another --workdir") from None

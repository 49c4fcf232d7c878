"""A working directory's spec and the records of its programs, read from disk."""

from pathlib import Path, PurePosixPath
from typing import Any

from mnist_horizon.errors import printable
from mnist_horizon.files import is_name, read_json, shown
from mnist_horizon.results.errors import ResultsError, one_line

TABLE_FOLDERS = ("results", "noise", "policies", "frontier", "kept")
"""Folders that hold the files of finished programs."""

NO_RECORD = "not a program's record"


def read_sweep(workdir: Path | str) -> dict[str, Any]:
    """Read the sweep's spec, `WORKDIR/sweep.json`.

    Raises:
        ResultsError: it is missing or not a JSON object.
    """
    path = Path(workdir) / "sweep.json"
    try:
        spec = read_json(path)
    except FileNotFoundError:
        raise ResultsError(f"{path}: not found, so {workdir} holds no sweep") from None
    except (OSError, ValueError) as error:
        raise ResultsError(f"{path}: cannot be read: {one_line(error)}") from None
    if not isinstance(spec, dict):
        raise ResultsError(f"{path}: not a JSON object")
    return spec


def read_programs(
    workdir: Path | str, strict: bool = False
) -> tuple[list[dict[str, Any]], list[str]]:
    """Read every `WORKDIR/programs/<program>.json`.

    Ids in a record become names of files, so a record with an id that is not a plain name, or that
    is not its file's name, is left out.

    Args:
        workdir: the working directory.
        strict: raise an error for such a record instead.

    Returns:
        The records, and a note for each that was left out.

    Raises:
        ResultsError: with `strict`, a record holds an id that is not a plain name.
    """
    programs, notes = [], []
    for path in sorted((Path(workdir) / "programs").glob("*.json")):
        try:
            program = read_json(path)
        except (OSError, ValueError) as error:
            notes.append(f"{printable(path)}: left out, cannot be read: {one_line(error)}")
            continue
        problem = record_problem(program, path.stem)
        if problem is None:
            programs.append({"program_id": path.stem, "runs": [], **program})
        elif strict and problem != NO_RECORD:
            raise ResultsError(f"{path}: {problem}: this is not a record of a sweep")
        else:
            notes.append(f"{printable(path)}: left out, {problem}")
    return programs, notes


def record_problem(record: Any, stem: str) -> str | None:
    """Why JSON is not a record of a program: its form, or an id in it that may not become a path.

    Args:
        record: JSON as it was read.
        stem: the name of its file without the ending, which is the program's id.
    """
    if not _has_form(record):
        return NO_RECORD
    program_id = record.get("program_id", stem)
    if program_id != stem or not is_name(program_id):
        return f"its program_id {shown(program_id)} is not the name of the file"
    for run in (*record.get("runs", ()), *record.get("diverged", ())):
        if not is_name(run):
            return f"the run id {shown(run)} is not a plain name"
    for name in record.get("files", ()):
        parts = PurePosixPath(name).parts
        if len(parts) != 2 or parts[0] not in TABLE_FOLDERS or not is_name(parts[1]):
            return f"its file {shown(name)} is not in one of {', '.join(TABLE_FOLDERS)}"
    return None


def _has_form(record: Any) -> bool:
    if not isinstance(record, dict):
        return False
    runs = record.get("runs", [])
    groups = (record.get(name, {}) for name in ("files", "task", "diverged", "settings"))
    updates = record.get("diverged", {})
    if not isinstance(updates, dict) or not all(type(at) is int for at in updates.values()):
        return False  # they are printed
    return (
        isinstance(runs, list)
        and all(isinstance(run, str) for run in runs)
        and all(isinstance(group, dict) for group in groups)
    )

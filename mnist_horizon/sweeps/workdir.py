"""A sweep's working directory: its spec, the records of its programs, and who works on which.

Every program has a record, `programs/<id>.json`: the runs it holds, whether it is done, and where
and with what it was computed. A process works on a program only while it holds the program's lock
in `locks/`; the system releases a dead process's locks, so nothing is ever claimed by nobody.
"""

import contextlib
import dataclasses
import fcntl
import hashlib
import json
import logging
import os
import platform
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import jax

from mnist_horizon import results, schedules, tasks
from mnist_horizon.devices.memory import ProgramMemory
from mnist_horizon.errors import SweepError
from mnist_horizon.sweeps import plan
from mnist_horizon.sweeps.plan import Program, Run, Variant
from mnist_horizon.sweeps.spec import SweepSpec, differences

LOG = logging.getLogger(__name__)

FOLDERS = ("programs", "results", "noise", "policies", "checkpoints", "locks")
PLACING = "placing.json"
"""Records of programs that are being written one by one; gone when all of them are."""

PACKAGES = ("mnist_horizon", "jax", "jaxlib", "flax", "optax", "numpy", "orbax-checkpoint")


def check(workdir: Path, spec: SweepSpec) -> None:
    """Refuse a directory that cannot be written or holds another sweep, without touching it.

    Raises:
        SweepError: it is no folder, may not be written, or the spec there differs in something
            that is not an axis.
    """
    try:
        nearest = next(path for path in (workdir, *workdir.absolute().parents) if path.exists())
    except OSError as error:
        raise SweepError(f"--workdir: {error.strerror}: choose another") from None
    for path in (nearest, *(workdir / name for name in FOLDERS)):
        if path.exists() and not (path.is_dir() and os.access(path, os.W_OK)):
            raise SweepError(f"--workdir: {path} is no folder that may be written")
    if not (workdir / "sweep.json").exists():
        return
    try:
        old = results.read_sweep(workdir)
    except results.ResultsError as error:
        raise SweepError(f"{error}: put it back, or choose another --workdir") from None
    if found := differences(old, spec.to_json()):
        raise SweepError(
            f"{workdir} holds a sweep with other settings ({'; '.join(found)}): "
            "choose another --workdir, or the settings of before"
        )


def prepare(
    workdir: Path, spec: SweepSpec, needs: Mapping[int, ProgramMemory], task: Mapping[str, Any]
) -> list[Program]:
    """The programs of a sweep, in order: those already placed, then new ones for the rest.

    The spec with the axes of all calls so far, and the records of new programs, are written under
    a lock, so that processes that start at once agree on the programs.

    Args:
        workdir: the working directory; made if absent.
        spec: the sweep.
        needs: memory needed by the runs of each width.
        task: the provenance of the task that was loaded.

    Raises:
        SweepError: the directory holds another sweep, or one of other data.
    """
    with lock(workdir, "sweep", wait=True):
        check(workdir, spec)
        _finish_placing(workdir)
        old = _read_placed(workdir)
        _check_data(workdir, [record for _, record in old], task)
        placed = [program for program, _ in old]
        taken = {run for program in placed for run in program.runs}
        wanted = plan.all_runs(spec)
        new = plan.plan(spec, [run for run in wanted if run not in taken], needs)
        _write_json(workdir / "sweep.json", _with_axes_of_before(workdir, spec))
        facts = {"done": False, "task": _without_places(task)}
        # All or none: with half of them placed, the rest would be planned, and cut, differently.
        content = {"programs": [_record(spec, program, facts) for program in new]}
        _write_json(workdir / PLACING, content)
        _finish_placing(workdir)
    chosen = set(wanted)
    return [program for program in [*placed, *new] if chosen & set(program.runs)]


def remaining_runs(workdir: Path, spec: SweepSpec) -> tuple[list[Program], list[Run]]:
    """Placed programs that are not done, and runs that no program holds yet; nothing is written."""
    old = _read_placed(workdir)
    chosen = plan.all_runs(spec)
    taken = {run for program, _ in old for run in program.runs}
    open_programs = [
        program
        for program, _ in old
        if set(chosen) & set(program.runs) and not is_done(workdir, program)
    ]
    return open_programs, [run for run in chosen if run not in taken]


def read_record(workdir: Path, program: Program) -> dict[str, Any]:
    """The record of a program; empty if there is none or it is damaged."""
    try:
        return dict(json.loads(_record_path(workdir, program.program_id).read_text()))
    except (OSError, ValueError):
        return {}


def _record(spec: SweepSpec, program: Program, facts: Mapping[str, Any]) -> dict[str, Any]:
    """A program's record: its runs, how they were cut, and the facts given."""
    return {
        "program_id": program.program_id,
        "runs": [run.run_id(spec) for run in program.runs],
        "cut": {"groups": len(program.seeds), "runs_per_group": len(program.variants)},
        "width": program.width,
        "seeds": list(program.seeds),
        "variants": [
            {**dataclasses.asdict(variant), "schedule": str(variant.schedule)}
            for variant in program.variants
        ],
        **facts,
    }


def _finish_placing(workdir: Path) -> None:
    """Write the records of the programs that are being placed, by a process now dead or by this."""
    path = workdir / PLACING
    if path.exists():
        for record in json.loads(path.read_text())["programs"]:
            _write_json(_record_path(workdir, record["program_id"]), record)
        path.unlink()


def write_done(
    workdir: Path,
    spec: SweepSpec,
    program: Program,
    files: Iterable[Path],
    task: Mapping[str, Any],
    facts: Mapping[str, Any],
) -> None:
    """Write the record of a program that is done: its files with their checksums, provenance."""
    checksums = {str(path.relative_to(workdir)): _checksum(path) for path in files}
    facts = {"done": True, **facts, "files": checksums, "task": _without_places(task)}
    record = _record(spec, program, {**facts, **provenance()})
    _write_json(_record_path(workdir, program.program_id), record)


def is_done(workdir: Path, program: Program) -> bool:
    """Whether a program is done and its files are as they were written."""
    return bool(read_record(workdir, program).get("done")) and damaged(workdir, program) is None


def damaged(workdir: Path, program: Program) -> Path | None:
    """The first file of a finished program that is missing or not as it was written."""
    for name, checksum in read_record(workdir, program).get("files", {}).items():
        path = workdir / name
        if not path.is_file() or _checksum(path) != checksum:
            return path
    return None


@contextlib.contextmanager
def lock(workdir: Path, name: str, wait: bool = False) -> Iterator[bool]:
    """Hold `locks/<name>` for the block; yields whether it was free (always, with `wait`)."""
    path = workdir / "locks" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
            return
        yield True


def provenance() -> dict[str, Any]:
    """What the numbers were made with: versions, commit, device. No environment variables."""
    versions = {"python": platform.python_version()}
    for name in PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)
    device = jax.devices()[0]
    return {
        "versions": versions,
        "commit": _commit(),
        "device": {
            "platform": device.platform,
            "kind": device.device_kind,
            "count": jax.device_count(),
            "processor": platform.processor() or platform.machine(),
        },
    }


def _commit() -> str:
    """The checkout's git commit, with a `+` where files differ from it; empty outside one."""
    folder = Path(__file__).parent

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(folder), *arguments]
        try:
            return subprocess.run(command, capture_output=True, text=True, check=True).stdout
        except (OSError, subprocess.CalledProcessError):
            return ""

    commit = git("rev-parse", "HEAD").strip()
    return commit + "+" * bool(git("status", "--porcelain", "--untracked-files=no"))


def _read_placed(workdir: Path) -> list[tuple[Program, dict[str, Any]]]:
    """Programs with their records, in the order of their names; says which are damaged."""
    records, notes = results.read_programs(workdir)
    placed = []
    for record in records:
        try:
            placed.append((_program_from(record), record))
        except (KeyError, TypeError, ValueError):
            notes.append(f"{workdir}/programs: {record.get('program_id')} lacks its runs")
    for note in notes:
        LOG.warning("%s: its runs are placed anew", note)
    return placed


def _program_from(record: Mapping[str, Any]) -> Program:
    variants = tuple(
        Variant(one["horizon"], schedules.parse(one["schedule"]), one["learning_rate"])
        for one in record["variants"]
    )
    return Program(record["program_id"], record["width"], tuple(record["seeds"]), variants)


def _check_data(
    workdir: Path, records: Iterable[Mapping[str, Any]], task: Mapping[str, Any]
) -> None:
    """Refuse to go on with other data than the sweep was begun with."""
    for record in records:
        content = record.get("task", {}).get("content")
        if content not in (None, task["content"]):
            raise SweepError(
                f"task: the data ({task['source']}) are not those that the sweep in {workdir} was "
                f"begun with ({record['task']['source']}): use these, or another --workdir"
            )


def _without_places(task: Mapping[str, Any]) -> dict[str, Any]:
    """A task's provenance without the folders of this machine."""
    return {**task, "settings": tasks.identity_settings(task["task"], task["settings"])}


def _with_axes_of_before(workdir: Path, spec: SweepSpec) -> dict[str, Any]:
    """The spec with every value that an axis has had in this directory."""
    new = spec.to_json()
    if not (workdir / "sweep.json").exists():
        return new
    old = results.read_sweep(workdir)
    for name in ("widths", "horizons", "schedules"):
        new[name] = sorted({*old.get(name, ()), *new[name]})
    new["seeds"] = max(old.get("seeds", 0), new["seeds"])
    rates = {*old["optimizer"].get("learning_rates", ()), *new["optimizer"]["learning_rates"]}
    new["optimizer"]["learning_rates"] = sorted(rates)
    return new


def _record_path(workdir: Path, program_id: str) -> Path:
    return workdir / "programs" / f"{program_id}.json"


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    text = json.dumps(content, indent=1)
    results.write_atomically(path, lambda file: file.write(text.encode()))


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

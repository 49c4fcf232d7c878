"""A sweep's working directory: its spec, the records of its programs, and who works on which.

Every program has a record, `programs/<id>.json`: the runs it holds, whether it is done, and where
and with what it was computed. A process works on a program only while it holds the program's lock
in `locks/`; the system releases a dead process's locks, so nothing is ever claimed by nobody.
"""

import contextlib
import dataclasses
import fcntl
import json
import platform
import subprocess
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import jax

from mnist_horizon import results, schedules, sweep
from mnist_horizon.sweep import Program, Run, SweepError, SweepSpec, Variant

PACKAGES = ("mnist_horizon", "jax", "jaxlib", "flax", "optax", "numpy", "orbax-checkpoint")


def check(workdir: Path, spec: SweepSpec) -> None:
    """Refuse a directory that holds another sweep, without touching it.

    Raises:
        SweepError: the spec there differs in something that is not an axis.
    """
    if not (workdir / "sweep.json").exists():
        return
    try:
        old = results.read_sweep(workdir)
    except results.ResultsError as error:
        raise SweepError(str(error)) from None
    if found := sweep.differences(old, spec.to_json()):
        raise SweepError(
            f"{workdir} holds a sweep with other settings ({'; '.join(found)}): "
            "choose another --workdir, or the settings of before"
        )


def prepare(workdir: Path, spec: SweepSpec, bytes_per_run: Mapping[int, int]) -> list[Program]:
    """The programs of a sweep, in order: those already placed, then new ones for the rest.

    The records of new programs, and the spec with the axes of all calls so far, are written under
    a lock, so that processes that start at once agree on the programs.
    """
    with lock(workdir, "sweep", wait=True):
        check(workdir, spec)
        wanted = sweep.all_runs(spec)
        placed = placed_programs(workdir)
        taken = {run for program in placed for run in program.runs}
        new = sweep.plan(spec, [run for run in wanted if run not in taken], bytes_per_run)
        for program in new:
            write_record(workdir, spec, program, {"done": False})
        _write_json(workdir / "sweep.json", _with_axes_of_before(workdir, spec))
    chosen = set(wanted)
    return [program for program in [*placed, *new] if chosen & set(program.runs)]


def placed_programs(workdir: Path) -> list[Program]:
    """The programs that have a record, in the order of their names."""
    return [_program_from(record) for record in results.read_programs(workdir)[0]]


def remaining_runs(workdir: Path, spec: SweepSpec) -> tuple[list[Program], list[Run]]:
    """Placed programs that are not done, and runs that no program holds yet; nothing is written."""
    records, _ = results.read_programs(workdir)
    placed = [_program_from(record) for record in records]
    chosen = sweep.all_runs(spec)
    taken = {run for program in placed for run in program.runs}
    open_programs = [
        program
        for program, record in zip(placed, records, strict=True)
        if not record.get("done") and set(chosen) & set(program.runs)
    ]
    return open_programs, [run for run in chosen if run not in taken]


def read_record(workdir: Path, program: Program) -> dict[str, Any]:
    """The record of a program; empty if there is none or it is damaged."""
    try:
        return dict(json.loads(_record_path(workdir, program).read_text()))
    except (OSError, ValueError):
        return {}


def write_record(
    workdir: Path, spec: SweepSpec, program: Program, facts: Mapping[str, Any]
) -> None:
    """Write a program's record: its runs, how they were cut, and the facts given."""
    record = {
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
    _write_json(_record_path(workdir, program), record)


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


def _program_from(record: Mapping[str, Any]) -> Program:
    variants = tuple(
        Variant(one["horizon"], schedules.parse(one["schedule"]), one["learning_rate"])
        for one in record["variants"]
    )
    return Program(record["program_id"], record["width"], tuple(record["seeds"]), variants)


def _with_axes_of_before(workdir: Path, spec: SweepSpec) -> dict[str, Any]:
    """The spec with every value that an axis has had in this directory."""
    new = spec.to_json()
    if not (workdir / "sweep.json").exists():
        return new
    old = results.read_sweep(workdir)
    for name in ("widths", "horizons", "schedules"):
        new[name] = sorted({*old[name], *new[name]})
    new["seeds"] = max(old["seeds"], new["seeds"])
    rates = {*old["optimizer"]["learning_rates"], *new["optimizer"]["learning_rates"]}
    new["optimizer"]["learning_rates"] = sorted(rates)
    return new


def _record_path(workdir: Path, program: Program) -> Path:
    return workdir / "programs" / f"{program.program_id}.json"


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    text = json.dumps(content, indent=1)
    results.write_atomically(path, lambda file: file.write(text.encode()))

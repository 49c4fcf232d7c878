"""A sweep's working directory: its spec, its programs' records, and which process works on which.

Every program has a record, `programs/<id>.json`: the runs it holds, the sweep's settings, whether
it is done, and where and with what it was computed. A process works on a program only while it
holds the program's lock in `locks/`; the system releases a dead process's locks, so no stale locks
remain. A directory may come from elsewhere: its content is checked before anything is written.
"""

import contextlib
import dataclasses
import hashlib
import json
import logging
import math
import platform
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from importlib import metadata
from pathlib import Path
from typing import Any

import jax

from mnist_horizon import files, results, schedules, tasks, terminal
from mnist_horizon.algorithms import REFERENCES
from mnist_horizon.devices.compilation import is_deterministic
from mnist_horizon.devices.memory import ProgramMemory
from mnist_horizon.errors import InputError, SweepError, printable
from mnist_horizon.sweeps import plan
from mnist_horizon.sweeps.plan import Program, Variant
from mnist_horizon.sweeps.spec import ABSENT, SweepSpec, differences

LOG = logging.getLogger(__name__)

FOLDERS = ("programs", "results", "noise", "policies", "frontier", "kept", "checkpoints", "locks")
SWEEP = "sweep.json"
PLACING = "placing.json"
"""Records of programs that are being written one by one; removed when all are written."""

FILES = (SWEEP, PLACING, "progress.jsonl", terminal.PROBLEMS)

PACKAGES = ("mnist_horizon", "jax", "jaxlib", "flax", "optax", "numpy", "orbax-checkpoint")


def check(workdir: Path, spec: SweepSpec, is_written: bool = True) -> None:
    """Refuse a directory that cannot be used or holds another sweep, without touching it.

    Args:
        workdir: the directory, which may not exist yet.
        spec: the sweep.
        is_written: whether the directory must be writable.

    Raises:
        InputError: it is not a writable folder; it holds links, or ids that are not plain names; or
            the settings there differ in something that is not an axis.
    """
    plan.check_ids(spec)
    files.check_usable(workdir, FILES, FOLDERS, is_written)
    _read_placing(workdir)
    records, _ = results.read_programs(workdir, strict=True)
    spec = as_started(workdir, spec)
    if (workdir / SWEEP).exists():
        _check_settings(workdir, _read_sweep(workdir), spec)
        _check_axes(workdir, spec)
    else:
        _check_tables(workdir, spec)
        if any("settings" not in record for record in records):
            raise _without_settings(workdir)
    for record in records:
        if "settings" in record:
            _check_settings(workdir, record["settings"], spec)


def as_started(workdir: Path, spec: SweepSpec) -> SweepSpec:
    """The spec with no sample of the test split, where the directory's spec does not name one.

    A sweep that an older version started goes on as it was, by the same command: the named sweeps
    had no `test_sample` then.
    """
    old, name = _read_sweep(workdir), "test_sample"
    if not old or name in old or spec.test_sample == ABSENT[name]:
        return spec
    LOG.info("%s was started with %s = %s, and goes on with it", workdir, name, ABSENT[name])
    return dataclasses.replace(spec, test_sample=ABSENT[name])


def _check_settings(workdir: Path, old: Mapping[str, Any], spec: SweepSpec) -> None:
    """Refuse settings that differ from those of the directory in something that is not an axis."""
    if "imported" in old:
        raise SweepError(f"{workdir} holds imported results: choose another --workdir")
    if changes := differences(old, spec.to_json()):
        raise SweepError(
            f"{workdir} holds a sweep with other settings ({'; '.join(changes)}): "
            "choose another --workdir, or the previous settings"
        )


def _check_axes(workdir: Path, spec: SweepSpec) -> None:
    """Refuse a `sweep.json` whose axes cannot be extended by those of the spec."""
    try:
        _with_earlier_axes(workdir, spec, [])
    except (TypeError, ValueError, AttributeError):
        raise SweepError(
            f"{workdir / SWEEP}: an axis is no list of its values: put it back, or choose "
            "another --workdir"
        ) from None


def _check_tables(workdir: Path, spec: SweepSpec) -> None:
    """Refuse results of other settings, or of unknown ones, where there is no `sweep.json`."""
    try:
        frame = results.read_results(workdir, columns=["settings"]).frame
    except results.ResultsError:
        return  # there are no results
    for text in frame["settings"].unique():
        settings = results.json_object(text)
        if settings is None:
            raise _without_settings(workdir)
        _check_settings(workdir, settings, spec)


def _without_settings(workdir: Path) -> SweepError:
    """The refusal of a directory whose settings are unknown."""
    return SweepError(
        f"{workdir} holds results but no sweep.json with their settings: "
        "put it back, or choose another --workdir"
    )


def _read_sweep(workdir: Path) -> dict[str, Any]:
    """The spec in `sweep.json`; empty without one."""
    if not (workdir / SWEEP).exists():
        return {}
    try:
        return results.read_sweep(workdir)
    except results.ResultsError as error:
        raise SweepError(f"{error}: put it back, or choose another --workdir") from None


def prepare(
    workdir: Path, spec: SweepSpec, needs: Mapping[int, ProgramMemory], task: Mapping[str, Any]
) -> list[Program]:
    """The programs of a sweep, in order: those already placed, then new ones for the rest.

    The spec with the axes of all calls so far, and the records of new programs, are written under
    a lock, so that processes that start at once agree on the programs.

    Args:
        workdir: the working directory; created if absent.
        spec: the sweep.
        needs: memory needed by the runs of each width.
        task: the provenance of the task that was loaded.

    Raises:
        InputError: the directory holds another sweep (`check`), or a sweep on other data.
    """
    with lock(workdir, "sweep", wait=True):
        check(workdir, spec)
        spec = as_started(workdir, spec)
        _finish_placing(workdir)
        old = _read_placed(workdir)
        _check_data(workdir, [record for _, record in old], task)
        placed = [program for program, _ in old]
        new = plan.plan(spec, placed, needs)
        _write_json(workdir, SWEEP, _with_earlier_axes(workdir, spec, placed))
        facts = {"done": False, "task": _without_places(task)}
        # All or none: with half of them placed, the rest would be planned and split differently.
        content = {"programs": [_record(spec, program, facts) for program in new]}
        _write_json(workdir, PLACING, content)
        _finish_placing(workdir)
    return [*plan.holding(spec, placed), *new]


def planned(
    workdir: Path, spec: SweepSpec, needs: Mapping[int, ProgramMemory]
) -> tuple[list[Program], list[Program]]:
    """The programs that `prepare` would give: those already placed, and new ones for the rest.

    Nothing is written.
    """
    placed = [program for program, _ in _read_placed(workdir)]
    return plan.holding(spec, placed), plan.plan(spec, placed, needs)


def is_finished(workdir: Path, spec: SweepSpec) -> bool:
    """Whether every run of the sweep is done."""
    placed = plan.holding(spec, [program for program, _ in _read_placed(workdir)])
    all_done = all(is_done(workdir, program) for program in placed)
    return all_done and plan.holds_all(spec, placed)


def read_record(workdir: Path, program: Program) -> dict[str, Any]:
    """The record of a program; empty if there is none or it is damaged."""
    try:
        path = files.inside(workdir, _record_file(program.program_id))
        return dict(files.read_json(path))
    except (OSError, ValueError, TypeError):
        return {}


def _record(spec: SweepSpec, program: Program, facts: Mapping[str, Any]) -> dict[str, Any]:
    """A program's record: its runs, how they were grouped, and the facts given."""
    return {
        "program_id": program.program_id,
        "runs": plan.run_ids(spec, program),
        "cut": {"groups": len(program.seeds), "runs_per_group": len(program.variants)},
        "width": program.width,
        "seeds": list(program.seeds),
        "variants": [
            _without_empty({**dataclasses.asdict(variant), "schedule": str(variant.schedule)})
            for variant in program.variants
        ],
        "settings": spec.fixed_settings(),
        **facts,
    }


def _without_empty(row: dict[str, Any]) -> dict[str, Any]:
    """A variant's record without what it has none of, as in older versions."""
    return {name: value for name, value in row.items() if value not in ("", plan.OWN_KL_COEF)}


def _read_placing(workdir: Path) -> list[dict[str, Any]]:
    """The records of the programs that are being placed.

    Raises:
        SweepError: the file holds something else.
    """
    path = files.inside(workdir, PLACING)
    if not path.exists():
        return []
    try:
        records = files.read_json(path)["programs"]
        named = [(record, files.check_name(record["program_id"])) for record in records]
    except (OSError, ValueError, LookupError, TypeError) as error:
        reason = str(error) if isinstance(error, InputError) else "cannot be read"
        raise SweepError(f"{path}: {reason}: choose another --workdir") from None
    for record, program_id in named:
        if problem := results.record_problem(record, program_id):
            raise SweepError(f"{path}: {problem}: choose another --workdir")
    return list(records)


def _finish_placing(workdir: Path) -> None:
    """Write the records of the programs being placed, by this process or one that ended."""
    for record in _read_placing(workdir):
        _write_json(workdir, _record_file(record["program_id"]), record)
    files.inside(workdir, PLACING).unlink(missing_ok=True)


def write_done(
    workdir: Path,
    spec: SweepSpec,
    program: Program,
    written: Iterable[Path],
    task: Mapping[str, Any],
    facts: Mapping[str, Any],
) -> None:
    """Write the record of a program that is done: the files written with checksums, provenance."""
    checksums = {str(path.relative_to(workdir)): _checksum(path) for path in written}
    facts = {"done": True, **facts, "files": checksums, "task": _without_places(task)}
    record = _record(spec, program, {**facts, **provenance()})
    _write_json(workdir, _record_file(program.program_id), record)


def is_done(workdir: Path, program: Program) -> bool:
    """Whether a program is done and its files are as they were written."""
    return bool(read_record(workdir, program).get("done")) and damaged(workdir, program) is None


def damaged(workdir: Path, program: Program) -> Path | None:
    """The first file of a finished program that is missing or not as it was written."""
    for name, checksum in read_record(workdir, program).get("files", {}).items():
        path = files.inside(workdir, name)
        if not path.is_file() or _checksum(path) != checksum:
            return path
    return None


def lock(workdir: Path, name: str, wait: bool = False) -> AbstractContextManager[bool]:
    """Hold `locks/<name>` for a block (`files.lock`); yields whether it was free."""
    return files.lock(files.inside(workdir, "locks", files.check_name(name)), wait)


def provenance() -> dict[str, Any]:
    """What the numbers were made with: versions, commit, device. No environment variables."""
    versions = {"python": platform.python_version()}
    for name in PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)
    device = jax.devices()[0]
    kernels = {"kernels": "deterministic"} if is_deterministic(device.platform) else {}
    return {
        "versions": versions,
        "commit": _commit(),
        "device": {
            "platform": device.platform,
            "kind": device.device_kind,
            "count": jax.device_count(),
            "processor": platform.processor() or platform.machine(),
            **kernels,
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
    """Programs with their records, in the order of their names; logs which are damaged."""
    records, notes = results.read_programs(workdir, strict=True)
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
    """The program of a record.

    Raises:
        KeyError, TypeError, ValueError: the record lacks it. Its numbers become parts of ids.
    """
    variants = tuple(
        Variant(
            _number(row["horizon"]),
            schedules.parse(_text(row["schedule"])),
            _number(row["learning_rate"]),
            _reference(row.get("reference", "")),
            _number(row.get("kl_coef", plan.OWN_KL_COEF)),
        )
        for row in record["variants"]
    )
    width, *seeds = map(_whole, (record["width"], *record["seeds"]))
    return Program(record["program_id"], width, tuple(seeds), variants)


def _reference(value: Any) -> str:
    if value not in ("", *REFERENCES):
        raise ValueError
    return str(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise TypeError
    return value


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError
    return value


def _check_data(
    workdir: Path, records: Iterable[Mapping[str, Any]], task: Mapping[str, Any]
) -> None:
    """Refuse data that differ from those with which the sweep was started."""
    for record in records:
        old = record.get("task", {})
        if old.get("content") not in (None, task["content"]):
            raise SweepError(
                f"task: the data{_source(task)} are not those that the sweep in {workdir} was "
                f"started with{_source(old)}: use these, or another --workdir"
            )


def _source(task: Mapping[str, Any]) -> str:
    """Where data come from, in brackets, for tasks that say so."""
    return f" ({printable(task['source'])})" if "source" in task else ""


def _without_places(task: Mapping[str, Any]) -> dict[str, Any]:
    """A task's provenance without the folders of this machine."""
    return {**task, "settings": tasks.identity_settings(task["task"], task["settings"])}


def _with_earlier_axes(workdir: Path, spec: SweepSpec, placed: Sequence[Program]) -> dict[str, Any]:
    """The spec with every value that an axis has had in this directory."""
    new, old = spec.to_json(), _read_sweep(workdir)
    variants = [variant for program in placed for variant in program.variants]
    own = [variant for variant in variants if not variant.reference]
    earlier: dict[str, list[Any]] = {
        "widths": [program.width for program in placed],
        "horizons": [variant.horizon for variant in own],
        "schedules": [str(variant.schedule) for variant in own],
    }
    for name, values in earlier.items():
        new[name] = sorted({*old.get(name, ()), *values, *new[name]})
    seeds = [seed + 1 for program in placed for seed in program.seeds]
    new["seeds"] = max([old.get("seeds", 0), new["seeds"], *seeds])
    rates = [variant.learning_rate for variant in own]
    rates += [*old.get("optimizer", {}).get("learning_rates", ())]
    rates += new["optimizer"]["learning_rates"]
    new["optimizer"]["learning_rates"] = sorted({*rates})
    coefficients = [v.kl_coef for v in own if v.kl_coef != plan.OWN_KL_COEF]
    coefficients += [*old.get("kl_coefs", ()), *new.get("kl_coefs", ())]
    if coefficients:
        new["kl_coefs"] = sorted({*coefficients})
    for name in REFERENCES:
        rates = [variant.learning_rate for variant in variants if variant.reference == name]
        rates += [*old.get("references", {}).get(name, ())]
        if rates:
            references = new.setdefault("references", {})
            references[name] = sorted({*rates, *references.get(name, ())})
    return new


def _record_file(program_id: str) -> str:
    """Where a program's record is, from the working directory."""
    return f"programs/{files.check_name(program_id)}.json"


def _write_json(workdir: Path, name: str, content: Mapping[str, Any]) -> None:
    files.write_text(files.inside(workdir, name), json.dumps(content, indent=1))


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

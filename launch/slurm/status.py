"""The state of each program of a working directory, from SLURM's queue and the files of its jobs.

A submission is a folder `WORKDIR/slurm/NAME` with `tasks.json`, the programs of each task; NAME is
also the name of the array job, so that the queue alone says which programs are in it. Accounting
(`sacct`) is not needed.
"""

import contextlib
import subprocess
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mnist_horizon import files, results
from mnist_horizon.errors import InputError, SweepError, printable

STATES = ("done", "running", "queued", "failed", "not submitted")


@dataclass(frozen=True)
class QueuedTask:
    """A task of an array job in the queue: its state and the reason, as SLURM names them."""

    state: str
    reason: str


@dataclass(frozen=True)
class ProgramState:
    """A program's number of runs, its state (one of `STATES`), and the reason if there is one."""

    program_id: str
    runs: int
    state: str
    reason: str = ""


class Queue:
    """The tasks of a working directory that SLURM holds, by submission and number."""

    def __init__(self, folder: Path, tasks: Mapping[tuple[str, int], QueuedTask]) -> None:
        self._folder, self._tasks = folder, tasks

    @classmethod
    def ask(cls, folder: Path) -> "Queue":
        """Ask SLURM.

        Raises:
            SweepError: it does not answer.
        """
        names = [path.name for path in submissions(folder)]
        if not names:
            return cls(folder, {})
        command = ["squeue", "--noheader", "--array", f"--name={','.join(names)}"]
        try:
            answer = subprocess.run(
                [*command, "--format=%j|%K|%T|%r"], capture_output=True, text=True, check=True
            )
        except OSError:
            raise SweepError("squeue is missing: run this where SLURM's commands are") from None
        except subprocess.CalledProcessError as error:
            raise SweepError(f"squeue: {' '.join(error.stderr.split())}") from None
        tasks = {}
        for line in answer.stdout.splitlines():
            name, index, state, reason = line.strip().split("|", 3)
            # A single task is not an array, and has no index.
            tasks[name, int(index) if index.isdigit() else 0] = QueuedTask(state, reason)
        return cls(folder, tasks)

    def programs(self) -> dict[str, QueuedTask]:
        """The programs that are queued or running, with the task that works on them."""
        return {
            program: self._tasks[submission.name, index]
            for program, submission, index in submitted_programs(self._folder)
            if (submission.name, index) in self._tasks
        }


def submissions(folder: Path) -> list[Path]:
    """The folders of the submissions of a working directory, the oldest first.

    Raises:
        InputError: one is a link, or its name is not plain.
    """
    paths = [path.parent for path in (folder / "slurm").glob("*/tasks.json")]
    for path in paths:
        files.inside(folder, "slurm", files.check_name(path.name), "tasks.json")
    return sorted(paths, key=lambda path: (path / "tasks.json").stat().st_mtime_ns)


def programs_by_task(submission: Path) -> list[list[str]]:
    """The ids of the programs of each task of a submission.

    Raises:
        InputError: the file holds something else.
    """
    path = submission / "tasks.json"
    try:
        tasks: list[list[str]] = files.read_json(path)
        for name in (name for names in tasks for name in names):
            files.check_name(name)
    except (OSError, ValueError, TypeError) as error:
        reason = str(error) if isinstance(error, InputError) else "cannot be read"
        raise SweepError(f"{path}: {reason}: remove its folder") from None
    return tasks


def submitted_programs(folder: Path) -> list[tuple[str, Path, int]]:
    """Every program that was submitted, once per submission: id, submission, number of the task."""
    return [
        (program, submission, index)
        for submission in submissions(folder)
        for index, programs in enumerate(programs_by_task(submission))
        for program in programs
    ]


def states(folder: Path, queue: Queue) -> list[ProgramState]:
    """The state of every program of a working directory.

    Raises:
        InputError: there is no sweep, or it holds ids that are not plain names.
    """
    if not (folder / "sweep.json").exists():
        raise SweepError(f"--workdir: {folder} holds no sweep")
    live = queue.programs()
    last = {name: (submission, task) for name, submission, task in submitted_programs(folder)}
    result = []
    for record in results.read_programs(folder, strict=True)[0]:
        name = record["program_id"]
        state, reason = "not submitted", ""
        if record.get("done"):
            state = "done"
            reason = ", ".join(f"{run} diverged" for run in record.get("diverged", {}))
        elif name in live:
            is_queued = live[name].state == "PENDING"
            state = "queued" if is_queued else "running"
            reason = live[name].reason if is_queued else ""
        elif name in last:
            state, reason = "failed", _why_ended(*last[name])
        result.append(ProgramState(name, len(record["runs"]), state, reason))
    return result


def describe(programs: Sequence[ProgramState]) -> str:
    """Programs and runs in each state; then each reason, with a program that it applies to."""
    lines = [f"{'':13} programs     runs"]
    for state in STATES:
        chosen = [program for program in programs if program.state == state]
        lines.append(f"{state:13} {len(chosen):8} {sum(p.runs for p in chosen):8}")
    reasons = Counter((p.state, p.reason) for p in programs if p.reason)
    for (state, reason), count in sorted(reasons.items()):
        example = next(p.program_id for p in programs if (p.state, p.reason) == (state, reason))
        others = f" and {count - 1} more" * (count > 1)
        lines.append(f"{state}: {example}{others}: {printable(reason)}")
    return "\n".join(lines)


def _why_ended(submission: Path, index: int) -> str:
    """Why a task ended: its exit code and last line, or what SLURM says in the task's log."""
    # The file may be missing, or truncated by a full disk.
    with contextlib.suppress(OSError, ValueError, LookupError, TypeError):
        ending = files.read_json(submission / f"{index}.json")
        return f"exit code {ending['code']}: {ending['reason']}"
    number = f"_{index}" * (len(programs_by_task(submission)) > 1)  # else it is not an array
    for log in submission.glob(f"*{number}_0_log.err"):
        lines = [line.strip("* ") for line in log.read_text(errors="replace").splitlines()]
        # The node's daemon names the cause: cancelled, out of memory, out of time. srun does not.
        for prefix in ("slurmstepd", "srun: error"):
            if messages := [line for line in lines if line.startswith(prefix)]:
                return f"{messages[-1]} ({log})"
    return f"no exit status found: cancelled before it started, or its node failed ({submission})"

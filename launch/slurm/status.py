"""What became of the jobs of a working directory, by SLURM's queue and what they left.

A submission is a folder `WORKDIR/slurm/NAME` with `tasks.json`, the programs of each task; NAME is
the name of the array job too, so that the queue alone says which programs are in it. Accounting
(`sacct`) is not needed.
"""

import contextlib
import json
import subprocess
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mnist_horizon import results
from mnist_horizon.errors import SweepError

STATES = ("done", "running", "queued", "failed", "not submitted")


@dataclass(frozen=True)
class Task:
    """A task in the queue: SLURM's words for its state and why it is in it."""

    state: str
    reason: str


@dataclass(frozen=True)
class Program:
    """A program's state (one of `STATES`), and the reason if there is one."""

    program_id: str
    runs: int
    state: str
    reason: str = ""


class Queue:
    """The tasks of a working directory that SLURM holds, by submission and number."""

    def __init__(self, folder: Path, tasks: Mapping[tuple[str, int], Task]) -> None:
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
            found = subprocess.run(
                [*command, "--format=%j|%K|%T|%r"], capture_output=True, text=True, check=True
            )
        except OSError:
            raise SweepError("squeue is not here: call this where SLURM's commands are") from None
        except subprocess.CalledProcessError as error:
            raise SweepError(f"squeue: {' '.join(error.stderr.split())}") from None
        tasks = {}
        for line in found.stdout.splitlines():
            name, index, state, reason = line.strip().split("|")
            # A single task is no array, and has no index.
            tasks[name, int(index) if index.isdigit() else 0] = Task(state, reason)
        return cls(folder, tasks)

    def programs(self) -> dict[str, Task]:
        """The programs that are queued or running, with the task that holds them."""
        return {
            program: self._tasks[path.name, index]
            for path in submissions(self._folder)
            for index, programs in enumerate(held_by(path))
            if (path.name, index) in self._tasks
            for program in programs
        }


def submissions(folder: Path) -> list[Path]:
    """The folders of the submissions of a working directory, the oldest first."""
    found = (folder / "slurm").glob("*/tasks.json")
    return [path.parent for path in sorted(found, key=lambda path: path.stat().st_mtime_ns)]


def held_by(submission: Path) -> list[list[str]]:
    """The ids of the programs of each task."""
    held: list[list[str]] = json.loads((submission / "tasks.json").read_text())
    return held


def states(folder: Path, queue: Queue) -> list[Program]:
    """The state of every program of a working directory.

    Raises:
        SweepError: there is no sweep.
    """
    if not (folder / "sweep.json").exists():
        raise SweepError(f"--workdir: {folder} holds no sweep")
    live = queue.programs()
    tasks = {
        program: (path, index)
        for path in submissions(folder)
        for index, programs in enumerate(held_by(path))
        for program in programs
    }
    found = []
    for record in results.read_programs(folder)[0]:
        name = record["program_id"]
        state, reason = "not submitted", ""
        if record.get("done"):
            state = "done"
            reason = ", ".join(f"{run} diverged" for run in record.get("diverged", {}))
        elif name in live:
            is_queued = live[name].state == "PENDING"
            state = "queued" if is_queued else "running"
            reason = live[name].reason if is_queued else ""
        elif name in tasks:
            state, reason = "failed", _why_ended(*tasks[name])
        found.append(Program(name, len(record["runs"]), state, reason))
    return found


def describe(programs: Sequence[Program]) -> str:
    """Programs and runs in each state; then the reasons, each with the programs it holds back."""
    lines = [f"{'':13} programs     runs"]
    for state in STATES:
        chosen = [program for program in programs if program.state == state]
        lines.append(f"{state:13} {len(chosen):8} {sum(p.runs for p in chosen):8}")
    reasons = Counter((p.state, p.reason) for p in programs if p.reason)
    for (state, reason), count in sorted(reasons.items()):
        example = next(p.program_id for p in programs if (p.state, p.reason) == (state, reason))
        more = f" and {count - 1} more" * (count > 1)
        lines.append(f"{state}: {example}{more}: {reason}")
    return "\n".join(lines)


def _why_ended(submission: Path, index: int) -> str:
    """Why a task is no more: what the sweep said last, or SLURM in the task's log."""
    outcome = submission / f"{index}.json"
    with contextlib.suppress(OSError, ValueError):  # there is none, or a full disk cut it short
        said = json.loads(outcome.read_text())
        return f"exit code {said['code']}: {said['reason']}"
    number = f"_{index}" * (len(held_by(submission)) > 1)  # a single task is no array
    for log in submission.glob(f"*{number}_0_log.err"):
        lines = [line.strip("* ") for line in log.read_text(errors="replace").splitlines()]
        # The node's daemon names the cause: cancelled, out of memory, out of time. srun does not.
        for speaker in ("slurmstepd", "srun: error"):
            if said := [line for line in lines if line.startswith(speaker)]:
                return f"{said[-1]} ({log})"
    return f"it left no word: cancelled before it began, or its node died ({submission})"

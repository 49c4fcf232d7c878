"""Job arrays by SLURM's own commands: the script of a task, what the cluster takes, submission.

A job is submitted on hold and released when all that it needs is written, so that a job which the
cluster refuses leaves nothing behind.
"""

import re
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from mnist_horizon.errors import SweepError

DEFAULT_MOST_TASKS = 1001
"""Tasks of an array where a cluster's `MaxArraySize` is not set."""


def check_array(tasks: int) -> None:
    """Refuse an array of more tasks than the cluster takes; where it cannot be asked, none.

    Raises:
        SweepError: names `--slurm.tasks` and the largest number that is accepted.
    """
    if tasks > 1 and (most := _most_tasks()) is not None and tasks > most:
        raise SweepError(
            f"--slurm.tasks: {tasks:,} tasks are more than the {most:,} that this cluster takes "
            f"in one array (scontrol show config: MaxArraySize): --slurm.tasks={most}"
        )


def _most_tasks() -> int | None:
    """The largest number of tasks of an array; None where there is no cluster to ask."""
    try:
        config = _said("scontrol", "show", "config")
    except (OSError, subprocess.CalledProcessError):
        return None
    limits = [DEFAULT_MOST_TASKS]
    if size := re.search(r"^MaxArraySize\s*=\s*(\d+)", config, re.MULTILINE):
        limits = [max(1, int(size[1]))]  # 0: no arrays, and a single task is none
    if tasks := re.search(r"\bmax_array_tasks=(\d+)", config):
        limits.append(int(tasks[1]))
    return min(limits)


def script(place: Path, setup: Sequence[str], sweep_command: Sequence[str], is_array: bool) -> str:
    """The script of each task of a job: the setup lines, then `launch.slurm.job` by srun.

    Args:
        place: the submission's folder, `WORKDIR/slurm/NAME`, for the logs.
        setup: shell lines.
        sweep_command: the sweep command, as arguments of this Python, without its programs.
        is_array: whether the tasks are those of an array, which have a number.
    """
    logs = [f"--{name}={path}" for name, path in _logs(place, is_array, "%t").items()]
    python = [sys.executable, "-u", "-m", "launch.slurm.job"]
    start = ["srun", "--unbuffered", *logs, *python, str(place.parent.parent), place.name]
    index = '"$SLURM_ARRAY_TASK_ID"' if is_array else "0"
    command = f"{shlex.join(start)} {index} {shlex.join(sweep_command)}"
    return "\n".join(["#!/bin/bash", *setup, command, ""])


def options(
    place: Path, settings: Mapping[str, str | int | bool], tasks: int, parallel: int
) -> list[str]:
    """Options of sbatch for a job.

    Args:
        place: the submission's folder, whose name becomes the job's.
        settings: other options by name; True is one without a value.
        tasks: of the array; one task alone is no array.
        parallel: how many may run at a time.
    """
    array = {"array": f"0-{tasks - 1}%{min(tasks, parallel)}"} if tasks > 1 else {}
    own = {"job-name": place.name, "open-mode": "append", **_logs(place, tasks > 1, "0"), **array}
    return flags_of({**own, **settings})


def flags_of(settings: Mapping[str, str | int | bool]) -> list[str]:
    """Options as they are written on a command line."""
    return [f"--{name}" + f"={value}" * (value is not True) for name, value in settings.items()]


def hold(options: Sequence[str], script: str) -> str:
    """Submit a job that does not start before `release`; returns its id.

    Raises:
        SweepError: SLURM refuses it.
    """
    try:
        answer = _said("sbatch", "--parsable", "--hold", *options, script=script)
    except (OSError, subprocess.CalledProcessError) as error:
        raise SweepError(f"SLURM refused the job: {_reason(error)}") from None
    return answer.partition(";")[0].strip()  # after it the cluster's name, where there are several


def release(job: str) -> None:
    """Let a job that was held start.

    Raises:
        SweepError: SLURM refuses it.
    """
    try:
        _said("scontrol", "release", job)
    except (OSError, subprocess.CalledProcessError) as error:
        raise SweepError(f"SLURM does not release the job: {_reason(error)}") from None


def cancel(job: str) -> None:
    """Cancel a job, if it is still there."""
    subprocess.run(["scancel", job], capture_output=True, check=False)


def _logs(place: Path, is_array: bool, process: str) -> dict[str, str]:
    """Where output and errors go, in SLURM's notation for ids."""
    job = "%A_%a" if is_array else "%j"
    folder = str(place).replace("%", "%%")
    return {
        "output": f"{folder}/{job}_{process}_log.out",
        "error": f"{folder}/{job}_{process}_log.err",
    }


def _said(*command: str, script: str | None = None) -> str:
    done = subprocess.run(command, input=script, capture_output=True, text=True, check=True)
    return done.stdout


def _reason(error: OSError | subprocess.CalledProcessError) -> str:
    text = error.stderr if isinstance(error, subprocess.CalledProcessError) else str(error)
    return " ".join(text.split())[:300]

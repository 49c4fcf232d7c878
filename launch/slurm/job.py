"""What a SLURM task runs: the sweep command on its programs, saved and requeued when it must stop.

    python -m launch.slurm.job WORKDIR SUBMISSION TASK -m launch.sweep --config=... --workdir=...

`launch.slurm` writes this command into the script that it gives to sbatch, and SLURM keeps the
script. Of the working directory only the ids of the task's programs are read, as names: who can
write there cannot choose what is executed.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from launch.slurm.status import programs_by_task
from mnist_horizon import cli, files, terminal
from mnist_horizon.errors import InputError, SweepError


@dataclass
class Work:
    """The sweep command of one task, which is ended before a requeue.

    SLURM says that a job must stop by SIGTERM (preemption) or, some time before its limit, by
    SIGUSR2. Either ends the sweep with its state saved; the job is then requeued, and its next
    start resumes from there. A cancelled job is not requeued.

    Attributes:
        command: the sweep command, as arguments of this Python.
        workdir: the sweep's working directory.
        submission: name of the folder in `WORKDIR/slurm` of the array job that this task is of.
        index: number of this task in the array. Its exit code and reason are written to
            `WORKDIR/slurm/SUBMISSION/INDEX.json`, as `{"code": ..., "reason": ...}`.
    """

    command: tuple[str, ...]
    workdir: Path
    submission: str
    index: int
    _process: subprocess.Popen[str] | None = None
    _is_ending: bool = False

    def run(self) -> int:
        """Run the sweep to its end, or requeue this job; returns the exit code of the task."""
        for kind in (signal.SIGTERM, signal.SIGUSR2):
            signal.signal(kind, self._end)
        self._exit_file.unlink(missing_ok=True)
        self._process = subprocess.Popen(
            [sys.executable, *self.command],
            stderr=subprocess.PIPE,
            text=True,
            # SLURM may send it to all processes of a job, and it kills one that has no handler.
            preexec_fn=lambda: signal.signal(signal.SIGUSR2, signal.SIG_IGN),
        )
        if self._is_ending:  # the signal came before there was a process to end
            self._process.terminate()
        last = ""
        for line in self._process.stderr or ():
            sys.stderr.write(line)
            last = line.strip() or last
        code = self._process.wait()
        is_first = int(os.environ.get("SLURM_PROCID", "0")) == 0
        if code in (cli.INTERRUPTED, -signal.SIGTERM):
            if is_first:
                _requeue_unless_cancelled()
            # SLURM may end a whole step when one of its tasks fails, before the first has reported.
            return cli.INTERRUPTED if is_first else cli.DONE
        if is_first:
            text = json.dumps({"code": code, "reason": last})
            with contextlib.suppress(OSError):  # the disk may be full; the log has the same text
                files.write_text(self._exit_file, text)
        return code if code >= 0 else 128 - code  # as a shell says that a signal ended it

    @property
    def _exit_file(self) -> Path:
        return files.inside(self.workdir, "slurm", self.submission, f"{self.index}.json")

    def _end(self, kind: int, frame: FrameType | None) -> None:
        del kind, frame
        self._is_ending = True
        if self._process is not None:
            self._process.terminate()


def main(argv: Sequence[str]) -> int:
    """Run the command; returns its exit code.

    Raises:
        InputError: the working directory does not hold the task's programs.
    """
    folder, submission, index, *command = argv[1:]
    tasks = programs_by_task(files.inside(folder, "slurm", files.check_name(submission)))
    if int(index) >= len(tasks):
        raise SweepError(f"{folder}/slurm/{submission}/tasks.json: there is no task {index}")
    command.append(f"--programs={','.join(tasks[int(index)])}")
    return Work(tuple(command), Path(folder), submission, int(index)).run()


def _requeue_unless_cancelled() -> None:
    """Requeue this job, unless it was cancelled or SLURM requeued it: then it is not running."""
    job = os.environ["SLURM_JOB_ID"]
    if array := os.environ.get("SLURM_ARRAY_JOB_ID"):  # one task's own id is that of the array
        job = f"{array}_{os.environ['SLURM_ARRAY_TASK_ID']}"
    command = ["squeue", "--noheader", f"--jobs={job}", "--format=%T"]
    state = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    if state == "RUNNING":
        subprocess.run(["scontrol", "requeue", job], check=True)


if __name__ == "__main__":
    terminal.keep_streams()
    try:
        sys.exit(main(sys.argv))
    except InputError as error:
        cli.refuse(error)

"""What a SLURM task runs: the sweep command on its programs, saved and requeued when it must stop.

submitit pickles it in `launch.slurm` and starts it on the cluster.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from submitit.helpers import DelayedSubmission

from mnist_horizon import cli, files


@dataclass
class Work:
    """The sweep command as the function that submitit calls, which ends it before a requeue.

    SLURM says that a job must stop by SIGTERM (preemption) or, some time before its limit, by the
    signal that submitit asks for. Either ends the sweep with its state saved; the job is then
    requeued, and its next start resumes from there. A cancelled job is not requeued.

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

    def __call__(self) -> None:
        """Run the sweep to its end.

        Raises:
            RuntimeError: it failed, with its last line; SLURM then marks the job as failed.
            SystemExit: it was interrupted, and this job is requeued unless it was cancelled.
        """
        self._exit_file.unlink(missing_ok=True)
        signal.signal(signal.SIGTERM, self._end)
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
            sys.exit(cli.INTERRUPTED if is_first else cli.DONE)
        if is_first:
            text = json.dumps({"code": code, "reason": last})
            with contextlib.suppress(OSError):  # the disk may be full; the log has the same text
                files.write_text(self._exit_file, text)
        if code != cli.DONE:
            raise RuntimeError(f"exit code {code}: {last}")

    def checkpoint(self) -> DelayedSubmission:
        """End the sweep and return the work to run next, the same; submitit requeues the job."""
        self._end(signal.SIGTERM, None)
        if self._process is not None:
            os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT)
        return DelayedSubmission(Work(self.command, self.workdir, self.submission, self.index))

    @property
    def _exit_file(self) -> Path:
        return files.inside(self.workdir, "slurm", self.submission, f"{self.index}.json")

    def _end(self, kind: int, frame: FrameType | None) -> None:
        del kind, frame
        self._is_ending = True
        if self._process is not None:
            self._process.terminate()


def _requeue_unless_cancelled() -> None:
    """Requeue this job, unless it was cancelled or SLURM requeued it: then it is not running."""
    job = os.environ["SLURM_JOB_ID"]
    command = ["squeue", "--noheader", f"--jobs={job}", "--format=%T"]
    state = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    if state == "RUNNING":
        subprocess.run(["scontrol", "requeue", job], check=True)

"""A newcomer's wait: the imports of each command, then a sweep and its report from nothing.

Each is a process of its own, started as a user starts it. The parts of the sweep and of the report
are told by the times of their files, so that nothing in them is made for this. JAX's compilation
cache is off, as it is empty for a newcomer; the files of the packages are in the system's memory.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mnist_horizon.errors import SweepError

REPEATS = 3


def commands() -> list[str]:
    """The modules of all commands."""
    analysis = ("report", "coverage", "plan", "anchors", "import_csv")
    return [
        "launch.sweep",
        "launch.bench",
        "launch.slurm.__main__",
        *(f"analysis.{name}" for name in analysis),
    ]


def wait(config: str) -> list[dict[str, Any]]:
    """Rows of what a user waits for, and its seconds.

    Args:
        config: of the sweep that is run, as `launch.sweep` takes it.

    Raises:
        SweepError: there is no such file, or a command failed; the message has its last line.
    """
    if not Path(config.partition(":")[0]).is_file():
        raise SweepError(f"--wait: there is no file {config}")
    rows = [_row(f"imports of {name}", import_seconds(name)) for name in commands()]
    with tempfile.TemporaryDirectory() as folder:
        workdir = Path(folder) / "sweep"
        began, ended = timed("-m", "launch.sweep", f"--config={config}", f"--workdir={workdir}")
        rows += sweep_rows(workdir, began, ended)
        began, ended = timed("-m", "analysis.report", str(workdir))
        rows += report_rows(workdir / "report", began, ended)
    return rows


def import_seconds(module: str, repeats: int = REPEATS) -> float:
    """Seconds of a Python that imports a module and ends, the least of some repeats.

    Raises:
        SweepError: it cannot be imported.
    """
    times = [timed("-c", f"import {module}") for _ in range(repeats)]
    return min(ended - began for began, ended in times)


def timed(*arguments: str) -> tuple[float, float]:
    """Run a Python; the times of its start and its end, in seconds since the epoch.

    Raises:
        SweepError: it failed.
    """
    began = time.time()
    done = subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "JAX_ENABLE_COMPILATION_CACHE": "false"},
    )
    if done.returncode != 0:
        last = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
        raise SweepError(f"python {' '.join(arguments)}: {last[0]}")
    return began, time.time()


def sweep_rows(workdir: Path, began: float, ended: float) -> list[dict[str, Any]]:
    """The parts of a sweep: until its first update is done, and all else."""
    with (workdir / "progress.jsonl").open() as lines:
        first = json.loads(next(lines))["time"]
    return _parts("launch.sweep", [began, first, ended], ["to the first update", "after it"])


def report_rows(out: Path, began: float, ended: float) -> list[dict[str, Any]]:
    """The parts of a report: until its fits are written, its figures, and its page."""
    fitted = (out / "fits.json").stat().st_mtime
    drawn = max([fitted, *(path.stat().st_mtime for path in (out / "figures").glob("*"))])
    names = ["imports, reading, laws", "figures", "page"]
    return _parts("analysis.report", [began, fitted, drawn, ended], names)


def _parts(command: str, times: Sequence[float], names: Sequence[str]) -> list[dict[str, Any]]:
    """A row for each interval between times, and one for all."""
    rows = [
        _row(f"{command}: {name}", end - begin)
        for name, begin, end in zip(names, times[:-1], times[1:], strict=True)
    ]
    return [*rows, _row(command, times[-1] - times[0])]


def _row(what: str, seconds: float) -> dict[str, Any]:
    return {"what": what, "seconds": seconds}

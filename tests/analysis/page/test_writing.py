"""The order in which a report is written, and the processes that write it."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from analysis import report
from analysis.figures import theme
from analysis.stats.processes import cores
from tests.analysis.report_sweeps import SMALL, sweep_frame, write_sweep

IN_PROCESSES = """
import os, signal, sys
from pathlib import Path
from analysis import report
from analysis.stats.processes import can_fork
assert can_fork()
"""

needs_fork = pytest.mark.skipif(
    sys.platform != "linux" or cores() < 2, reason="needs Linux and two cores"
)


def in_processes(code: str, *arguments: Path) -> str:
    """What code prints on stderr in a process without JAX, which may fork."""
    command = [sys.executable, "-c", IN_PROCESSES + code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300).stderr


def names(folder: Path) -> list[str]:
    """The files and folders in a folder."""
    return sorted(path.name for path in folder.iterdir())


def test_the_fits_are_written_before_any_figure(tmp_path, monkeypatch):
    workdir = write_sweep(tmp_path / "sweep", sweep_frame(SMALL))

    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(theme, "save", stop)
    with pytest.raises(KeyboardInterrupt):
        report.write_report([workdir], tmp_path / "out")
    assert names(tmp_path / "out") == ["fits.json"]


@needs_fork
def test_a_process_that_is_killed_leaves_the_fits(tmp_path):
    workdir = write_sweep(tmp_path / "sweep", sweep_frame(SMALL))
    code = """
from analysis.figures import theme
theme.save = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
report.write_report([Path(sys.argv[1])], Path(sys.argv[2]))
"""
    said = in_processes(code, workdir, tmp_path / "out")
    assert said.endswith("ProcessError: a process ended with exit code -9\n")
    assert names(tmp_path / "out") == ["fits.json"]


@needs_fork
@pytest.mark.slow
def test_processes_write_the_same_bytes_as_one_process(tmp_path):
    workdir = write_sweep(tmp_path / "sweep", sweep_frame(SMALL))
    write = "report.write_report([Path(sys.argv[1])], Path(sys.argv[2]))"
    assert in_processes(write, workdir, tmp_path / "several") == ""
    report.write_report([workdir], tmp_path / "one")  # JAX is imported here: no fork
    several = sorted((tmp_path / "several").rglob("*.*"))
    assert len(several) > 10
    for path in several:
        other = tmp_path / "one" / path.relative_to(tmp_path / "several")
        assert path.read_bytes() == other.read_bytes(), path.name


@pytest.mark.slow
def test_a_report_needs_no_utf8_locale_and_no_backend_of_matplotlib(tmp_path):
    frame = sweep_frame(SMALL)
    workdir = write_sweep(tmp_path / "sweep", frame.assign(task="数字"))
    environment = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = subprocess.run(
        [sys.executable, "-m", "analysis.report", str(workdir), "--verbose"],
        env={**os.environ, **environment, "MPLBACKEND": "module://of_a_notebook"},
        capture_output=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert "数字" in (workdir / "report" / "report.html").read_text(encoding="utf-8")

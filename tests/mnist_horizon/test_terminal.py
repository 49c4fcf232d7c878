"""A stream that cannot be written is no error, and its loss is noted once."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mnist_horizon import terminal

CHECKOUT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def problems(monkeypatch: pytest.MonkeyPatch) -> terminal.Problems:
    """Those of a process that has noted nothing."""
    fresh = terminal.Problems()
    monkeypatch.setattr(terminal, "problems", fresh)
    return fresh


def full() -> terminal.Tolerant:
    """A line-buffered stream on a full disk."""
    return terminal.tolerant(Path("/dev/full").open("w", buffering=1), terminal.problems.lost)


def test_a_lost_stream_is_noted_once_when_there_is_a_folder(
    tmp_path: Path, problems: terminal.Problems
) -> None:
    stream, log = full(), tmp_path / terminal.PROBLEMS
    print("before there is a folder", file=stream)
    problems.folder = tmp_path / "later"
    print("before it exists", file=stream)
    assert not list(tmp_path.iterdir())
    problems.folder = tmp_path
    for _ in range(3):
        print("a line", file=stream, flush=True)
    (line,) = log.read_text().splitlines()
    assert "stderr cannot be written (No space left on device): the work goes on" in line
    assert f"process {os.getpid()}" in line


def test_notes_are_added_to_those_of_others_and_never_through_a_link(
    tmp_path: Path, problems: terminal.Problems
) -> None:
    problems.folder = tmp_path
    log = tmp_path / terminal.PROBLEMS
    assert problems.note("one\n  two\n") == log
    assert problems.note("three") == log
    first, second, third = log.read_text().splitlines()
    assert first.endswith(": one")
    assert second == "  two"
    assert third.endswith(": three")
    log.unlink()
    (tmp_path / "mine").write_text("precious")
    log.symlink_to("mine")
    assert problems.note("four") is None
    log.unlink()
    log.mkdir()
    assert problems.note("five") is None
    assert (tmp_path / "mine").read_text() == "precious"


def test_a_stream_is_wrapped_once_and_keeps_its_methods(tmp_path: Path) -> None:
    with (tmp_path / "out").open("w") as file:
        stream = terminal.tolerant(file)
        assert terminal.tolerant(stream) is stream
        print("text", file=stream, flush=True)
        assert stream.fileno() == file.fileno()
        assert not stream.isatty()
        assert stream.error is None
    assert (tmp_path / "out").read_text() == "text\n"
    print("nowhere", file=terminal.tolerant(None))


def test_a_closed_stream_gives_its_number_to_no_other_file(tmp_path: Path) -> None:
    """What a library prints to stderr would else be written into the first file opened."""
    code = (
        "import os, sys\n"
        "from mnist_horizon import terminal\n"
        "terminal.keep_streams()\n"
        "print('lost', file=sys.stderr, flush=True)\n"
        "file = open(sys.argv[1], 'w')\n"
        "os.write(1, b'lost')\n"
        "os.write(2, b'lost')\n"
        "file.write('results')\n"
    )
    command = 'exec "$0" -c "$1" "$2" <&- >&- 2>&-'
    arguments = [sys.executable, code, str(tmp_path / "table")]
    done = subprocess.run(["sh", "-c", command, *arguments], cwd=CHECKOUT)
    assert done.returncode == 0
    assert (tmp_path / "table").read_text() == "results"

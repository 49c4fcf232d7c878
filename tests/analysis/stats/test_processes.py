"""Work in other processes: done once, errors and deaths are said, and none is left behind."""

import subprocess
import sys

import pytest

from analysis.stats import processes
from analysis.stats.processes import side_by_side

HEAD = """
import multiprocessing, os, pathlib, signal, sys, time
from analysis.stats.processes import ProcessError, can_fork, cores, side_by_side
folder = pathlib.Path(sys.argv[1])
assert can_fork(), "the test looks at nothing"
"""

needs_fork = pytest.mark.skipif(
    sys.platform != "linux" or processes.cores() < 2, reason="needs Linux and two cores"
)


def run(code: str, folder: object) -> str:
    """What code prints in a process without JAX, which this one has imported."""
    command = [sys.executable, "-c", HEAD + code, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


@needs_fork
def test_jobs_are_done_once_each_by_several_processes(tmp_path):
    run(
        """
def job(number):
    (folder / f"{number}-{os.getpid()}").touch(exist_ok=False)
    time.sleep(0.05)
    return number**2

jobs = [lambda number=number: job(number) for number in range(12)]
with side_by_side(jobs) as results:
    assert sorted(results) == [(number, number**2) for number in range(12)]
assert not multiprocessing.active_children()
(folder / f"parent-{os.getpid()}").touch()
""",
        tmp_path,
    )
    names = [path.name.split("-") for path in tmp_path.iterdir()]
    assert sorted(name for name, _ in names) == sorted([*map(str, range(12)), "parent"])
    assert len({process for _, process in names}) == processes.cores() + 1


@needs_fork
def test_an_error_is_raised_here_and_stops_the_others(tmp_path):
    text = run(
        """
def fail():
    raise OSError(28, "No space left on device", "figure.png")

started = time.monotonic()
try:
    with side_by_side([fail, *(lambda: time.sleep(50) for _ in range(5))]) as results:
        list(results)
except OSError as error:
    print(error.errno, error.filename, "in fail" in error.__notes__[0])
assert time.monotonic() - started < 20
assert not multiprocessing.active_children()
""",
        tmp_path,
    )
    assert text == "28 figure.png True\n"


@needs_fork
def test_an_error_that_cannot_be_sent_is_said_in_words(tmp_path):
    text = run(
        """
class Odd(Exception):
    def __init__(self, one, two):
        super().__init__(f"{one} and {two}")

def fail():
    raise Odd("this", "that")

with side_by_side([fail, fail]) as results:
    try:
        list(results)
    except ProcessError as error:
        print(error)
""",
        tmp_path,
    )
    assert text == "Odd: this and that\n"


@needs_fork
def test_a_process_that_is_killed_is_said(tmp_path):
    text = run(
        """
die = lambda: os.kill(os.getpid(), signal.SIGKILL)
with side_by_side([die, die, die]) as results:
    try:
        list(results)
    except ProcessError as error:
        print(error)
""",
        tmp_path,
    )
    assert text == "a process ended with exit code -9\n"


@needs_fork
def test_jobs_go_on_while_the_block_does_something_else_and_end_with_it(tmp_path):
    run(
        """
started = time.monotonic()
try:
    with side_by_side([(folder / "begun").touch, lambda: time.sleep(100)]):
        while not (folder / "begun").exists():
            assert time.monotonic() - started < 20
        raise ValueError("nobody waits")
except ValueError:
    pass
assert time.monotonic() - started < 20
assert not multiprocessing.active_children()
""",
        tmp_path,
    )


def test_where_jax_runs_all_is_done_here_in_order():
    assert "jax" in sys.modules
    done = []
    jobs = [lambda number=number: done.append(number) for number in range(4)]
    with side_by_side(jobs) as results:
        assert [number for number, _ in results] == done == [0, 1, 2, 3]

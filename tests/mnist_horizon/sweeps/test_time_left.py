"""The estimate of the time left, on sweeps whose times are known, by a clock that tests move."""

import time
from collections.abc import Iterator

import pytest

from mnist_horizon.devices.memory import ProgramMemory
from mnist_horizon.sweeps import plan
from mnist_horizon.sweeps.plan import Program
from mnist_horizon.sweeps.spec import SweepSpec
from mnist_horizon.sweeps.time_left import TimeLeft
from tests.mnist_horizon.small_sweeps import tiny

COST = {8: 1.0, 32: 2.0, 128: 6.0}
UPDATE = {8: 0.0025, 32: 0.004, 128: 0.009}
"""Seconds, as on the quickstart: not in proportion to the costs."""
EVALUATION = {8: 0.03, 32: 0.04, 128: 0.08}
COMPILE, FIRST, FILES = 7.0, 0.5, 0.3

SPEC = tiny(widths=(8, 32, 128), budget=800 * 64, evaluations=40, seeds=4)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that stands still until a test moves it."""
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def programs(spec: SweepSpec = SPEC, runs: int = 8) -> list[Program]:
    needs = {width: ProgramMemory(spec.max_program_bytes // runs, 0) for width in spec.widths}
    return plan.plan(spec, (), needs)


def simulated(
    left: TimeLeft, todo: list[Program], clock: list[float], spec: SweepSpec = SPEC
) -> Iterator[tuple[str, float, float | None]]:
    """Run programs on the clock; yields what happened, the time, and the estimate."""
    compiled: set[object] = set()
    for program in todo:
        left.start(program, 0, 1.0)
        yield "start", clock[0], left.seconds
        shape = (program.width, len(program.runs))
        clock[0] += FIRST + COMPILE * (shape not in compiled)
        compiled.add(shape)
        update, chunk = 0, 1
        for mark in spec.evaluation_updates(program.width):
            while update < mark:
                count = min(chunk, mark - update)
                update += count
                chunk = min(2 * chunk, 256) if count == chunk else chunk
                seconds = 0.002 + count * UPDATE[program.width]
                evaluating = EVALUATION[program.width] * (update == mark)
                clock[0] += seconds + evaluating
                left.advance(program, count, seconds, evaluating)
                yield "advance", clock[0], left.seconds
        clock[0] += FILES
        left.finish(program)
        yield "finish", clock[0], left.seconds


@pytest.mark.parametrize("runs", [8, 4], ids=["a program a width", "two programs a width"])
def test_it_is_within_a_factor_of_two_from_the_first_estimate_on(
    runs: int, clock: list[float]
) -> None:
    todo = programs(runs=runs)
    assert len(todo) == 3 * 8 // runs
    told = list(simulated(TimeLeft(SPEC, todo, COST), todo, clock))
    end = told[-1][1]
    assert [estimate is None for _, _, estimate in told[:3]] == [True, True, False]
    assert told[-1][2] == pytest.approx(0, abs=1e-6)
    for what, now, estimate in told[2:]:
        if end - now > 0.5:
            assert estimate is not None
            assert 0.5 < estimate / (end - now) < 2, (what, now)


def test_what_is_skipped_or_ends_early_leaves_no_time(clock: list[float]) -> None:
    first, *others = programs()
    left = TimeLeft(SPEC, [first, *others], COST)
    for program in others:
        left.skip(program)
    left.start(first, 200, 1.0)
    clock[0] += COMPILE
    left.advance(first, 1, 0.5, 0.5)
    clock[0] += 0.2
    left.advance(first, 9, 0.2, 0.0)
    marks = [mark for mark in SPEC.evaluation_updates(8) if mark > 210]
    assert len(marks) > 2
    assert left.seconds == pytest.approx(590 * 0.2 / 9)
    left.advance(first, marks[0] - 210, 0.2, 0.3)
    rest = (800 - marks[0]) * 0.4 / (marks[0] - 201)
    assert left.seconds == pytest.approx(rest + (len(marks) - 1) * 0.3)
    left.finish(first)
    assert left.seconds == pytest.approx(0)


def test_the_time_of_a_share_of_the_devices_counts_in_proportion(clock: list[float]) -> None:
    spec = tiny(widths=(8, 32), budget=100 * 64)
    first, second = programs(spec)
    left = TimeLeft(spec, [first, second], {8: 1.0, 32: 1.0})
    for program in (first, second):
        left.start(program, 0, 0.5)
    clock[0] += 4
    for program in (first, second):
        left.advance(program, 1, 0.1, 0.0)
        left.advance(program, 9, 9.0, 0.0)
    # Each has 90 updates left, of a second on half of the devices.
    assert left.seconds == pytest.approx(90)

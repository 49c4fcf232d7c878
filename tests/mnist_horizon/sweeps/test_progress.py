"""Progress counts the work, knows what is left, and writes whole lines."""

import itertools
import json
import logging
import time
from pathlib import Path

import pytest

from mnist_horizon.devices.memory import ProgramMemory
from mnist_horizon.sweeps import plan
from mnist_horizon.sweeps.plan import Program
from mnist_horizon.sweeps.progress import Progress
from tests.mnist_horizon.small_sweeps import tiny

SPEC = tiny(widths=(4, 8))
COST = {4: 1.0, 8: 3.0}
RUNS, BATCH = 4, 64


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that stands still until a test moves it."""
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def programs() -> list[Program]:
    return plan.plan(SPEC, (), {4: ProgramMemory(1, 1), 8: ProgramMemory(1, 1)})


def row(update: int, value: float) -> dict[str, float]:
    return {"updates": update, "return_mean": value}


def test_the_time_left_leaves_compilation_out_of_the_speed(
    tmp_path: Path, clock: list[float]
) -> None:
    first, second = programs()
    with Progress(tmp_path, SPEC, [first, second], COST) as progress:
        progress.start(first, 0)
        clock[0] += 30  # to compile
        clock[0] += 5
        progress.advance(first, 10, 5.0, [])
        assert progress.interactions_per_second == RUNS * BATCH * 10 / 5
        # 10 updates of cost 1 and 20 of cost 3 at 2 updates a second, and 30 s to compile again.
        assert progress.seconds_left == pytest.approx(5 + 30 + 30)
        clock[0] += 5
        progress.advance(first, 10, 5.0, [])
        progress.finish(first)
        progress.start(second, 0)
        assert progress.seconds_left == pytest.approx(30)


def test_a_program_that_ends_early_or_was_done_leaves_no_work(
    tmp_path: Path, clock: list[float]
) -> None:
    first, second = programs()
    with Progress(tmp_path, SPEC, [first, second], COST) as progress:
        progress.skip(second)
        progress.start(first, 4)
        clock[0] += 1
        progress.advance(first, 1, 1.0, [])
        assert progress.seconds_left == pytest.approx(15)
        progress.finish(first)
        assert progress.seconds_left == 0


def test_every_evaluation_is_a_line_of_json(tmp_path: Path, clock: list[float]) -> None:
    first, second = programs()
    for _ in range(2):
        with Progress(tmp_path, SPEC, [first, second], COST) as progress:
            progress.start(first, 0)
            clock[0] += 2
            progress.advance(first, 1, 2.0, [row(1, 0.25), row(1, 0.75)])
            progress.advance(first, 1, 2.0, [row(1, 0.25), row(1, 0.75)])
        with (tmp_path / "progress.jsonl").open("a") as file:
            file.write('{"time": 17')  # a disk that was full
    lines = (tmp_path / "progress.jsonl").read_text().split("\n")[:-1]
    entries = [json.loads(line) for line in lines]
    assert len(entries) == 2
    assert entries[0]["return_mean"] == 0.5
    assert entries[0]["interactions"] == RUNS * BATCH
    assert entries[0]["of"] == 2 * RUNS * BATCH * SPEC.updates(4)
    assert entries[0]["interactions_per_second"] == RUNS * BATCH / 2
    assert entries[0]["share"] == 1.0


def test_lines_of_several_processes_stay_whole(tmp_path: Path, clock: list[float]) -> None:
    first, second = programs()
    with (
        Progress(tmp_path, SPEC, [first, second], COST) as one,
        Progress(tmp_path, SPEC, [first, second], COST) as other,
    ):
        one.start(first, 0)
        other.start(second, 0)
        for update in range(1, 4):
            for progress, program in ((one, first), (other, second)):
                progress.advance(program, 1, 1.0, [row(update, 0.5)])
    entries = [json.loads(line) for line in (tmp_path / "progress.jsonl").read_text().splitlines()]
    names = [entry["program_id"] for entry in entries]
    assert names == 3 * [first.program_id, second.program_id]


def test_lines_come_every_ten_seconds_and_then_every_minute(
    tmp_path: Path, clock: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    first, second = programs()
    with caplog.at_level(logging.INFO), Progress(tmp_path, SPEC, [first, second], COST) as progress:
        progress.start(first, 0)
        times = []
        for _ in range(2000):
            clock[0] += 1.0
            count = len(caplog.records)
            progress.advance(first, 0, 1.0, [row(1, 0.5)])
            times += [clock[0] - 1000] * (len(caplog.records) - count)
    gaps = [b - a for a, b in itertools.pairwise(times)]
    assert times[0] == 10
    assert min(gaps) == 10
    assert max(gaps) == 60
    message = caplog.records[0].getMessage()
    for part in (first.program_id, "interactions/s", "left", "mean return 0.500"):
        assert part in message

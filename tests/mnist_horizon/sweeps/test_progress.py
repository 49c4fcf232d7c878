"""Progress counts the work, knows what is left, and writes whole lines."""

import contextlib
import itertools
import json
import logging
import os
import sys
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


def test_compiling_is_said_at_once_and_a_time_when_there_is_an_estimate(
    tmp_path: Path, clock: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    first, second = programs()
    with caplog.at_level(logging.INFO), Progress(tmp_path, SPEC, [first, second], COST) as progress:
        progress.start(first, 0)
        assert caplog.messages == [f"0% of the sweep: {first.program_id}, compiling"]
        clock[0] += 30
        progress.advance(first, 1, 1.0, [row(1, 0.5)])
        assert progress.seconds_left is None
        assert "left" not in caplog.messages[-1]
        clock[0] += 10
        progress.advance(first, 9, 9.0, [row(10, 0.5)], evaluating=0.0)
        assert progress.interactions_per_second == RUNS * BATCH * 10 / 10
        # 10 updates of cost 1 and 20 of cost 3 at 1 update a second, and 30 s to compile again.
        assert progress.seconds_left == pytest.approx(10 + 60 + 30)
        assert ", 1:40 left, mean return 0.500" in caplog.messages[-1]
        progress.finish(first)
        clock[0] += 60
        progress.start(second, 0)
        assert caplog.messages[-1].endswith(f"{second.program_id}, compiling, 1:30 left")


def test_a_sweep_that_is_complete_ends_with_100_percent_and_its_time(
    tmp_path: Path, clock: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    first, second = programs()
    with caplog.at_level(logging.INFO):
        for skipped in ((second,), ()):
            with Progress(tmp_path, SPEC, [first, second], COST) as progress:
                for program in skipped:
                    progress.skip(program)
                progress.start(first, 4)
                clock[0] += 65
                progress.advance(first, 1, 1.0, [])
                progress.finish(first)
        with contextlib.suppress(KeyError), Progress(tmp_path, SPEC, [first], COST) as progress:
            progress.skip(first)
            raise KeyError
    ends = [message for message in caplog.messages if "100%" in message]
    assert ends == ["100% of the sweep, in 1:05"]


def test_a_bar_on_a_stream_that_is_lost_is_no_error(
    tmp_path: Path, clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = programs()
    lost = os.fdopen(os.open("/dev/full", os.O_WRONLY), "w", 1)
    for stream in (lost, None):
        monkeypatch.setattr(sys, "stderr", stream)
        with Progress(tmp_path, SPEC, [first, second], COST, bar=True) as progress:
            progress.start(first, 0)
            clock[0] += 10
            progress.advance(first, 10, 5.0, [row(10, 0.5)])
            progress.finish(first)
    assert len((tmp_path / "progress.jsonl").read_text().splitlines()) == 2
    monkeypatch.undo()


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
    message = caplog.messages[1]
    for part in (first.program_id, "interactions/s", "mean return 0.500"):
        assert part in message

"""Two real processes that work on one sweep together, joined over 127.0.0.1 by gloo."""

import json
import os
import signal
import socket
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from mnist_horizon import cli, results
from tests.launch import commands
from tests.launch.test_sweep import LONGER, SMOKE, TINY, is_checkpointed, wait_until
from tests.mnist_horizon.small_sweeps import outputs, records

pytestmark = pytest.mark.slow

MINUTES = 600.0


def with_devices(count: int) -> dict[str, str]:
    return {"XLA_FLAGS": f"--xla_force_host_platform_device_count={count}"}


def start_pair(folder: Path, *arguments: str, count: int = 1) -> list[commands.Command]:
    """Two processes of so many devices each."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    joined = (*arguments, f"--coordinator=127.0.0.1:{port}", "--num_processes=2")
    return [
        commands.start(
            folder / f"io{i}", *joined, f"--process_id={i}", environment=with_devices(count)
        )
        for i in range(2)
    ]


def ended(pair: Sequence[commands.Command]) -> list[int]:
    return [command.wait(MINUTES) for command in pair]


def run_alone(folder: Path, count: int, *arguments: str) -> Path:
    """The working directory of one process with this many devices."""
    workdir = folder / f"alone{count}"
    command = commands.start(
        folder / f"io{count}",
        *(*arguments, f"--workdir={workdir}"),
        environment=with_devices(count),
    )
    assert command.wait(MINUTES) == cli.DONE, command.err
    return workdir


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny sweep by one process with two devices."""
    return run_alone(tmp_path_factory.mktemp("hosts"), 2, *TINY)


def test_two_processes_equal_one_with_as_many_devices(alone: Path, tmp_path: Path) -> None:
    """The cut is the same, so every byte is; each run is written once."""
    workdir = tmp_path / "w"
    pair = start_pair(tmp_path, *TINY, f"--workdir={workdir}")
    assert ended(pair) == [cli.DONE] * 2, [command.err for command in pair]
    assert outputs(workdir) == outputs(alone)
    ours, theirs = records(workdir), records(alone)
    assert {k: v["cut"] for k, v in ours.items()} == {k: v["cut"] for k, v in theirs.items()}
    marks = [json.loads(line)["update"] for line in (workdir / "progress.jsonl").open()]
    assert marks == sorted(set(marks)), "progress was written twice"
    assert "results in" in pair[0].err
    said = [line for line in pair[1].err.splitlines() if "Gloo" not in line]
    assert said == [], "only the first process speaks"


@pytest.mark.parametrize(
    "axes",
    [
        ("--config.seeds=3", "--config.horizons=(7.0,)"),
        ("--config.seeds=1", "--config.horizons=(3.0,)"),
    ],
)
def test_runs_that_do_not_fill_the_devices_equal_one_device(
    axes: tuple[str, str], tmp_path: Path
) -> None:
    """Three runs and one run on two processes: the first updates agree to 1e-5, relative.

    After those, sampling makes any difference of rounding grow; the mean return stays near.
    """
    workdir = tmp_path / "w"
    pair = start_pair(tmp_path, *TINY, *axes, f"--workdir={workdir}")
    assert ended(pair) == [cli.DONE] * 2, [command.err for command in pair]
    ours = results.read_results(workdir).frame
    theirs = results.read_results(run_alone(tmp_path, 1, *TINY, *axes)).frame
    assert list(ours["run_id"]) == list(theirs["run_id"])
    first = ours["interactions"] == ours["interactions"].min()
    for name in results.MEASURED_COLUMNS:
        np.testing.assert_allclose(ours[first][name], theirs[first][name], rtol=1e-5, atol=1e-6)
    last = ours["interactions"] == ours["interactions"].max()
    np.testing.assert_allclose(
        ours[last]["return_mean"].mean(), theirs[last]["return_mean"].mean(), atol=0.05
    )


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGKILL])
def test_when_one_process_is_stopped_all_stop_and_go_on(
    sign: signal.Signals, tmp_path: Path
) -> None:
    """SIGTERM to either ends both with code 3; a process that dies takes the other with it."""
    alone = run_alone(tmp_path, 2, *LONGER)
    arguments = (*LONGER, f"--workdir={tmp_path / 'w'}", "--checkpoint_seconds=0")
    pair = start_pair(tmp_path, *arguments)
    wait_until(lambda: is_checkpointed(tmp_path / "w"), MINUTES)
    os.kill(pair[1].process.pid or 0, sign)
    codes = ended(pair)
    if sign == signal.SIGTERM:
        assert codes == [cli.INTERRUPTED] * 2, [command.err for command in pair]
        assert pair[0].err.splitlines()[-1].startswith("interrupted: all is saved")
    else:
        assert cli.DONE not in codes
    assert outputs(tmp_path / "w") != outputs(alone)
    again = start_pair(tmp_path / "again", *arguments)
    assert ended(again) == [cli.DONE] * 2, [command.err for command in again]
    assert "continues at update" in again[0].err
    assert outputs(tmp_path / "w") == outputs(alone)


SIDE_BY_SIDE = (
    SMOKE,
    "--config.schedules=('dense',)",
    "--config.widths=(2,3,4,6)",
    "--config.seeds=2",
    "--config.horizons=(3.0,)",
    "--config.budget=12800",
    "--config.evaluations=100",
)
"""Four programs of two runs: on four devices they are two at a time, each on two devices."""


def test_two_processes_share_lanes_as_one_with_as_many_devices_does(tmp_path: Path) -> None:
    """Each lane has a device of both; stopped in the middle, all of it goes on; every byte is."""
    alone = run_alone(tmp_path, 4, *SIDE_BY_SIDE)
    arguments = (*SIDE_BY_SIDE, f"--workdir={tmp_path / 'w'}", "--checkpoint_seconds=0")
    pair = start_pair(tmp_path, *arguments, count=2)
    wait_until(lambda: is_checkpointed(tmp_path / "w"), MINUTES)
    os.kill(pair[1].process.pid or 0, signal.SIGTERM)
    assert ended(pair) == [cli.INTERRUPTED] * 2, [command.err for command in pair]
    assert "up to 2 programs side by side, each on 2 devices" in pair[0].err
    again = start_pair(tmp_path / "again", *arguments, count=2)
    assert ended(again) == [cli.DONE] * 2, [command.err for command in again]
    assert "continues at update" in again[0].err
    assert outputs(tmp_path / "w") == outputs(alone)
    for workdir in (tmp_path / "w", alone):
        cuts = [record["cut"] for record in records(workdir).values()]
        assert cuts == [{"groups": 2, "runs_per_group": 1, "devices": 2}] * 4


def test_what_one_process_refuses_ends_both(alone: Path, tmp_path: Path) -> None:
    before = outputs(alone)
    pair = start_pair(tmp_path, *TINY, "--config.baseline=none", f"--workdir={alone}")
    assert ended(pair) == [cli.BAD_INPUT] * 2, [command.err for command in pair]
    for command in pair:
        line = command.err.splitlines()[-1]
        assert "baseline: 'expected_reward' -> 'none'" in line
        assert "Traceback" not in command.err
    assert outputs(alone) == before

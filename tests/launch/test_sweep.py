"""The command `python -m launch.sweep` as processes: what it prints, and what ends it."""

import contextlib
import fcntl
import json
import os
import pty
import random
import re
import shutil
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from launch.forecast import forecast
from mnist_horizon import cli, devices, results, tasks
from mnist_horizon.devices import memory
from mnist_horizon.networks import backward_flops, forward_flops
from mnist_horizon.sweeps import plan
from tests.launch import commands
from tests.mnist_horizon.series import check_equal, points
from tests.mnist_horizon.small_sweeps import outputs, records, tiny

SMOKE = "--config=launch/configs/smoke.py"
TINY = (
    SMOKE,
    "--config.widths=(4,)",
    "--config.schedules=('dense',)",
    "--config.budget=1280",
    "--config.evaluations=4",
)
"""`tiny()` as a command line."""
LONGER = (*TINY, "--config.budget=25600", "--config.evaluations=150")
"""Seconds, and a checkpoint at each of many evaluations where `--checkpoint_seconds=0`."""
ENDLESS = (*TINY, "--config.budget=640000000")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The working directory of a tiny sweep that nothing interrupted."""
    folder = tmp_path_factory.mktemp("finished")
    command = commands.run(folder / "io", *TINY, f"--workdir={folder / 'w'}")
    assert command.wait() == cli.DONE, command.err
    assert "0% of the sweep: " in command.err
    assert ", compiling\n" in command.err
    *_, complete, results_in, following = command.err.splitlines()
    assert re.fullmatch(r"100% of the sweep, in \d:\d\d", complete)
    assert results_in.startswith(f"results in {folder}/w/results; peak memory")
    assert following == f"next: python -m analysis.report {folder}/w"
    return folder / "w"


def test_a_second_call_says_that_all_is_done(finished: Path, tmp_path: Path) -> None:
    before = outputs(finished)
    command = commands.run(tmp_path, *TINY, f"--workdir={finished}")
    assert command.wait() == cli.DONE, command.err
    assert "4 runs in 1 programs; 4 runs are done already" in command.err
    assert outputs(finished) == before


def test_a_results_folder_from_elsewhere_goes_on(finished: Path, tmp_path: Path) -> None:
    moved = shutil.copytree(finished, tmp_path / "from another machine")
    command = commands.run(
        tmp_path, *TINY, "--config.horizons=(1.0,3.0,7.0,15.0)", f"--workdir={moved}"
    )
    assert command.wait() == cli.DONE, command.err
    assert results.read_results(moved).frame["run_id"].nunique() == 8
    assert outputs(finished).items() <= outputs(moved).items()


def test_a_dry_run_of_what_is_done_says_so(finished: Path, tmp_path: Path) -> None:
    command = commands.run(tmp_path, *TINY, f"--workdir={finished}", "--dry_run")
    assert command.wait() == cli.DONE, command.err
    assert command.out == f"done: all 4 runs; next: python -m analysis.report {finished}\n"


def test_a_sweep_goes_on_without_its_log(finished: Path, tmp_path: Path) -> None:
    workdir = tmp_path / "w"
    command = commands.start(tmp_path, *TINY, f"--workdir={workdir}", stderr="/dev/full")
    assert command.wait() == cli.DONE
    assert outputs(workdir) == outputs(finished)
    (line,) = (workdir / "problems.log").read_text().splitlines()
    assert "stderr cannot be written (No space left on device)" in line


DEFECT = """
import optax
from launch.configs import smoke
from mnist_horizon.optimizers import register

@register("defect")
def defect():
    def update(updates, state, params=None):
        raise RuntimeError("nobody foresaw this")
    return optax.GradientTransformation(optax.identity().init, update)

def get_config():
    config = smoke.get_config()
    config.optimizer.name = "defect"
    return config
"""


def test_an_unexpected_error_is_told_from_diverged_runs(tmp_path: Path) -> None:
    (tmp_path / "defect.py").write_text(DEFECT)
    workdir = tmp_path / "w"
    flags = (f"--config={tmp_path}/defect.py", "--config.widths=(4,)", f"--workdir={workdir}")
    command = commands.run(tmp_path, *flags)
    assert command.wait() == cli.UNEXPECTED, command.err
    log = workdir / "problems.log"
    said = f"RuntimeError: nobody foresaw this: its traceback is in {log}: please report it"
    assert command.err.splitlines()[-1] == f"error: unexpected {said}"
    assert "Traceback" not in command.err
    assert "defect.py" in log.read_text()


def test_another_sweep_is_refused(finished: Path, tmp_path: Path) -> None:
    command = commands.run(tmp_path, *TINY, "--config.baseline=none", f"--workdir={finished}")
    assert command.wait() == cli.BAD_INPUT
    (line,) = command.err.splitlines()
    assert "baseline: 'expected_reward' -> 'none'" in line


def test_a_dry_run_says_how_much_is_kept_along_training(tmp_path: Path) -> None:
    kept = ["--config.policies_every=1", "--config.widths=(4,1000)"]
    command = commands.run(tmp_path, SMOKE, f"--workdir={tmp_path / 'w'}", "--dry_run", *kept)
    assert command.wait() == cli.DONE, command.err
    floats = 8 * 7 * (64 * 1004 + 10 * 1004 + 1004 + 20)  # runs, marks, parameters
    assert f"policies kept along training: {4 * floats / 1e6:,.0f} MB" in command.out


def test_a_dry_run_prints_the_cost_of_a_million_runs_and_writes_nothing(tmp_path: Path) -> None:
    workdir = tmp_path / "w"
    million = "--config.seeds=125_000"
    command = commands.run(tmp_path, SMOKE, million, f"--workdir={workdir}", "--dry_run")
    assert command.wait() == cli.DONE, command.err
    assert not workdir.exists()
    header, *rows = command.out.splitlines()
    assert header.split() == [
        "program",
        "runs",
        "interactions",
        "PFLOP",
        "memory",
        "devices",
        "expected",
        "time",
    ]
    cells = [re.split(r"\s{2,}", row.strip()) for row in rows[:10]]
    runs, interactions = ([int(row[i].replace(",", "")) for row in cells] for i in (1, 2))
    assert sum(runs[:-1]) == runs[-1] == 1_000_000, "nine programs, and all of them"
    assert interactions == [2560 * count for count in runs]
    flops = 1_280_000_000 * sum(map(_flops, (4, 8))) / 1e15
    assert float(cells[-1][3]) == pytest.approx(flops, rel=1e-3)
    assert all(row[4].endswith("MB") and re.fullmatch(r"[\d.]+ (min|h)", row[6]) for row in cells)
    assert "each run: 40 updates of 64 = 2560 interactions (budget 2560)" in command.out
    (peak,) = re.findall(r"peak memory of this process so far: ([\d,]+) MB", command.out)
    assert int(peak.replace(",", "")) < 2**30 / 1e6


def _flops(width: int) -> int:
    network = tiny().network_spec(width)
    return forward_flops(network, 10, (8, 8)) + backward_flops(network, 10, (8, 8))


def test_a_forecast_is_of_what_is_missing(finished: Path) -> None:
    task = tasks.load("digits", {})
    assert forecast(tiny(), finished, task, speed=1e11)[0] == []
    spec = tiny(seeds=3, widths=(4, 8))
    costs, _ = forecast(spec, finished, task, speed=1e11)
    assert [(c.program.width, len(c.program.runs)) for c in costs] == [(4, 2), (8, 6)]
    for cost in costs:
        width, runs = cost.program.width, cost.program.runs
        interactions = len(runs) * spec.updates(4) * 64
        assert cost.interactions == interactions
        assert cost.flops == interactions * _flops(width)
        layout = devices.choose_layout(len(cost.program.seeds), 2, 1)
        need = plan.memory_of_width(spec, width, task.task)
        need = need.total(layout.groups, layout.runs_per_group)
        assert cost.memory == need + memory.data_bytes(task.task)
        slower = interactions * plan.ELEMENTWISE_FLOPS / 1e11
        assert cost.seconds > slower


def test_paper_py_can_be_afforded(tmp_path: Path) -> None:
    """The grid for an accelerator: its dry run on this machine, against a direct count.

    Its data are not here, and are not needed.
    """
    command = commands.run(
        tmp_path,
        "--config=launch/configs/paper.py",
        f"--config.task.data_dir={tmp_path / 'absent'}",
        f"--workdir={tmp_path / 'w'}",
        "--dry_run",
    )
    assert command.wait() == cli.DONE, command.err
    assert not (tmp_path / "w").exists()
    first = command.out.splitlines()[0]
    assert first.startswith("the data are not there, so this is by their shapes alone: task.data")
    total = re.split(r"\s{2,}", next(r for r in command.out.splitlines() if "total" in r).strip())
    assert total[:3] == ["total", "792", f"{792 * 4_194_304:,}"]
    widths = (4, 9, 20, 45, 100, 225, 500, 1100, 2500)
    flops = 88 * 4_194_304 * sum(4 * 784 * w + 6 * 10 * w for w in widths) / 1e15
    assert float(total[3]) == pytest.approx(flops, rel=1e-3)


def test_a_closed_terminal_ends_with_code_3_and_the_command_goes_on(tmp_path: Path) -> None:
    whole = commands.run(tmp_path / "io", *LONGER, f"--workdir={tmp_path / 'whole'}")
    assert whole.wait() == cli.DONE, whole.err
    arguments = (*LONGER, f"--workdir={tmp_path / 'w'}", "--checkpoint_seconds=0")
    command = commands.start(tmp_path, *arguments)
    wait_until(lambda: is_checkpointed(tmp_path / "w"))
    os.kill(command.process.pid or 0, signal.SIGHUP)
    assert command.wait() == cli.INTERRUPTED, command.err
    assert command.err.splitlines()[-1] == ("interrupted: all is saved, the same command continues")
    again = commands.run(tmp_path, *arguments)
    assert again.wait() == cli.DONE, again.err
    assert "continues at update" in again.err
    assert outputs(tmp_path / "w") == outputs(tmp_path / "whole")


def test_sigterm_while_compiling_ends_at_once_with_code_3(tmp_path: Path) -> None:
    """A compilation cannot be stopped; nobody waits for its end."""
    arguments = (*TINY, "--config.network.name=cnn", "--config.algorithm.name=ppo")
    command = commands.start(
        tmp_path,
        *(*arguments, f"--workdir={tmp_path / 'w'}"),
        environment={"JAX_ENABLE_COMPILATION_CACHE": "false"},
    )
    wait_until(lambda: "0 runs are done already" in command.err)
    time.sleep(0.5)
    began = time.monotonic()
    os.kill(command.process.pid or 0, signal.SIGTERM)
    assert command.wait() == cli.INTERRUPTED, command.err
    assert time.monotonic() - began < 5
    assert command.err.splitlines()[-1] == "interrupted: all is saved, the same command continues"
    assert not (tmp_path / "w" / "progress.jsonl").exists(), "it computed already"
    assert not is_checkpointed(tmp_path / "w")


def wait_until(is_so: Callable[[], bool], seconds: float = 600) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.01)


def is_checkpointed(workdir: Path) -> bool:
    """Whether there is a whole checkpoint; those being written have longer names."""
    return any(path.name.isdigit() for path in workdir.glob("checkpoints/*/*"))


def kill_later(command: commands.Command, progress: Path, size: int, seconds: float) -> None:
    """Kill a command so long after its progress has outgrown a size, if it lives then."""

    def has_grown() -> bool:
        return progress.exists() and progress.stat().st_size > size

    wait_until(lambda: has_grown() or not command.process.is_alive())
    command.process.join(seconds)
    command.process.kill()


def kill_at_random(
    folder: Path, kills: int, arguments: tuple[str, ...], expected: dict[str, bytes]
) -> None:
    """Kill a sweep again and again until it is done; begin another until all kills are spent.

    Further kills follow, up to four times as many, until enough fell between two checkpoints.

    Every second kill waits for the first new line of progress, as starting takes longer than all
    of the updates. What a kill before the first write could lose is nothing.
    """
    moments = random.Random(0)
    spent = sweeps = resumed = 0
    needed = max(1, kills // 4)

    def goes_on() -> bool:
        return spent < kills or (resumed < needed and spent < 4 * kills)

    while goes_on():
        sweeps += 1
        workdir = folder / f"w{sweeps}"
        command_line = (*arguments, f"--workdir={workdir}", "--checkpoint_seconds=0")
        progress = workdir / "progress.jsonl"
        while True:
            before = progress.stat().st_size if progress.exists() else 0
            command = commands.start(folder / "io", *command_line)
            if goes_on():
                if spent % 2 == 0:
                    kill_later(command, progress, before, moments.uniform(0, 0.5))
                else:
                    kill_later(command, progress, -1, moments.uniform(0, 3))
            command.process.join()
            resumed += "continues at update" in command.err
            if command.process.exitcode != -signal.SIGKILL:
                break
            spent += 1
        assert command.process.exitcode == cli.DONE, command.err
        assert outputs(workdir) == expected
        for line in progress.read_text().splitlines():
            json.loads(line)
    assert resumed >= needed, "few kills fell between two checkpoints"


@pytest.mark.slow
def test_killed_twenty_times_equals_uninterrupted(tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    assert commands.run(tmp_path / "io", SMOKE, f"--workdir={whole}").wait() == cli.DONE
    kill_at_random(tmp_path, 20, (SMOKE,), outputs(whole))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tensorboard", "wandb"])
def test_series_of_a_sweep_that_is_killed_equal_its_results(name: str, tmp_path: Path) -> None:
    """What a kill loses, W&B's last points, is there again, and nothing is there twice."""
    pytest.importorskip(name, reason=f"the extra {name} is not installed")
    arguments = (*TINY, "--config.budget=12800", "--config.evaluations=50", f"--log={name}")
    arguments = (*arguments, f"--workdir={tmp_path / 'w'}", "--checkpoint_seconds=0")
    offline = {"WANDB_MODE": "offline"}
    offline |= {f"WANDB_{kind}_DIR": str(tmp_path) for kind in ("CACHE", "CONFIG", "DATA")}
    progress, moments = tmp_path / "w" / "progress.jsonl", random.Random(0)
    killed = 0
    for _ in range(2):
        command = commands.start(tmp_path / "io", *arguments, environment=offline)
        size = progress.stat().st_size if progress.exists() else 0
        kill_later(command, progress, size, moments.uniform(0.05, 0.4))
        command.process.join()
        killed += command.process.exitcode == -signal.SIGKILL
    assert killed, "the sweep was done too soon"
    command = commands.start(tmp_path / "io", *arguments, environment=offline)
    assert command.wait() == cli.DONE, command.err
    check_equal(points(tmp_path / "w", name), tmp_path / "w")


@pytest.mark.slow
def test_two_processes_take_different_programs(tmp_path: Path) -> None:
    """Of two programs that do not end each process works on one, and none on both."""
    room = plan.memory_of_width(tiny(), 4, tasks.load("digits", {}).task).total(1, 2)
    arguments = (*ENDLESS, f"--config.max_program_bytes={room}", f"--workdir={tmp_path / 'w'}")
    both = [commands.start(tmp_path / name, *arguments) for name in ("a", "b")]
    progress = tmp_path / "w" / "progress.jsonl"

    def begun() -> list[str]:
        lines = progress.read_text().splitlines() if progress.exists() else []
        entries = [json.loads(line) for line in lines]
        first = min((entry["update"] for entry in entries), default=0)
        return [entry["program_id"] for entry in entries if entry["update"] == first]

    wait_until(lambda: len(set(begun())) == 2)
    for command in both:
        command.process.terminate()
    assert [command.wait() for command in both] == [cli.INTERRUPTED] * 2, [c.err for c in both]
    assert sorted(begun()) == sorted(records(tmp_path / "w")), "a program was begun twice"


@pytest.mark.slow
def test_the_claim_of_a_killed_process_is_free(tmp_path: Path) -> None:
    """While it lives its program is left to it, and afterwards taken over where it stopped."""
    arguments = (*ENDLESS, f"--workdir={tmp_path / 'w'}", "--checkpoint_seconds=0")
    killed = commands.start(tmp_path / "killed", *arguments)
    wait_until(lambda: is_checkpointed(tmp_path / "w"))
    beside = commands.run(tmp_path / "beside", *arguments)
    assert beside.wait() == cli.DONE, beside.err
    assert "is left to the process that works on it" in beside.err
    killed.process.kill()
    killed.wait()
    again = commands.start(tmp_path / "again", *arguments)
    wait_until(lambda: "continues at update" in again.err)
    again.process.terminate()
    assert again.wait() == cli.INTERRUPTED, again.err


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 8 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("only root may mount a file system")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["start", "checkpoint"])
def test_a_full_disk_is_said_in_a_line_and_loses_nothing(
    moment: str, small_disk: Path, finished: Path, tmp_path: Path
) -> None:
    workdir = small_disk / "w"
    arguments = (*TINY, f"--workdir={workdir}", "--checkpoint_seconds=0")
    if moment == "start":
        fill(small_disk / "ballast")
        command = commands.run(tmp_path, *arguments)
    else:
        arguments = (*arguments, "--config.budget=640000")
        command = commands.start(tmp_path, *arguments)
        wait_until(lambda: is_checkpointed(workdir))
        while command.process.is_alive():  # what it deletes makes room again
            fill(small_disk / "ballast")
            command.process.join(0.05)
    assert command.wait() == cli.CANNOT_WRITE, command.err
    last = command.err.splitlines()[-1]
    assert last.startswith("error: ")
    assert "No space left" in last
    assert "the same command continues" in last
    assert "Traceback" not in command.err
    (small_disk / "ballast").unlink()
    again = commands.run(tmp_path, *arguments)
    assert again.wait() == cli.DONE, again.err
    if moment == "start":
        assert outputs(workdir) == outputs(finished)
    else:
        assert "continues at update" in again.err


def fill(path: Path) -> None:
    """Write until the disk is full."""
    with path.open("ab", buffering=0) as file:
        for size in (2**20, 2**10, 1):
            with contextlib.suppress(OSError):
                while file.write(b"x" * size):
                    pass


def test_a_run_that_is_not_finite_ends_with_code_1_and_is_named(tmp_path: Path) -> None:
    rates = "--config.optimizer.learning_rates=(1e38,)"
    command = commands.run(tmp_path, *TINY, rates, f"--workdir={tmp_path / 'w'}")
    assert command.wait() == cli.FAILED, command.err
    last = command.err.splitlines()[-1]
    assert last.startswith("error: not finite, so stopped: digits-mlp1-w4-h1-dense-lr1000")
    assert "-s0 (update 1)" in last
    assert "Traceback" not in command.err


def test_a_terminal_shows_one_bar(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 120, 0, 0))
    command = commands.start(
        tmp_path, *TINY, f"--workdir={tmp_path / 'w'}", stderr=os.ttyname(theirs)
    )
    shown = b""
    os.set_blocking(ours, False)
    while command.process.is_alive():
        shown += _read(ours)
        time.sleep(0.05)
    shown += _read(ours)
    os.close(theirs)
    os.close(ours)
    assert command.wait() == cli.DONE, shown
    bars = [part for part in re.split(r"[\r\n]", shown.decode()) if "%|" in part]
    assert bars, shown
    (program,) = records(tmp_path / "w")
    pattern = rf"100%\|.*\| {program}, .* interactions/s, \d:\d\d left, mean return 0\.\d{{3}}"
    assert re.search(pattern, bars[-1]), bars[-1]
    lines = [line for line in shown.decode().split("\n") if "%|" in line]
    assert len(lines) == 1, "the bar stays on its line"


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 2**16)
    except (BlockingIOError, OSError):
        return b""

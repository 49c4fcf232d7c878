"""The benchmark measures what it says, small: the table, its JSON, a sweep's efficiency, a peer."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from launch import forecast
from launch.benchmarks import efficiency, wait
from launch.benchmarks.cases import Case
from launch.benchmarks.turns import speeds_in_turn
from mnist_horizon import cli, devices, results
from mnist_horizon.errors import SweepError
from mnist_horizon.sweeps import plan
from tests.launch import commands

MODULE = "launch.bench"
TINY = ("--widths=2", "--depth=1", "--batch=16", "--seconds=0.01")


def bench(folder: Path, *arguments: str) -> dict[str, Any]:
    """Run the benchmark, compiled fast as the tests' own programs are; what it wrote as JSON."""
    file = folder / "bench.json"
    fast = {"XLA_FLAGS": "--xla_backend_optimization_level=0"}
    command = commands.start(folder, *arguments, f"--json={file}", module=MODULE, environment=fast)
    assert command.wait() == cli.DONE, command.err
    return {**json.loads(file.read_text()), "printed": command.out}


@pytest.mark.slow
def test_cases_are_measured(tmp_path: Path) -> None:
    report = bench(tmp_path, "--runs=1,4", *TINY)
    cases = report["cases"]
    # One run cannot be split over four seeds.
    assert [(case["runs"], case["grouping"]) for case in cases] == [
        (1, "shared"),
        (4, "shared"),
        (4, "4 seeds"),
    ]
    assert report["cold_start_seconds"] > 0.5  # importing JAX alone takes longer
    flops = plan.flops_per_interaction(
        Case("mlp", 1, 2, 4, 1, 16, "f32", 1).spec(), 2, 10, (28, 28)
    )
    for case in cases:
        assert (case["network"], case["precision"], case["batch"]) == ("784-2-10", "f32", 16)
        assert case["flops"] == pytest.approx(flops * case["interactions_per_second"])
        assert case["ratio"] == pytest.approx(case["flops"] / case["product_flops"])
        assert case["compile_seconds"] > 0
        assert case["devices"] == min(case["runs"], devices.usable_cores())
        images = 60_000 * 784
        assert images < case["memory_bytes"] / case["devices"] < 2 * images
    assert report["peak_memory_bytes"] > 60_000 * 784
    header, *rows = report["printed"].splitlines()[2:-1]
    assert header.split()[:6] == ["network", "precision", "batch", "runs", "grouping", "devices"]
    for row, case in zip(rows, cases, strict=True):
        assert row.split()[0] == "784-2-10"
        assert f"{case['interactions_per_second']:.3g}" in row


@pytest.mark.slow
def test_a_cnn_in_bf16_on_one_device(tmp_path: Path) -> None:
    choice = ("--network=cnn", "--precision=bf16", "--devices=1", "--nocold_start")
    report = bench(tmp_path, "--runs=2", *TINY, *choice)
    (case,) = report["cases"]
    assert report["cold_start_seconds"] is None
    assert (case["network"], case["precision"], case["devices"]) == ("cnn1-w2", "bf16", 1)


WRONG = {
    "text for a number": (["--runs=many"], "--runs: must be whole numbers from 1, not 'many'"),
    "no run": (["--runs=0"], "--runs: must be whole numbers from 1, not '0'"),
    "no width": (["--widths="], "--runs, --widths, --depth and --batch: give each a number"),
    "devices that are not there": (["--devices=4096"], "--devices: 4096: this process has"),
    "an unknown network": (["--network=rnn"], "--network"),
    "an unknown precision": (["--precision=f16"], "--precision"),
    "a number beyond all": ([f"--widths={10**30}"], "widths[0]"),
    "no folder for the table": (["--json=nowhere/bench.json"], "--json: there is no folder"),
    "no sweep": (["--workdir=nowhere"], "--workdir: nowhere/sweep.json: not found"),
    "a config that is not there": (["--wait=nowhere.py"], "--wait: there is no file nowhere.py"),
    "an unknown peer": (["--against=sb3"], "--against"),
    "a peer that is not named": (["--against=purejaxrl"], "--peer: name the folder"),
    "a loop without a Python": (["--against=torch"], "--peer: name a Python that has PyTorch"),
    "a Python that is not there": (
        ["--against=torch", "--peer=nowhere", "--widths=2", "--depth=1", "--runs=2"],
        "--peer: nowhere: No such file or directory: name a Python",
    ),
    "a peer that is not there": (
        ["--against=purejaxrl", "--peer=nowhere"],
        "--peer: nowhere/purejaxrl/ppo.py is not there: git clone",
    ),
    "environments that do not divide": (
        ["--against=purejaxrl", "--peer=nowhere", "--environments=3"],
        "--environments: 3 does not divide --batch=512",
    ),
    "too few interactions": (
        ["--against=purejaxrl", "--peer=nowhere", "--interactions=100"],
        "--interactions: must be at least one batch of 512",
    ),
}


@pytest.mark.parametrize(("arguments", "message"), WRONG.values(), ids=WRONG.keys())
def test_bad_input_is_one_line(arguments: list[str], message: str, tmp_path: Path) -> None:
    command = commands.run(tmp_path, *arguments, module=MODULE)
    assert command.wait() == cli.BAD_INPUT, command.err
    (line,) = command.err.splitlines()
    assert line.startswith("error: ")
    assert message in line


def test_the_parts_of_a_wait_are_told_by_files(tmp_path: Path) -> None:
    lines = [{"time": 112.5, "update": 1}, {"time": 140.0, "update": 2}]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (tmp_path / "progress.jsonl").write_text(text)
    (tmp_path / "figures").mkdir()
    times = {"fits.json": 207.0, "figures/b.png": 209.0, "figures/a.svg": 208.0}
    for name, when in times.items():
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (when, when))
    rows = wait.sweep_rows(tmp_path, 100.0, 150.0) + wait.report_rows(tmp_path, 200.0, 209.5)
    assert {row["what"]: row["seconds"] for row in rows} == {
        "launch.sweep: to the first update": 12.5,
        "launch.sweep: after it": 37.5,
        "launch.sweep": 50.0,
        "analysis.report: imports, reading, laws": 7.0,
        "analysis.report: figures": 2.0,
        "analysis.report: page": 0.5,
        "analysis.report": 9.5,
    }


def test_imports_are_timed_in_a_process_of_their_own() -> None:
    seconds = wait.import_seconds("wsgiref", repeats=2)
    assert 0 < seconds < 20
    assert "wsgiref" not in sys.modules
    with pytest.raises(SweepError, match="No module named 'absent'"):
        wait.import_seconds("absent")


@pytest.mark.slow
def test_the_wait_for_a_sweep_and_its_report(tmp_path: Path) -> None:
    report = bench(tmp_path, "--wait=launch/configs/smoke.py")
    seconds = {row["what"]: row["seconds"] for row in report["wait"]}
    assert {f"imports of {name}" for name in wait.commands()} < set(seconds)
    assert all(value > 0 for value in seconds.values())
    for command in ("launch.sweep", "analysis.report"):
        assert seconds[command] > seconds[f"imports of {command}"]
    header, *rows = report["printed"].splitlines()
    assert header.split() == ["what", "seconds"]
    assert len(rows) == len(seconds)


BATCH, FLOPS, BEGAN = 10, 1000.0, 1_000_000.0
MARKS = (1, 2, 4, 8, 16)


def finished_sweep(folder: Path, programs: dict[str, tuple[float, float, float]]) -> float:
    """A folder as a sweep leaves it, and when it ended.

    Each program has two runs and takes (seconds to compile, an update, an evaluation).
    """
    now, lines = BEGAN, []
    (folder / "programs").mkdir(parents=True)
    (folder / "sweep.json").write_text("{}")
    for name, (compiling, update, evaluation) in programs.items():
        now += compiling
        before, began = 0, now
        for mark in MARKS:
            now += (mark - before) * update + evaluation
            before = mark
            speed = 2 * BATCH * mark / (now - began)
            lines.append(
                {"time": now, "program_id": name, "update": mark, "interactions_per_second": speed}
            )
        runs = [f"{name}-s0", f"{name}-s1"]
        record = {"program_id": name, "runs": runs, "done": True}
        (folder / "programs" / f"{name}.json").write_text(json.dumps(record))
        rows = [row(run, mark) for run in runs for mark in MARKS]
        results.write_results(folder / "results" / f"{name}.parquet", rows)
    (folder / "progress.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    for path in (folder / "programs").glob("*.json"):
        os.utime(path, (now, now))
    os.utime(folder / "sweep.json", (BEGAN, BEGAN))
    return now


def row(run: str, updates: int) -> dict[str, Any]:
    zeros = {"string": "", "bool": False}
    values = {field.name: zeros.get(str(field.type), 0) for field in results.SCHEMA}
    values |= {"task_settings": "{}", "flops_per_interaction": FLOPS, "batch": BATCH}
    values |= {"schedule": "dense", "schedule_level": 1.0, "horizon": 1.0, "parameters": 1}
    return values | {"run_id": run, "interactions": updates * BATCH, "updates": updates}


def test_efficiency_is_the_steady_time_over_the_wall_time(tmp_path: Path) -> None:
    programs = {"a": (5.0, 2.0, 1.0), "b": (7.0, 0.5, 3.0)}
    ended = finished_sweep(tmp_path, programs)
    found = efficiency.efficiency(tmp_path)
    wall = 5 + 7 + 16 * (2 + 0.5) + 5 * (1 + 3)
    assert found["wall_seconds"] == pytest.approx(wall) == ended - BEGAN
    flops = 2 * 2 * 16 * BATCH * FLOPS
    assert found["flops"] == flops
    assert found["interactions"] == 2 * 2 * 16 * BATCH
    assert found["achieved_flops"] == pytest.approx(flops / wall)
    speeds = [2 * BATCH * FLOPS / seconds for seconds in (2, 0.5)]
    assert [one["steady_flops"] for one in found["programs"]] == pytest.approx(speeds)
    assert found["efficiency"] == pytest.approx(16 * 2.5 / wall)
    assert found["achieved_flops"] / found["steady_flops"] == pytest.approx(found["efficiency"])
    assert found["update_seconds"] == pytest.approx(16 * 2.5)
    assert found["evaluation_seconds"] == pytest.approx(5 * (1 + 3))
    shares = [16 * 2.5 / wall, 20 / wall, 12 / wall]
    text = "{:.2f}; of the wall time: evaluations {:.2f}, compilation, files and all else {:.2f}"
    assert efficiency.describe(found).endswith(text.format(*shares))


def test_programs_side_by_side_count_by_their_share_of_the_devices(tmp_path: Path) -> None:
    """Each on half of the devices, at the same time: not more efficient than one on all."""
    ended = finished_sweep(tmp_path, {"a": (5.0, 2.0, 1.0), "b": (0.0, 2.0, 1.0)})
    path, half = tmp_path / "progress.jsonl", (ended - BEGAN - 5.0) / 2
    lines = [json.loads(line) | {"share": 0.5} for line in path.read_text().splitlines()]
    beside = [line | {"time": line["time"] - half * (line["program_id"] == "b")} for line in lines]
    beside.sort(key=lambda line: line["time"])
    path.write_text("".join(json.dumps(line) + "\n" for line in beside))
    for record in (tmp_path / "programs").glob("*.json"):
        os.utime(record, (ended - half, ended - half))
    found = efficiency.efficiency(tmp_path)
    assert found["wall_seconds"] == pytest.approx(5 + 16 * 2 + 5)
    assert found["efficiency"] == pytest.approx(16 * 2 / 42)
    assert found["evaluation_seconds"] == pytest.approx(5)
    assert found["achieved_flops"] / found["steady_flops"] == pytest.approx(found["efficiency"])


def test_the_product_is_that_of_the_devices_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forecast, "_least_seconds", lambda *_: 1.0)
    monkeypatch.setattr(jax, "device_count", lambda: 4)
    assert forecast.product_speed(2, size=8) == 2 * 8**3, "one product uses all cores of a CPU"
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert forecast.product_speed(size=8) == 4 * 2 * 8**3
    assert forecast.product_speed(2, size=8) == 2 * 2 * 8**3


def test_a_sweep_that_was_continued_begins_with_its_first_line(tmp_path: Path) -> None:
    ended = finished_sweep(tmp_path, {"a": (5.0, 2.0, 1.0)})
    os.utime(tmp_path / "sweep.json", (ended, ended))
    found = efficiency.efficiency(tmp_path)
    assert found["is_continued"]
    assert found["wall_seconds"] == pytest.approx(16 * 2 + 5)  # all but the compilation
    assert "continued" in efficiency.describe(found)


def test_a_pause_does_not_move_the_steady_state(tmp_path: Path) -> None:
    finished_sweep(tmp_path, {"a": (5.0, 2.0, 1.0)})
    path = tmp_path / "progress.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for line in lines[2:]:
        line["time"] += 3600
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    (program,) = efficiency.efficiency(tmp_path)["programs"]
    assert program["steady_flops"] == pytest.approx(2 * BATCH * FLOPS / 2, rel=0.1)


def test_a_sweep_that_is_not_done_is_refused(tmp_path: Path) -> None:
    finished_sweep(tmp_path, {"a": (5.0, 2.0, 1.0)})
    path = tmp_path / "programs" / "a.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "done": False}))
    with pytest.raises(SweepError, match="a is not done"):
        efficiency.efficiency(tmp_path)


def test_a_sweep_too_short_to_tell_is_refused(tmp_path: Path) -> None:
    finished_sweep(tmp_path, {"a": (5.0, 2.0, 1.0)})
    path = tmp_path / "progress.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:2]))
    with pytest.raises(SweepError, match="a has too little in progress"):
        efficiency.efficiency(tmp_path)


PEER = {
    "__init__.py": "",
    "wrappers.py": "from brax import envs\n",
    "ppo.py": """
import gymnax
import jax
import jax.numpy as jnp
import purejaxrl.wrappers


def make_train(config):
    batch = config["NUM_STEPS"] * config["NUM_ENVS"]
    config["NUM_UPDATES"] = config["TOTAL_TIMESTEPS"] // batch
    env, params = gymnax.make(config["ENV_NAME"])
    assert env.observation_space(params).shape == (28, 28)
    assert env.action_space(params).n == 10
    assert not config["ANNEAL_LR"]

    def train(rng):
        observation, state = env.reset(rng, params)

        def step(state, key):
            observation, state, reward, done, info = env.step(key, state, jnp.int32(3), params)
            return state, (reward, done)

        keys = jax.random.split(rng, config["NUM_UPDATES"])
        return {"runner_state": jax.lax.scan(step, state, keys)}

    return train
""",
}


@pytest.mark.slow
def test_a_peer_is_timed_beside(tmp_path: Path) -> None:
    """The peer here is a stand-in that uses what the real one does of what it is given."""
    package = tmp_path / "peer" / "purejaxrl"
    package.mkdir(parents=True)
    for name, text in PEER.items():
        (package / name).write_text(text)
    against = ("--against=purejaxrl", f"--peer={package.parent}")
    small = ("--runs=1,2", "--batch=16", "--environments=4", "--interactions=64")
    report = bench(tmp_path, *against, *small)
    cases = report["cases"]
    trainers = ["purejaxrl", "mnist_horizon"]
    expected = [(runs, 4, 4, trainer) for runs in (1, 2) for trainer in trainers]
    names = ("runs", "environments", "steps", "trainer")
    assert [tuple(case[name] for name in names) for case in cases] == expected
    for theirs, ours in zip(cases[::2], cases[1::2], strict=True):
        ratio = ours["interactions_per_second"] / theirs["interactions_per_second"]
        assert (theirs["ratio"], ours["ratio"]) == (1.0, pytest.approx(ratio))
        assert np.isfinite(ratio)
    header, *rows = report["printed"].splitlines()[:-1]
    assert "trainer" in header
    assert [row.split()[3] for row in rows] == 2 * trainers


def test_speeds_are_measured_in_turn() -> None:
    order: list[str] = []

    def trainer(name: str, speeds: list[float]) -> Callable[[], float]:
        def measure() -> float:
            order.append(name)
            return speeds[order.count(name) - 1]

        return measure

    found = speeds_in_turn(
        {"a": trainer("a", [5.0, 1.0, 2.0, 9.0, 3.0]), "b": trainer("b", [7.0] * 5)}
    )
    assert order == ["a", "b"] * 5
    assert found["a"] == {"interactions_per_second": 3.0, "slowest": 1.0, "fastest": 9.0}


@pytest.mark.slow
def test_a_loop_is_timed_beside(tmp_path: Path) -> None:
    """The Python here is a stand-in that prints a speed."""
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho 1000\n")
    python.chmod(0o755)
    small = ("--runs=2", "--widths=2", "--depth=1", "--seconds=0.01")
    report = bench(tmp_path, "--against=torch", f"--peer={python}", *small)
    loop, one, two = report["cases"]
    assert [loop["trainer"], one["trainer"], two["trainer"]] == [
        "PyTorch loop, one run",
        "mnist_horizon, one run",
        "mnist_horizon, 2 runs",
    ]
    assert (loop["slowest"], loop["fastest"], loop["ratio"]) == (1000.0, 1000.0, 1.0)
    for ours in (one, two):
        assert ours["slowest"] <= ours["interactions_per_second"] <= ours["fastest"]
        assert ours["ratio"] == pytest.approx(ours["interactions_per_second"] / 1000)

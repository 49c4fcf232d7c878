"""Sweeps run to complete results; what stops them loses nothing; what is done stays as it is."""

import dataclasses
import errno
import functools
import json
import logging
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from launch.forecast import forecast
from mnist_horizon import files, networks, results, tasks
from mnist_horizon.devices.memory import ProgramMemory
from mnist_horizon.errors import SweepError
from mnist_horizon.sweeps import checkpoints, program_runner, runner, workdir
from mnist_horizon.sweeps.progress import Progress
from tests.mnist_horizon.small_sweeps import all_runs, outputs, records, run, tiny


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished tiny sweep; nobody may change it."""
    folder = tmp_path_factory.mktemp("finished")
    assert run(tiny(), folder) == runner.Outcome({}, ())
    return folder


@pytest.fixture
def copy(finished: Path, tmp_path: Path) -> Path:
    """A copy of it, at another path."""
    return Path(shutil.copytree(finished, tmp_path / "copy"))


def stop_after(chunks: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGTERM comes during a chunk, chunks counted from 1; chunks are one update long."""
    count = 0
    advance = Progress.advance

    def counted(self: Progress, *arguments: Any) -> None:
        nonlocal count
        count += 1
        if count == chunks:
            signal.raise_signal(signal.SIGTERM)
        advance(self, *arguments)

    monkeypatch.setattr(Progress, "advance", counted)
    monkeypatch.setattr(program_runner, "_next_chunk", lambda *_, **__: 1)


def test_results_are_complete_and_match_the_schema(finished: Path) -> None:
    spec = tiny()
    read = results.read_results(finished)
    assert read.notes == ()
    assert not read.unfinished
    frame = read.frame
    assert list(frame.columns) == results.READ_SCHEMA.names
    runs = all_runs(spec)
    marks = spec.evaluation_updates(4)
    assert sorted(set(frame["run_id"])) == sorted(run.run_id(spec) for run in runs)
    assert len(frame) == len(runs) * len(marks)
    for _, rows in frame.groupby("run_id"):
        assert rows["updates"].tolist() == marks
        assert rows["interactions"].tolist() == [mark * 64 for mark in marks]
    for name in ("return_mean", "train_accuracy", "test_accuracy"):
        assert frame[name].between(0, 1).all()
    assert frame["entropy"].between(0, np.log(10) + 1e-5).all()
    last = frame.groupby("run_id").last()
    assert (last["return_mean"] > 0.1).all(), "digits are learnt a little in 20 updates"


def test_policies_are_the_final_parameters(finished: Path) -> None:
    """Their accuracy on the test split is the last row's."""
    spec = tiny()
    task = tasks.load("digits", {}).task
    frame = results.read_results(finished).frame
    network = spec.network_spec(4)
    inputs = networks.first_inputs(network, task.test.images)
    for run_id, rows in frame.groupby("run_id"):
        logits = networks.apply(network, 10, results.load_policy(finished, str(run_id)), inputs)
        right = np.argmax(logits, axis=1) == task.test.labels
        assert np.mean(right) == pytest.approx(rows["test_accuracy"].iloc[-1], abs=2e-3)


def test_records_hold_where_the_numbers_come_from_and_nothing_private(finished: Path) -> None:
    (record,) = records(finished).values()
    assert record["done"]
    assert record["versions"]["jax"]
    assert record["task"]["content"]["train"]
    assert record["device"]["platform"] == "cpu"
    texts = [path.read_text() for path in finished.rglob("*.json*")]
    for secret in (str(finished), str(Path.home()), str(Path.cwd()), os.environ["PATH"]):
        assert not any(secret in text for text in texts if len(secret) > 1)


def test_the_same_call_again_does_nothing(
    copy: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    before = {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()}
    monkeypatch.delattr(runner, "ProgramRunner")
    with caplog.at_level(logging.INFO):
        assert run(tiny(), copy) == runner.Outcome({}, ())
    assert "4 runs are done already" in caplog.text
    after = {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()}
    assert after == before


@pytest.mark.parametrize(
    ("changes", "fresh"),
    [
        ({"seeds": 4}, 4),
        ({"horizons": (1.0, 3.0, 7.0, 15.0)}, 4),
        ({"schedules": ("dense", "revealed:0.5")}, 4),
        ({"optimizer": {"learning_rates": (1e-2, 3e-2)}}, 4),
        ({"widths": (2, 4)}, 4),
        ({"references": {"supervised": (1e-2, 3e-2), "exact": (3e-2,)}}, 6),
    ],
)
def test_a_longer_axis_runs_what_is_missing(
    changes: dict[str, Any], fresh: int, copy: Path
) -> None:
    before = {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()}
    run(tiny(**changes), copy)
    frame = results.read_results(copy).frame
    assert frame["run_id"].nunique() == 4 + fresh
    new = [record for record in records(copy).values() if record["program_id"] not in str(before)]
    assert sum(len(record["runs"]) for record in new) == fresh
    changing = {copy / "sweep.json", copy / "progress.jsonl"}
    for path, content in before.items():
        assert path in changing or path.read_bytes() == content, path


def test_references_learn_beside_the_runs_of_the_sweep(tmp_path: Path) -> None:
    """They share the first batch with the runs of the same seed, and a reader tells them apart."""
    spec = tiny(references={"supervised": (3e-2,), "exact": (3e-2,)}, entropy_coef=0.1)
    run(spec, tmp_path)
    frame = results.read_results(tmp_path).frame
    assert set(frame["algorithm"]) == {"vpg", "supervised", "exact"}
    assert frame["settings"].nunique() == 1
    first = frame[frame["updates"] == 1].groupby(["seed", "algorithm"])["return_mean"]
    assert (first.first().groupby("seed").nunique() == 1).all(), "the same policy and examples"
    last = frame[(frame["horizon"] == 1)].groupby(["algorithm", "run_id"]).last()
    returns = last.groupby("algorithm")["return_mean"].mean()
    assert returns.drop("vpg").min() > returns["vpg"] + 0.02
    references = frame[frame["algorithm"] != "vpg"]
    assert set(references["horizon"]) == {1.0}
    assert set(references["schedule"]) == {"dense"}
    assert set(frame.loc[frame["algorithm"] == "supervised", "entropy_coef"]) == {0.0}
    assert results.read_sweep(tmp_path)["references"] == {"supervised": [3e-2], "exact": [3e-2]}
    again, new = workdir.planned(tmp_path, spec, {4: ProgramMemory(1, 1)})
    assert new == []
    assert sorted(run for program in again for run in program.runs) == all_runs(spec)


def test_a_run_says_all_its_settings_and_another_one_is_told_apart(
    finished: Path, tmp_path: Path
) -> None:
    """`optimizer.decay_interactions` is no part of an id and no column of its own."""
    other = tiny(optimizer={"learning_rates": (3e-2,), "decay_interactions": 100.0})
    run(other, tmp_path / "decayed")
    read = results.read_results([finished, tmp_path / "decayed"])
    assert read.frame["run_id"].nunique() == 8
    assert read.notes == (f"{tmp_path}/decayed: 4 runs renamed, other settings share their id",)
    for spec, rows in (
        (tiny(), ~read.frame["run_id"].str.contains("@")),
        (other, read.frame["run_id"].str.endswith("@decayed")),
    ):
        (text,) = read.frame["settings"][rows].unique()
        assert json.loads(text) == json.loads(json.dumps(spec.fixed_settings()))
    assert "learning_rates" not in text
    assert "decay_interactions" in text


def test_runs_do_not_depend_on_what_else_is_in_the_program(finished: Path, tmp_path: Path) -> None:
    """Common random numbers: a seed's runs see the same, alone or beside others."""
    run(tiny(horizons=(3.0,)), tmp_path)
    alone = results.read_results(tmp_path).frame
    beside = results.read_results(finished).frame
    beside = beside[beside["horizon"] == 3].reset_index(drop=True)
    first = alone["updates"] == 1
    np.testing.assert_allclose(alone[first]["return_mean"], beside[first]["return_mean"], rtol=1e-5)
    assert alone["run_id"].tolist() == beside["run_id"].tolist()


def test_another_sweep_is_refused_and_nothing_touched(copy: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in copy.rglob("*")}
    with pytest.raises(SweepError, match="baseline: 'expected_reward' -> 'none'"):
        run(tiny(baseline="none"), copy)
    after = {path: path.stat().st_mtime_ns for path in copy.rglob("*")}
    assert {p: t for p, t in after.items() if "locks" not in str(p)} == {
        p: t for p, t in before.items() if "locks" not in str(p)
    }


def test_other_data_are_refused(copy: Path) -> None:
    (path,) = copy.glob("programs/*.json")
    record = json.loads(path.read_text())
    record["task"]["content"]["train"] = "0" * 64
    path.write_text(json.dumps(record))
    with pytest.raises(SweepError, match="are not those that the sweep"):
        run(tiny(seeds=3), copy)


@pytest.mark.parametrize("chunks", [1, 7, 20])
def test_interrupted_and_resumed_equals_uninterrupted(
    chunks: int, finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        stop_after(chunks, patch)
        with pytest.raises(runner.Interrupted):
            run(tiny(), tmp_path)
    (record,) = records(tmp_path).values()
    assert not record["done"]
    run(tiny(), tmp_path)
    assert outputs(tmp_path) == outputs(finished)
    assert not list(tmp_path.glob("checkpoints/*"))


def interrupted(folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """A tiny sweep stopped after 6 updates, with its last two checkpoints, the newest last."""
    with monkeypatch.context() as patch:
        stop_after(6, patch)
        with pytest.raises(runner.Interrupted):
            run(tiny(), folder, checkpoint_seconds=0.0)
    found = sorted(folder.glob("checkpoints/*/[0-9]*"), key=lambda path: int(path.name))
    assert [path.name for path in found] == ["5", "6"]
    return found


def spoil(folder: Path, how: str) -> None:
    """Damage the largest file of a checkpoint."""
    file = max((p for p in folder.rglob("*") if p.is_file()), key=lambda p: p.stat().st_size)
    content = file.read_bytes()
    if how == "missing":
        file.unlink()
    elif how == "truncated":
        file.write_bytes(content[: len(content) // 2])
    else:
        middle = len(content) // 2
        file.write_bytes(content[:middle] + bytes([content[middle] ^ 255]) + content[middle + 1 :])


@pytest.mark.parametrize("how", ["missing", "truncated", "flipped"])
@pytest.mark.parametrize("spoilt", [1, 2])
def test_a_damaged_checkpoint_is_noticed_and_the_one_before_used(
    how: str,
    spoilt: int,
    finished: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    for folder in interrupted(tmp_path, monkeypatch)[-spoilt:]:
        spoil(folder, how)
    with caplog.at_level(logging.INFO):
        run(tiny(), tmp_path)
    warnings = [r for r in caplog.records if "is damaged, the one before" in r.getMessage()]
    assert len(warnings) == spoilt
    assert ("continues at update 5" in caplog.text) == (spoilt == 1)
    assert outputs(tmp_path) == outputs(finished)


def test_a_folder_in_the_place_of_any_file_is_named(copy: Path, tmp_path: Path) -> None:
    found = [path for path in copy.rglob("*") if path.is_file()]
    assert {path.parent.name for path in found} >= {"programs", "results", "policies", "locks"}
    for path in found:
        path.rename(tmp_path / "aside")
        path.mkdir()
        with pytest.raises(SweepError) as error:
            workdir.check(copy, tiny())
        message = f"--workdir: {path} is a folder, and a file belongs there: move it away"
        assert str(error.value) == message
        path.rmdir()
        (tmp_path / "aside").rename(path)
        workdir.check(copy, tiny())


@pytest.mark.parametrize(
    "host",
    [
        {"unknown": 1},
        {"update": "6"},
        {"update": 10**9},
        {"sums_from": 7, "update": 6},
        {"diverged": {"../victim": 3}},
        {"rows": [{"run": 99}]},
        {"rows": [{"run": 0}]},
        {"rows": [{"run": 0, "interactions": "=1+1"}]},
        {"rows": 3},
    ],
)
def test_a_journal_of_another_program_is_refused(host: dict[str, Any]) -> None:
    program = object.__new__(program_runner.ProgramRunner)
    program.columns, program.marks, program.test_count = [{"run_id": "a"}], [1, 20], 9
    assert program._journal({"update": 6, "diverged": {"a": 3}}).update == 6
    with pytest.raises((ValueError, TypeError, LookupError)):
        program._journal(host)


def test_a_checkpoint_with_the_rows_of_another_program_is_not_used(
    finished: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Also where its checksum is right, as one who writes it can make it."""
    (path,) = interrupted(tmp_path, monkeypatch)[-1].rglob("host.json")
    arrays = files.read_arrays(path.with_name("arrays.npz"))
    host = json.loads(json.loads(path.read_text())["host"])
    host = json.dumps({**host, "diverged": {"../victim": 3}})
    content = {"host": host, "checksum": checkpoints._checksum(arrays, host)}
    path.write_text(json.dumps(content))
    with caplog.at_level(logging.INFO):
        run(tiny(), tmp_path)
    assert "is damaged, the one before is used" in caplog.text
    assert "continues at update 5" in caplog.text
    assert outputs(tmp_path) == outputs(finished)


@pytest.mark.parametrize("name", ["results", "policies"])
@pytest.mark.parametrize("how", ["missing", "truncated", "flipped"])
def test_a_program_whose_results_are_damaged_is_run_again(
    name: str, how: str, finished: Path, copy: Path, caplog: pytest.LogCaptureFixture
) -> None:
    spoil(copy / name, how)
    with caplog.at_level(logging.WARNING):
        run(tiny(), copy)
    (warning,) = [r.getMessage() for r in caplog.records if "is run again" in r.getMessage()]
    assert str(copy / name) in warning
    assert outputs(copy) == outputs(finished)


def test_a_damaged_record_places_its_runs_anew(
    finished: Path, copy: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (path,) = copy.glob("programs/*.json")
    path.write_text(path.read_text()[:40])
    with caplog.at_level(logging.WARNING):
        run(tiny(), copy)
    assert "its runs are placed anew" in caplog.text
    assert outputs(copy) == outputs(finished)


@pytest.mark.parametrize("writer", ["parquet", "msgpack", "json", "checkpoint"])
def test_a_full_disk_loses_nothing(
    writer: str, finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = files.write_atomically

    def full(path: Path, *arguments: Any) -> None:
        if path.suffix == f".{writer}" and (writer != "json" or path.parent.name == "programs"):
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        write(path, *arguments)

    def full_checkpoint(*_: Any, **__: Any) -> None:
        raise ValueError("RESOURCE_EXHAUSTED: No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(files, "write_atomically", full)
        if writer == "checkpoint":
            patch.setattr(checkpoints.ocp.CheckpointManager, "save", full_checkpoint)
        with pytest.raises(OSError, match="No space left"):
            run(tiny(), tmp_path, checkpoint_seconds=0.0)
    run(tiny(), tmp_path)
    assert outputs(tmp_path) == outputs(finished)


def test_a_run_that_is_not_finite_stops_and_the_others_go_on(
    finished: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    spec = tiny(optimizer={"learning_rates": (3e-2, 1e38)})
    outcome = run(spec, tmp_path)
    bad = [run.run_id(spec) for run in all_runs(spec) if run.variant.learning_rate == 1e38]
    assert sorted(outcome.diverged) == sorted(bad)
    for run_id, update in outcome.diverged.items():
        (line,) = [r.getMessage() for r in caplog.records if run_id in r.getMessage()]
        assert f"run {run_id} is not finite at update {update}" in line
    frame = results.read_results(tmp_path).frame
    good = frame[frame["learning_rate"] < 1]
    for run_id, update in outcome.diverged.items():
        finite = [mark for mark in spec.evaluation_updates(4) if mark < update]
        assert frame["updates"][frame["run_id"] == run_id].tolist() == finite
    expected = results.read_results(finished).frame
    first = good["updates"] == 1
    assert len(good) == len(expected)
    np.testing.assert_allclose(
        good[first]["return_mean"], expected[expected["updates"] == 1]["return_mean"], rtol=1e-5
    )
    with pytest.raises(results.ResultsError, match="no finished run"):
        results.load_policy(tmp_path, bad[0])
    assert run(spec, tmp_path).diverged == outcome.diverged


def test_a_program_ends_when_all_its_runs_are_past_the_threshold(tmp_path: Path) -> None:
    run(tiny(stop_at_return=0.02), tmp_path)
    frame = results.read_results(tmp_path).frame
    assert frame["updates"].unique().tolist() == [1]
    assert not results.read_results(tmp_path).unfinished


def accuracy_on(folder: Path, run_id: str, examples: tasks.Examples) -> float:
    """Of a run's final policy."""
    network = tiny().network_spec(4)
    inputs = networks.first_inputs(network, examples.images)
    logits = networks.apply(network, 10, results.load_policy(folder, run_id), inputs)
    return float(np.mean(np.argmax(logits, axis=1) == examples.labels))


@pytest.mark.parametrize("stop", [0.0, 0.1001])
def test_rows_are_of_a_fixed_sample_of_the_test_split_and_the_last_of_all_of_it(
    stop: float, finished: Path, tmp_path: Path
) -> None:
    """Also where all runs are past a threshold before the budget is spent."""
    run(tiny(test_sample=50, stop_at_return=stop), tmp_path)
    frame = results.read_results(tmp_path).frame
    ends = frame["updates"] == frame["updates"].max()
    assert (frame["updates"].max() < 20) == (stop > 0)
    assert 0 < ends.sum() < len(frame)
    assert set(frame["test_examples"][ends]) == {360}
    assert set(frame["test_examples"][~ends]) == {50}
    right = 50 * frame["test_accuracy"][~ends]
    np.testing.assert_allclose(right, np.rint(right), atol=1e-4)
    test = tasks.load("digits", {}).task.test
    for run_id, accuracy in frame[ends].set_index("run_id")["test_accuracy"].items():
        assert accuracy_on(tmp_path, str(run_id), test) == pytest.approx(accuracy, abs=2e-3)
    whole = results.read_results(finished).frame
    assert set(whole["test_examples"]) == {360}
    both = frame.merge(whole, on=["run_id", "updates"], suffixes=("", "_whole"))
    assert len(both) == len(frame)
    for name in ("return_mean", "reward_mean", "train_accuracy", "entropy"):
        assert (both[name] == both[f"{name}_whole"]).all(), "it only says what is observed"
    last = both["updates"] == 20
    assert (both["test_accuracy"] == both["test_accuracy_whole"])[last].all()
    assert (both["test_accuracy"] != both["test_accuracy_whole"])[~last].any()


def test_the_sample_is_the_first_of_the_sampling_order(tmp_path: Path) -> None:
    """A program of two marks, of which the first is after its only other update."""
    run(tiny(test_sample=50, budget=128, evaluations=2), tmp_path / "two")
    run(tiny(budget=128, evaluations=2), tmp_path / "whole")
    task = tasks.load("digits", {}).task
    sample = jax.tree.map(lambda leaf: leaf[:50], tasks.in_sampling_order(task.test))
    loaded = tasks.LoadedTask(
        dataclasses.replace(task, test=sample), tasks.load("digits", {}).provenance
    )
    runner.run_sweep(tiny(budget=128, evaluations=2), tmp_path / "sample", loaded)
    two, whole, alone = (
        results.read_results(tmp_path / name).frame for name in ("two", "whole", "sample")
    )
    first = two["updates"] == 1
    assert two["test_accuracy"][first].tolist() == alone["test_accuracy"][first].tolist()
    np.testing.assert_allclose(two["kl_initial"][first], alone["kl_initial"][first], rtol=1e-4)
    assert two["test_accuracy"][~first].tolist() == whole["test_accuracy"][~first].tolist()


def test_a_sweep_that_an_older_version_started_goes_on_with_the_whole_split(
    finished: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """By the same command, whose config has a sample now: to the same bytes."""
    newer = tiny(test_sample=50)
    to_json = program_runner.Journal.to_json

    def older(journal: program_runner.Journal) -> dict[str, Any]:
        rows = [{k: v for k, v in row.items() if k != "test_examples"} for row in journal.rows]
        return {**to_json(journal), "rows": rows}

    with monkeypatch.context() as patch:
        patch.setattr(program_runner.Journal, "to_json", older)
        stop_after(6, patch)
        with pytest.raises(runner.Interrupted):
            run(tiny(), tmp_path)
    assert "test_sample" not in results.read_sweep(tmp_path)
    workdir.check(tmp_path, newer)
    with caplog.at_level(logging.INFO):
        run(newer, tmp_path)
    assert f"{tmp_path} was started with test_sample = 0, and goes on with it" in caplog.text
    assert outputs(tmp_path) == outputs(finished)
    run(newer, tmp_path)  # and again
    assert "test_sample" not in results.read_sweep(tmp_path)


def test_another_sample_than_the_directory_s_is_refused(tmp_path: Path) -> None:
    run(tiny(test_sample=50), tmp_path)
    with pytest.raises(SweepError, match="test_sample: 50 -> 0"):
        run(tiny(), tmp_path)


@pytest.mark.parametrize("chunk", [1, 4])
def test_a_run_that_diverges_ends_no_program_between_evaluations(
    chunk: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Chunks of any length give the same end: at the evaluation after the divergence."""
    first_bad = 5
    note = runner.ProgramRunner._note_divergence

    def diverge(self: runner.ProgramRunner, state: Any, journal: program_runner.Journal) -> None:
        note(self, state, journal)
        if journal.update >= first_bad:
            for columns in self.columns:
                self._stop_run(columns["run_id"], first_bad, journal)

    monkeypatch.setattr(runner.ProgramRunner, "_note_divergence", diverge)
    monkeypatch.setattr(program_runner, "_next_chunk", lambda *_, **__: chunk)
    spec = tiny(stop_at_return=0.99)
    run(spec, tmp_path)
    (record,) = records(tmp_path).values()
    after = next(mark for mark in spec.evaluation_updates(4) if mark >= first_bad)
    assert after > first_bad
    assert record["interactions"] == after * 64


def test_what_a_kill_left_of_a_finished_program_is_cleared(copy: Path) -> None:
    (name,) = records(copy)
    left = copy / "checkpoints" / name / "20"
    left.mkdir(parents=True)
    run(tiny(), copy)
    assert not left.parent.exists()


def test_programs_of_others_are_left_and_looked_at_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One program is freed while another runs: it is taken; one that stays busy is left."""
    spec = tiny(seeds=3, max_program_bytes=1)
    needs = {4: ProgramMemory(run=1, group=0)}
    monkeypatch.setattr(runner.plan, "memory_by_width", lambda *_: needs)
    task = tasks.load("digits", {})
    programs = workdir.prepare(tmp_path, spec, needs, task.provenance)
    first, second, *_ = sorted(programs, key=lambda program: program.program_id)
    freed = workdir.lock(tmp_path, first.program_id)
    kept = workdir.lock(tmp_path, second.program_id)
    assert freed.__enter__()
    assert kept.__enter__()
    started: list[str] = []

    def start(self: runner.ProgramRunner, *_: Any) -> Iterator[Any]:
        if not started:
            freed.__exit__(None, None, None)
        started.append(self.program.program_id)
        workdir.write_done(tmp_path, spec, self.program, [], task.provenance, {})
        yield from ()

    monkeypatch.setattr(runner.ProgramRunner, "run", start)
    outcome = runner.run_sweep(spec, tmp_path, task)
    assert outcome.busy == (second.program_id,)
    assert first.program_id == started[-1]
    assert sorted(started) == sorted(set(records(tmp_path)) - {second.program_id})
    kept.__exit__(None, None, None)
    assert runner.run_sweep(spec, tmp_path, task).busy == ()
    assert started[-1] == second.program_id


def test_a_device_without_the_memory_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_large(*_: Any) -> None:
        raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: out of memory")

    monkeypatch.setattr(runner.ProgramRunner, "run", too_large)
    with pytest.raises(SweepError, match=r"^max_program_bytes: w4-4runs-.* needs more memory"):
        run(tiny(), tmp_path)


def test_noise_is_measured_where_it_is_asked_for(tmp_path: Path) -> None:
    spec = tiny(noise={"samples": 64})
    run(spec, tmp_path)
    frame = results.read_noise(tmp_path).frame
    assert frame["run_id"].nunique() == 4
    assert list(frame.columns) == results.NOISE_SCHEMA.names
    assert (frame["total"] > 0).all()


@pytest.mark.slow
@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seeds=st.integers(1, 3),
    horizons=st.lists(st.integers(1, 31), min_size=1, max_size=3, unique=True),
    schedule=st.sampled_from(["dense", "revealed:0.5", "periodic:4", "streak:2"]),
    baseline=st.sampled_from(["none", "batch_mean", "running_mean", "state", "value_net"]),
    algorithm=st.sampled_from(["vpg", "ppo"]),
    updates=st.integers(2, 12),
    stop=st.integers(1, 6),
)
def test_any_small_sweep_is_complete_and_can_be_interrupted(
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    seeds: int,
    horizons: list[int],
    schedule: str,
    baseline: str,
    algorithm: str,
    updates: int,
    stop: int,
) -> None:
    spec = tiny(
        seeds=seeds,
        horizons=horizons,
        schedules=(schedule,),
        baseline=baseline,
        algorithm={"name": algorithm},
        budget=64 * updates,
    )
    whole, stopped = (tmp_path_factory.mktemp(name) for name in ("whole", "stopped"))
    task = tasks.load(spec.task, spec.task_settings)
    costs, _ = forecast(spec, whole, task, speed=1e11)
    run(spec, whole)
    frame = results.read_results(whole).frame
    last = frame.groupby("run_id").last()
    assert sum(cost.interactions for cost in costs) == last["interactions"].sum()
    flops = (last["interactions"] * last["flops_per_interaction"]).sum()
    assert sum(cost.flops for cost in costs) == pytest.approx(flops)
    assert forecast(spec, whole, task, speed=1e11)[0] == []
    assert len(frame) == seeds * len(horizons) * len(spec.evaluation_updates(4))
    assert frame["run_id"].nunique() == spec.run_count
    with monkeypatch.context() as patch:
        stop_after(min(stop, updates), patch)
        with pytest.raises(runner.Interrupted):
            run(spec, stopped)
    run(spec, stopped)
    assert outputs(stopped) == outputs(whole)


def test_policies_are_kept_along_training_whatever_stops_it(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    spec, one, other = tiny(policies_every=2), tmp_path / "one", tmp_path / "other"
    run(spec, one)
    with monkeypatch.context() as patch:
        stop_after(7, patch)
        with pytest.raises(runner.Interrupted):
            run(spec, other)
    assert list(results.kept_policies(other)), "an unfinished sweep can be read"
    run(spec, other)
    assert outputs(other) == outputs(one)
    kept = list(results.kept_policies(one))
    marks = sorted({policy.interactions for policy in kept})
    assert marks == [update * 64 for update in spec.kept_updates(4)]
    assert len(kept) == len(marks) * len(all_runs(spec))
    read, before = (results.read_results(folder).frame for folder in (one, finished))
    pd.testing.assert_frame_equal(read.drop(columns="settings"), before.drop(columns="settings"))
    ids = {entry.run_id(spec): entry.seed for entry in all_runs(spec)}
    for policy in kept:
        expected = results.load_policy(one, policy.run_id)
        if policy.interactions == 0:
            keys = jax.random.split(jax.random.fold_in(jax.random.key(ids[policy.run_id]), 0))
            expected = networks.init(spec.network_spec(4), 10, (8, 8), keys[0])
        if policy.interactions in (0, marks[-1]):
            same = functools.partial(np.testing.assert_allclose, rtol=1e-6)  # one is compiled
            jax.tree.map(same, dict(policy.params), expected)
    (path,) = one.glob("kept/*-at0.npz")
    path.unlink()
    with caplog.at_level(logging.WARNING):
        run(spec, one)
    assert f"{path} is missing or damaged" in caplog.text
    assert outputs(other) == outputs(one)

"""Series of a live view hold each row of a run once, whatever happens to sweep or log."""

import logging
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from mnist_horizon import tasks
from mnist_horizon.errors import InputError
from mnist_horizon.sweeps import live, plan, program_runner, runner
from mnist_horizon.sweeps.checkpoints import Checkpoints
from mnist_horizon.sweeps.live import Live
from mnist_horizon.sweeps.plan import Program
from tests.mnist_horizon.series import check_equal, points, tensorboard_points, wandb_records
from tests.mnist_horizon.small_sweeps import outputs, run, tiny

SPEC = tiny()
DIGITS = tasks.load("digits", {})
BOTH = ["tensorboard", pytest.param("wandb", marks=pytest.mark.slow)]


@pytest.fixture(autouse=True)
def apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """W&B asks no server, and keeps what it keeps in the test's own folder."""
    monkeypatch.setenv("WANDB_MODE", "offline")
    for name in ("CACHE", "CONFIG", "DATA"):
        monkeypatch.setenv(f"WANDB_{name}_DIR", str(tmp_path / "wandb_home"))


def need(name: str) -> None:
    pytest.importorskip(name, reason=f"the extra {name} is not installed")


class KilledError(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("name", BOTH)
def test_a_killed_sweep_goes_on_with_its_series(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The points that were added after the last checkpoint are not added again."""
    need(name)
    save, deaths = Checkpoints.save, {3, 7}
    assert deaths <= {*SPEC.evaluation_updates(4)}, "rows that no checkpoint holds"

    def save_or_die(self: Checkpoints, update: int, *arguments: Any) -> None:
        if update in deaths:
            deaths.remove(update)
            raise KilledError
        save(self, update, *arguments)

    monkeypatch.setattr(Checkpoints, "save", save_or_die)
    monkeypatch.setattr(program_runner, "_next_chunk", lambda *_, **__: 1)
    folder = tmp_path / "w"
    for _ in range(2):
        with pytest.raises(KilledError):
            runner.run_sweep(SPEC, folder, DIGITS, checkpoint_seconds=0.0, logs=[name])
    runner.run_sweep(SPEC, folder, DIGITS, checkpoint_seconds=0.0, logs=[name])
    check_equal(points(folder, name), folder)


def program() -> Program:
    (only,) = plan.plan(SPEC, (), plan.memory_by_width(SPEC, DIGITS.task))
    return only


def rows(*counts: int) -> list[dict[str, Any]]:
    """Rows of the program's runs at these interactions, as its checkpoint keeps them."""
    return [
        {"run": run, "interactions": count, "return_mean": count + run, "test_examples": 5}
        for count in counts
        for run in range(4)
    ]


def test_points_that_a_kill_lost_are_added_again(tmp_path: Path) -> None:
    need("tensorboard")
    with Live(tmp_path, SPEC, ["tensorboard"]) as series:
        series.add(program(), rows(10, 20))
    file = next((tmp_path / "tensorboard").rglob("*tfevents*"))
    file.write_bytes(file.read_bytes()[:-5])
    assert [step for step, _ in tensorboard_points(tmp_path)[file.parent.name]] == [10]
    file.rename(file.with_name("events.out.tfevents.0"))  # the next process has another name
    with Live(tmp_path, SPEC, ["tensorboard"]) as series:
        series.add(program(), rows(10, 20))
        series.add(program(), rows(10, 20, 30))
    found = tensorboard_points(tmp_path)
    for number, one in enumerate(program().runs):
        expected = [(count, {"return_mean": count + number}) for count in (10, 20, 30)]
        assert found[one.run_id(SPEC)] == expected


@pytest.mark.slow
def test_wandb_knows_what_a_run_is(tmp_path: Path) -> None:
    need("wandb")
    with Live(tmp_path / "sweep", SPEC, ["wandb"]) as series:
        series.add(program(), rows(10))
        series.finish(program())
    records = [one for file in wandb_records(tmp_path / "sweep") for one in file]
    found = [record.run for record in records if record.HasField("run")]
    wanted = [one.run_id(SPEC) for one in program().runs]
    assert sorted(one.display_name for one in found) == sorted(wanted)
    assert len({one.run_id for one in found}) == 4
    for one in found:
        assert (one.project, one.run_group) == ("mnist_horizon", "sweep")
        config = {item.key: item.value_json for item in one.config.update}
        assert config["horizon"] == ("1.0" if "-h1-" in one.display_name else "3.0")
        assert config["width"] == "4"
        assert config["baseline"] == '"expected_reward"'
    codes = [record.exit.exit_code for record in records if record.HasField("exit")]
    assert codes == [0] * 4


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny sweep that nobody looked at."""
    folder = tmp_path_factory.mktemp("finished")
    run(SPEC, folder)
    return folder


def test_a_log_that_fails_stops_no_training(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    need("tensorboard")
    add = live._TensorBoardSeries.add

    def fails(self: live._TensorBoardSeries, count: int, values: Mapping[str, float]) -> None:
        if count > 64:
            raise OSError(28, "No space left on device", "events")
        add(self, count, values)

    monkeypatch.setattr(live._TensorBoardSeries, "add", fails)
    with caplog.at_level(logging.INFO):
        runner.run_sweep(SPEC, tmp_path, DIGITS, logs=["tensorboard"])
    assert outputs(tmp_path) == outputs(finished)
    assert {len(one) for one in tensorboard_points(tmp_path).values()} == {1}
    said = [record.getMessage() for record in caplog.records if "--log" in record.getMessage()]
    assert said == [
        f"--log=tensorboard: tensorboard --logdir={tmp_path}/tensorboard",
        "--log=tensorboard ends (OSError: [Errno 28] No space left on device: 'events'); "
        "the training goes on",
    ]


MISSING = {
    "tensorboard": ("tensorboard", None),
    "tensorboard, but a folder of that name": ("tensorboard", ModuleType("tensorboard")),
    "wandb": ("wandb", None),
    "wandb, but a folder of that name": ("wandb", ModuleType("wandb")),
}


@pytest.mark.parametrize(("name", "module"), MISSING.values(), ids=MISSING.keys())
def test_a_package_that_is_missing_is_named(
    name: str, module: ModuleType | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for known in [one for one in sys.modules if one.partition(".")[0] == name]:
        monkeypatch.delitem(sys.modules, known)
    monkeypatch.setitem(sys.modules, name, module)
    with pytest.raises(InputError) as caught:
        runner.run_sweep(SPEC, tmp_path / "w", DIGITS, logs=[name])
    said = f"--log={name}: needs the extra {name}: make setup EXTRAS={name}"
    assert str(caught.value) == said
    assert not (tmp_path / "w").exists()


def test_a_log_with_no_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "tensorboard").write_text("")
    with pytest.raises(InputError, match="tensorboard is not a folder: move it away"):
        live.check(tmp_path, ["tensorboard"])
    (tmp_path / "wandb").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="wandb is a link"):
        live.check(tmp_path, ["wandb"])
    with pytest.raises(InputError, match="unknown log: choose from tensorboard, wandb"):
        live.check(tmp_path, ["paper"])

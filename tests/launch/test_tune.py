"""The command that searches learning rates, from its arguments to its files and exit code."""

import json
from pathlib import Path

import pytest

from launch.configs import tuned
from mnist_horizon import cli
from mnist_horizon.errors import SweepError
from mnist_horizon.sweeps import spec_from
from mnist_horizon.tuning import tuning_from
from tests.launch import commands

CONFIG = """
import ml_collections
from tests.mnist_horizon.tuning.small import CHOICE, SMALL

def get_config():
    return ml_collections.ConfigDict({**SMALL, "horizons": (1.0,), "tuning": CHOICE})
"""


def tune(folder: Path, *arguments: str) -> commands.Command:
    file = folder / "small.py"
    file.write_text(CONFIG)
    return commands.run(folder, f"--config={file}", *arguments, module="launch.tune")


def test_a_search_prints_its_rule_and_writes_it(tmp_path: Path) -> None:
    workdir = tmp_path / "workdir"
    command = tune(tmp_path, f"--workdir={workdir}")
    assert command.process.exitcode == cli.DONE, command.err
    lines = command.out.splitlines()
    assert lines[0].startswith("config.optimizer.learning_rates = (0.")
    assert "vpg-w4-h1" in command.err
    rule = json.loads((workdir / "rule.json").read_text())
    assert rule["config"]["optimizer.rule"] in lines[1]
    again = tune(tmp_path, f"--workdir={workdir}")
    assert again.process.exitcode == cli.DONE
    assert again.out == command.out
    assert "1 cells, 1 of them done already" in again.err


def test_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    command = tune(tmp_path, f"--workdir={tmp_path / 'workdir'}", "--dry_run")
    assert command.process.exitcode == cli.DONE, command.err
    assert "vpg-w4-h1" in command.out
    assert "1 cells left" in command.out
    assert not (tmp_path / "workdir").exists()


def test_a_dry_run_needs_no_data(tmp_path: Path) -> None:
    place = f"--config.task.data_dir={tmp_path / 'nowhere'}"
    arguments = (
        f"--workdir={tmp_path / 'workdir'}",
        "--config.task.name=mnist",
        place,
        "--dry_run",
    )
    command = tune(tmp_path, *arguments)
    assert command.process.exitcode == cli.DONE, command.err
    assert command.out.startswith("the data are not there, so this is by their shapes alone: task")
    assert "1 cells left" in command.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--config.tuning.seeds=0"], "tuning.seeds: must be in 1 to 1000"),
        (["--config.tuning.first_seed=0"], "tuning.first_seed: must be at least 4"),
        (["--config.tuning.rate=1"], "tuning.rate: unknown field"),
        (["--config.task.name=chess"], "task.name: unknown task"),
        (["--config.max_program_bytes=1000"], "widths[0]: 8 candidates need"),
        (["now"], "unexpected argument 'now'"),
    ],
)
def test_a_wrong_setting_is_one_line(arguments: list[str], message: str, tmp_path: Path) -> None:
    workdir = tmp_path / "workdir"
    command = tune(tmp_path, f"--workdir={workdir}", *arguments)
    assert command.process.exitcode == cli.BAD_INPUT, command.err
    (line,) = command.err.splitlines()
    assert line.startswith("error: ")
    assert message in line
    assert not workdir.exists()


def test_a_workdir_is_asked_for(tmp_path: Path) -> None:
    command = tune(tmp_path)
    assert command.process.exitcode == cli.BAD_INPUT
    assert command.err == "error: --workdir: name the folder for the results\n"


@pytest.mark.parametrize("version", tuned.VERSIONS)
def test_the_named_search_is_checked_at_the_ends_of_its_axes(version: str) -> None:
    assert tuned.get_config("check").task.name == "mnist"
    search = tuning_from(tuned.get_config(version).to_dict())
    check = spec_from(tuned.get_config(f"check,{version}").to_dict())
    task = "digits" if version == "digits" else "mnist"
    assert search.sweep.task == check.task == task
    assert (search.sweep.network.name == "cnn") is (version == "cnn")
    assert check.widths == (min(search.sweep.widths), max(search.sweep.widths))
    assert check.horizons == (min(search.sweep.horizons), max(search.sweep.horizons))
    low, rate, high = check.optimizer.learning_rates
    assert (low / rate, high / rate) == pytest.approx((0.7, 1.4))
    assert search.choice.references == ("supervised", "exact")
    assert check.seeds <= search.choice.first_seed


def test_a_check_takes_the_rule_that_was_found(tmp_path: Path) -> None:
    file = tmp_path / "rule.json"
    fields = {
        **{"optimizer.learning_rates": [0.03], "optimizer.rule": "sqrt_width"},
        **{"entropy_coef": 0.2, "references.exact": [0.05]},
    }
    file.write_text(json.dumps({"config": fields}))
    spec = spec_from(tuned.get_config(f"check,digits,{file}").to_dict())
    assert spec.optimizer.learning_rates == pytest.approx((0.021, 0.03, 0.042))
    assert spec.references.exact == pytest.approx((0.035, 0.05, 0.07))
    assert (spec.optimizer.rule, spec.entropy_coef) == ("sqrt_width", 0.2)


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"config": 3}'])
def test_what_is_no_rule_is_refused(text: str, tmp_path: Path) -> None:
    file = tmp_path / "rule.json"
    for name in (f"{file}", f"{tmp_path}/absent"):
        file.write_text(text)
        with pytest.raises(SweepError, match=r"not the rule\.json of a search"):
            tuned.get_config(f"check,digits,{name}")


@pytest.mark.parametrize("argument", ["chess", "check,chess", "tune,mnist", "mnist,digits"])
def test_a_choice_that_the_config_lacks_is_refused(argument: str) -> None:
    with pytest.raises(SweepError, match="after the colon: choose among"):
        tuned.get_config(argument)


def test_a_rule_sets_no_other_field_than_a_search_finds(tmp_path: Path) -> None:
    """It may come from a working directory of others."""
    rule = {"optimizer.learning_rates": [0.1], "initial_policy.workdir": "/home"}
    (tmp_path / "rule.json").write_text(json.dumps({"config": rule}))
    with pytest.raises(SweepError, match=r"'initial_policy\.workdir' is no field that a search"):
        tuned.get_config(f"check,digits,{tmp_path / 'rule.json'}")

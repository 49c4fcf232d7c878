"""Bad input: one line that names what is wrong, exit code 2, and nothing is written."""

import dataclasses
import importlib.util
import json
import re
import resource
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from launch.configs import (
    batch,
    default_config,
    optimizer,
    privileged_basis,
    smoke,
    sparsity,
    tasks,
)
from mnist_horizon import cli, settings
from mnist_horizon.errors import SweepError
from mnist_horizon.results import read_results
from mnist_horizon.sweeps import SweepSpec, config_settings, spec_from
from tests.launch import commands
from tests.mnist_horizon.tasks.sources import pictures, write_idx_folder

SMOKE = "--config=launch/configs/smoke.py"

WRONG = {
    "unknown field": (
        ["--config.learning_rate=1"],
        "learning_rate: unknown field: did you mean optimizer.learning_rates?",
    ),
    "unknown field of a group": (
        ["--config.batch.size=1"],
        "batch.size: unknown field; there are environments, rollout_length",
    ),
    "unknown group": (["--config.bacth.size=1"], "bacth: unknown field: did you mean batch?"),
    "text for a number": (["--config.seeds=many"], "seeds"),
    "a fraction for a count": (["--config.seeds=1.5"], "seeds"),
    "text in a list": (["--config.widths=(4,'wide')"], "widths"),
    "an empty axis": (["--config.widths=()"], "widths: must not be empty"),
    "a value twice": (["--config.horizons=(1.0,1.0)"], "horizons: holds a value twice"),
    "a horizon below 1": (["--config.horizons=(0.5,)"], "horizons[0]: must be at least 1"),
    "a horizon beyond f32": (["--config.horizons=(1e9,)"], "horizons[0]"),
    "an unknown schedule": (["--config.schedules=('now',)"], "schedules[0]: unknown schedule"),
    "an impossible level": (["--config.schedules=('revealed:2',)"], "schedules[0]"),
    "a negative rate": (["--config.optimizer.learning_rates=(-1.0,)"], "learning_rates[0]"),
    "an unknown optimizer": (["--config.optimizer.name=lion"], "optimizer.name: must be one of"),
    "a budget of no update": (["--config.budget=10"], "budget: must hold 2 updates"),
    "minibatches that do not divide": (
        ["--config.algorithm.name=ppo", "--config.algorithm.minibatches=7"],
        "algorithm.minibatches: must divide",
    ),
    "an unknown activation": (
        ["--config.network.activation=gelu"],
        "network.activation: must be one of leaky_relu, relu, tanh, linear, not 'gelu'",
    ),
    "a negative count of evaluations": (
        ["--config.policies_every=-1"],
        "policies_every: must be at least 0",
    ),
    "policies that fill the disk": (
        ["--config.policies_every=1", "--config.seeds=100000"],
        "policies_every: policies of 10,304 MB would be kept, more than 1,074 MB",
    ),
    "an unknown task": (["--config.task.name=chess"], "task.name: unknown task 'chess'"),
    "an unknown task setting": (["--config.task.size=3"], "task.size: unknown setting"),
    "a run too large": (["--config.max_program_bytes=1000"], "widths[0]: a run of width 4 needs"),
    "a rate that is 0 in f32": (
        ["--config.optimizer.learning_rates=(1e-300,)"],
        "learning_rates[0]: must be above 0 and finite in single precision",
    ),
    "a task beyond the memory": (
        ["--config.task.name=teacher", "--config.task.examples=1000000000000000"],
        "task 'teacher' does not fit into the memory",
    ),
    "a folder of nobody": (
        ["--config.task.name=mnist", "--config.task.data_dir=~nobody-here/x"],
        "task.data_dir: there is no folder",
    ),
    "a folder with a name too long": (
        ["--config.task.name=mnist", f"--config.task.data_dir={300 * 'a'}"],
        "task.data_dir: there is no folder",
    ),
    "a program that is not there": (["--programs=w4"], "--programs: w4 is not a program of"),
    "an unknown flag": (["--workdri=3"], "--workdri: unknown flag: did you mean --workdir?"),
    "an argument that is no flag": (["quickly"], "unexpected argument 'quickly'"),
    "a negative time": (["--checkpoint_seconds=-1"], "checkpoint_seconds"),
    "images that are no squares": (
        ["--config.task.name=teacher", "--config.network.name=cnn"],
        "network.name: 'cnn' needs square images",
    ),
}


def refused(command: commands.Command, workdir: Path, message: str) -> None:
    """The command ended with one line that says so, and wrote nothing."""
    assert command.process.exitcode == cli.BAD_INPUT, command.err
    (line,) = command.err.splitlines()
    assert line.startswith("error: ")
    assert message in line
    assert not workdir.exists()


@pytest.mark.parametrize(("arguments", "message"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_setting_is_refused(arguments: list[str], message: str, tmp_path: Path) -> None:
    workdir = tmp_path / "workdir"
    refused(commands.run(tmp_path, SMOKE, f"--workdir={workdir}", *arguments), workdir, message)


def test_a_workdir_that_cannot_be_is_refused(tmp_path: Path) -> None:
    workdir = tmp_path / ("a" * 300)
    command = commands.run(tmp_path, SMOKE, f"--workdir={workdir}")
    assert command.process.exitcode == cli.BAD_INPUT
    assert command.err == "error: --workdir: File name too long: choose another\n"


def test_a_workdir_with_a_file_in_a_folders_place_is_refused(tmp_path: Path) -> None:
    workdir = tmp_path / "workdir"
    workdir.mkdir()
    (workdir / "results").write_text("")
    command = commands.run(tmp_path, SMOKE, f"--workdir={workdir}")
    assert command.process.exitcode == cli.BAD_INPUT
    (line,) = command.err.splitlines()
    assert line == f"error: --workdir: {workdir}/results is not a writable folder"
    assert [path.name for path in workdir.iterdir()] == ["results"]


OWN_PARTS = """
import optax
from dataclasses import dataclass
from launch.configs.smoke import get_config
from mnist_horizon import networks, optimizers, schedules, tasks
from mnist_horizon.settings import setting

@tasks.register("parity")
@dataclass(frozen=True)
class Parity:
    bits: int = setting(8, "How many bits.")

    def load(self):
        raise AssertionError("help loads no data")

@schedules.register("mine")
class Mine(type(schedules.make("dense"))):
    level_name = "q"

networks.register("own_network")(networks.get("mlp"))
optimizers.register("own_optimizer")(lambda: optax.identity())
"""


def test_help_lists_every_field_and_the_parts_that_the_config_registers(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(OWN_PARTS)
    command = commands.run(tmp_path, f"--config={tmp_path / 'own.py'}", "--help", "--workdir=w")
    assert command.process.exitcode == cli.DONE, command.err
    listed = " ".join(command.out.split())
    assert listed.startswith("Run a sweep: `python -m launch.sweep --config=FILE")
    assert "--config: The sweep: a file with get_config()" in listed
    for one in config_settings():
        assert f" {one.name}: {one.meaning.partition(' (task')[0]}" in listed
    assert "batch.rollout_length: Timesteps of each per update" in listed
    for name, kind, default, mine in (
        ("task.name", "text", "must be given", "parity"),
        ("schedules", "list of texts", "default: ('dense',)", "mine:q"),
        ("network.name", "text", "default: mlp", "own_network"),
        ("optimizer.name", "text", "default: adam", "own_optimizer"),
    ):
        about = listed.partition(f" {name}: ")[2].partition("(")[2]
        assert about.startswith(f"{kind}; {default}; one of: ")
        assert mine in re.split(", |\\)", about.partition("one of: ")[2].partition(")")[0])
    assert "task.bits: How many bits. (task parity) (whole number; default: 8)" in listed


def test_help_of_other_commands_ends_well_too(tmp_path: Path) -> None:
    tune = commands.run(tmp_path / "tune", "--help", module="launch.tune")
    assert tune.process.exitcode == cli.DONE, tune.err
    assert "tuning.rungs: Rounds;" in tune.out
    report = commands.run(tmp_path / "report", "--helpfull", module="analysis.report")
    assert report.process.exitcode == cli.DONE, report.err
    assert "absl.logging" in report.out
    assert "fields of --config" not in report.out


def test_the_resolved_config_is_printed_and_nothing_is_written(tmp_path: Path) -> None:
    workdir, changes = tmp_path / "w", ["--config.budget=10000", "--config.task.split_seed=7"]
    command = commands.run(tmp_path, SMOKE, "--show_config", f"--workdir={workdir}", *changes)
    assert command.process.exitcode == cli.DONE, command.err
    assert not workdir.exists()
    assert not command.err
    shown = yaml.safe_load(command.out)
    config = smoke.get_config()
    config.budget, config.task.split_seed = 10_000, 7
    assert spec_from(shown) == spec_from(config.to_dict())
    assert shown["task"] == {"name": "digits", "test_fraction": 0.2, "split_seed": 7}
    assert flat(shown).keys() == flat(default_config().to_dict()).keys() - {"task.data_dir"} | {
        *("task.test_fraction", "task.split_seed")
    }


def flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Settings by their dotted names."""
    found: dict[str, Any] = {}
    for name, value in settings.items():
        is_group = isinstance(value, Mapping)
        found |= flat(value, f"{prefix}{name}.") if is_group else {prefix + name: value}
    return found


def test_the_default_config_has_every_field_and_its_default() -> None:
    config = flat(default_config().to_dict())
    listed = {one.name: one.default for one in settings.of(SweepSpec)}
    assert config.keys() == {*listed, "task.data_dir"}
    needed = {name for name, default in listed.items() if default is settings.NEEDED}
    assert needed == {"task.name", "widths", "horizons", "seeds", "budget"}
    differ = {name for name in listed if config[name] != listed[name]}
    assert differ == {*needed, "test_sample"}


def test_a_log_that_cannot_be_used_is_refused(tmp_path: Path) -> None:
    """W&B is not installed; where it is, it has no key."""
    workdir, nobody = tmp_path / "w", {"HOME": str(tmp_path), "WANDB_MODE": "online"}
    arguments = (SMOKE, f"--workdir={workdir}", "--log=wandb")
    command = commands.start(tmp_path, *arguments, environment=nobody)
    command.wait()
    is_installed = importlib.util.find_spec("wandb") is not None
    said = "No API key configured." if is_installed else "needs the extra wandb: make setup EXTRAS="
    refused(command, workdir, f"error: --log=wandb: {said}")
    refused(commands.run(tmp_path, *arguments[:2], "--log=paper"), workdir, "--log=paper: value")


FILES = {
    "raises": ("def get_config():\n    raise ValueError('not on Sundays')\n", "not on Sundays"),
    "syntax error": ("def get_config(:\n", "invalid syntax (broken.py, line 1)"),
    "no get_config": ("widths = 3\n", "get_config"),
    "no ConfigDict": ("def get_config():\n    return {'widths': (3,)}\n", "return a ConfigDict"),
    "ends the process": ("import sys\nsys.exit(0)\n", "the file ends the process (exit code 0)"),
    "imports what is not there": ("import no_such_module\n", "no_such_module"),
}


@pytest.mark.parametrize(("text", "message"), FILES.values(), ids=FILES.keys())
def test_a_broken_config_file_is_refused(text: str, message: str, tmp_path: Path) -> None:
    file, workdir = tmp_path / "broken.py", tmp_path / "workdir"
    file.write_text(text)
    command = commands.run(tmp_path, f"--config={file}", f"--workdir={workdir}")
    refused(command, workdir, message)


def test_what_a_config_file_registers_is_refused_in_one_line(tmp_path: Path) -> None:
    """A network whose cost cannot be told: nothing is written."""
    code = """
from flax import linen as nn
from launch.configs.smoke import get_config
from mnist_horizon.networks import Network, register

@register("convolution")
class Convolution(Network):
    @nn.compact
    def __call__(self, inputs, phase=None):
        return nn.Dense(self.outputs)(nn.Conv(4, (3,))(inputs[..., None]).mean(axis=1))
"""
    file, workdir = tmp_path / "own.py", tmp_path / "workdir"
    file.write_text(code)
    flags = (f"--config={file}", "--config.network.name=convolution", f"--workdir={workdir}")
    message = "network.name: network 'convolution': its FLOPs cannot be counted"
    refused(commands.run(tmp_path, *flags), workdir, message)


@pytest.mark.parametrize(("system", "factor"), [("linux", 1024), ("darwin", 1)])
def test_peak_memory_is_in_bytes(system: str, factor: int, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    monkeypatch.setattr(resource, "getrusage", lambda _: usage)
    monkeypatch.setattr(sys, "platform", system)
    assert cli.peak_bytes() == factor * usage.ru_maxrss


@pytest.mark.parametrize(
    ("file", "argument"),
    [
        (batch, "31"),
        (batch, "32,chess"),
        (optimizer, "lion"),
        (optimizer, "adam,chess"),
        (sparsity, "chess"),
        (tasks, "teacher5"),
        (tasks, "teacher10,soft"),
        (privileged_basis, "relu,chess"),
    ],
)
def test_a_choice_that_a_config_lacks_is_refused(file: ModuleType, argument: str) -> None:
    with pytest.raises(SweepError, match=f"'{argument.split(',')[-1]}' after the colon: choose"):
        file.get_config(argument)


def test_a_choice_that_a_config_lacks_is_one_line(tmp_path: Path) -> None:
    workdir = tmp_path / "workdir"
    command = commands.run(
        tmp_path, "--config=launch/configs/sparsity.py:chess", f"--workdir={workdir}"
    )
    refused(command, workdir, "error: --config: 'chess' after the colon: choose among mnist")


@pytest.mark.parametrize("file", [batch, optimizer])
def test_a_config_of_mnist_has_a_digits_version(file: ModuleType) -> None:
    first = next(iter(file.SIZES if file is batch else file.RATES))
    assert spec_from(file.get_config(first).to_dict()).task == "mnist"
    digits = spec_from(file.get_config(f"{first},digits").to_dict())
    assert digits.task == "digits"
    assert "data_dir" not in digits.task_settings


def test_tasks_of_many_kinds_differ_in_the_task_alone() -> None:
    names = ("mnist", "fashion_mnist", "kmnist", "digits", "graded_digits", "teacher4")
    teachers = ("teacher30", "teacher10,hard", "teacher10,noise0.2")
    specs = {name: spec_from(tasks.get_config(name).to_dict()) for name in (*names, *teachers)}
    assert [specs[name].task for name in names[:5]] == list(names[:5])
    changes = {"task": "mnist", "task_settings": {}}
    assert len({str(dataclasses.replace(spec, **changes)) for spec in specs.values()}) == 1
    settings = {name: specs[name].task_settings for name in ("teacher4", *teachers)}
    assert [one["classes"] for one in settings.values()] == [4, 30, 10, 10]
    assert [one["dimensions"] for one in settings.values()] == [16, 16, 64, 16]
    assert [one.get("label_noise", 0) for one in settings.values()] == [0, 0, 0, 0.2]


@pytest.mark.parametrize("name", ["fashion_mnist", "kmnist"])
def test_a_folder_of_idx_files_is_swept(name: str, tmp_path: Path) -> None:
    folder, workdir = tmp_path / "idx", tmp_path / "workdir"
    write_idx_folder(folder, {"train": pictures(60, seed=1), "test": pictures(20, seed=2)})
    flags = [f"--config=launch/configs/tasks.py:{name}", f"--config.task.data_dir={folder}"]
    small = ["--config.widths=(4,)", "--config.horizons=(1.0,)", "--config.seeds=1"]
    short = ["--config.budget=2048", "--config.evaluations=2", "--config.noise.samples=0"]
    done = commands.run(tmp_path, *flags, *small, *short, f"--workdir={workdir}")
    assert done.process.exitcode == 0, done.err
    found = read_results(workdir).frame
    assert set(found["task"]) == {name}
    assert found["interactions"].max() == 2048


def test_versions_of_a_privileged_basis() -> None:
    spec = spec_from(privileged_basis.get_config("digits,tanh,sgd").to_dict())
    assert (spec.task, spec.network.activation, spec.optimizer.name) == ("digits", "tanh", "sgd")
    spec = spec_from(privileged_basis.get_config().to_dict())
    chosen = (spec.task, spec.network.activation, spec.optimizer.name)
    assert chosen == ("mnist", "leaky_relu", "adam")
    assert len(spec.kept_updates(64)) == 6


def test_what_is_missing_is_asked_for(tmp_path: Path) -> None:
    workdir = tmp_path / "workdir"
    refused(commands.run(tmp_path, f"--workdir={workdir}"), workdir, "--config: name a sweep")
    refused(commands.run(tmp_path, SMOKE), workdir, "--workdir: name the folder")
    absent = commands.run(tmp_path, "--config=nowhere.py", f"--workdir={workdir}")
    refused(absent, workdir, "nowhere.py")


def test_a_file_is_no_workdir(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("mine")
    command = commands.run(tmp_path, SMOKE, f"--workdir={file}")
    refused(command, tmp_path / "workdir", f"--workdir: {file} is not a writable folder")
    assert file.read_text() == "mine"


def test_the_defaults_are_a_sweep() -> None:
    settings = default_config().to_dict()
    spec = spec_from(settings)
    assert spec.task == "mnist"
    assert spec_from(spec.to_json()) == spec


def hostile(workdir: Path, **record: Any) -> None:
    """A working directory from elsewhere with this record of a finished program."""
    (workdir / "programs").mkdir(parents=True)
    name = Path(record["program_id"]).name
    whole = {"runs": [], "done": True, "files": {}, "width": 4, "seeds": [0]}
    whole["variants"] = [{"horizon": 1.0, "schedule": "dense", "learning_rate": 0.03}]
    (workdir / "programs" / f"{name}.json").write_text(json.dumps({**whole, **record}))


def test_an_id_that_is_a_path_truncates_no_file(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious\n")
    workdir = tmp_path / "w"
    hostile(workdir, program_id=str(victim), done=False)
    spec = spec_from(smoke.get_config().to_dict())
    (workdir / "sweep.json").write_text(json.dumps(spec.to_json()))
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    command = commands.run(tmp_path / "io", SMOKE, f"--workdir={workdir}")
    assert command.process.exitcode == cli.BAD_INPUT, command.err
    (line,) = command.err.splitlines()
    assert "its program_id" in line
    after = {path: path.read_bytes() for path in before}
    assert after == before
    assert {path.name for path in workdir.iterdir()} == {"programs", "sweep.json"}


def test_what_a_link_leads_to_is_not_removed(tmp_path: Path) -> None:
    precious = tmp_path / "home" / "Documents" / "precious"
    precious.parent.mkdir(parents=True)
    precious.write_text("mine")
    workdir = tmp_path / "w"
    hostile(workdir, program_id="Documents")
    (workdir / "checkpoints").symlink_to(tmp_path / "home")
    spec = spec_from(smoke.get_config().to_dict())
    (workdir / "sweep.json").write_text(json.dumps(spec.to_json()))
    command = commands.run(tmp_path / "io", SMOKE, f"--workdir={workdir}")
    assert command.process.exitcode == cli.BAD_INPUT, command.err
    (line,) = command.err.splitlines()
    assert "checkpoints is a link" in line
    assert precious.read_text() == "mine"

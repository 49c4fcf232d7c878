"""`--dry_run --target`: the table of a sweep that is compiled for chips, here for this CPU."""

import dataclasses
from importlib import util
from pathlib import Path

import jax
import pytest

from launch import targets as table
from launch.configs import smoke
from mnist_horizon import tasks
from mnist_horizon.devices import targets
from mnist_horizon.devices.targets import Target
from mnist_horizon.errors import SweepError
from mnist_horizon.sweeps import SweepSpec, plan, spec_from
from tests.launch import commands
from tests.mnist_horizon.small_sweeps import all_runs

SMOKE = "--config=launch/configs/smoke.py"
CHIP = targets.CHIPS["h100"]


class Here(Target):
    """A target whose compiler is always installed."""

    def devices(self) -> list[jax.Device]:
        return jax.devices()[: self.count]


@pytest.fixture(scope="module")
def spec() -> SweepSpec:
    return spec_from({**smoke.get_config().to_dict(), "widths": (4,)})


def test_every_program_is_compiled_and_described(spec: SweepSpec, tmp_path: Path) -> None:
    task = tasks.load(spec.task, spec.task_settings)
    (found,) = table.compile_sweep(spec, tmp_path / "none", task, Here(CHIP, 1))
    assert not (tmp_path / "none").exists()
    assert found.runs == len(all_runs(spec)) == 8
    each = plan.flops_per_interaction(spec, 4, 10, (8, 8))
    assert found.counted == each * spec.batch_size * 8
    assert 0.5 * found.counted < found.flops
    assert found.kernels > 5
    assert found.collectives == ()
    # Compiled for a CPU, whose text is read as that of a GPU: no kernel is faster than its launch.
    assert found.seconds > spec.updates(found.program.width) * found.kernels * CHIP.launch_seconds
    text = table.describe(spec, Here(CHIP, 1), [found])
    row = next(line for line in text.splitlines() if found.program.program_id in line)
    assert row.split()[1] == "8"
    assert "not a measurement" in text
    assert "67 TFLOP/s (f32)" in text


def test_a_program_that_a_chip_cannot_hold_is_refused(spec: SweepSpec, tmp_path: Path) -> None:
    task = tasks.load(spec.task, spec.task_settings)
    small = dataclasses.replace(CHIP, memory=1e3)
    with pytest.raises(SweepError, match=r"^max_program_bytes: w4-8runs.* of a h100: choose"):
        table.compile_sweep(spec, tmp_path, task, Here(small, 1))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--target=h100"], "--target: only with --dry_run"),
        (["--dry_run", "--target=tpu"], "--target: 'tpu': choose among v5e"),
    ],
)
def test_bad_targets_are_one_line(arguments: list[str], message: str, tmp_path: Path) -> None:
    workdir = tmp_path / "w"
    command = commands.run(tmp_path, SMOKE, f"--workdir={workdir}", *arguments)
    assert command.wait() == 2
    assert message in command.err.strip().splitlines()[-1]
    assert not workdir.exists()


@pytest.mark.slow
@pytest.mark.parametrize("target", ["v5e", "h100"])
def test_the_command_compiles_for_a_chip(target: str, tmp_path: Path) -> None:
    package, extra = targets.EXTRAS[targets.CHIPS[target].platform]
    if util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed: the extra {extra} brings it")
    workdir = tmp_path / "w"
    arguments = (f"--workdir={workdir}", "--dry_run", f"--target={target}:2")
    command = commands.run(tmp_path, SMOKE, *arguments)
    assert command.wait() == 0, command.err
    assert f"compiled for 2 x {target}" in command.out
    assert len([line for line in command.out.splitlines() if "runs-" in line]) == 2
    assert not workdir.exists()

"""How processes find each other, and what a process alone makes of what several would share.

That several compute what one does is tested in `tests/launch/test_hosts.py`.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from mnist_horizon import devices
from mnist_horizon.devices import hosts
from mnist_horizon.errors import SweepError


@pytest.mark.parametrize(
    "arguments",
    [
        {"coordinator": "127.0.0.1:1"},
        {"processes": 2, "process": 0},
        {"coordinator": "127.0.0.1:1", "processes": 2, "process": 2},
        {"coordinator": "127.0.0.1", "processes": 2, "process": 0},
        {"coordinator": "127.0.0.1:port", "processes": 2, "process": 0},
    ],
)
def test_processes_that_are_named_badly_are_refused(arguments: dict[str, object]) -> None:
    with pytest.raises(SweepError, match="--coordinator"):
        hosts.start(**arguments)  # type: ignore[arg-type]


def test_a_slurm_step_of_several_tasks_is_joined_and_nothing_else() -> None:
    batch_script = {"SLURM_JOB_ID": "7", "SLURM_NTASKS": "4", "SLURM_PROCID": "0"}
    assert not hosts.is_slurm_step({})
    assert not hosts.is_slurm_step(batch_script)
    assert not hosts.is_slurm_step({**batch_script, "SLURM_STEP_NUM_TASKS": "1"})
    assert hosts.is_slurm_step({**batch_script, "SLURM_STEP_NUM_TASKS": "4"})


@pytest.mark.parametrize(
    ("platforms", "chips", "libtpu", "expected"),
    [
        ("", True, True, False),
        (None, True, True, True),
        ("tpu,cpu", True, True, True),
        ("cpu", True, True, False),
        (None, False, True, False),
        (None, True, False, False),
    ],
)
def test_a_machine_with_tpus_asks_jax_for_the_others(
    platforms: str | None,
    chips: bool,
    libtpu: bool,
    expected: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("SLURM_STEP_NUM_TASKS", raising=False)
    monkeypatch.delenv("JAX_PLATFORMS")
    if platforms is not None:
        monkeypatch.setenv("JAX_PLATFORMS", platforms)
    monkeypatch.setattr(Path, "exists", lambda path: chips and str(path) == "/dev/vfio/0")
    monkeypatch.setattr(hosts.util, "find_spec", lambda name: name if libtpu else None)
    joined = []
    monkeypatch.setattr(jax.distributed, "initialize", lambda **chosen: joined.append(chosen))
    hosts.start()
    assert joined == [{}] * expected


def test_hosts_that_do_not_come_are_said_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**_: object) -> None:
        raise RuntimeError("DEADLINE_EXCEEDED:\n barrier timed out")

    monkeypatch.setattr(jax.distributed, "initialize", fail)
    with pytest.raises(SweepError, match="not connect to each other: DEADLINE_EXCEEDED: barrier"):
        hosts.start("127.0.0.1:1", 2, 0)


def test_a_process_alone_passes_everything_through() -> None:
    assert hosts.is_first()
    assert hosts.on_first(lambda: "value") == "value"
    with pytest.raises(OSError, match="disk"):
        hosts.on_first(lambda: (_ for _ in ()).throw(OSError("disk")))
    assert hosts.synchronize(1.5, True) == (1.5, True)
    np.testing.assert_array_equal(hosts.fetch({"a": jax.numpy.arange(3)})["a"], [0, 1, 2])


COMPILE = """
import jax
import jax.numpy as jnp
jax.config.update("jax_num_cpu_devices", 2)
from mnist_horizon import devices, training
from mnist_horizon.tasks import load
from tests.mnist_horizon.devices.test_layout import SPEC, run_params
functions = devices.ProgramFunctions(training.make_train(SPEC), devices.choose_layout(2, 2, 2))
runs, keys = functions.place_runs(run_params(2, (1.0, 3.0))), functions.place_keys((0, 1))
task = functions.place_task(load("digits", {}).task)
state = functions.init(keys, task, runs)
assert len(keys.devices()) == 2
numbers = (jnp.int32(0), jnp.int32(0), jnp.bool_(False))
print(functions.update.lower(state, runs, task, keys, *numbers).compile().as_text())
"""


@pytest.mark.slow
def test_nothing_is_communicated_in_updates() -> None:
    environment = {**os.environ, "JAX_PLATFORMS": "cpu"}
    found = subprocess.run(
        [sys.executable, "-c", COMPILE], capture_output=True, text=True, env=environment
    )
    assert found.returncode == 0, found.stderr
    assert "num_partitions=2" in found.stdout
    collectives = r"all-(?:reduce|gather|to-all)|collective-|reduce-scatter|\bsend\b|\brecv\b"
    assert re.findall(collectives, found.stdout) == []


@pytest.mark.parametrize(("seeds", "variants", "count"), [(1, 1, 4), (2, 1, 4), (1, 3, 8)])
def test_devices_without_a_run_compute_padding(seeds: int, variants: int, count: int) -> None:
    layout = devices.choose_layout(seeds, variants, count, least=count)
    assert (layout.devices, layout.groups) == (count, count)
    flat = layout.slots.reshape(-1)
    np.testing.assert_array_equal(flat[layout.positions], np.arange(seeds * variants))


@pytest.mark.parametrize("text", ["two", "-1", "2;rm", "1e3", "\x1b[2J"])
def test_a_count_of_slurm_that_is_none_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(SweepError, match="is no number of tasks") as error:
        hosts.is_slurm_step({"SLURM_STEP_NUM_TASKS": text})
    assert str(error.value).isprintable()

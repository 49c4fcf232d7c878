"""Layouts hold every run once; how many devices there are changes nothing that matters."""

import json
import os
import subprocess
import sys
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnist_horizon import devices, training
from mnist_horizon.networks import NetworkSpec
from mnist_horizon.schedules import parse
from mnist_horizon.tasks import load
from mnist_horizon.training import RunParams, TrainSpec

SPEC = TrainSpec(NetworkSpec("mlp", 1, 8), environments=2, rollout_length=16)


def run_params(seeds: int, horizons: tuple[float, ...]) -> RunParams:
    """Dense runs [program run], seed by seed."""
    count = seeds * len(horizons)
    discount = np.tile([1 - 2 / (h + 1) for h in horizons], seeds).astype(np.float32)
    full = lambda value: np.full(count, value, np.float32)  # noqa: E731
    reward = jax.tree.map(lambda leaf: np.broadcast_to(leaf, count), parse("periodic:2"))
    return RunParams(reward, discount, full(1.0), full(3e-2), *[full(0.0)] * 3)


@given(st.integers(1, 9), st.integers(1, 12), st.integers(1, 9))
def test_every_run_has_one_place(seeds: int, variants: int, count: int) -> None:
    layout = devices.choose_layout(seeds, variants, count)
    flat = layout.slots.reshape(-1)
    np.testing.assert_array_equal(flat[layout.positions], np.arange(seeds * variants))
    assert layout.groups % layout.devices == 0
    assert layout.devices == min(count, seeds * variants)
    same_seed = layout.slots // variants == layout.group_seeds[:, None]
    assert same_seed.all(), "a group shares the observations of one seed"


def test_layouts_waste_little_and_keep_groups_whole() -> None:
    assert devices.choose_layout(4, 7, 2).slots.shape == (4, 7)
    assert devices.choose_layout(1, 16, 2).slots.shape == (2, 8)
    assert devices.choose_layout(3, 7, 2).slots.shape == (6, 4)
    assert devices.choose_layout(4, 7, 1).slots.shape == (4, 7)


def test_packing_and_unpacking_are_inverse() -> None:
    task = load("digits", {}).task
    layout = devices.Layout(seeds=2, variants=3, parts=2, devices=1)
    functions = devices.ProgramFunctions(training.make_train(SPEC), layout)
    runs = functions.place_runs(run_params(2, (1.0, 3.0, 7.0)))
    state = functions.init(functions.place_keys((5, 6)), functions.place_task(task), runs)
    program_order = functions.unpack(state)
    kernel = program_order.params["first"]["kernel"]
    assert kernel.shape == (6, 64, 8)
    assert not np.array_equal(kernel[0], kernel[3])  # seeds differ
    np.testing.assert_array_equal(kernel[0], kernel[2])  # horizons of a seed start alike
    again = functions.unpack(functions.pack(program_order))
    jax.tree.map(np.testing.assert_array_equal, program_order, again)


def fake_cores(monkeypatch: pytest.MonkeyPatch, **functions: Callable[..., object]) -> None:
    """`os` with these of the functions that count cores, and no others."""
    for name in ("process_cpu_count", "sched_getaffinity", "cpu_count"):
        monkeypatch.delattr(os, name, raising=False)
    for name, function in functions.items():
        monkeypatch.setattr(os, name, function, raising=False)


def test_cores_are_counted_wherever_the_system_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    """Linux before Python 3.13; macOS; Python 3.13; a system that tells nothing."""
    fake_cores(monkeypatch, sched_getaffinity=lambda pid: {0, 5, 7}, cpu_count=lambda: 8)
    assert devices.usable_cores() == 3
    fake_cores(monkeypatch, cpu_count=lambda: 8)
    assert devices.usable_cores() == 8
    fake_cores(monkeypatch, process_cpu_count=lambda: 2, cpu_count=lambda: 8)
    assert devices.usable_cores() == 2
    fake_cores(monkeypatch, cpu_count=lambda: None)
    assert devices.usable_cores() == 1


def test_every_usable_core_is_a_device(monkeypatch: pytest.MonkeyPatch) -> None:
    told: dict[str, object] = {}
    monkeypatch.delenv("XLA_FLAGS", raising=False)
    monkeypatch.setattr(jax.config, "update", told.__setitem__)
    fake_cores(monkeypatch, cpu_count=lambda: 6)
    devices.use_cpu_cores()
    assert told == {"jax_num_cpu_devices": 6}


CHILD = """
import json, sys
import numpy as np
from mnist_horizon import devices
devices_wanted = int(sys.argv[1])
import jax
jax.config.update("jax_num_cpu_devices", devices_wanted)
import jax.numpy as jnp
from tests.mnist_horizon.devices.test_layout import SPEC, run_params, train_for
assert jax.device_count() == devices_wanted
json.dump(train_for(*map(int, sys.argv[1:])), sys.stdout)
"""


def train_for(count: int, updates: int, seeds: int) -> dict[str, list[float]]:
    """Returns and a parameter of three runs per seed after some updates on `count` devices."""
    layout = devices.choose_layout(seeds, 3, count)
    functions = devices.ProgramFunctions(training.make_train(SPEC), layout)
    runs = functions.place_runs(run_params(seeds, (1.0, 3.0, 7.0)))
    keys = functions.place_keys(tuple(range(seeds)))
    task = functions.place_task(load("digits", {}).task)
    numbers = (jnp.int32(0), jnp.int32(updates), jnp.bool_(False))
    state, _ = functions.update(functions.init(keys, task, runs), runs, task, keys, *numbers)
    found = functions.unpack(state)
    return {
        "returns": found.metrics.means["return_mean"].tolist(),
        "parameter": found.params["first"]["kernel"].sum(axis=(1, 2)).tolist(),
    }


def on_devices(count: int, updates: int, seeds: int = 1) -> dict[str, list[float]]:
    command = [sys.executable, "-c", CHILD, *map(str, (count, updates, seeds))]
    environment = {**os.environ, "JAX_PLATFORMS": "cpu"}
    found = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert found.returncode == 0, found.stderr
    return json.loads(found.stdout.splitlines()[-1])


@pytest.mark.slow
def test_one_and_four_devices_agree() -> None:
    one, four = on_devices(1, 5), on_devices(4, 5)
    # Sums in another order: equal to rounding for the first updates.
    np.testing.assert_allclose(one["returns"], four["returns"], rtol=1e-4)
    np.testing.assert_allclose(one["parameter"], four["parameter"], rtol=1e-3, atol=1e-4)
    assert len(set(one["returns"])) == 3, "horizons differ, so the test could fail"


@pytest.mark.slow
def test_one_and_four_devices_agree_in_distribution() -> None:
    """Sampling is chaotic: after hundreds of updates runs differ, and their distribution does not.

    Within four standard errors of the mean difference of a seed's two runs: by chance one such test
    in a thousand would fail, and these seeds are always the same.
    """
    seeds = 48
    one, four = (
        np.reshape(on_devices(count, 400, seeds)["returns"], (seeds, 3)) for count in (1, 4)
    )
    assert not np.allclose(one, four, rtol=1e-3), "runs that stayed equal would show nothing"
    error = np.std(one - four, axis=0, ddof=1) / np.sqrt(seeds)
    assert (np.abs(np.mean(one - four, axis=0)) < 4 * error).all()
    assert (error < 0.01).all(), "the test would see a difference of a few hundredths"


@pytest.mark.slow
def test_the_same_cut_is_bit_equal() -> None:
    assert on_devices(2, 5) == on_devices(2, 5)


@pytest.mark.parametrize("variants", [1, 2, 3, 7, 16, 17, 63, 100, 257])
@pytest.mark.parametrize("count", [1, 2, 3, 8, 16])
def test_the_layout_is_the_best_of_all_numbers_of_parts(variants: int, count: int) -> None:
    for seeds in (1, 2, 3, 5, 31):
        used = min(count, seeds * variants)
        tried = [devices.Layout(seeds, variants, parts, used) for parts in range(1, variants + 1)]
        best = min(tried, key=lambda layout: layout.groups * (layout.runs_per_group + 1))
        assert devices.choose_layout(seeds, variants, count) == best

"""Optimisers by name: what is shipped, what a user adds, what is refused."""

import pkgutil
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

from mnist_horizon import optimizers, tasks, training
from mnist_horizon.devices import memory
from mnist_horizon.networks import NetworkSpec
from mnist_horizon.optimizers import OptimizerError
from mnist_horizon.training import TrainSpec
from tests.mnist_horizon.optimizers import user_optimizers
from tests.mnist_horizon.small_sweeps import run, tiny
from tests.mnist_horizon.test_training import group, run_params, train


def test_every_file_of_the_folder_is_imported():
    files = {module.name for module in pkgutil.iter_modules(optimizers.__path__)}
    assert {"adam", "sgd"} <= files
    assert all(f"mnist_horizon.optimizers.{name}" in sys.modules for name in files)
    assert {"adam", "sgd"} <= set(optimizers.names())


def test_an_unknown_optimizer_is_refused_with_the_names():
    with pytest.raises(OptimizerError, match=r"optimizer.name: unknown optimizer 'adm': .*adam.*"):
        optimizers.build("adm")


def test_a_name_belongs_to_one_function_which_may_come_twice():
    optimizers.register("user_lion")(user_optimizers.lion)
    with pytest.raises(OptimizerError, match="optimizer 'adam' is already registered by adam"):
        optimizers.register("adam")(user_optimizers.lion)


def test_a_users_optimizer_steps_by_its_direction():
    """Lion's first step is the gradient's sign: every parameter moves by the learning rate."""
    spec = TrainSpec(NetworkSpec("mlp", 1, 8), 4, 8, optimizer="user_lion", baseline="value_net")
    task = tasks.load("digits", {}).task
    state = train(spec, task, group(run_params(rate=1e-2), run_params(rate=2e-2)), updates=1)
    key = jax.vmap(jax.random.key)(jnp.arange(1))[0]
    start = training.init_run(spec, key, task)
    for index, rate in enumerate((1e-2, 2e-2)):
        for name, axis in (("first", 1), ("last", 0)):
            for params, initial in (
                (state.params, start.params),
                (state.value_params, start.value_params),
            ):
                moved = np.take(np.asarray(params[name]["kernel"][0]), index, axis)
                moved = np.abs(moved - np.asarray(initial[name]["kernel"]))
                # Pixels that are always black move nothing, but for another rounding.
                is_moved = moved > 1e-6
                assert np.allclose(moved[is_moved], rate, rtol=1e-3)
                assert is_moved.mean() > 0.5


def test_a_users_optimizer_is_swept_with_no_other_edit(tmp_path):
    spec = tiny(
        optimizer={"name": "user_lion", "learning_rates": (1e-2,)}, budget=200 * 64, widths=(16,)
    )
    assert not run(spec, tmp_path).diverged
    table = pd.concat(map(pd.read_parquet, tmp_path.glob("results/*.parquet")))
    assert set(table["optimizer"]) == {"user_lion"}
    last = table.sort_values("interactions").groupby("run_id")["return_mean"].last()
    assert (last > 0.3).all()  # chance is 0.1


def test_the_memory_of_its_state_is_counted():
    """Adam keeps two moments, Lion one, SGD nothing."""
    task = tasks.load("digits", {}).task
    network = NetworkSpec("mlp", 1, 64)
    sgd, lion, adam = (
        memory.program_memory(TrainSpec(network, 4, 8, optimizer=name), task).run
        for name in ("sgd", "user_lion", "adam")
    )
    parameters = 65 * 64 + 65 * 10
    assert lion - sgd == adam - lion == 4 * parameters

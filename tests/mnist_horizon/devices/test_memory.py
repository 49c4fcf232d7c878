"""The memory that is forecast is what XLA says that the compiled programs need."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mnist_horizon import noise, training
from mnist_horizon.devices import memory
from mnist_horizon.networks import NetworkError, NetworkSpec
from mnist_horizon.schedules import make
from mnist_horizon.sweeps import SweepSpec, plan
from mnist_horizon.sweeps.plan import Program, Variant
from mnist_horizon.tasks import Examples, Task
from mnist_horizon.training import TrainSpec
from tests.mnist_horizon.networks import user_networks
from tests.mnist_horizon.optimizers import user_optimizers
from tests.mnist_horizon.sweeps.test_spec import small

assert user_networks.Residual  # they are registered
assert user_optimizers.lion

TOLERANCE, SMALLEST = 0.2, 500e6


def shapes(count: int, *shape: int) -> Examples:
    """A split that takes no memory."""
    images = jax.ShapeDtypeStruct((count, *shape), jnp.uint8)
    return Examples(images, jax.ShapeDtypeStruct((count,), jnp.int32))


MNIST = Task(train=shapes(60_000, 28, 28), test=shapes(10_000, 28, 28), classes=10)


def compiled_bytes(spec: SweepSpec, width: int, groups: int, runs: int) -> int:
    """What the largest of a program's functions needs beside the data set; nothing is run."""
    variants = tuple(Variant(1.0 + i, make("dense"), 1e-3) for i in range(runs))
    numbers = plan.run_params(spec, Program("", width, tuple(range(groups)), variants))
    numbers = jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct((groups, runs), np.asarray(leaf).dtype), numbers
    )
    train = training.make_train(spec.train_spec(width))
    keys = jax.eval_shape(lambda: jax.vmap(jax.random.key)(jnp.arange(groups)))
    state = jax.eval_shape(train.init, keys, MNIST, numbers)
    number = jax.ShapeDtypeStruct((), jnp.int32)
    update = jax.jit(train.update, donate_argnums=0).lower(
        state, numbers, MNIST, keys, number, number
    )
    programs = [update, jax.jit(train.evaluate).lower(state, MNIST, keys)]
    if spec.noise.samples:
        measure = functools.partial(noise.measure, spec.train_spec(width), spec.noise.samples)
        programs.append(jax.jit(measure).lower(state, numbers, MNIST, keys, number))
    held = sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(state))
    # The state stays where it is while the evaluation runs; the update's result takes its place.
    found = [program.compile().memory_analysis() for program in programs]
    return held + max(
        one.output_size_in_bytes + one.temp_size_in_bytes - one.alias_size_in_bytes for one in found
    )


CASES = {
    "mlp": (400, 4, 16, {}),
    "mlp of two layers with values": (
        256,
        4,
        10,
        {
            "network": {"depth": 2},
            "baseline": "value_net",
            "batch": {"environments": 1, "rollout_length": 1024},
        },
    ),
    "many small mlps by sgd": (
        64,
        4,
        96,
        {
            "optimizer": {"name": "sgd"},
            "batch": {"environments": 1, "rollout_length": 2048},
        },
    ),
    "layers smaller than the logits": (4, 4, 1024, {}),
    "mlp in bf16": (400, 4, 16, {"precision": "bf16"}),
    "ppo": (256, 4, 16, {"algorithm": {"name": "ppo"}, "baseline": "value_net"}),
    "noise of long rollouts": (
        100,
        4,
        1,
        {"noise": {"samples": 1024}, "batch": {"environments": 1, "rollout_length": 8192}},
    ),
    "noise of a wide network": (
        1600,
        8,
        1,
        {"noise": {"samples": 1024}, "batch": {"environments": 1, "rollout_length": 2048}},
    ),
    "noise of many runs together": (100, 8, 28, {"noise": {"samples": 1024}}),
    "cnn": (32, 2, 8, {"network": {"name": "cnn"}, "optimizer": {"name": "sgd"}}),
    "cnn of two layers": (16, 2, 8, {"network": {"name": "cnn", "depth": 2}}),
    "a user's residual network by lion": (
        256,
        4,
        16,
        {
            "network": {"name": "user_residual", "depth": 2},
            "optimizer": {"name": "user_lion"},
            "batch": {"environments": 1, "rollout_length": 1024},
        },
    ),
}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[] if name == "mlp" else pytest.mark.slow, id=name)
        for name in CASES
    ],
)
def test_the_forecast_is_within_a_fifth_of_the_compilers_account(name: str) -> None:
    width, groups, runs, changes = CASES[name]
    batch = {"environments": 1, "rollout_length": 512}
    spec = small(
        **{"task": {"name": "mnist"}, "budget": 10**6, "batch": batch, "seeds": groups, **changes}
    )
    data = 70_000 * (28 * 28 + 4)
    found = compiled_bytes(spec, width, groups, runs) + data
    assert found > SMALLEST
    forecast = plan.memory_of_width(spec, width, MNIST).total(groups, runs) + data
    print(f"{name}: {found / 1e6:.0f} MB, forecast {forecast / found:.2f} of it")
    assert forecast == pytest.approx(found, rel=TOLERANCE)


class Sizes:
    """A compiled function of these sizes."""

    def __init__(self, argument: int, output: int, alias: int, temp: int) -> None:
        self.argument_size_in_bytes, self.output_size_in_bytes = argument, output
        self.alias_size_in_bytes, self.temp_size_in_bytes = alias, temp

    def memory_analysis(self) -> "Sizes":
        return self


def test_the_optimisers_state_stays_while_an_evaluation_runs() -> None:
    split = 10_000 * (28 * 28 + 4)
    functions = {"update": Sizes(1000, 900, 900, 30), "evaluate": Sizes(400, 7, 0, 50)}
    assert memory.program_bytes(functions, MNIST) == 1000 + split + 57
    functions["evaluate"] = Sizes(400, 7, 0, 5)
    assert memory.program_bytes(functions, MNIST) == 1000 + split + 30


def test_a_network_without_dense_layers_is_refused() -> None:
    spec = TrainSpec(NetworkSpec("table", 1, 4), environments=1, rollout_length=8)
    with pytest.raises(NetworkError, match="'table': its memory cannot be estimated: it has no"):
        memory.program_memory(spec, MNIST)


def test_the_measurement_of_noise_is_counted_only_where_it_is_asked_for() -> None:
    spec = TrainSpec(NetworkSpec("mlp", 1, 4), environments=1, rollout_length=8192)
    without, with_noise = (memory.program_memory(spec, MNIST, count) for count in (0, 1024))
    assert (with_noise.run, with_noise.group) == (without.run, without.group)
    assert with_noise.total(1, 1) > without.total(1, 1)


def test_measuring_many_runs_needs_a_bounded_memory() -> None:
    """Beside what one run needs alone, and never more signals than fit into a cache."""
    spec = TrainSpec(NetworkSpec("mlp", 1, 100), environments=1, rollout_length=512)
    one, *others = (memory.measurement(spec, MNIST, runs) for runs in (1, 2, 30, 1000))
    assert others[0].runs == 2
    for found in others:
        assert found.floats <= one.floats + memory.MEASURED_FLOATS + memory.SIGNAL_FLOATS
        assert found.runs * found.examples * 10 * 100 <= memory.SIGNAL_FLOATS
    wide = TrainSpec(NetworkSpec("mlp", 1, 100_000), environments=1, rollout_length=512)
    found = memory.measurement(wide, MNIST, 30)
    assert (found.runs, found.examples) == (1, 1), "one is always measured"


@pytest.mark.parametrize("limit", [10**6, 10**8, 10**9])
def test_a_group_has_as_many_runs_as_fit(limit: int) -> None:
    spec = TrainSpec(NetworkSpec("mlp", 1, 100), environments=1, rollout_length=512)
    need = memory.program_memory(spec, MNIST, noise_samples=1024)
    most = need.most_runs(limit)
    assert most == 1 or need.total(1, most) <= limit
    assert need.total(1, most + 1) > limit or need.total(1, most) > limit

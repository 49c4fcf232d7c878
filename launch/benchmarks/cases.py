"""One case of the benchmark: some runs of one program, compiled cold and timed in steady state."""

import math
import time
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from launch.forecast import memory_speed, product_speed
from mnist_horizon import devices, training
from mnist_horizon.devices import memory
from mnist_horizon.schedules import make
from mnist_horizon.sweeps import SweepSpec, plan, spec_from
from mnist_horizon.sweeps.plan import Program, Variant
from mnist_horizon.tasks import Examples, Task

REPEATS = 5
BATCH = 512
HORIZONS = (1.0, 3.0, 7.0, 15.0, 31.0, 63.0, 127.0)
SHAPE, CLASSES = (28, 28), 10


@dataclass(frozen=True)
class Case:
    """What is timed: `runs` runs in `seeds` groups that share observations."""

    network: str
    depth: int
    width: int
    runs: int
    seeds: int
    batch: int
    precision: str
    devices: int

    @property
    def label(self) -> str:
        """`784-64-64-10`, or `cnn2-w16` for two convolutions, the first of 16 channels."""
        if self.network == "mlp":
            hidden = [self.width] * self.depth
            return "-".join(map(str, [math.prod(SHAPE), *hidden, CLASSES]))
        return f"{self.network}{self.depth}-w{self.width}"

    @property
    def grouping(self) -> str:
        """`shared` is one group of all runs."""
        return "shared" if self.seeds == 1 else f"{self.seeds} seeds"

    def spec(self) -> SweepSpec:
        """A sweep of MNIST's shape; a rollout is a batch, as in `launch/configs/horizon.py`.

        Raises:
            SweepError: a number of the case is impossible.
        """
        settings: dict[str, Any] = {
            "task": {"name": "mnist"},
            "network": {"name": self.network, "depth": self.depth},
            "widths": (self.width,),
            "horizons": HORIZONS,
            "seeds": self.seeds,
            "budget": 1000 * self.batch,
            "batch": {"environments": 1, "rollout_length": self.batch},
            "precision": self.precision,
        }
        return spec_from(settings)

    def program(self) -> Program:
        """Horizons repeat with other learning rates until there are enough runs."""
        dense = make("dense")
        variants = [
            Variant(HORIZONS[i % len(HORIZONS)], dense, 1e-4 * (i + 1))
            for i in range(self.runs // self.seeds)
        ]
        return Program("bench", self.width, tuple(range(self.seeds)), tuple(variants))


class Updates:
    """A program's update, compiled, with the state that it continues from.

    Attributes:
        devices: how many the runs are spread over, at most those asked for.
        compile_seconds: to trace and compile the update.
        memory_bytes: on all devices, by XLA's account of the compiled update: data set, state and
            temporary arrays.
    """

    def __init__(self, spec: SweepSpec, program: Program, task: Task, device_count: int) -> None:
        layout = devices.choose_layout(len(program.seeds), len(program.variants), device_count)
        functions = devices.ProgramFunctions(
            training.make_train(spec.train_spec(program.width)), layout
        )
        runs, keys = (
            functions.place_runs(plan.run_params(spec, program)),
            functions.place_keys(program.seeds),
        )
        task = functions.place_task(task)
        self._state = functions.init(keys, task, runs)
        self._arguments = (runs, task, keys)
        started = time.perf_counter()
        numbers = (jnp.int32(0), jnp.int32(0), jnp.bool_(False))
        self._update = functions.update.lower(self._state, *self._arguments, *numbers).compile()
        self.compile_seconds = time.perf_counter() - started
        self.devices = layout.devices
        self.memory_bytes = layout.devices * memory.compiled_bytes(self._update)

    def run(self, count: int) -> float:
        """Do this many updates; returns the seconds that they took."""
        started = time.perf_counter()
        numbers = (jnp.int32(0), jnp.int32(count), jnp.bool_(False))
        self._state, _ = self._update(self._state, *self._arguments, *numbers)
        jax.block_until_ready(self._state)
        return time.perf_counter() - started


def measure(case: Case, task: Task, seconds: float) -> dict[str, Any]:
    """A case's row of the table.

    The speeds of the product and of the memory, which change from minute to minute on a machine
    that is shared, are measured beside it.

    Args:
        case: what is timed.
        task: data of MNIST's shape.
        seconds: of each of the `REPEATS` measurements; the best one counts.
    """
    spec, program = case.spec(), case.program()
    updates = Updates(spec, program, task, case.devices)
    product, bandwidth = product_speed(updates.devices), memory_speed()
    updates.run(1)
    count = max(3, round(3 * seconds / updates.run(3)))
    best = min(updates.run(count) for _ in range(REPEATS))
    speed = len(program.runs) * count * spec.batch_size / best
    flops = speed * plan.flops_per_interaction(spec, case.width, CLASSES, SHAPE)
    return {
        "network": case.label,
        "precision": case.precision,
        "batch": case.batch,
        "runs": case.runs,
        "grouping": case.grouping,
        "devices": updates.devices,
        "interactions_per_second": speed,
        "flops": flops,
        "ratio": flops / product,
        "product_flops": product,
        "memory_bytes_per_second": bandwidth,
        "compile_seconds": updates.compile_seconds,
        "memory_bytes": updates.memory_bytes,
    }


def mnist_shaped_task() -> Task:
    """Noise of MNIST's size: speed does not depend on what the pixels show."""
    generator = np.random.default_rng(0)

    def split(count: int) -> Examples:
        images = generator.integers(0, 256, (count, *SHAPE), dtype=np.uint8)
        labels = generator.integers(0, CLASSES, count, dtype=np.int32)
        return Examples(jnp.asarray(images), jnp.asarray(labels))

    return Task(train=split(60_000), test=split(10_000), classes=CLASSES)

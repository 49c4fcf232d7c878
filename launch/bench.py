"""How fast sweeps train, against this machine's own matrix product.

    python -m launch.bench [--runs=16,64] [--widths=16,64] [--depth=1,2] [--json=bench.json]

For each case the steady speed of the trainer's own update (compiled, 512 interactions an update,
data of MNIST's shape): interactions/s over all runs, achieved FLOP/s by the analytic count of
`mnist_horizon.networks`, and its ratio to a 2048^3 f32 product in the same process (all threads).
`grouping` is how runs share observations: `shared` is one group of all runs, `4 seeds` splits them
into four groups, as a sweep with four seeds does.
"""

import json
import math
import platform
import resource
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from absl import flags

from launch import config
from launch.forecast import product_speed
from mnist_horizon import devices, sweep, training
from mnist_horizon.schedules import Schedule
from mnist_horizon.spec import SweepSpec, spec_from
from mnist_horizon.sweep import Program, Variant
from mnist_horizon.tasks import Examples, Task

RUNS = flags.DEFINE_list("runs", ["16", "64"], "Runs updated together.")
WIDTHS = flags.DEFINE_list("widths", ["16", "64"], "Widths of the MLP.")
DEPTHS = flags.DEFINE_list("depth", ["1", "2"], "Hidden layers of the MLP.")
BATCH = flags.DEFINE_integer("batch", 512, "Interactions an update.")
SECONDS = flags.DEFINE_float("seconds", 1.0, "Measure each case about this long, five times.")
JSON = flags.DEFINE_string("json", None, "Write the table to this file too.")

REPEATS = 5
HORIZONS = (1.0, 3.0, 7.0, 15.0, 31.0, 63.0, 127.0)


def main(argv: Sequence[str]) -> int:
    """Measure every case and print the table."""
    del argv
    devices.use_cpu_cores()
    peak = product_speed()
    task = mnist_shaped_task()
    rows = []
    for depth in map(int, DEPTHS.value):
        for width in map(int, WIDTHS.value):
            for runs in map(int, RUNS.value):
                for grouping, seeds in (("shared", 1), ("4 seeds", 4)):
                    spec = case_spec(width, depth, BATCH.value, seeds)
                    program = case_program(width, seeds, runs)
                    speed = interactions_per_second(spec, program, task, SECONDS.value)
                    rows.append(row(spec, width, runs, grouping, speed, peak))
    print(f"2048^3 f32 product: {peak / 1e9:.0f} GFLOP/s on {jax.devices()[0].device_kind}")
    print(f"{'network':>16} {'runs':>5} {'grouping':>8} {'inter/s':>10} {'GFLOP/s':>8} ratio")
    for one in rows:
        print(
            f"{one['network']:>16} {one['runs']:>5} {one['grouping']:>8} "
            f"{one['interactions_per_second']:>10.3g} {one['flops'] / 1e9:>8.1f} {one['ratio']:.2f}"
        )
    if JSON.value:
        report = {"product_flops": peak, "machine": platform.machine(), "cases": rows}
        Path(JSON.value).write_text(json.dumps(report, indent=1))
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3:.0f} MB")
    return config.DONE


def case_spec(width: int, depth: int, batch: int, seeds: int) -> SweepSpec:
    """A sweep of MNIST's shape; a rollout is a batch, as in `horizon.py`."""
    settings: dict[str, Any] = {
        "task": {"name": "mnist"},
        "network": {"name": "mlp", "depth": depth},
        "widths": (width,),
        "horizons": HORIZONS,
        "seeds": seeds,
        "budget": 1000 * batch,
        "batch": {"environments": 1, "rollout_length": batch},
    }
    return spec_from(settings)


def case_program(width: int, seeds: int, runs: int) -> Program:
    """`runs` runs in `seeds` groups; horizons repeat with other learning rates."""
    dense = Schedule("dense")
    count = runs // seeds
    variants = [Variant(HORIZONS[i % len(HORIZONS)], dense, 1e-4 * (i + 1)) for i in range(count)]
    return Program("bench", width, tuple(range(seeds)), tuple(variants))


def interactions_per_second(spec: SweepSpec, program: Program, task: Task, seconds: float) -> float:
    """Steady speed of a program's updates, the best of `REPEATS`, compilation left out."""
    layout = devices.choose_layout(len(program.seeds), len(program.variants), jax.device_count())
    laid = devices.Laid(training.make_train(spec.train_spec(program.width)), layout)
    runs, keys = laid.place_runs(sweep.run_params(spec, program)), laid.place_keys(program.seeds)
    task = laid.place_task(task)
    state = laid.init(keys, task, runs)

    def timed(state: Any, count: int) -> tuple[Any, float]:
        started = time.perf_counter()
        state = laid.update(state, runs, task, keys, jnp.int32(0), jnp.int32(count))
        jax.block_until_ready(state)
        return state, time.perf_counter() - started

    state, _ = timed(state, 1)
    state, once = timed(state, 3)
    count = max(3, round(3 * seconds / once))
    best = math.inf
    for _ in range(REPEATS):
        state, elapsed = timed(state, count)
        best = min(best, elapsed)
    return len(program.runs) * count * spec.batch_size / best


def row(
    spec: SweepSpec, width: int, runs: int, grouping: str, speed: float, peak: float
) -> dict[str, Any]:
    """One line of the table."""
    flops = speed * sweep.flops_per_interaction(spec, width, 10, (28, 28))
    layers = [784, *[width] * spec.network.depth, 10]
    return {
        "network": "-".join(map(str, layers)),
        "runs": runs,
        "grouping": grouping,
        "batch": spec.batch_size,
        "interactions_per_second": speed,
        "flops": flops,
        "ratio": flops / peak,
    }


def mnist_shaped_task() -> Task:
    """Noise of MNIST's size: speed does not depend on what the pixels show."""
    generator = np.random.default_rng(0)

    def split(count: int) -> Examples:
        images = generator.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        labels = generator.integers(0, 10, count, dtype=np.int32)
        return Examples(jnp.asarray(images), jnp.asarray(labels))

    return Task(train=split(60_000), test=split(10_000), classes=10)


if __name__ == "__main__":
    config.run(main)

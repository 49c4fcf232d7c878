"""Run a sweep: `python -m launch.sweep --config=FILE --workdir=DIR [--config.FIELD=VALUE ...]`.

The same command again goes on where it was, or says that all is done. `--dry_run` prints what would
be run. Exit codes: 0 done; 1 runs diverged (named); 2 the input is at fault, nothing was written;
3 interrupted, the same command goes on.
"""

import logging as standard_logging
import math
import os
import resource
import time
from collections.abc import Sequence
from pathlib import Path

import jax
import jax.numpy as jnp
from absl import flags, logging

from launch import config
from mnist_horizon import runner, sweep, tasks, workdir
from mnist_horizon.sweep import Program, SweepError, SweepSpec
from mnist_horizon.tasks import LoadedTask

LOG = standard_logging.getLogger("mnist_horizon")

CONFIG = config.define()
WORKDIR = flags.DEFINE_string("workdir", None, "Where results, policies and checkpoints go.")
DRY_RUN = flags.DEFINE_bool(
    "dry_run", False, "Print programs, cost and expected time; run nothing."
)
CHECKPOINT_SECONDS = flags.DEFINE_float("checkpoint_seconds", 60.0, "Time between checkpoints.")

TYPICAL_EFFICIENCY = 0.5
"""Share of the matrix product's speed that sweeps reach (see launch/bench.py), for the forecast."""


def main(argv: Sequence[str]) -> int:
    """Run the command; returns its exit code."""
    del argv
    logging.set_verbosity(logging.WARNING)  # libraries log at INFO what only they want to know
    LOG.setLevel("INFO")
    spec = config.spec(CONFIG.value)
    if not WORKDIR.value:
        raise SweepError("--workdir: name the folder for the results")
    folder = Path(WORKDIR.value)
    workdir.check(folder, spec)
    task = tasks.load(spec.task, spec.task_settings)
    if DRY_RUN.value:
        print(describe(spec, folder, task))
        return config.DONE
    try:
        outcome = runner.run_sweep(spec, folder, task, CHECKPOINT_SECONDS.value)
    except runner.Interrupted:
        LOG.info("interrupted: all is saved, the same command goes on")
        return config.INTERRUPTED
    for run_id, update in outcome.diverged.items():
        LOG.error("run %s diverged at update %d: lower its learning rate", run_id, update)
    for program in outcome.busy:
        LOG.info("%s is left to the process that works on it", program)
    LOG.info("results in %s", folder / "results")
    return config.FAILED if outcome.diverged else config.DONE


def describe(spec: SweepSpec, folder: Path, task: LoadedTask) -> str:
    """What is left to run: programs, runs, interactions, FLOPs, memory, expected time."""
    need = runner.bytes_per_run(spec, task.task)
    placed, rest = workdir.remaining_runs(folder, spec)
    programs = [*placed, *sweep.plan(spec, rest, need)]
    data = sum(leaf.nbytes for leaf in jax.tree.leaves(task.task))
    speed = product_speed()
    header = ("program", "runs", "interactions", "PFLOP", "memory", "expected time")
    rows: list[tuple[str, ...]] = [header]
    total_runs, total_interactions, total_flops = 0, 0, 0.0
    for program in programs:
        interactions, flops = cost(spec, program, task)
        memory = need[program.width] * len(program.runs) + data
        rows.append(_row(program.program_id, len(program.runs), interactions, flops, memory, speed))
        total_runs += len(program.runs)
        total_interactions += interactions
        total_flops += flops
    rows.append(_row("total", total_runs, total_interactions, total_flops, 0, speed))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    stop = f", or until all have been past {spec.stop_at_return:g}" * (spec.stop_at_return > 0)
    actual = spec.updates * spec.batch_size
    return "\n".join(
        [
            *_table(rows),
            f"each run: {spec.updates} updates of {spec.batch_size} = {actual} interactions "
            f"(budget {spec.budget}){stop}",
            f"time: at {TYPICAL_EFFICIENCY:.0%} of this machine's matrix product, "
            f"{speed / 1e9:.0f} GFLOP/s ({jax.default_backend()}, {os.cpu_count()} cores); "
            f"memory with the data set ({_size(data)}); peak so far {_size(peak)}",
        ]
    )


def cost(spec: SweepSpec, program: Program, task: LoadedTask) -> tuple[int, float]:
    """Interactions of a program's runs, and their counted training FLOPs."""
    shape = task.task.train.images.shape[1:]
    interactions = len(program.runs) * spec.updates * spec.batch_size
    each = sweep.flops_per_interaction(spec, program.width, task.task.classes, shape)
    return interactions, float(interactions) * each


def product_speed(size: int = 2048, repeats: int = 5) -> float:
    """FLOP/s of an f32 matrix product of this size, the best of some repeats."""
    matrix = jnp.ones((size, size), jnp.float32)
    product = jax.jit(lambda a: jnp.matmul(a, a, precision="highest"))
    product(matrix).block_until_ready()
    best = math.inf
    for _ in range(repeats):
        started = time.perf_counter()
        product(matrix).block_until_ready()
        best = min(best, time.perf_counter() - started)
    return 2 * size**3 / best


def _row(
    name: str, runs: int, interactions: int, flops: float, memory: int, speed: float
) -> tuple[str, ...]:
    seconds = flops / (speed * TYPICAL_EFFICIENCY)
    size = _size(memory) if memory else ""
    return (name, str(runs), f"{interactions:,}", f"{flops / 1e15:.4g}", size, _duration(seconds))


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return ["  ".join(cell.rjust(w) for cell, w in zip(row, widths, strict=True)) for row in rows]


def _size(number: float) -> str:
    return f"{number / 1e6:,.0f} MB"


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.1f} min"


if __name__ == "__main__":
    config.run(main)

"""What a sweep will cost before it is run: programs, interactions, FLOPs, memory, time."""

import functools
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from mnist_horizon import devices, tasks
from mnist_horizon.devices import memory
from mnist_horizon.jax_settings import own_settings
from mnist_horizon.sweeps import SweepSpec, lanes, plan, workdir
from mnist_horizon.sweeps.lanes import Lanes
from mnist_horizon.sweeps.plan import Program
from mnist_horizon.sweeps.spec import check_scores
from mnist_horizon.tasks import LoadedTask

EFFICIENCY = 0.65
"""Share of the matrix product's speed that a sweep's work reaches (`plan.ELEMENTWISE_FLOPS`)."""

COMPILE_SECONDS = 8.0
"""To compile a program's update and evaluation on 2 cores; from the cache it is less than one."""


@dataclass(frozen=True)
class ProgramForecast:
    """One program's cost.

    Attributes:
        program: the program.
        interactions: of all its runs.
        flops: counted training FLOPs of all its runs.
        memory: bytes on all of its devices, the data set on each of them included.
        seconds: at `EFFICIENCY` of the product's speed, compilation included.
        devices: how many it is computed on.
        lane: number of the lane that it is in, from 1; 0 where it has all devices.
    """

    program: Program
    interactions: int
    flops: float
    memory: int
    seconds: float
    devices: int = 0
    lane: int = 0


def task_to_plan(name: str, settings: Mapping[str, Any]) -> tuple[LoadedTask, bool]:
    """A task, and whether its data are there: else it has their shapes, and a line says so.

    Raises:
        TaskError: as `tasks.load_or_stand_in`.
    """
    task, problem = tasks.load_or_stand_in(name, settings)
    if problem:
        print(f"the data are not there, so this is by their shapes alone: {problem}")
    return task, not problem


@own_settings()
def forecast(
    spec: SweepSpec, folder: Path, task: LoadedTask, speed: float
) -> tuple[list[ProgramForecast], Lanes]:
    """Cost of what is missing in a sweep's working directory; nothing is written.

    Args:
        spec: the sweep.
        folder: its working directory, which may not exist yet.
        task: the task that the spec names, loaded.
        speed: of all devices together, in FLOP/s of a large product (`product_speed`).

    Returns:
        The cost of each program, in the order in which they are run, and how the sweep's programs,
        those that are done included, will use the devices.

    Raises:
        SweepError: a run does not fit into the memory.
    """
    check_scores(spec, task.task)
    needs = plan.memory_by_width(spec, task.task)
    placed, new = workdir.planned(folder, spec, needs)
    data = memory.data_bytes(task.task)
    shape, classes = task.task.train.images.shape[1:], task.task.classes

    @functools.cache
    def work_and_flops(width: int, reference: str) -> tuple[float, int]:
        flops = plan.flops_per_interaction(spec.of(reference), width, classes, shape)
        return plan.work_per_interaction(spec, width, classes, shape), flops

    division = lanes.for_sweep(spec, [*placed, *new], task.task)
    programs = [*(p for p in placed if not workdir.is_done(folder, p)), *new]
    result = []
    for number, program in _with_lanes(division, programs):
        interactions = program.run_count * spec.updates(program.width) * spec.batch_size
        count = division.of(program)
        layout = devices.layout_here(len(program.seeds), len(program.variants), count)
        memory_bytes = needs[program.width].total(layout.groups, layout.runs_per_group)
        work, flops = work_and_flops(program.width, program.reference)
        result.append(
            ProgramForecast(
                program=program,
                interactions=interactions,
                flops=float(interactions) * flops,
                memory=memory_bytes + layout.devices * data,
                seconds=count * (interactions * work) / (EFFICIENCY * speed) + COMPILE_SECONDS,
                devices=layout.devices,
                lane=number,
            )
        )
    return result, division


def _updates(spec: SweepSpec) -> str:
    """How long the runs are, of the narrowest and, where it differs, of the widest."""
    widths = {spec.updates(width): width for width in (max(spec.widths), min(spec.widths))}
    texts = [
        f"{updates} updates of {spec.batch_size} = {updates * spec.batch_size} interactions"
        + f" at width {width}" * (len(widths) > 1)
        for updates, width in widths.items()
    ]
    return f"{', '.join(texts)} (budget {spec.budget})"


def _with_lanes(division: Lanes, programs: Sequence[Program]) -> Iterator[tuple[int, Program]]:
    """Programs in the order in which they are run, each with its lane; 0 is all devices."""
    for queues in division.phases(programs):
        for number, queue in enumerate(queues, 1):
            for program in queue:
                yield (number if division.of(program) > 1 else 0), program


def describe(
    spec: SweepSpec, task: LoadedTask, costs: Sequence[ProgramForecast], division: Lanes
) -> str:
    """The forecast as a table, with its assumptions."""
    header = ("program", "runs", "interactions", "PFLOP", "memory", "devices", "expected time")
    rows = [header, *map(_row, costs)]
    total = ProgramForecast(
        program=Program("total", 0, (), ()),
        interactions=sum(cost.interactions for cost in costs),
        flops=sum(cost.flops for cost in costs),
        memory=max((cost.memory for cost in costs), default=0),
        seconds=_whole_seconds(costs),
        devices=jax.device_count(),
    )
    runs = sum(cost.program.run_count for cost in costs)
    kept = f"policies kept along training: {size(plan.kept_bytes(spec, task.task))}"
    rows.append(("total", str(runs), *_row(total)[2:]))
    stop = f", or until all have reached {spec.stop_at_return:g}" * (spec.stop_at_return != 0)
    return "\n".join(
        [
            *table_lines(rows),
            f"each run: {_updates(spec)}{stop}",
            f"time: at {EFFICIENCY:.0%} of the speed of this machine's matrix product "
            f"({jax.default_backend()}, {devices.usable_cores()} cores), and "
            f"{COMPILE_SECONDS:g} s to compile a program",
            _balance([cost.program for cost in costs], division),
            f"memory: of each program's devices, with the data set "
            f"({size(memory.data_bytes(task.task))}) on each; the total is the largest program's",
            *[kept] * bool(spec.policies_every),
        ]
    )


def _whole_seconds(costs: Sequence[ProgramForecast]) -> float:
    """Of all programs: those on all devices, and then the lane that takes longest."""
    by_lane: dict[int, float] = {}
    for cost in costs:
        by_lane[cost.lane] = by_lane.get(cost.lane, 0.0) + cost.seconds
    return by_lane.pop(0, 0.0) + max(by_lane.values(), default=0.0)


def _balance(programs: Sequence[Program], division: Lanes) -> str:
    """How the devices are shared, and how much of their time is forecast to be used."""
    count, beside = jax.device_count(), sum(division.of(program) > 1 for program in programs)
    shared = f"{len(programs) - beside} programs on all, one after another"
    if beside:
        shared += f", then {beside} in {division.count} lanes of {count // division.count}"
    return (
        f"devices: {count}; {shared}; busy with runs {division.busy(programs):.0%} of the time by "
        "a model of padding and launches"
    )


def product_speed(count: int | None = None, size: int = 2048, repeats: int = 5) -> float:
    """FLOP/s of f32 matrix products on some devices together, the best of some repeats.

    On a CPU one product uses all cores; of several accelerators one is measured.

    Args:
        count: of devices, by default all.
        size: rows and columns of the matrices.
        repeats: of the measurement.
    """
    matrix = jnp.ones((size, size), jnp.float32)
    product = jax.jit(lambda a: jnp.matmul(a, a, precision="highest"))
    together = 1 if jax.default_backend() == "cpu" else count or jax.device_count()
    return together * 2 * size**3 / _least_seconds(product, matrix, repeats)


def memory_speed(size: int = 2**26, repeats: int = 5) -> float:
    """Bytes/s read and written by one device that adds 1 to an array of f32, as `product_speed`."""
    array = jnp.ones(size, jnp.float32)
    return 2 * array.nbytes / _least_seconds(jax.jit(lambda a: a + 1), array, repeats)


def _least_seconds(function: Callable[[Array], Array], argument: Array, repeats: int) -> float:
    function(argument).block_until_ready()
    best = math.inf
    for _ in range(repeats):
        started = time.perf_counter()
        function(argument).block_until_ready()
        best = min(best, time.perf_counter() - started)
    return best


def size(number: float) -> str:
    """Bytes as `1,234 MB`."""
    return f"{number / 1e6:,.0f} MB"


def _row(cost: ProgramForecast) -> tuple[str, ...]:
    return (
        cost.program.program_id,
        str(cost.program.run_count),
        f"{cost.interactions:,}",
        f"{cost.flops / 1e15:.4g}",
        size(cost.memory),
        f"{cost.devices}, lane {cost.lane}" if cost.lane else str(cost.devices),
        _duration(cost.seconds),
    )


def table_lines(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as lines, columns aligned to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return ["  ".join(cell.rjust(w) for cell, w in zip(row, widths, strict=True)) for row in rows]


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"

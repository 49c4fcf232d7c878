"""What a sweep would be on chips that are not here: `--dry_run --target=h100:8`.

Every program is compiled for the chip (`mnist_horizon.devices.targets`), which shows what no
estimate does: that it compiles, its memory, kernels and products. Its time is a forecast.
"""

import time
from collections.abc import Callable, Sequence
from concurrent import futures
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from launch.forecast import size, table_lines
from mnist_horizon import devices
from mnist_horizon.devices import memory, targets
from mnist_horizon.devices.hlo import Module
from mnist_horizon.devices.targets import Target
from mnist_horizon.errors import SweepError
from mnist_horizon.jax_settings import own_settings
from mnist_horizon.sweeps import SweepSpec, compiling, plan, workdir
from mnist_horizon.sweeps.plan import Program
from mnist_horizon.tasks import LoadedTask


@dataclass(frozen=True)
class CompiledProgram:
    """One program, compiled for a target.

    Attributes:
        program: the program.
        runs: on each chip, padding included.
        compile_seconds: of its update, evaluation, initial state and noise, added up.
        memory: bytes on each chip by the compiler, while the function runs that needs most.
        flops: per update and chip by the compiler.
        counted: the same, counted by `mnist_horizon.networks`.
        kernels: per update.
        collectives: names of the operations for which chips wait for each other.
        seconds: forecast, for the whole budget.
    """

    program: Program
    runs: int
    compile_seconds: float
    memory: int
    flops: float
    counted: float
    kernels: int
    collectives: tuple[str, ...]
    seconds: float


@own_settings()
def compile_sweep(
    spec: SweepSpec, folder: Path, task: LoadedTask, target: Target
) -> list[CompiledProgram]:
    """Compile what is missing in a sweep's working directory; nothing is written.

    Raises:
        SweepError: the target's compiler is not installed, or a program needs more memory than a
            chip has.
    """
    needs = plan.memory_by_width(spec, task.task)
    placed, new = workdir.planned(folder, spec, needs)
    programs = [*(p for p in placed if not workdir.is_done(folder, p)), *new]
    chips = target.devices()
    codes = []
    for program in programs:
        layout = devices.choose_layout(len(program.seeds), len(program.variants), target.count)
        codes.append(compiling.code(spec, program, task.task, layout, chips[: layout.devices]))
    with futures.ThreadPoolExecutor(devices.usable_cores()) as pool:
        jobs = [
            {name: pool.submit(_timed, job) for name, job in code.jobs.items()} for code in codes
        ]
        compiled = [{name: job.result() for name, job in each.items()} for each in jobs]
    result = [
        _compiled(spec, program, task, target, code, functions)
        for program, code, functions in zip(programs, codes, compiled, strict=True)
    ]
    for one in result:
        if one.memory > target.chip.memory:
            raise SweepError(
                f"max_program_bytes: {one.program.program_id} needs {size(one.memory)} of the "
                f"{size(target.chip.memory)} of a {target.chip.name}: choose a smaller one"
            )
    return result


def describe(spec: SweepSpec, target: Target, programs: Sequence[CompiledProgram]) -> str:
    """The table, with how to read it."""
    header = (
        "program",
        "runs/chip",
        "compile s",
        "memory/chip",
        "GFLOP/update",
        "of counted",
        "kernels",
        "collectives",
        "forecast s",
        "chip-hours",
    )
    rows = [
        (
            one.program.program_id,
            str(one.runs),
            f"{one.compile_seconds:.1f}",
            size(one.memory),
            f"{one.flops / 1e9:.3g}",
            f"{one.flops / one.counted:.2f}",
            str(one.kernels),
            str(len(one.collectives)),
            f"{one.seconds:.3g}",
            f"{one.seconds * target.count / 3600:.2g}",
        )
        for one in programs
    ]
    total = sum(one.seconds for one in programs)
    chip = target.chip
    return "\n".join(
        [
            f"compiled for {target.count} x {chip.name}, which need not be here; nothing was run",
            *table_lines([header, *rows]),
            f"forecast: {total:.3g} s, {total * target.count / 3600:.2g} chip-hours, programs one "
            "after another, without compilation. It is a forecast, not a measurement: the sum over",
            f"kernels of the longest of FLOPs at {chip.flops[spec.precision] / 1e12:.3g} TFLOP/s "
            f"({spec.precision}), bytes at {chip.bandwidth / 1e9:,.0f} GB/s, and "
            f"{chip.launch_seconds * 1e6:g} us a kernel (assumed);",
            "a program cannot be faster than the first two, and is often slower.",
            "FLOPs, kernels and collectives are those of an update on one chip.",
        ]
    )


def _timed(job: Callable[[], Any]) -> tuple[Any, float]:
    started = time.perf_counter()
    return job(), time.perf_counter() - started


def _compiled(
    spec: SweepSpec,
    program: Program,
    task: LoadedTask,
    target: Target,
    code: compiling.Code,
    functions: dict[str, tuple[Any, float]],
) -> CompiledProgram:
    layout, precision = code.functions.layout, spec.precision
    modules = {name: Module(function.as_text()) for name, (function, _) in functions.items()}
    update = modules["update"]
    runs = layout.groups // layout.devices * layout.runs_per_group
    marks = len(spec.evaluation_updates(program.width))
    measured = -(-marks // spec.noise.every) if "measure" in modules else 0
    times = {"update": spec.updates(program.width), "evaluate": marks, "measure": measured}
    shape = task.task.train.images.shape[1:]
    own = spec.of(program.reference)
    each = plan.flops_per_interaction(own, program.width, task.task.classes, shape)
    return CompiledProgram(
        program=program,
        runs=runs,
        compile_seconds=sum(seconds for _, seconds in functions.values()),
        memory=memory.program_bytes(
            {name: function for name, (function, _) in functions.items() if name != "init"},
            task.task,
        ),
        flops=_flops(functions["update"][0], update),
        counted=float(each * spec.batch_size * runs),
        kernels=update.count(),
        collectives=tuple(update.collectives()),
        seconds=sum(
            count * targets.seconds(modules[name], target.chip, precision)
            for name, count in times.items()
            if count
        ),
    )


def _flops(function: Any, module: Module) -> float:
    """By the compiler's analysis or, where it has none, of the products of its text."""
    analysis = function.cost_analysis()
    if analysis and "flops" in analysis:
        return float(analysis["flops"])
    return sum(
        kernel.times * product.flops
        for kernel in module.kernels
        for product in module.products(kernel)
    )

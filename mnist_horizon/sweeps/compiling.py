"""The functions of programs, compiled in threads: before a program runs, or while another one does.

XLA compiles without Python's lock, so that several functions are compiled side by side, and while
the devices are kept busy. What is computed does not depend on when it was compiled.
"""

import functools
from collections.abc import Callable, Sequence
from concurrent import futures
from typing import Any

import jax
import numpy as np

from mnist_horizon import devices, noise, training
from mnist_horizon.devices import Layout, ProgramFunctions
from mnist_horizon.jax_settings import own_settings
from mnist_horizon.sweeps import plan
from mnist_horizon.sweeps.plan import Program
from mnist_horizon.sweeps.spec import SweepSpec
from mnist_horizon.tasks import Task
from mnist_horizon.training import TrainSpec


class Code:
    """A program's functions, compiled for its shapes and devices.

    `code["update"]` is the compiled function, and raises the error of its compilation.
    """

    def __init__(
        self, functions: ProgramFunctions, state: Any, jobs: dict[str, Callable[[], Any]]
    ) -> None:
        """Compile nothing yet.

        Args:
            functions: what is compiled.
            state: shapes and types of a state in the layout.
            jobs: for each name what compiles it.
        """
        self.functions, self.state = functions, state
        self.jobs = jobs
        self._compiled: dict[str, futures.Future[Any]] = {}

    def start(self, pool: futures.Executor) -> None:
        """Compile in the threads of a pool what is neither compiled nor being compiled.

        What only waits, in a pool of lower priority, is taken from it; what failed is tried again.
        """
        for name, job in self.jobs.items():
            last = self._compiled.get(name)
            if last is None or last.cancel() or (last.done() and last.exception()):
                self._compiled[name] = pool.submit(job)

    def is_ready(self) -> bool:
        """Whether nothing is left to wait for."""
        return all(future.done() for future in self._compiled.values())

    def wait(self, seconds: float) -> None:
        """Wait until it is ready, at most so long."""
        futures.wait(self._compiled.values(), timeout=seconds)

    def __getitem__(self, name: str) -> Any:
        return self._compiled[name].result()


class Compiler:
    """Compiles the programs of a sweep; leaving its block drops what has not begun."""

    def __init__(self, spec: SweepSpec, task: Task) -> None:
        """Compile nothing yet.

        Args:
            spec: the sweep.
            task: its task; shapes of the arrays are enough.
        """
        self._spec, self._task = spec, task
        cores = devices.usable_cores()
        # On a CPU the training needs the cores; beside an accelerator all but one are free.
        self.ahead = 1 if jax.default_backend() == "cpu" else max(1, cores - 1)
        """How many programs to compile in advance, over all lanes, and in as many threads."""
        # XLA uses about two cores for one function: on two, two at once took longer.
        self._now = futures.ThreadPoolExecutor(max(1, cores // 2), "compile")
        self._later = futures.ThreadPoolExecutor(self.ahead, "compile-ahead")

    def __enter__(self) -> "Compiler":
        return self

    def __exit__(self, *_: object) -> None:
        for pool in (self._now, self._later):
            pool.shutdown(wait=False, cancel_futures=True)

    def now(self, program: Program, chips: Sequence[jax.Device]) -> Code:
        """Compile a program that is about to run on some devices, as fast as the cores allow."""
        code = self._code(program, chips)
        code.start(self._now)
        return code

    def later(self, programs: Sequence[Program], chips: Sequence[jax.Device]) -> None:
        """Compile programs that come next on some devices, while others run."""
        lanes = jax.device_count() // len(chips)
        for program in programs[: max(1, self.ahead // lanes)]:
            self._code(program, chips).start(self._later)

    def _code(self, program: Program, chips: Sequence[jax.Device]) -> Code:
        lanes = jax.device_count() // len(chips)
        layout = devices.layout_here(len(program.seeds), len(program.variants), lanes)
        return code(self._spec, program, self._task, layout, chips)


def code(
    spec: SweepSpec, program: Program, task: Task, layout: Layout, chips: Sequence[jax.Device]
) -> Code:
    """A program's functions for a layout on some devices, which may be there only to compile for.

    Args:
        spec: the sweep.
        program: one of its programs.
        task: its task; shapes of the arrays are enough.
        layout: of the program's runs.
        chips: the devices.
    """
    leaves, structure = jax.tree.flatten((task, plan.run_params(spec, program)))
    shapes = tuple(jax.ShapeDtypeStruct(leaf.shape, leaf.dtype) for leaf in leaves)
    spec = spec.of(program.reference)
    train = spec.train_spec(program.width)
    return _code(train, layout, tuple(chips), spec.noise.samples, structure, shapes)


@functools.lru_cache(maxsize=64)
def _code(
    spec: TrainSpec,
    layout: Layout,
    chips: tuple[jax.Device, ...],
    samples: int,
    structure: Any,
    leaves: tuple[Any, ...],
) -> Code:
    """Programs of the same shapes share the functions, so that they are compiled once."""
    functions = ProgramFunctions(training.make_train(spec), layout, chips)
    state, runs, task, keys = functions.shapes(*jax.tree.unflatten(structure, leaves))
    number, flag = np.int32(0), np.bool_(False)

    def job(function: Any, *arguments: Any) -> Callable[[], Any]:
        @own_settings()  # a thread of its own has those of the user
        def compiled() -> Any:
            return function.lower(*arguments).compile()

        return compiled

    jobs = {
        "update": job(functions.update, state, runs, task, keys, number, number, flag),
        "evaluate": job(functions.evaluate, state, task, keys, number),
        "init": job(functions.init, keys, task, runs),
    }
    if samples:
        group, same = devices.GROUP, devices.REPLICATED
        measure = functools.partial(noise.measure, spec, samples)
        sharded = functions.sharded(measure, (group, group, same, group, same))
        jobs["measure"] = job(sharded, state, runs, task, keys, number)
    return Code(functions, state, jobs)

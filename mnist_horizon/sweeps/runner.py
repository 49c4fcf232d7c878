"""Runs a sweep: its programs one after another or side by side, sharing them with other processes.

One thread of the host starts the work of all devices and collects it: it turns to the programs that
run side by side (`lanes`) one by one, each a generator that yields while its devices compute.
"""

import logging
import time
from collections import deque
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import jax

from mnist_horizon import files, interruption
from mnist_horizon.devices import hosts
from mnist_horizon.devices.compilation import DETERMINISTIC, is_deterministic
from mnist_horizon.errors import SweepError
from mnist_horizon.jax_settings import own_settings
from mnist_horizon.sweeps import lanes, live, plan, workdir
from mnist_horizon.sweeps.compiling import Compiler
from mnist_horizon.sweeps.initial import with_initial_policy
from mnist_horizon.sweeps.live import Live
from mnist_horizon.sweeps.plan import Program
from mnist_horizon.sweeps.program_runner import Interrupted, ProgramRunner, Turns
from mnist_horizon.sweeps.progress import Progress
from mnist_horizon.sweeps.spec import SweepSpec, check_scores
from mnist_horizon.tasks import LoadedTask

__all__ = ["Interrupted", "Outcome", "run_sweep"]

LOG = logging.getLogger(__name__)

POLL_SECONDS = 0.001


@dataclass(frozen=True)
class Outcome:
    """How a sweep ended: runs that diverged, as `run id: update`, and programs left to others."""

    diverged: dict[str, int]
    busy: tuple[str, ...]


@own_settings()
def run_sweep(
    spec: SweepSpec,
    folder: Path,
    task: LoadedTask,
    checkpoint_seconds: float = 60.0,
    only: Container[str] | None = None,
    bar: bool | None = None,
    logs: Sequence[str] = (),
) -> Outcome:
    """Run what is missing in a sweep's working directory.

    Programs that other processes work on are skipped, and checked again after each pass over the
    others. Processes that were joined (`hosts.start`) all call this: they work on each program
    together, and the first of them reads and writes.

    Args:
        spec: the sweep.
        folder: its working directory; created if absent.
        task: the task that the spec names, loaded.
        checkpoint_seconds: time between checkpoints of a program.
        only: ids of the programs to work on, as they are in the directory; by default all.
        bar: whether to show a progress bar; by default where stderr is a terminal.
        logs: where to show the runs as they go on, of `live.LOGS`.

    Raises:
        InputError: a log cannot be used (`live.check`).
        SweepError: the directory holds another sweep, a program does not fit into the memory, or
            the task's scores do not suit the sweep (`check_scores`).
        Interrupted: a signal was received (`interruption`); the same call resumes where this one
            stopped.
        OSError: the directory cannot be written; its files are complete, and the same call resumes
            from there.
    """
    hosts.on_first(lambda: live.check(folder, logs))
    started = spec
    spec = hosts.on_first(lambda: workdir.as_started(folder, started))
    task = with_initial_policy(spec, task)
    check_scores(spec, task.task)
    needs = plan.memory_by_width(spec, task.task)
    programs = hosts.on_first(lambda: workdir.prepare(folder, spec, needs, task.provenance))
    programs = [p for p in programs if only is None or p.program_id in only]
    shape = task.task.train.images.shape[1:]
    cost = {
        width: plan.work_per_interaction(spec, width, task.task.classes, shape)
        for width in {program.width for program in programs}
    }
    waiting = hosts.on_first(lambda: _not_done(folder, programs))
    runs, left = (sum(len(p.runs) for p in group) for group in (programs, waiting))
    LOG.info("%d runs in %d programs; %d runs are done already", runs, len(programs), runs - left)
    if is_deterministic(jax.default_backend()):
        LOG.info("deterministic kernels of the GPU are used (%s)", DETERMINISTIC)
    log = folder if hosts.is_first() else None
    division = lanes.for_sweep(spec, programs, task.task)
    if division.count > 1:
        each = jax.device_count() // division.count
        LOG.info("up to %d programs side by side, each on %d devices", division.count, each)
    with (
        interruption.requested() as stop,
        Progress(log, spec, programs, cost, bar) as progress,
        Compiler(spec, task.task) as compiler,
        Live(folder, spec, logs if hosts.is_first() else ()) as series,
    ):
        for program in programs:
            if program not in waiting:
                progress.skip(program)
        work = _Work(spec, folder, task, checkpoint_seconds, stop, progress, compiler, series)
        waiting = work.on_all(division, waiting)
    records = hosts.on_first(lambda: [workdir.read_record(folder, p) for p in programs])
    diverged = {run: at for record in records for run, at in record.get("diverged", {}).items()}
    return Outcome(diverged, tuple(program.program_id for program in waiting))


@dataclass(frozen=True)
class _Work:
    """A call's work on programs, and what all of them share."""

    spec: SweepSpec
    folder: Path
    task: LoadedTask
    checkpoint_seconds: float
    stop: Callable[[], bool]
    progress: Progress
    compiler: Compiler
    live: Live

    def on_all(self, division: lanes.Lanes, waiting: Sequence[Program]) -> list[Program]:
        """Run programs until all are done, or others work on all that are left; returns these."""
        left, is_progressing = list(waiting), True
        while left and is_progressing:
            busy: list[Program] = []
            for queues in division.phases(left):
                chips = hosts.lanes(len(queues))
                _take_turns([self.on(*pair, busy) for pair in zip(queues, chips, strict=True)])
            is_progressing = len(busy) < len(left)
            left = busy
        return left

    def on(
        self, queue: Sequence[Program], chips: Sequence[jax.Device], busy: list[Program]
    ) -> Turns:
        """Run programs one after another on some devices; `busy` gets those left to others.

        Yields as `ProgramRunner.run` does.
        """
        for number, program in enumerate(queue, 1):
            if hosts.synchronize(0.0, self.stop())[1]:
                raise Interrupted
            with _claim(self.folder, program) as state:
                if state == "busy":
                    busy.append(program)
                elif state == "done":
                    self.progress.skip(program)
                else:
                    following = partial(self.compiler.later, queue[number:], chips)
                    with _memory_named(program):
                        yield from self._runner(program, chips).run(
                            self.stop, self.progress, following
                        )

    def _runner(self, program: Program, chips: Sequence[jax.Device]) -> ProgramRunner:
        return ProgramRunner(
            self.spec,
            program,
            self.folder,
            self.task,
            self.checkpoint_seconds,
            self.compiler.now(program, chips),
            len(chips) / jax.device_count(),
            self.live,
        )


def _take_turns(works: Sequence[Turns]) -> None:
    """Go on with lanes in turn, with one whose devices are done before the others.

    Several processes go on with the same lane at the same time, as each of its steps needs all of
    them: there the lanes follow each other in a fixed order.

    Raises:
        Interrupted: the process was asked to stop, and every lane has saved its state.
    """
    active: deque[tuple[Turns, Callable[[], bool]]] = deque((lane, lambda: True) for lane in works)
    is_interrupted = False
    try:
        while active:
            if len(active) > 1 and jax.process_count() == 1:
                _bring_ready_to_front(active)
            lane, _ = active.popleft()
            try:
                active.append((lane, next(lane)))
            except StopIteration:
                pass
            except Interrupted:
                is_interrupted = True
    finally:
        for lane in works:
            lane.close()  # so that its program is free for others
    if is_interrupted:
        raise Interrupted


def _bring_ready_to_front(active: deque[tuple[Turns, Callable[[], bool]]]) -> None:
    """Wait until a lane is ready, and put the longest waiting of them first."""
    while True:
        for number, (_, is_ready) in enumerate(active):
            if is_ready():
                lane = active[number]
                del active[number]
                active.appendleft(lane)
                return
        time.sleep(POLL_SECONDS)


def _not_done(folder: Path, programs: Sequence[Program]) -> list[Program]:
    """Programs without results; remaining checkpoints of the others are removed."""
    waiting = [program for program in programs if not workdir.is_done(folder, program)]
    for program in programs:
        if program not in waiting:
            files.remove_folder(folder, "checkpoints", program.program_id)
    return waiting


@contextmanager
def _claim(folder: Path, program: Program) -> Iterator[str]:
    """Lock a program; yields "free" to be worked on, "done", or "busy", which is not locked."""
    with ExitStack() as stack:

        def claim() -> str:
            if not stack.enter_context(workdir.lock(folder, program.program_id)):
                return "busy"
            return "done" if workdir.is_done(folder, program) else "free"

        yield hosts.on_first(claim)


@contextmanager
def _memory_named(program: Program) -> Iterator[None]:
    """Turn a device's out-of-memory error into a line that says what to change."""
    try:
        yield
    except jax.errors.JaxRuntimeError as error:
        if "RESOURCE_EXHAUSTED" not in str(error):
            raise
        raise SweepError(
            f"max_program_bytes: {program.program_id} needs more memory than the device has: "
            "choose a smaller one, and another --workdir"
        ) from error

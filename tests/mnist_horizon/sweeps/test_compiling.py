"""Functions are compiled once, in threads, in advance; what fails is raised where it is needed."""

import threading
import time
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from mnist_horizon import devices, tasks, training
from mnist_horizon.sweeps import compiling, plan, runner
from mnist_horizon.sweeps.compiling import Code, Compiler
from mnist_horizon.sweeps.plan import Program
from mnist_horizon.sweeps.spec import SweepSpec
from tests.mnist_horizon.small_sweeps import run, tiny


@pytest.fixture
def pool() -> Iterator[futures.ThreadPoolExecutor]:
    with futures.ThreadPoolExecutor(1) as threads:
        yield threads


@pytest.fixture
def release(pool: futures.ThreadPoolExecutor) -> Iterator[threading.Event]:
    """What jobs wait for; set at the latest when the test ends, or failed."""
    event = threading.Event()
    yield event
    event.set()


def code(**jobs: Any) -> Code:
    functions = devices.ProgramFunctions(
        training.make_train(tiny().train_spec(4)), devices.Layout(1, 1, 1, 1)
    )
    return Code(functions, None, jobs)


def programs(spec: SweepSpec) -> list[Program]:
    needs = plan.memory_by_width(spec, tasks.load(spec.task, spec.task_settings).task)
    return plan.plan(spec, (), needs)


def test_what_failed_is_raised_when_it_is_needed_and_tried_again(
    pool: futures.ThreadPoolExecutor,
) -> None:
    tries = []

    def job() -> str:
        tries.append(1)
        if len(tries) == 1:
            raise ValueError("no room")
        return "compiled"

    made = code(update=job)
    made.start(pool)
    made.wait(60.0)
    assert made.is_ready()
    with pytest.raises(ValueError, match="no room"):
        made["update"]
    for _ in range(2):
        made.start(pool)
        assert made["update"] == "compiled"
    assert len(tries) == 2


def test_what_waits_in_the_background_is_taken_over(
    pool: futures.ThreadPoolExecutor, release: threading.Event
) -> None:
    """The background's only thread is busy; whoever needs the function now does not wait for it."""
    pool.submit(release.wait)
    made = code(update=threading.current_thread)
    made.start(pool)
    assert not made.is_ready()
    with futures.ThreadPoolExecutor(1, "now") as now:
        made.start(now)
        made.wait(60.0)
    assert made["update"].name.startswith("now")


def test_leaving_drops_what_has_not_begun(
    release: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = tiny(widths=(3, 5))
    begun = threading.Event()

    def job() -> None:
        begun.set()
        release.wait()

    slow = [code(a=job, b=job) for _ in range(2)]
    monkeypatch.setattr(Compiler, "_code", lambda self, program, chips: slow[program.width // 5])
    first, second = programs(spec)
    with Compiler(spec, tasks.load("digits", {}).task) as compiler:
        compiler.later([first, second], jax.devices())
        assert begun.wait(60.0)
        assert second.width == 5
        assert not slow[1]._compiled, "on a CPU one program is compiled in advance"
        started = time.monotonic()
    assert slow[0]._compiled["b"].cancelled()
    assert not slow[0].is_ready()
    assert time.monotonic() - started < 10, "leaving waited for a compilation"


def test_the_next_program_is_compiled_while_one_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And with the very functions that then run it."""
    seen: list[tuple[str, int]] = []
    for name in ("now", "later"):
        method = getattr(Compiler, name)

        def noted(self: Compiler, what: Any, *rest: Any, name: str = name, method: Any = method):  # type: ignore[no-untyped-def]
            for program in [what] if name == "now" else what[: self.ahead]:
                seen.append((name, program.width))
            return method(self, what, *rest)

        monkeypatch.setattr(Compiler, name, noted)
    before = compiling._code.cache_info().misses
    run(tiny(widths=(3, 5)), tmp_path)
    assert seen == [("now", 3), ("later", 5), ("now", 5)]
    assert compiling._code.cache_info().misses - before <= 2


def test_a_program_that_cannot_be_compiled_is_named_when_it_is_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first program is done by then: the error of the second waits for its turn."""
    spec = tiny(widths=(3, 5), budget=64 * 2, evaluations=2)
    error = jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: while compiling")
    make = compiling._code

    def fails(train: Any, *rest: Any) -> Code:
        made = make(train, *rest)
        if train.network.width != 5:
            return made

        def job() -> None:
            raise error

        return Code(made.functions, made.state, {"init": job})

    monkeypatch.setattr(compiling, "_code", fails)
    with pytest.raises(runner.SweepError, match=r"max_program_bytes: w5-.* needs more memory"):
        run(spec, tmp_path)
    assert len(list(tmp_path.glob("results/w3-*"))) == 1
    assert not list(tmp_path.glob("results/w5-*"))


def test_programs_are_compiled_from_shapes_as_from_arrays() -> None:
    """The text that XLA compiles is that of a call with the arrays, so that bits are the same."""
    spec = tiny()
    task = tasks.load("digits", {}).task
    (program,) = programs(spec)
    layout = devices.layout_here(len(program.seeds), len(program.variants))
    functions = devices.ProgramFunctions(training.make_train(spec.train_spec(4)), layout)
    params = plan.run_params(spec, program)
    state, runs, data, keys = functions.shapes(task, params)
    number, flag = np.int32(0), np.bool_(False)
    abstract = functions.update.lower(state, runs, data, keys, number, number, flag).as_text()
    placed = functions.place_runs(params), functions.place_task(task)
    there = functions.place_keys(program.seeds)
    begun = functions.init(there, placed[1], placed[0])
    numbers = jax.numpy.int32(0), jax.numpy.int32(0), jax.numpy.bool_(False)
    concrete = functions.update.lower(begun, *placed, there, *numbers).as_text()
    assert abstract == concrete

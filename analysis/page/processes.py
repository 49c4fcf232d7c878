"""Parts of a report made side by side, each in a process forked from this one.

A forked process has all that this one has read, so that nothing is sent to it; what it computes
comes back through a pipe. Only Linux forks safely with the libraries used here, and not once JAX
runs, whose threads a fork would lose. Elsewhere everything is done in this process, in order.
"""

import multiprocessing
import os
import pickle
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, wait
from typing import Any, Generic, TypeVar

Result = TypeVar("Result")


class ProcessError(RuntimeError):
    """A process ended without its result, as one that is killed for memory does."""


def can_fork() -> bool:
    """Whether work is given to other processes."""
    is_child = multiprocessing.current_process().daemon  # which may have no children
    return sys.platform == "linux" and "jax" not in sys.modules and not is_child and cores() > 1


def cores() -> int:
    """The processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else 1


class _Child(Generic[Result]):
    """A process that computes values one after another."""

    def __init__(self, values: Callable[[], Iterable[Result]]) -> None:
        context = multiprocessing.get_context("fork")
        self.receiver, sender = context.Pipe(duplex=False)
        self._process = context.Process(target=_send, args=(values, sender), daemon=True)
        self._process.start()
        sender.close()  # so that the end of the process ends the pipe

    def receive(self) -> list[Result]:
        """The next value, as a list; an empty one after the last.

        Raises:
            ProcessError: the process ended before.
            Exception: whatever was raised in the process.
        """
        try:
            values, error = self.receiver.recv()
        except EOFError:
            self._process.join()
            code = self._process.exitcode
            raise ProcessError(f"a process of the report ended with exit code {code}") from None
        if error is not None:
            raise error
        return list(values)

    def stop(self) -> None:
        """End the process, whatever it does."""
        self._process.terminate()
        self._process.join()
        self.receiver.close()


def _send(values: Callable[[], Iterable[Any]], sender: Connection) -> None:
    """Send each value, then none, or the error that ended them."""
    try:
        for value in values():
            sender.send(([value], None))
        sender.send(([], None))
    except BaseException as error:
        with suppress(BrokenPipeError):  # nobody waits for it
            sender.send(([], _sendable(error)))


def _sendable(error: BaseException) -> BaseException:
    """The error with a note of where it was raised, or another with its text."""
    error.add_note(f"in a process of the report:\n{traceback.format_exc()}")
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return ProcessError(f"{type(error).__name__}: {error}")
    return error


@contextmanager
def begun(function: Callable[[], Result]) -> Iterator[Callable[[], Result]]:
    """Begin to compute; gives a function that waits for the result.

    Raises:
        Exception: from that function, whatever was raised.
    """
    if not can_fork():
        yield function
        return

    def only() -> Iterator[Result]:
        yield function()

    child = _Child(only)
    try:
        yield lambda: child.receive()[0]
    finally:
        child.stop()


def side_by_side(jobs: Sequence[Callable[[], object]]) -> Iterator[None]:
    """Do all jobs, on every core; yields after each.

    Raises:
        Exception: whatever one of them raised; the others are stopped.
    """
    if not can_fork() or len(jobs) < 2:
        for job in jobs:
            job()
            yield
        return
    following = multiprocessing.get_context("fork").Value("i", 0)

    def take() -> int:
        with following.get_lock():
            following.value += 1
            return following.value - 1

    def work() -> Iterator[None]:
        while (number := take()) < len(jobs):
            jobs[number]()
            yield

    children = [_Child(work) for _ in range(min(cores(), len(jobs)))]
    try:
        working = {child.receiver: child for child in children}
        while working:
            for receiver in wait(list(working)):
                if working[receiver].receive():  # type: ignore[index]
                    yield
                else:
                    del working[receiver]  # type: ignore[arg-type]
    finally:
        for child in children:
            child.stop()

"""Jobs done side by side, in processes forked from this one.

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
            raise ProcessError(f"a process ended with exit code {code}") from None
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
    error.add_note(f"in another process:\n{traceback.format_exc()}")
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return ProcessError(f"{type(error).__name__}: {error}")
    return error


@contextmanager
def side_by_side(
    jobs: Sequence[Callable[[], Result]],
) -> Iterator[Iterator[tuple[int, Result]]]:
    """Do all jobs, on every core, while the block runs: gives (number, result) as each ends.

    Raises:
        Exception: from the iterator, whatever a job raised. With the block all processes end.
        ProcessError: from the iterator, a process was killed.
    """
    if not can_fork() or len(jobs) < 2:
        yield ((number, job()) for number, job in enumerate(jobs))
        return
    context = multiprocessing.get_context("fork")
    following = context.Value("i", 0)

    def work() -> Iterator[tuple[int, Result]]:
        while True:
            with following.get_lock():
                number = following.value
                following.value += 1
            if number >= len(jobs):
                return
            yield number, jobs[number]()

    children = [_Child(work) for _ in range(min(cores(), len(jobs)))]
    try:
        yield _received(children)
    finally:
        for child in children:
            child.stop()


def _received(children: Sequence[_Child[Result]]) -> Iterator[Result]:
    """Values of the children, as they come."""
    working = {child.receiver: child for child in children}
    while working:
        for receiver in wait(list(working)):
            values = working[receiver].receive()  # type: ignore[index]
            yield from values
            if not values:
                del working[receiver]  # type: ignore[arg-type]

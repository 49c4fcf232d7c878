"""Signals that ask a command to stop: it saves what it has and ends with exit code 3.

A scheduler, a terminal that is closed or a person send them. From the first line of a command on
they end it at once (`end_at_once`): its files are complete at any moment. While it trains, the
chunk of updates in flight is finished and a checkpoint written first (`requested`).
"""

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

EXIT_CODE = 3

SIGNALS = (
    signal.SIGTERM,
    signal.SIGINT,
    signal.SIGHUP,  # the terminal was closed
    signal.SIGUSR1,  # these three: a scheduler, before a limit is reached
    signal.SIGUSR2,
    signal.SIGXCPU,
)


def end_at_once() -> None:
    """From now on each of the signals ends the process with exit code 3 and a line.

    Only for commands, in the main thread. Nothing is imported or cleaned up: an exception could be
    swallowed by what is being imported, and a compilation would be waited for.
    """
    _catch(_end)


@contextlib.contextmanager
def requested() -> Iterator[Callable[[], bool]]:
    """Whether one of the signals was received within the block, which should then come to its end.

    Python handles signals only in its main thread: in another, such as a notebook's worker, none is
    caught.
    """
    received: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    before = _catch(lambda number, _: received.append(number))
    try:
        yield lambda: bool(received)
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)


def _catch(handler: Callable[[int, FrameType | None], Any]) -> dict[signal.Signals, Any]:
    """Handle the signals, but for those that others handle or the parent ignores (nohup, `&`)."""
    own = (signal.SIG_DFL, signal.default_int_handler, _end)
    caught = [kind for kind in SIGNALS if signal.getsignal(kind) in own]
    return {kind: signal.signal(kind, handler) for kind in caught}


def _end(number: int, frame: FrameType | None) -> None:
    del frame
    name = signal.Signals(number).name
    with contextlib.suppress(OSError):
        os.write(2, f"interrupted by {name}: the same command continues\n".encode())
    os._exit(EXIT_CODE)

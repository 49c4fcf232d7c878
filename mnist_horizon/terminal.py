"""The streams of a command, which may be lost while it works, and what is noted in their place.

A log on a full disk, a `tee` that died, a terminal that was closed: what a command tells is not
what it does, so it goes on, and notes the loss once in its working directory.
"""

import datetime
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

PROBLEMS = "problems.log"
"""In a working directory: streams that were lost, and the tracebacks of unexpected errors."""


class Tolerant:
    """A text stream whose errors of writing are not raised.

    Attributes:
        error: the first of them.
    """

    def __init__(self, stream: Any, on_error: Callable[[OSError], object] | None = None) -> None:
        """Wrap a stream.

        Args:
            stream: what is written to, and has all other methods.
            on_error: is called with each error.
        """
        self._stream, self._on_error = stream, on_error
        self.error: OSError | None = None

    def write(self, text: str) -> int:
        """Write, if it can be written; returns the length of the text."""
        self._attempt(lambda: self._stream.write(text))
        return len(text)

    def flush(self) -> None:
        """Flush, if it can be written."""
        self._attempt(self._stream.flush)

    def _attempt(self, action: Callable[[], object]) -> None:
        try:
            action()
        except OSError as error:
            self.error = self.error or error
            if self._on_error is not None:
                self._on_error(error)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class Problems:
    """Notes in a working directory of what a command could not tell.

    Attributes:
        folder: the directory; with None, or while it is not there, nothing is noted.
    """

    def __init__(self) -> None:
        self.folder: Path | None = None
        self._is_loss_noted = False

    def note(self, text: str) -> Path | None:
        """Append some lines, with the time; returns the file, or None where that cannot be done."""
        from mnist_horizon import files
        from mnist_horizon.errors import InputError

        if self.folder is None or not self.folder.is_dir():
            return None
        now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        try:
            path = files.inside(self.folder, PROBLEMS)
            files.append_line(path, f"{now}, process {os.getpid()}: {text.rstrip()}")
        except (OSError, InputError):  # the disk is full too, or something else has the name
            return None
        return path

    def lost(self, error: OSError) -> None:
        """Note, once, that stderr cannot be written."""
        if not self._is_loss_noted:
            text = f"stderr cannot be written ({error.strerror}): the work goes on without it"
            self._is_loss_noted = self.note(text) is not None


problems = Problems()
"""Of this process."""


def tolerant(stream: Any, on_error: Callable[[OSError], object] | None = None) -> Any:
    """A stream that raises no errors of writing; the same where it is one, nothing for None."""
    if isinstance(stream, Tolerant):
        return stream
    return Tolerant(Path(os.devnull).open("w") if stream is None else stream, on_error)


def keep_streams() -> None:
    """Make this process's stdout and stderr `Tolerant`; call it first in a command.

    A stream that was closed before the process started is opened as the null device: otherwise the
    next file that is opened gets its number, and what libraries print is written into that file.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest free number
    sys.stdout = tolerant(sys.stdout)
    sys.stderr = tolerant(sys.stderr, problems.lost)


def stdout_error() -> OSError | None:
    """Why what was printed did not arrive; None where it did, or its reader wanted no more.

    Flushes both streams.
    """
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    error: OSError | None = getattr(sys.stdout, "error", None)
    return None if isinstance(error, BrokenPipeError) else error

"""Names and paths in a working directory: what may be read from it and written into it.

A working directory may come from another machine or another user, so its content is checked before
it is used in a path. An id is a plain name (`check_name`), and nothing is opened for writing,
truncated or removed outside the directory or through a symbolic link (`inside`). The directory
itself may be a link, as the user chose it.
"""

import contextlib
import fcntl
import os
import re
import shutil
import stat
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from mnist_horizon.errors import InputError, SweepError

LONGEST_NAME = 200
"""Most characters of an id: with a file name's suffixes it stays below a file system's 255."""

PLAIN_NAME = (
    f"only letters, digits and ._-@+, no dot at its start, at most {LONGEST_NAME} characters"
)
"""What `is_name` requires, for messages."""

_NAME = re.compile(rf"(?!\.)[A-Za-z0-9._@+-]{{1,{LONGEST_NAME}}}")


def is_name(text: object) -> bool:
    """Whether this is a plain name: letters, digits and `._-@+`, no dot first, not too long."""
    return isinstance(text, str) and _NAME.fullmatch(text) is not None


def check_name(text: object) -> str:
    """Return a plain name unchanged.

    Raises:
        InputError: it is not plain (`is_name`), so it must not be part of a path.
    """
    if isinstance(text, str) and is_name(text):
        return text
    raise InputError(f"{shown(text)} is not a plain name: {PLAIN_NAME}")


def shown(value: object) -> str:
    """A value from elsewhere for a message: on one line, and short."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}..."


def inside(workdir: Path | str, *parts: str) -> Path:
    """The path of something in a working directory that may be written or removed.

    Args:
        workdir: the directory; it may be a link itself.
        parts: the path below it, as names or joined by `/`.

    Raises:
        InputError: the path leads out of the directory, or a part of it is a symbolic link.
    """
    path = Path(workdir)
    for name in PurePosixPath(*parts).parts:
        if name in ("..", "/", "//") or "\0" in name:
            raise InputError(f"{'/'.join(parts)!r} leads out of {workdir}")
        path /= name
        refuse_link(path)
    return path


def refuse_link(path: Path) -> None:
    """Refuse a symbolic link, also a broken one.

    Raises:
        InputError: the path is a link.
    """
    if os.path.islink(path):  # noqa: PTH114 - Path.is_symlink raises for names that are too long
        raise InputError(
            f"{path} is a link, and nothing is written through links: put the file or folder "
            "itself there"
        )


def check_no_links(workdir: Path | str, folders: Iterable[str]) -> None:
    """Refuse a working directory with a symbolic link in one of these folders, at any depth.

    Raises:
        InputError: there is such a link.
    """
    for folder in folders:
        for root, folders_there, files_there in os.walk(inside(workdir, folder)):
            for name in (*folders_there, *files_there):
                refuse_link(Path(root) / name)


def check_writable(workdir: Path, names: Iterable[str], folders: Collection[str]) -> None:
    """Refuse a working directory that cannot be written, without touching it; it need not exist.

    Args:
        workdir: the directory.
        names: of files in it.
        folders: of folders in it.

    Raises:
        InputError: it, its nearest parent or one of its folders is no writable folder; or a link
            stands in its place or in it.
    """
    try:
        nearest = next(path for path in (workdir, *workdir.absolute().parents) if path.exists())
    except OSError as error:
        raise SweepError(f"--workdir: {error.strerror}: choose another") from None
    for path in (nearest, *(workdir / name for name in folders)):
        if path.exists() and not (path.is_dir() and os.access(path, os.W_OK)):
            raise SweepError(f"--workdir: {path} is not a writable folder")
    for name in names:
        inside(workdir, name)
    check_no_links(workdir, folders)


def write_atomically(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Call `write` with a temporary file in the folder of `path`, flush it to disk, rename it.

    The temporary file's name follows from `path`, so that a file left by a killed process is
    replaced when the work resumes; a writer must hold the lock of its program or sweep. The file is
    created anew: an existing link of its name is removed, not followed.

    Args:
        path: the file; in a working directory, made by `inside`. Its folder is created if absent.
        write: writes the content to the file that it is given.

    Raises:
        OSError: it cannot be written; the previous content is unchanged.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        temporary.unlink(missing_ok=True)
        with _open_plain(temporary, os.O_WRONLY | os.O_EXCL, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):  # the first error is the one to report
            temporary.unlink(missing_ok=True)
        raise


def write_text(path: Path, text: str) -> None:
    """Write a text file in UTF-8 (`write_atomically`)."""
    write_atomically(path, lambda file: file.write(text.encode()))


def append_line(path: Path, line: str) -> None:
    """Append a line to a file that other processes append to as well.

    A last line that was truncated, by a full disk or a kill, is removed first.

    Raises:
        OSError: it cannot be written, or is a link or not a regular file.
    """
    with _open_plain(path, os.O_RDWR | os.O_APPEND, "r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        size = file.seek(0, os.SEEK_END)
        file.seek(max(size - 1, 0))
        if file.read(1) not in (b"", b"\n"):
            file.seek(0)
            file.truncate(file.read().rfind(b"\n") + 1)
        file.write(line.encode() + b"\n")


@contextlib.contextmanager
def lock(path: Path, wait: bool = False) -> Iterator[bool]:
    """Hold a lock file for the block; its content is not changed, its folder is created if absent.

    The system releases the locks of a process that ends, also if it is killed.

    Yields:
        Whether it was free (always, with `wait`).

    Raises:
        OSError: it cannot be opened, or is a link or not a regular file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with _open_plain(path, os.O_RDWR, "r+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
            return
        except OSError as error:
            reason = f"this file system has no locks ({error.strerror}): choose another --workdir"
            raise OSError(error.errno, reason, str(path)) from None
        yield True


def remove_folder(workdir: Path | str, *parts: str) -> None:
    """Remove a folder of a working directory and its content; what cannot be removed is ignored.

    Raises:
        InputError: the path leads out of the directory or through a link (`inside`).
    """
    shutil.rmtree(inside(workdir, *parts), ignore_errors=True)


def _open_plain(path: Path, flags: int, mode: str) -> BinaryIO:
    """Open a regular file, created if absent; never a link, or a file that may block."""
    flags |= os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    number = os.open(path, flags, 0o666)
    if not stat.S_ISREG(os.fstat(number).st_mode):
        os.close(number)
        raise OSError(0, "not a regular file", str(path))
    return os.fdopen(number, mode)  # type: ignore[return-value]

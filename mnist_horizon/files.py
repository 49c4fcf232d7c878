"""Names and paths in a working directory: what may be read from it and written into it.

A working directory may come from another machine or another user, so its content is checked before
it is used in a path. An id is a plain name (`check_name`), and nothing is opened for writing,
truncated or removed outside the directory or through a symbolic link (`inside`). The directory
itself may be a link, as the user chose it. What is read may be reached through links, but only from
regular files (`check_regular`), and none of it is ever executed (`read_json`, `read_arrays`).
`docs/trust.md` says what is trusted.
"""

import contextlib
import errno
import fcntl
import json
import math
import os
import re
import shutil
import stat
import zipfile
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, BinaryIO

from mnist_horizon.errors import InputError, SweepError

if TYPE_CHECKING:
    import numpy as np

LONGEST_NAME = 200
"""Most characters of an id: with a file name's suffixes it stays below a file system's 255."""

PLAIN_NAME = (
    f"only letters, digits and ._-@+, no dot at its start, at most {LONGEST_NAME} characters"
)
"""What `is_name` requires, for messages."""

CHECKPOINTS = "checkpoints"
"""The folder of a working directory that holds folders; the others hold files."""

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


MOST_NESTED = 32
"""Levels of lists and objects in JSON from elsewhere: more would exhaust the stack of a reader."""


def parse_json(text: str) -> Any:
    """The value of JSON from elsewhere.

    Raises:
        ValueError: it is not JSON, is nested more than `MOST_NESTED` deep, or holds an integer
            beyond 64 bits.
    """
    try:
        value = json.loads(text, parse_int=_whole_number)
        _check_nesting(value, MOST_NESTED)
    except RecursionError:
        raise ValueError("nested too deep") from None
    return value


def read_json(path: Path) -> Any:
    """The value in a JSON file, as `parse_json` gives it.

    Raises:
        OSError: the file cannot be read, or is not a regular file.
        ValueError: as `parse_json`.
    """
    check_regular(path)
    return parse_json(path.read_text(encoding="utf-8"))


def read_arrays(path: Path) -> "dict[str, np.ndarray]":
    """The arrays of an uncompressed `.npz` file, by name; nothing in it is unpickled.

    As our files are not compressed, the arrays are as large as the file: a small one cannot fill
    the memory.

    Raises:
        OSError: the file cannot be read, or is not a regular file.
        ValueError: it holds something else, or pickled objects.
    """
    import numpy as np  # not at the top: not every command needs it

    check_regular(path)
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
            if size > path.stat().st_size:
                raise ValueError("it is compressed")
            for entry in archive.infolist():
                _check_header(archive, entry)
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (KeyError, EOFError, NotImplementedError, zipfile.BadZipFile) as error:
        raise ValueError(str(error) or type(error).__name__) from None


def _check_header(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> None:
    """Refuse an array whose header promises more than follows: memory for it is taken at once."""
    from numpy.lib import format as npy

    with archive.open(entry) as file:
        if npy.read_magic(file) != (1, 0):
            raise ValueError(f"{entry.filename}: not an array of ours")
        shape, _, dtype = npy.read_array_header_1_0(file)
        if math.prod(shape) * dtype.itemsize != entry.file_size - file.tell():
            raise ValueError(f"{entry.filename}: its size is not that of its shape")


def check_regular(path: Path) -> None:
    """Refuse what is no regular file: a pipe, of which a reader waits for ever, or a device.

    Raises:
        OSError: it is none, or does not exist.
    """
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):  # opening a folder says what it is
        raise OSError(0, "not a regular file", str(path))


def _whole_number(text: str) -> int:
    value = int(text)
    if abs(value) >= 2**63:
        raise ValueError("an integer beyond 64 bits")
    return value


def _check_nesting(value: Any, levels: int) -> None:
    if not isinstance(value, list | dict):
        return
    if levels == 0:
        raise ValueError("nested too deep")
    for inner in value.values() if isinstance(value, dict) else value:
        _check_nesting(inner, levels - 1)


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


def check_usable(
    workdir: Path, names: Iterable[str], folders: Collection[str], is_written: bool = True
) -> None:
    """Refuse a working directory that cannot be used, without touching it; it need not exist.

    Args:
        workdir: the directory.
        names: of files in it.
        folders: of folders in it.
        is_written: whether it must be writable.

    Raises:
        InputError: it, its nearest parent or one of its folders is no folder, or not writable; a
            link stands in its place or in it; or it holds a folder where a file belongs.
    """
    try:
        places = (workdir, *workdir.absolute().parents)
        nearest = next(path for path in places if path.exists() or path.is_symlink())
    except OSError as error:
        raise SweepError(f"--workdir: {error.strerror}: choose another") from None
    if not nearest.exists():
        raise SweepError(
            f"--workdir: {nearest} is a link to {nearest.readlink()}, which is not there: make "
            "that folder, or choose another"
        )
    for path in (nearest, *(workdir / name for name in folders)):
        if path.exists() and not (path.is_dir() and (not is_written or os.access(path, os.W_OK))):
            raise SweepError(f"--workdir: {path} is not a {'writable ' * is_written}folder")
    for name in names:
        _refuse_folder(inside(workdir, name))
        _refuse_folder(_temporary(workdir / name))
    check_no_links(workdir, folders)
    _check_kinds(workdir, folders)


def _check_kinds(workdir: Path, folders: Iterable[str]) -> None:
    """Refuse a folder with the name of a file, or a file with that of a checkpoint's folder.

    Names of files have endings, but for locks, and those of the folders have none.
    """
    for folder in folders:
        if not (workdir / folder).is_dir():
            continue
        with os.scandir(workdir / folder) as entries:
            for entry in entries:
                has_ending = "." in entry.name
                if folder == CHECKPOINTS and not has_ending and not entry.is_dir():
                    raise SweepError(f"--workdir: {entry.path} is not a folder: move it away")
                if folder != CHECKPOINTS and (has_ending or folder == "locks"):
                    _refuse_folder(entry)


def _refuse_folder(path: "Path | os.DirEntry[str]") -> None:
    if path.is_dir():
        raise SweepError(
            f"--workdir: {os.fspath(path)} is a folder, and a file belongs there: move it away"
        )


def write_atomically(
    path: Path, write: Callable[[BinaryIO], object], is_locked: bool = True
) -> None:
    """Call `write` with a temporary file in the folder of `path`, flush it to disk, rename it.

    The temporary file's name follows from `path`, so that a file left by a killed process is
    replaced when the work resumes. The file is created anew: an existing link of its name is
    removed, not followed.

    Args:
        path: the file; in a working directory, made by `inside`. Its folder is created if absent.
        write: writes the content to the file that it is given.
        is_locked: whether this process holds the lock of its program or sweep; without, others may
            write the same file, so the temporary file's name has this process's number.

    Raises:
        OSError: it cannot be written; the previous content is unchanged.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _temporary(path) if is_locked else _temporary(path, f".{os.getpid()}")
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


def remedy(error: OSError, workdir: Path) -> str:
    """Why a file of a working directory cannot be written, and what changes that, for a message."""
    path = error.filename2 or error.filename  # of a file that is renamed: its new name
    reason = f"{path}: {error.strerror}" if path else error.strerror or str(error)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"{reason}: make room in {workdir}"
    if error.errno in (errno.EISDIR, errno.ENOTDIR, errno.EEXIST, errno.ENOTEMPTY):
        return f"{reason}: move it away"
    return f"{reason}: check {workdir}"


def _temporary(path: Path, writer: str = "") -> Path:
    """Where the content of a file is written first."""
    return path.with_name(f".{path.name}{writer}.tmp")


def write_text(path: Path, text: str, is_locked: bool = True) -> None:
    """Write a text file in UTF-8 (`write_atomically`); half characters as `\\ud800`."""
    content = text.encode(errors="backslashreplace")
    write_atomically(path, lambda file: file.write(content), is_locked)


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

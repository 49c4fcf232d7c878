"""Reader of IDX files, the format of the MNIST database, gzipped or not.

A file is two zero bytes, a byte for the element type (8: unsigned byte), a byte for the number of
dimensions, each dimension's size as a big-endian 32-bit number, then the elements, the last
dimension varying fastest (LeCun, Cortes and Burges, http://yann.lecun.com/exdb/mnist/).

A small gzip file can hold gigabytes. So the header is read first, what it promises must be possible
for a file of that size and fit into the memory, and the elements are decompressed in parts: nothing
but the promised array is ever held.
"""

import contextlib
import gzip
import hashlib
import math
import os
import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import BufferedIOBase
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from mnist_horizon.tasks.file_kinds import GZIP_MAGIC, HEAD_BYTES, kind_of
from mnist_horizon.tasks.task import TaskError

UNSIGNED_BYTE = 0x08
ELEMENT_TYPES = {
    UNSIGNED_BYTE: "uint8",
    0x09: "int8",
    0x0B: "int16",
    0x0C: "int32",
    0x0D: "float32",
    0x0E: "float64",
}
PART = 2**18
"""Bytes that are decompressed at once."""

_MOST_BYTES_PER_GZIPPED = 1032  # two bits of DEFLATE stand for at most 258 bytes


@dataclass(frozen=True)
class IdxFile:
    """A file's array, the checksum of the file and that of its decompressed content."""

    path: Path
    array: UInt8[np.ndarray, "..."]
    sha256: str
    content_sha256: str


def read_idx(path: Path, dimensions: int) -> IdxFile:
    """Read an IDX file of unsigned bytes with this many dimensions.

    Raises:
        TaskError: the file cannot be read, is damaged, holds something else, or more than the free
            memory; one line that names the file and what is wrong.
    """
    with _opened(path) as (raw, content):
        header, shape = _read_header(path, raw, content, dimensions)
        array, digest = np.empty(math.prod(shape), np.uint8), hashlib.sha256(header)
        _fill(path, content, array, shape)
        digest.update(array.data)
        raw.seek(0)
        sha256 = hashlib.file_digest(raw, "sha256").hexdigest()
    return IdxFile(path, array.reshape(shape), sha256, digest.hexdigest())


def read_shape(path: Path, dimensions: int) -> tuple[int, ...]:
    """The shape that a file promises, which its size allows; the elements are not read.

    Raises:
        TaskError: as `read_idx`.
    """
    with _opened(path) as (raw, content):
        return _read_header(path, raw, content, dimensions)[1]


def read_pair(
    images_path: Path, labels_path: Path, classes: int, shape: tuple[int, int]
) -> tuple[IdxFile, IdxFile]:
    """Read images `[n, height, width]` of this shape and their labels `[n]`, each below `classes`.

    Raises:
        TaskError: as `read_idx`; or shape or counts differ, or a label is out of range.
    """
    count, *size = read_shape(images_path, dimensions=3)
    (labels_count,) = read_shape(labels_path, dimensions=1)
    if tuple(size) != shape:
        found, wanted = ("x".join(map(str, each)) for each in (size, shape))
        raise TaskError(f"{images_path}: images of {found}, not {wanted} pixels")
    if count != labels_count:
        raise TaskError(
            f"{labels_path}: {labels_count} labels for {count} images in {images_path.name}"
        )
    images, labels = read_idx(images_path, dimensions=3), read_idx(labels_path, dimensions=1)
    if labels.array.max() >= classes:
        position = int(np.argmax(labels.array >= classes))
        raise TaskError(
            f"{labels_path}: label {labels.array[position]} of example {position} "
            f"is not in 0 to {classes - 1}"
        )
    return images, labels


def check_same(file: IdxFile, others: Iterable[Path]) -> None:
    """Refuse other files for the same part that have another content.

    Raises:
        TaskError: as `read_idx`, of one of them; or it differs, so that either may be meant.
    """
    for path in others:
        shape = read_shape(path, file.array.ndim)
        if (
            shape != file.array.shape
            or read_idx(path, len(shape)).content_sha256 != file.content_sha256
        ):
            raise TaskError(
                f"{file.path} and {path} differ, and either may be meant: remove the other one"
            )


def available_memory() -> float:
    """Bytes of memory that are free or can be freed; infinite where the system does not say."""
    with contextlib.suppress(OSError, ValueError):
        for line in Path("/proc/meminfo").read_text().splitlines():
            name, _, value = line.partition(":")
            if name == "MemAvailable":
                return 1024.0 * int(value.split()[0])
    return math.inf


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[tuple[BufferedIOBase, BufferedIOBase]]:
    """The file as it is, and its content, which is another one where it is gzipped.

    Raises:
        TaskError: it cannot be read, or its compression is damaged, also inside the block.
    """
    try:
        with path.open("rb") as raw:
            is_gzipped = raw.read(2) == GZIP_MAGIC
            raw.seek(0)
            content: BufferedIOBase = gzip.GzipFile(fileobj=raw) if is_gzipped else raw
            yield raw, content
    except EOFError:
        raise TaskError(f"{path}: truncated gzip file, copy or download it again") from None
    except (gzip.BadGzipFile, zlib.error, struct.error) as error:
        raise TaskError(f"{path}: damaged gzip file ({error})") from None
    except OSError as error:
        raise TaskError(f"{path}: cannot be read ({error.strerror})") from None


def _read_header(
    path: Path, raw: BufferedIOBase, content: BufferedIOBase, dimensions: int
) -> tuple[bytes, tuple[int, ...]]:
    """The header, and the shape in it, which the file's size and the memory allow."""
    magic = content.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in ELEMENT_TYPES:
        kind = kind_of(magic + content.read(HEAD_BYTES), is_gzipped=content is not raw)
        expected = f"0x{UNSIGNED_BYTE:06x}{dimensions:02x} was expected"
        kind = f" but {kind}" if kind else f" (its magic number is 0x{magic.hex()}, {expected})"
        raise TaskError(f"{path}: not an IDX file{kind}")
    if magic[2] != UNSIGNED_BYTE:
        raise TaskError(f"{path}: holds {ELEMENT_TYPES[magic[2]]}, not uint8")
    if magic[3] != dimensions:
        raise TaskError(f"{path}: has {magic[3]} dimensions where {dimensions} were expected")
    sizes = content.read(4 * dimensions)
    if len(sizes) < 4 * dimensions:
        raise TaskError(f"{path}: truncated in its header, copy or download it again")
    shape = struct.unpack(f">{dimensions}I", sizes)
    size = os.fstat(raw.fileno()).st_size
    most = size - raw.tell() if content is raw else size * _MOST_BYTES_PER_GZIPPED
    _check_size(path, shape, most, is_exact=content is raw)
    return magic + sizes, shape


def _check_size(path: Path, shape: tuple[int, ...], most: int, is_exact: bool) -> None:
    """Refuse a shape that is empty, more than the memory, or not that of `most` bytes at most."""
    expected, available = math.prod(shape), available_memory()
    if expected == 0:
        raise TaskError(f"{path}: is empty (shape {shape})")
    if most < expected:
        limit = "" if is_exact else "at most "
        problem = f"truncated, {limit}{most} of the {expected} bytes of shape {shape}"
        raise TaskError(f"{path}: {problem}")
    if is_exact and most > expected:
        raise TaskError(f"{path}: {most - expected} bytes too many after shape {shape}")
    if expected > available:
        needed = f"{expected / 1e6:.0f} MB of memory, and {available / 1e6:.0f} MB are free"
        raise TaskError(f"{path}: shape {shape} needs {needed}")


def _fill(
    path: Path, content: BufferedIOBase, array: UInt8[np.ndarray, "byte"], shape: tuple[int, ...]
) -> None:
    """Read the elements in parts, and check that nothing follows them."""
    start = 0
    while start < len(array) and (part := content.read(min(PART, len(array) - start))):
        array[start : start + len(part)] = np.frombuffer(part, np.uint8)
        start += len(part)
    if start < len(array):
        problem = f"truncated, {start} of the {len(array)} bytes of shape {shape}"
        raise TaskError(f"{path}: {problem}")
    if content.read(1):  # also checks the checksum at the end of a gzip file
        raise TaskError(f"{path}: bytes too many after shape {shape}")

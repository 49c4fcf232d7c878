"""Reader of IDX files, the format of the MNIST database, gzipped or not.

A file is two zero bytes, a byte for the element type (8: unsigned byte), a byte for the number of
dimensions, each dimension's size as a big-endian 32-bit number, then the elements, the last
dimension varying fastest (LeCun, Cortes and Burges, http://yann.lecun.com/exdb/mnist/).
"""

import gzip
import hashlib
import math
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

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
_GZIP_MAGIC = b"\x1f\x8b"


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
        TaskError: the file cannot be read, is damaged, or holds something else; one line that
            names the file and what is wrong.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise TaskError(f"{path}: cannot be read ({error.strerror})") from None
    content = _decompress(path, raw)
    return IdxFile(
        path=path,
        array=_parse(path, content, dimensions),
        sha256=hashlib.sha256(raw).hexdigest(),
        content_sha256=hashlib.sha256(content).hexdigest(),
    )


def read_pair(images_path: Path, labels_path: Path, classes: int) -> tuple[IdxFile, IdxFile]:
    """Read images `[n, height, width]` and their labels `[n]`, each below `classes`.

    Raises:
        TaskError: as `read_idx`; or the counts differ, or a label is out of range.
    """
    images, labels = read_idx(images_path, dimensions=3), read_idx(labels_path, dimensions=1)
    if len(images.array) != len(labels.array):
        raise TaskError(
            f"{labels_path}: {len(labels.array)} labels for {len(images.array)} images "
            f"in {images_path.name}"
        )
    if labels.array.max() >= classes:
        position = int(np.argmax(labels.array >= classes))
        raise TaskError(
            f"{labels_path}: label {labels.array[position]} of example {position} "
            f"is not in 0 to {classes - 1}"
        )
    return images, labels


def _decompress(path: Path, raw: bytes) -> bytes:
    if not raw.startswith(_GZIP_MAGIC):
        return raw
    try:
        return gzip.decompress(raw)
    except EOFError:
        raise TaskError(f"{path}: truncated gzip file, copy or download it again") from None
    except (OSError, zlib.error, struct.error) as error:
        raise TaskError(f"{path}: damaged gzip file ({error})") from None


def _parse(path: Path, content: bytes, dimensions: int) -> UInt8[np.ndarray, "..."]:
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in ELEMENT_TYPES:
        raise TaskError(
            f"{path}: not an IDX file (its magic number is 0x{content[:4].hex() or '00'}, "
            f"0x{UNSIGNED_BYTE:06x}{dimensions:02x} was expected)"
        )
    if content[2] != UNSIGNED_BYTE:
        raise TaskError(f"{path}: holds {ELEMENT_TYPES[content[2]]}, not uint8")
    if content[3] != dimensions:
        raise TaskError(f"{path}: has {content[3]} dimensions where {dimensions} were expected")
    header = 4 + 4 * dimensions
    if len(content) < header:
        raise TaskError(f"{path}: truncated in its header, copy or download it again")
    shape = struct.unpack(f">{dimensions}I", content[4:header])
    expected, size = math.prod(shape), len(content) - header
    if expected == 0:
        raise TaskError(f"{path}: is empty (shape {shape})")
    if size < expected:
        raise TaskError(f"{path}: truncated, {size} of the {expected} bytes of shape {shape}")
    if size > expected:
        raise TaskError(f"{path}: {size - expected} bytes too many after shape {shape}")
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)

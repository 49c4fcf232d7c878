"""What a file is that is not the IDX file that was expected, and what to do about it."""

import re
import zlib
from pathlib import Path

GZIP_MAGIC = b"\x1f\x8b"
HEAD_BYTES = 512
"""As many first bytes as `kind_of` looks at."""

_IDX = "the four IDX files"
_OWN_TASK = f"take {_IDX} instead, or read it in a task of your own (docs/own_tasks.md)"
_UNPACK = "unpack it, and name the folder of what was in it"
_PAGE = "the answer of a server in place of the file, so download it again"

_BY_START: tuple[tuple[bytes, str, str], ...] = (
    (b"version https://git-lfs", "a Git LFS pointer", "fetch the file itself: git lfs pull"),
    (b"/annex/objects/", "a git-annex pointer", "fetch the file itself: git annex get"),
    (GZIP_MAGIC, "a gzip file", "decompress it once: gunzip"),
    (b"PAR1", "a Parquet file", _OWN_TASK),
    (b"ARROW1", "an Arrow file", _OWN_TASK),
    (b"\x93NUMPY", "a NumPy array", _OWN_TASK),
    (b"\x89HDF", "an HDF5 file", _OWN_TASK),
    (b"MATLAB", "a MATLAB file", _OWN_TASK),
    (b"SQLite format 3", "an SQLite database", _OWN_TASK),
    (b"\x89PNG", "a PNG image", _OWN_TASK),
    (b"\xff\xd8\xff", "a JPEG image", _OWN_TASK),
    (b"%PDF", "a PDF document", f"take {_IDX} instead"),
    (b"BZh", "a bzip2 file", "decompress it: bunzip2"),
    (b"\xfd7zXZ", "an xz file", "decompress it: unxz"),
    (b"\x28\xb5\x2f\xfd", "a zstd file", "decompress it: unzstd"),
    (b"7z\xbc\xaf", "a 7z archive", _UNPACK),
    (b"Rar!", "a RAR archive", _UNPACK),
)
_PICKLE = re.compile(rb"\x80[\x02-\x05].", re.DOTALL)
_MARKUP = re.compile(rb"\s*<(!doctype|html|head|body|\?xml)", re.IGNORECASE)
_TEXT = re.compile(rb"[\t\n\r -~]+")
_ZIP, _ZIP_NAME, _TAR_AT = b"PK\x03\x04", slice(30, 120), slice(257, 262)


def kind_of(head: bytes, is_gzipped: bool = False) -> str | None:
    """What a file with these first bytes is, and the way out; None where neither is known.

    Args:
        head: at least `HEAD_BYTES` of the file, or all of it.
        is_gzipped: whether the file was gzipped, and these are the first bytes of its content.

    Returns:
        Words such as "a zip archive: unpack it, and name ...", on one line.
    """
    kind = _kind_of(head)
    return f"a gzip of {kind}" if kind and is_gzipped else kind


def kind_of_file(path: Path) -> str | None:
    """`kind_of` a file on disk, decompressed where it is gzipped; None where it is not readable."""
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
        if not head.startswith(GZIP_MAGIC):
            return kind_of(head)
        return kind_of(zlib.decompressobj(wbits=31).decompress(head, HEAD_BYTES), is_gzipped=True)
    except (OSError, zlib.error):
        return None


def _kind_of(head: bytes) -> str | None:
    if not head:
        return "an empty file: copy or download it again"
    for start, kind, way_out in _BY_START:
        if head.startswith(start):
            return f"{kind}: {way_out}"
    if head.startswith(_ZIP):
        return _kind_of_zip(head[_ZIP_NAME])
    if head[_TAR_AT] == b"ustar":
        return f"a tar archive: {_UNPACK}"
    if _PICKLE.match(head):
        return f"a Python pickle, which is code and never loaded: take {_IDX} instead"
    if _MARKUP.match(head.removeprefix(b"\xef\xbb\xbf")):
        return f"an {'HTML' if b'html' in head.lower() else 'XML'} page: {_PAGE}"
    if _TEXT.fullmatch(head):
        return f"text that begins with {head[:24].decode()!r}: take {_IDX} instead"
    return None


def _kind_of_zip(name: bytes) -> str:
    """A zip archive by the name of its first file."""
    if b".npy" in name:
        return f"a NumPy archive (npz): {_OWN_TASK}"
    if b"/data.pkl" in name:
        return f"a PyTorch file: {_OWN_TASK}"
    return f"a zip archive: {_UNPACK}"

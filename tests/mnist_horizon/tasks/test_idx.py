import gzip
import hashlib
import math
import struct
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnist_horizon.tasks import TaskError, idx
from mnist_horizon.tasks.idx import read_idx, read_pair
from tests.mnist_horizon.tasks.sources import idx_bytes

IMAGES = np.array([[[0, 1, 127], [128, 200, 255]], [[9, 8, 7], [6, 5, 254]]], np.uint8)
LABELS = np.array([3, 9], np.uint8)
# By hand, so that writer and reader of the tests cannot share an error.
BY_HAND = bytes.fromhex("00000803 00000002 00000002 00000003 00017f80c8ff 0908070605fe")


def write(tmp_path, content, name="file"):
    path = tmp_path / name
    path.write_bytes(content)
    return path


def refusal(path, dimensions=3):
    with pytest.raises(TaskError) as caught:
        read_idx(path, dimensions)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    return message


def test_the_tests_own_writer_agrees_with_the_bytes_by_hand():
    assert idx_bytes(IMAGES) == BY_HAND


@pytest.mark.parametrize(
    "content", [BY_HAND, gzip.compress(BY_HAND, mtime=0)], ids=["plain", "gzip"]
)
def test_bytes_above_127_stay_positive_and_in_place(tmp_path, content):
    file = read_idx(write(tmp_path, content), dimensions=3)
    assert file.array.dtype == np.uint8
    np.testing.assert_array_equal(file.array, IMAGES)
    assert file.array[0, 1].tolist() == [128, 200, 255]
    assert file.sha256 == hashlib.sha256(content).hexdigest()
    assert file.content_sha256 == hashlib.sha256(BY_HAND).hexdigest()


def test_gzip_is_known_by_content_not_by_name(tmp_path):
    plain = write(tmp_path, BY_HAND, "images.gz")
    np.testing.assert_array_equal(read_idx(plain, 3).array, IMAGES)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not an IDX file but an empty file: copy or download it again"),
        (gzip.compress(b"", mtime=0), "not an IDX file but a gzip of an empty file"),
        (gzip.compress(gzip.compress(BY_HAND)), "but a gzip of a gzip file: decompress it once"),
        (gzip.compress(b"<html>", mtime=0), "not an IDX file but a gzip of an HTML page"),
        (b"\0\0\x08", "not an IDX file"),
        (b"PK\x03\x04" + BY_HAND, "not an IDX file"),
        (b"\0\1" + BY_HAND[2:], "not an IDX file (its magic number is 0x00010803, 0x00000803 was"),
        (b"\0\0\x07" + BY_HAND[3:], "not an IDX file"),
        (b"\0\0\x09" + BY_HAND[3:], "holds int8, not uint8"),
        (b"\0\0\x0d" + BY_HAND[3:], "holds float32, not uint8"),
        (idx_bytes(LABELS), "has 1 dimensions where 3 were expected"),
        (BY_HAND[:9], "truncated in its header"),
        (BY_HAND[:-1], "truncated, 11 of the 12 bytes"),
        (BY_HAND + b"\0\0", "2 bytes too many"),
        (idx_bytes(IMAGES[:0]), "is empty"),
        (idx_bytes(IMAGES[:, :, :0]), "is empty"),
        (b"\0\0\x08\x03" + b"\xff" * 12 + b"\1", "truncated, 1 of the"),
        (gzip.compress(BY_HAND, mtime=0)[:-9], "truncated gzip file"),
        (gzip.compress(BY_HAND, mtime=0)[:5], "truncated gzip file"),
        (gzip.compress(BY_HAND, mtime=0) + b"junk", "damaged gzip file"),
        (gzip.compress(BY_HAND, mtime=0)[:-8] + b"\0" * 8, "damaged gzip file"),
        (b"\x1f\x8b" + BY_HAND, "damaged gzip file"),
        (gzip.compress(BY_HAND[:-1], mtime=0), "truncated, 11 of the 12 bytes"),
        (gzip.compress(BY_HAND + b"\0", mtime=0), "bytes too many after shape (2, 2, 3)"),
    ],
)
def test_a_damaged_file_is_refused_with_its_name(tmp_path, content, words):
    assert words in refusal(write(tmp_path, content))


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    assert "cannot be read (No such file or directory)" in refusal(tmp_path / "nothing")
    assert "cannot be read (Is a directory)" in refusal(tmp_path)


def test_pair(tmp_path):
    images = write(tmp_path, idx_bytes(IMAGES), "images")
    labels = write(tmp_path, idx_bytes(LABELS), "labels")
    read_images, read_labels = read_pair(images, labels, 10, (2, 3))
    np.testing.assert_array_equal(read_images.array, IMAGES)
    np.testing.assert_array_equal(read_labels.array, LABELS)
    with pytest.raises(TaskError, match=r"labels: label 9 of example 1 is not in 0 to 8"):
        read_pair(images, labels, 9, (2, 3))
    three = write(tmp_path, idx_bytes(np.array([1, 2, 3], np.uint8)), "three")
    with pytest.raises(TaskError, match=r"three: 3 labels for 2 images in images"):
        read_pair(images, three, 10, (2, 3))
    with pytest.raises(TaskError, match=r"labels: has 1 dimensions where 3"):
        read_pair(labels, images, 10, (2, 3))
    with pytest.raises(TaskError, match=r"images: images of 2x3, not 28x28 pixels"):
        read_pair(images, labels, 10, (28, 28))


MEGABYTE = gzip.compress(bytes(2**20), mtime=0)
LARGE = (50_000, 28, 28)  # 39 MB


def promise(*shape):
    return bytes([0, 0, 8, len(shape)]) + b"".join(struct.pack(">I", size) for size in shape)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (64 * MEGABYTE, "not an IDX file (its magic number is 0x00000000, 0x00000803 was"),
        (gzip.compress(BY_HAND) + 64 * MEGABYTE, "bytes too many after shape (2, 2, 3)"),
        (gzip.compress(promise(*LARGE)), "truncated, at most "),
        (gzip.compress(promise(*[2**32 - 1] * 3)) + MEGABYTE, "truncated, at most "),
        (promise(*LARGE) + b"\1", "truncated, 1 of the 39200000 bytes"),
        (gzip.compress(promise(*LARGE)) + 64 * MEGABYTE, "images of 28x28, not 2x3 pixels"),
        (gzip.compress(promise(10**7, 2, 3)) + 64 * MEGABYTE, "2 labels for 10000000 images"),
    ],
    ids=["zeros", "tail", "small", "overflow", "plain", "shape", "count"],
)
def test_what_a_small_file_expands_to_never_fills_the_memory(tmp_path, content, words):
    """64 MB and more of zeros in 70 kB: held is no more than a part."""
    images = write(tmp_path, content, "images")
    labels = write(tmp_path, idx_bytes(LABELS), "labels")
    tracemalloc.start()
    with pytest.raises(TaskError) as caught:
        read_pair(images, labels, 10, (2, 3))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert words in str(caught.value)
    assert peak < 3 * 2**20, f"{peak} bytes were allocated"


def test_an_array_is_held_once_and_only_where_there_is_room(tmp_path, monkeypatch):
    shape = (10, 1000, 1000)
    path = write(tmp_path, gzip.compress(promise(*shape) + bytes(math.prod(shape)), 1))
    tracemalloc.start()
    file = read_idx(path, dimensions=3)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert file.array.shape == shape
    assert peak < math.prod(shape) + 3 * 2**20
    assert 2**20 < idx.available_memory() < 2**50, "or infinite, where there is no /proc/meminfo"
    monkeypatch.setattr(idx, "available_memory", lambda: 9e6)
    assert "needs 10 MB of memory, and 9 MB are free" in refusal(path)


@st.composite
def corruptions(draw, content):
    """A flip, a cut, an insertion or a replaced stretch anywhere in the content."""
    position = draw(st.integers(0, len(content) - 1))
    kind = draw(st.sampled_from(["flip", "cut", "insert", "replace"]))
    if kind == "cut":
        return content[:position]
    if kind == "flip":
        flipped = content[position] ^ draw(st.integers(1, 255))
        return content[:position] + bytes([flipped]) + content[position + 1 :]
    stretch = draw(st.binary(min_size=1, max_size=6))
    end = position + len(stretch) if kind == "replace" else position
    return content[:position] + stretch + content[end:]


def read_or_none(path):
    try:
        return read_idx(path, dimensions=3).array
    except TaskError as error:
        message = str(error)
    assert message.startswith(str(path))
    assert "\n" not in message
    return None


@given(content=corruptions(gzip.compress(BY_HAND, mtime=0)))
def test_any_corruption_of_a_gzipped_file_is_refused_or_harmless(tmp_path_factory, content):
    array = read_or_none(write(tmp_path_factory.getbasetemp(), content, "fuzzed.gz"))
    if array is not None:
        np.testing.assert_array_equal(array, IMAGES)


@given(content=st.one_of(corruptions(BY_HAND), st.binary(max_size=64)))
def test_a_plain_file_is_read_to_the_byte_or_refused(tmp_path_factory, content):
    array = read_or_none(write(tmp_path_factory.getbasetemp(), content, "fuzzed"))
    if array is not None:  # no checksum guards a plain file, but nothing may be lost or made up
        sizes = struct.unpack(">3I", content[4:16])
        assert array.shape == sizes
        assert array.tobytes() == content[16:]

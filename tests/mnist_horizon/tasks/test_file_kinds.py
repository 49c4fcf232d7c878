import gzip
import io
import pickle
import tarfile
import zipfile

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from mnist_horizon.tasks.file_kinds import HEAD_BYTES, kind_of, kind_of_file

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 9912422\n"
PAGE = b"\xef\xbb\xbf\n<!DOCTYPE html>\n<html><title>Sign in</title>\xc3\xa4</html>"
REFUSAL = b"<?xml version='1.0' encoding='UTF-8'?><Error><Code>AccessDenied</Code></Error>"


def written(write):
    file = io.BytesIO()
    write(file)
    return file.getvalue()


def zipped(name):
    return written(lambda file: zipfile.ZipFile(file, "w").writestr(name, "content"))


def tarred(file):
    with tarfile.open(fileobj=file, mode="w") as archive:
        archive.add(__file__, "some.py")


KINDS = [
    (b"", "an empty file: copy or download it again"),
    (POINTER, "a Git LFS pointer: fetch the file itself: git lfs pull"),
    (b"/annex/objects/SHA256E-s12--4d7a.gz\n", "a git-annex pointer: fetch"),
    (PAGE, "an HTML page: the answer of a server in place of the file, so download it again"),
    (b"  <HTML><body>404</body></HTML>", "an HTML page: "),
    (REFUSAL, "an XML page: the answer of a server"),
    (written(lambda file: np.savez(file, x_train=np.zeros(3))), "a NumPy archive (npz): take"),
    (written(lambda file: np.savez_compressed(file, a=1)), "a NumPy archive (npz): take"),
    (written(lambda file: np.save(file, np.zeros(3))), "a NumPy array: take the four IDX files"),
    (written(pd.DataFrame({"a": [1]}).to_parquet), "a Parquet file: take the four IDX files"),
    (zipped("train-images-idx3-ubyte"), "a zip archive: unpack it"),
    (zipped("training/data.pkl"), "a PyTorch file: "),
    (written(tarred), "a tar archive: unpack it"),
    (pickle.dumps([1]), "a Python pickle, which is code and never loaded: "),
    (written(lambda file: Image.new("L", (2, 2)).save(file, "png")), "a PNG image: "),
    (b"label,1x1,1x2\n5,0,0\n", "text that begins with 'label,1x1,1x2\\n5,0,0\\n': "),
]


@pytest.mark.parametrize(("content", "words"), KINDS, ids=[words for _, words in KINDS])
def test_real_files_of_other_kinds_are_named(tmp_path, content, words):
    """Also gzipped, as `mnist.pkl.gz` and `archive.tar.gz` are."""
    kind = kind_of(content[:HEAD_BYTES])
    assert kind.startswith(words)
    assert "\n" not in kind
    path = tmp_path / "file"
    path.write_bytes(content)
    assert kind_of_file(path) == kind
    path.write_bytes(gzip.compress(content))
    assert kind_of_file(path) == f"a gzip of {kind}"


def test_what_was_gzipped_twice_is_named():
    words = "a gzip of a gzip file: decompress it once: gunzip"
    assert kind_of(gzip.compress(b"x"), is_gzipped=True) == words


def test_what_is_not_known_is_not_named(tmp_path):
    path = tmp_path / "file"
    for content in (bytes([0, 0, 8, 3]), b"\xff\xfe\xfd", gzip.compress(b"\0\0\x08\x03")):
        path.write_bytes(content)
        assert kind_of_file(path) is None
    path.write_bytes(b"\x1f\x8bdamaged")
    assert kind_of_file(path) is None
    assert kind_of_file(tmp_path / "nothing") is None

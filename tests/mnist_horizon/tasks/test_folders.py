import gzip
import os
from pathlib import Path

import pytest

from mnist_horizon.tasks import TaskError, folders
from mnist_horizon.tasks.folders import Wanted, find, named, plain

NAMES = {
    part: [f"{part}{mark}{suffix}{ending}" for mark in "-." for ending in (".gz", "")]
    for part, suffix in (("images", "idx3-ubyte"), ("labels", "idx1-ubyte"))
}
WANTED = Wanted(NAMES, own={"mnist"}, others={"fashionmnist", "kmnist"})
GZIPPED, PLAIN, DOTTED = ([NAMES[part][number] for part in NAMES] for number in (0, 1, 3))


def lay(folder, names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"\0\0\x08")
    return folder


def found(folder):
    return {
        part: [str(path.relative_to(folder)) for path in paths]
        for part, paths in find(folder, WANTED).items()
    }


def refusal(folder):
    with pytest.raises(TaskError) as caught:
        find(folder, WANTED)
    assert "\n" not in str(caught.value)
    return str(caught.value).replace(f"{folder}/", "").replace(str(folder), "FOLDER")


@pytest.mark.parametrize("names", [GZIPPED, PLAIN, DOTTED], ids=["gzip", "plain", "dot"])
@pytest.mark.parametrize(
    "place",
    [
        ".",
        "MNIST/raw",  # torchvision's root
        "raw",  # torchvision's MNIST
        "gzip",  # EMNIST
        "archive",
        "data/MNIST/raw",
        "MNIST_ORG",
    ],
)
def test_places_that_are_known(tmp_path, place, names):
    lay(tmp_path / place, names)
    prefix = "" if place == "." else f"{place}/"
    assert found(tmp_path) == {"images": [prefix + names[0]], "labels": [prefix + names[1]]}


def test_each_file_in_a_folder_of_its_name(tmp_path):
    """As archives of several downloads unpack; some lay the same files beside it once more."""
    lay(tmp_path / "archive", [f"{PLAIN[0]}/{PLAIN[0]}", f"{PLAIN[1]}/{DOTTED[1]}"])
    nested = {
        "images": [f"archive/{PLAIN[0]}/{PLAIN[0]}"],
        "labels": [f"archive/{PLAIN[1]}/{DOTTED[1]}"],
    }
    assert found(tmp_path) == nested
    lay(tmp_path / "archive", DOTTED)
    both = {part: [f"archive/{name}"] for part, name in zip(NAMES, DOTTED, strict=True)}
    assert found(tmp_path) == {part: both[part] + nested[part] for part in NAMES}


def test_the_nearest_files_are_meant_and_all_forms_of_them_are_given(tmp_path):
    lay(tmp_path, [*PLAIN, *GZIPPED])
    lay(tmp_path / "MNIST" / "raw", PLAIN)
    (tmp_path / "link").symlink_to(tmp_path)  # an endless path
    assert found(tmp_path) == {part: [NAMES[part][0], NAMES[part][1]] for part in NAMES}, (
        "in the order of preference"
    )


def test_a_folder_of_another_data_set_is_never_taken(tmp_path):
    lay(tmp_path / "FashionMNIST" / "raw", GZIPPED)
    lay(tmp_path / "mnist-like" / "K-MNIST" / "deep", GZIPPED)
    message = refusal(tmp_path)
    assert message == (
        "FOLDER: has no images-idx3-ubyte (gzipped or not), one of four IDX files; "
        "in FashionMNIST/raw, mnist-like/K-MNIST/deep are those of another data set"
    )
    lay(tmp_path / "other", PLAIN)
    assert found(tmp_path)["images"] == [f"other/{PLAIN[0]}"]
    lay(tmp_path / "FashionMNIST" / "MNIST", PLAIN)  # the nearest name counts
    assert found(tmp_path)["images"] == [f"FashionMNIST/MNIST/{PLAIN[0]}"]


def test_where_several_folders_fit_they_are_named(tmp_path):
    for place in ("a", "b", "c", "d", "e"):
        lay(tmp_path / place, GZIPPED)
    words = "FOLDER: several folders have the files, name the one meant: a, b, c and 2 more"
    assert refusal(tmp_path) == words
    lay(tmp_path / "MNIST" / "raw", PLAIN)
    assert found(tmp_path)["images"] == [f"MNIST/raw/{PLAIN[0]}"], "its name says what it is"
    (tmp_path / "mnist").symlink_to(tmp_path / "MNIST")
    assert len(found(tmp_path)["images"]) == 1, "the same folder twice is one"


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({}, ", nor below it"),
        ({"README.md": b"# MNIST", ".hidden": b"PAR1"}, ", nor below it"),
        ({"mnist.npz": b"PK\3\4" + bytes(26) + b"x_train.npy"}, "but mnist.npz is a NumPy archive"),
        ({"mnist/train-0.parquet": b"PAR1"}, "but mnist/train-0.parquet is a Parquet file: take"),
        ({"archive.zip": b"PK\3\4"}, "; but archive.zip is a zip archive: unpack it, and name"),
        ({"mnist.pkl.gz": gzip.compress(b"\x80\x03]q")}, "mnist.pkl.gz is a gzip of a Python pi"),
        ({"mnist_train.csv": b"5,0,0\n"}, "but mnist_train.csv is text that begins with '5,0"),
        ({f"MNIST/{GZIPPED[0]}": b""}, "MNIST: has no labels-idx1-ubyte (gzipped or not), one of"),
        ({f"a/b/c/d/{name}": b"" for name in PLAIN}, ", nor below it"),
    ],
)
def test_what_is_there_instead_is_named(tmp_path, files, words):
    for name, content in files.items():
        lay(tmp_path, [name])
        (tmp_path / name).write_bytes(content)
    message = refusal(tmp_path)
    assert words in message
    assert message.endswith("nor below it") == words.endswith("nor below it")


def test_a_folder_that_is_too_large_or_not_readable_is_refused(tmp_path, monkeypatch):
    assert "cannot be read (No such file or directory)" in refusal(tmp_path / "nothing")
    lay(tmp_path / "a", GZIPPED)
    for number in range(5):
        (tmp_path / f"folder{number}").mkdir()
    assert found(tmp_path)["images"] == [f"a/{GZIPPED[0]}"]
    original = os.scandir

    def scandir(path):
        if Path(path).name == "folder0":
            raise PermissionError(13, "Permission denied")
        return original(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert found(tmp_path)["images"] == [f"a/{GZIPPED[0]}"], "one that is not needed"
    monkeypatch.setattr(folders, "MOST_FOLDERS", 3)
    assert refusal(tmp_path) == "FOLDER: has too many folders in it: name a nearer one"


def test_names_of_others_making_are_printed_plainly(tmp_path):
    for place in ("a\nb", "c\x1b[2J"):
        lay(tmp_path / place, GZIPPED)
    message = refusal(tmp_path)
    assert message.isprintable()
    assert message.endswith(": 'a\\nb', 'c\\x1b[2J'")
    (tmp_path / "c\x1b[2J" / GZIPPED[0]).unlink()
    (tmp_path / "a\nb" / GZIPPED[0]).unlink()
    assert refusal(tmp_path).startswith("'a\\nb': has no images-idx3-ubyte")


def test_a_data_sets_folder_in_a_collection(tmp_path):
    assert named(tmp_path, "emnist_digits", {"emnist", "emnistdigits"}) is None
    (tmp_path / "EMNIST").mkdir()
    assert named(tmp_path, "emnist_digits", {"emnist", "emnistdigits"}) == tmp_path / "EMNIST"
    (tmp_path / "emnist").mkdir()
    with pytest.raises(TaskError, match=r"have the name, set task.data_dir: EMNIST, emnist$"):
        named(tmp_path, "emnist_digits", {"emnist", "emnistdigits"})
    (tmp_path / "emnist_digits").mkdir()
    assert named(tmp_path, "emnist_digits", {"emnist"}) == tmp_path / "emnist_digits"


def test_plain_names():
    spellings = ("Fashion-MNIST", "fashion_mnist", "FashionMNIST", "fashion mnist")
    assert {plain(name) for name in spellings} == {"fashionmnist"}

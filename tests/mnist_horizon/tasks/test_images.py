import os
from pathlib import Path

import numpy as np
import pytest
import tensorflow_datasets

from mnist_horizon import tasks
from mnist_horizon.tasks import TaskError, checksums
from tests.mnist_horizon.tasks.sources import NAMES, pictures, write_idx_folder

FOLDERS = {
    "mnist": "mnist",
    "fashion_mnist": "fashion_mnist",
    "kmnist": "kmnist",
    "emnist/digits": "emnist_digits",
}
SPLITS = {"train": pictures(30, seed=1), "test": pictures(20, seed=2)}
MNIST_COUNTS = {
    "train": [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949],
    "test": [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009],
}


@pytest.fixture
def collection(monkeypatch, tmp_path):
    """An empty MNIST_HORIZON_DATA, and a TFDS that has prepared nothing."""
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "tfds"))
    monkeypatch.setenv("MNIST_HORIZON_DATA", str(tmp_path / "collection"))
    (tmp_path / "collection").mkdir()
    return tmp_path / "collection"


def assert_holds(loaded, splits, transposed=False):
    for examples, (images, labels) in zip(
        (loaded.task.train, loaded.task.test), splits.values(), strict=True
    ):
        expected = images.transpose(0, 2, 1) if transposed else images
        assert examples.images.dtype == np.uint8
        np.testing.assert_array_equal(examples.images, expected)
        np.testing.assert_array_equal(examples.labels, labels)


@pytest.mark.parametrize("compress", [True, False], ids=["gzip", "plain"])
@pytest.mark.parametrize("name", FOLDERS)
def test_idx_files_by_folder_and_by_name(collection, tmp_path, name, compress):
    own = write_idx_folder(tmp_path / "own", SPLITS, compress)
    upright = {"transposed": name == "emnist/digits"}
    assert_holds(tasks.load(name, {"data_dir": str(own)}), SPLITS, **upright)

    others = {"train": pictures(12, seed=3), "test": pictures(11, seed=4)}
    write_idx_folder(collection / FOLDERS[name], others, compress)
    assert_holds(tasks.load(name, {}), others, **upright)
    assert_holds(tasks.load(name, {"data_dir": str(own)}), SPLITS, **upright)  # it goes first
    for other in FOLDERS.keys() - {name}:  # one data set's files are never taken for another's
        with pytest.raises(TaskError, match=f"task '{other}' has no data here"):
            tasks.load(other, {})


def test_the_folder_is_a_place_and_no_part_of_the_identity():
    assert tasks.identity_settings("mnist", {"data_dir": "/one"}) == {}
    assert tasks.settings_of("mnist", {"data_dir": "/one"}) == {"data_dir": "/one"}


def test_emnists_own_file_names(collection):
    names = {
        ("train", "images"): "emnist-digits-train-images-idx3-ubyte",
        ("train", "labels"): "emnist-digits-train-labels-idx1-ubyte",
        ("test", "images"): "emnist-digits-test-images-idx3-ubyte",
        ("test", "labels"): "emnist-digits-test-labels-idx1-ubyte",
    }
    folder = write_idx_folder(collection / "emnist_digits", SPLITS, names=names)
    assert_holds(tasks.load("emnist/digits", {}), SPLITS, transposed=True)
    with pytest.raises(TaskError, match="has no train-images-idx3-ubyte"):
        tasks.load("mnist", {"data_dir": str(folder)})


def test_file_names_with_a_dot(collection):
    names = {key: name.replace("-idx", ".idx") for key, name in NAMES.items()}
    write_idx_folder(collection / "mnist", SPLITS, compress=False, names=names)
    assert_holds(tasks.load("mnist", {}), SPLITS)


TORCHVISION = {
    "mnist": "MNIST/raw",
    "fashion_mnist": "FashionMNIST/raw",
    "kmnist": "KMNIST/raw",
    "emnist/digits": "EMNIST/raw",
}


@pytest.mark.parametrize("by", ["data_dir", "collection"])
def test_torchvisions_root(collection, by):
    """With all data sets in it, each is read from its own folder; gzipped and not, as there."""
    splits = {}
    for seed, (name, place) in enumerate(TORCHVISION.items()):
        splits[name] = {"train": pictures(12, seed), "test": pictures(11, 10 + seed)}
        for compress in (True, False):
            write_idx_folder(collection / place, splits[name], compress)
    settings = {"data_dir": str(collection)} if by == "data_dir" else {}
    for name, expected in splits.items():
        upright = {"transposed": name == "emnist/digits"}
        assert_holds(tasks.load(name, settings), expected, **upright)


def test_two_forms_of_a_file_must_be_equal(tmp_path):
    folder = write_idx_folder(tmp_path / "data", SPLITS)
    write_idx_folder(tmp_path / "data", SPLITS, compress=False)
    assert_holds(tasks.load("mnist", {"data_dir": str(folder)}), SPLITS)
    for other in (pictures(30, seed=5), pictures(29, seed=1)):  # other content, another count
        write_idx_folder(tmp_path / "data", {**SPLITS, "train": other}, compress=False)
        with pytest.raises(TaskError, match=r"ubyte.gz and .*ubyte differ, and either may be mea"):
            tasks.load("mnist", {"data_dir": str(folder)})


def test_a_file_in_place_of_a_folder_is_named(tmp_path):
    folder = write_idx_folder(tmp_path / "data", SPLITS)
    (tmp_path / "archive.zip").write_bytes(b"PK\3\4")
    for path, words in (
        (tmp_path / "archive.zip", "archive.zip is not a folder but a zip archive: unpack it"),
        (folder / f"{NAMES['train', 'images']}.gz", "not a folder but a file: name the folder"),
    ):
        with pytest.raises(TaskError, match=words):
            tasks.load("mnist", {"data_dir": str(path)})
    (folder / f"{NAMES['test', 'labels']}.gz").write_bytes(b"<!doctype html><html></html>")
    with pytest.raises(TaskError, match=r"t10k-labels-idx1-ubyte.gz: not an IDX file but an HTML"):
        tasks.load("mnist", {"data_dir": str(folder)})


def test_a_folder_that_is_named_must_hold_the_files(collection, monkeypatch, tmp_path):
    with pytest.raises(TaskError, match=r"task.data_dir: there is no folder .*nowhere"):
        tasks.load("mnist", {"data_dir": str(tmp_path / "nowhere")})
    (collection / "mnist").mkdir()
    with pytest.raises(TaskError, match=r"mnist: has no train-images-idx3-ubyte"):
        tasks.load("mnist", {})
    write_idx_folder(collection / "mnist", SPLITS)
    (collection / "mnist" / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(TaskError, match=r"mnist: has no t10k-labels-idx1-ubyte"):
        tasks.load("mnist", {})
    monkeypatch.setenv("MNIST_HORIZON_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(TaskError, match="MNIST_HORIZON_DATA: there is no folder"):
        tasks.load("mnist", {})


def test_images_of_another_size_are_refused(tmp_path):
    small = {split: (images[:, :27], labels) for split, (images, labels) in SPLITS.items()}
    write_idx_folder(tmp_path / "small", small)
    with pytest.raises(TaskError, match=r"images-idx3-ubyte.gz: images of 27x28, not 28x28"):
        tasks.load("mnist", {"data_dir": str(tmp_path / "small")})


def test_a_label_out_of_range_is_refused(tmp_path):
    images, labels = SPLITS["test"]
    write_idx_folder(tmp_path / "data", {**SPLITS, "test": (images, labels + 1)})
    with pytest.raises(TaskError, match=r"t10k-labels-idx1-ubyte.gz: label 10 of example 9"):
        tasks.load("mnist", {"data_dir": str(tmp_path / "data")})


def test_a_well_known_file_in_anothers_place_is_refused(monkeypatch, tmp_path):
    folder = write_idx_folder(tmp_path / "data", SPLITS)
    provenance = tasks.load("kmnist", {"data_dir": str(folder)}).provenance
    assert [file["known_as"] for file in provenance["files"]] == [None] * 4
    digest = provenance["files"][2]["sha256"]
    known = checksums.KnownFile("mnist", "t10k-images", "official mnist t10k-images")
    monkeypatch.setitem(checksums.KNOWN, digest, known)
    files = tasks.load("mnist", {"data_dir": str(folder)}).provenance["files"]
    assert files[2]["known_as"] == "official mnist t10k-images"
    with pytest.raises(TaskError, match="is the file official mnist t10k-images, not kmnist t10k"):
        tasks.load("kmnist", {"data_dir": str(folder)})


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist", "kmnist"])
def test_official_checksums_are_those_that_tfds_registers(name):
    registered = Path(tensorflow_datasets.__file__).parent / "url_checksums" / f"{name}.txt"
    lines = [line.split("\t") for line in registered.read_text().splitlines()]
    assert len(lines) == 4
    for _, _, digest, file in lines:
        part = file.replace("-idx3-ubyte.gz", "").replace("-idx1-ubyte.gz", "")
        assert checksums.KNOWN[digest] == checksums.KnownFile(name, part, f"official {name} {part}")


def test_real_mnist():
    collection = os.environ.get("MNIST_HORIZON_DATA", "")
    if not (Path(collection) / "mnist").is_dir():
        pytest.skip("MNIST_HORIZON_DATA names no folder with mnist/ in it")
    loaded = tasks.load("mnist", {})
    for split, examples in (("train", loaded.task.train), ("test", loaded.task.test)):
        images, labels = np.asarray(examples.images), np.asarray(examples.labels)
        assert images.dtype == np.uint8
        assert (images.min(), images.max()) == (0, 255)
        assert np.bincount(labels).tolist() == MNIST_COUNTS[split]
        assert images.mean() / 255 == pytest.approx(
            {"train": 0.1307, "test": 0.1325}[split], abs=1e-4
        )
        assert np.median(images[images > 0]) > 127  # int8 would have turned these negative
    names = [file["known_as"] for file in loaded.provenance["files"]]
    assert names[1:] == [
        "official mnist train-labels",
        "official mnist t10k-images",
        "official mnist t10k-labels",
    ]
    assert names[0] in (
        "official mnist train-images",
        "mnist train-images rebuilt with pixel value 1 read as 0",
    )

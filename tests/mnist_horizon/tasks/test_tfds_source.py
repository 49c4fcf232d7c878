import importlib.util
import json
import os
import socket
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow_datasets  # imported first: its seconds are not those of the failure

from mnist_horizon import tasks
from mnist_horizon.tasks import TaskError, tfds_source
from mnist_horizon.tasks.tfds_source import is_reachable
from tests.mnist_horizon.tasks.sources import pictures, write_idx_folder, write_prepared

REPOSITORY = Path(__file__).parents[3]
VERSIONS = {"mnist": "3.0.1", "fashion_mnist": "3.0.1", "kmnist": "3.0.1", "emnist/digits": "3.1.0"}
SPLITS = {"train": pictures(30, seed=1), "test": pictures(20, seed=2)}


@pytest.fixture
def data_dir(monkeypatch, tmp_path):
    """A TFDS folder of the test's own, and no other source."""
    monkeypatch.delenv("MNIST_HORIZON_DATA", raising=False)
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "tfds"))
    return tmp_path / "tfds"


@pytest.fixture
def listening():
    """Address of a socket that takes connections."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def closed():
    """Address of a port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
    return address


@pytest.fixture
def no_proxy(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.parametrize("name", VERSIONS)
def test_prepared_data_are_read(data_dir, name):
    write_prepared(data_dir, name, VERSIONS[name], SPLITS)
    loaded = tasks.load(name, {})
    for part, (images, labels) in zip(
        (loaded.task.train, loaded.task.test), SPLITS.values(), strict=True
    ):
        expected = images.transpose(0, 2, 1) if name == "emnist/digits" else images
        assert part.images.dtype == np.uint8
        np.testing.assert_array_equal(part.images, expected)
        np.testing.assert_array_equal(part.labels, labels)
    assert loaded.provenance["source"].startswith(f"tensorflow-datasets {name}/")
    assert len({file["sha256"] for file in loaded.provenance["files"]}) == 2


def test_emnist_is_the_same_from_both_sources(data_dir, tmp_path):
    write_prepared(data_dir, "emnist/digits", "3.1.0", SPLITS)
    folder = write_idx_folder(tmp_path / "idx", SPLITS)
    prepared, from_idx = (
        tasks.load("emnist/digits", {"data_dir": place}).provenance["content"]
        for place in ("", str(folder))
    )
    assert prepared == from_idx


def test_another_format_is_refused(data_dir):
    write_prepared(data_dir, "mnist", "3.0.1", SPLITS, file_format="tfrecord")
    with pytest.raises(TaskError, match=r"mnist was prepared in another format than array_record"):
        tasks.load("mnist", {})


@pytest.mark.parametrize("damage", ["empty", "truncated", "removed"])
def test_damaged_data_are_refused_with_the_ways_out(data_dir, damage):
    write_prepared(data_dir, "mnist", "3.0.1", SPLITS)
    folder = data_dir / "mnist" / "3.0.1"
    (shard,) = folder.glob("*train*")
    if damage == "empty":
        for path in folder.iterdir():
            path.unlink()
    elif damage == "truncated":
        shard.write_bytes(shard.read_bytes()[:100])
    else:
        shard.unlink()
    with pytest.raises(TaskError, match=r"mnist/3\.0\.1 is damaged .*remove that folder") as caught:
        tasks.load("mnist", {})
    assert "task.data_dir" in str(caught.value)
    assert "\n" not in str(caught.value)


INFO = "dataset_info.json"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (None, b"", "mnist is damaged or half prepared (JSONDecodeError: "),
        (None, b"\xff\xfe", "mnist is damaged or half prepared (UnicodeDecodeError: "),
        (None, b"[]", "mnist is damaged or half prepared (AssertionError: "),
        (None, b"[" * 100_000, "mnist is damaged or half prepared (RecursionError: "),
        (b'"30"', b'"x"', "mnist is damaged or half prepared (ParseError: "),
        (b"3.0.1", b"3.0", "mnist is damaged or half prepared (AssertionError: "),
        (b'"splits"', b'"\x1b[2J"', "mnist is damaged or half prepared (JSONDecodeError: "),
        (b'"splits"', b'"\\u001b[2J"', "mnist is damaged or half prepared (ParseError: "),
        (b"array_record", b"sheets", "mnist is damaged or half prepared (ValueError: 'sheets' is"),
        (b'"30"', b'"29"', "3.0.1 is damaged or half prepared (ValueError: 30 examples of train"),
        (b'"30"', b'"9999999999999"', "30 examples of train where 9999999999999 are promised"),
    ],
)
def test_damaged_information_ends_in_one_line(data_dir, old, new, words):
    """`ParseError` and the like are no `ValueError`s; a smaller count would lose examples."""
    path = write_prepared(data_dir, "mnist", "3.0.1", SPLITS) / INFO
    path.write_bytes(path.read_bytes().replace(old, new) if old else new)
    with pytest.raises(TaskError) as caught:
        tasks.load("mnist", {})
    message = str(caught.value)
    assert words in message
    assert "remove that folder and run this again, or set task.data_dir" in message
    assert "builder_kwargs" not in message
    assert message.isprintable()


@pytest.mark.parametrize(
    ("place", "error"),
    [
        ("gs://bucket/tfds", "ImportError: Please install gcsfs"),
        ("s3://bucket/tfds", "ImportError: Install s3fs"),
        ("nonsense://a", "KeyError: 'nonsense://'"),
    ],
)
def test_a_bucket_that_cannot_be_read_ends_in_one_line(data_dir, monkeypatch, place, error):
    monkeypatch.setenv("TFDS_DATA_DIR", place)
    monkeypatch.setattr(tfds_source, "is_reachable", lambda *_: True)
    for package in ("gcsfs", "s3fs"):
        monkeypatch.setitem(sys.modules, package, None)  # as if it were not installed
    with pytest.raises(TaskError) as caught:
        tasks.load("mnist", {})
    message = str(caught.value)
    assert message.startswith(f"task 'mnist': TFDS_DATA_DIR={place} cannot be read ({error}")
    assert "set it to a folder on this machine" in message
    assert "\n" not in message


def test_googles_bucket_without_a_network_ends_in_seconds(data_dir, no_proxy, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", "gs://bucket/tfds")
    monkeypatch.setattr(socket, "create_connection", refused_connection)
    with pytest.raises(
        TaskError, match=r"cannot be read \(no connection to storage.googleapis.com"
    ):
        tasks.load("mnist", {})


class StrangeError(Exception):
    """As no list of classes would have it."""


@pytest.mark.parametrize(
    "error", [StrangeError("1\n2"), AttributeError("1 2"), StopIteration("1 2")]
)
def test_any_error_of_tfds_ends_in_one_line(data_dir, monkeypatch, error):
    """While it is imported, looked for, prepared and read."""

    def fail(*_, **__):
        raise error

    write_prepared(data_dir, "mnist", "3.0.1", SPLITS)
    words = rf"\({type(error).__name__}: 1 2\)"
    monkeypatch.setattr(tfds_source, "_provenance", fail)
    with pytest.raises(TaskError, match=rf"damaged or half prepared {words}: remove that folder"):
        tasks.load("mnist", {})
    monkeypatch.setattr(tensorflow_datasets, "builder", fail)
    with pytest.raises(TaskError, match=rf"damaged or half prepared {words}: remove that folder"):
        tasks.load("mnist", {})
    builder = SimpleNamespace(
        data_path=data_dir / "none", URL="http://127.0.0.1", download_and_prepare=fail
    )
    monkeypatch.setattr(tensorflow_datasets, "builder", lambda *_, **__: builder)
    monkeypatch.setattr(tfds_source, "_has_tensorflow", lambda: True)
    monkeypatch.setattr(tfds_source, "is_reachable", lambda *_: True)
    with pytest.raises(TaskError, match=rf"has no data here and cannot fetch it {words}: either"):
        tasks.load("mnist", {})
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    words = r"tensorflow-datasets cannot be imported \(ModuleNotFoundError: .*task.data_dir"
    with pytest.raises(TaskError, match=words):
        tasks.load("mnist", {})


def refused_connection(*_, **__):
    raise ConnectionRefusedError


def endless_look_up(*_, **__):
    time.sleep(60)
    raise OSError("not found")


@pytest.mark.parametrize(
    ("name", "tensorflow", "network", "problem"),
    [
        *((name, False, refused_connection, "TensorFlow is not installed") for name in VERSIONS),
        *((name, True, refused_connection, "no connection to") for name in VERSIONS),
        ("mnist", True, endless_look_up, "no connection to storage.googleapis.com"),
    ],
)
def test_nothing_prepared_ends_in_seconds_with_both_ways_out(
    data_dir, no_proxy, monkeypatch, name, tensorflow, network, problem
):
    monkeypatch.setattr(tfds_source, "_has_tensorflow", lambda: tensorflow)
    monkeypatch.setattr(socket, "create_connection", network)
    start = time.monotonic()
    with pytest.raises(TaskError) as caught:
        tasks.load(name, {})
    assert time.monotonic() - start < 5
    message = str(caught.value)
    assert message.startswith(f"task '{name}' has no data here and cannot fetch it ({problem}")
    assert "install the extra tfds-prepare" in message
    assert "task.data_dir" in message
    assert f"MNIST_HORIZON_DATA to a folder that has them in {name.replace('/', '_')}/" in message
    assert "\n" not in message


def test_an_interrupted_preparation_counts_as_none(data_dir, monkeypatch):
    (data_dir / "mnist" / "incomplete.ABC_3.0.1").mkdir(parents=True)
    monkeypatch.setattr(tfds_source, "_has_tensorflow", lambda: False)
    with pytest.raises(TaskError, match=r"cannot fetch it \(TensorFlow is not installed\)"):
        tasks.load("mnist", {})


def test_reachable(no_proxy, monkeypatch, listening, closed):
    assert is_reachable(f"http://{listening}/file", seconds=2.0)
    assert not is_reachable(f"http://{closed}/file", seconds=2.0)
    monkeypatch.setenv("http_proxy", f"http://{closed}")
    assert not is_reachable(f"http://{listening}/file", seconds=2.0)
    monkeypatch.setenv("http_proxy", listening)
    assert is_reachable(f"http://{closed}/file", seconds=2.0)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert not is_reachable(f"http://{closed}/file", seconds=2.0)


def test_reachable_gives_up_on_an_endless_look_up(no_proxy, monkeypatch):
    monkeypatch.setattr(socket, "create_connection", endless_look_up)
    start = time.monotonic()
    assert not is_reachable("https://example.invalid", seconds=0.2)
    assert time.monotonic() - start < 2


PREPARE = """
    import functools, http.server, sys, threading
    from tensorflow_datasets.image_classification.mnist import MNIST
    from mnist_horizon import tasks

    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=sys.argv[1])
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    MNIST.URL = f"http://127.0.0.1:{server.server_port}/"
    tasks.load("mnist", {})
    assert "tensorflow" in sys.modules
"""

READ = """
    import importlib.machinery, json, sys

    class WithoutTensorFlow(importlib.machinery.PathFinder):
        @classmethod
        def find_spec(cls, name, path=None, target=None):
            hidden = name.partition(".")[0] == "tensorflow"
            return None if hidden else super().find_spec(name, path, target)

    sys.meta_path[sys.meta_path.index(importlib.machinery.PathFinder)] = WithoutTensorFlow

    import numpy as np
    from mnist_horizon import tasks

    loaded = tasks.load("mnist", {})
    assert "tensorflow" not in sys.modules
    np.savez(sys.argv[1], **{
        f"{split}_{kind}": getattr(getattr(loaded.task, split), kind)
        for split in ("train", "test") for kind in ("images", "labels")
    })
    print(json.dumps(loaded.provenance))
"""


def run(program, argument, **environment):
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), str(argument)],
        env={**os.environ, "no_proxy": "127.0.0.1", **environment},
        cwd=REPOSITORY,
        check=False,
        capture_output=True,
        text=True,
        timeout=600,
    )


def in_order(images, labels):
    """Examples sorted by their bytes: TFDS shuffles them when it prepares."""
    rows = np.concatenate([images.reshape(len(images), -1), labels[:, None]], axis=1)
    return rows.astype(np.uint8).view(f"V{rows.shape[1]}").ravel().tolist()


@pytest.mark.slow
def test_the_real_builder_prepares_and_is_read_without_tensorflow(monkeypatch, tmp_path):
    """Serve the IDX files on this machine and point TFDS's own MNIST builder at them.

    TFDS compares downloads with the checksums registered for their URLs. A URL on this machine has
    none, so that files of any origin pass here; those of the real URLs are still compared.
    """
    if importlib.util.find_spec("tensorflow") is None:
        pytest.skip("TensorFlow is not installed (extra tfds-prepare)")
    source = Path(os.environ.get("MNIST_HORIZON_DATA", "")) / "mnist"
    if not source.is_dir():
        pytest.skip("MNIST_HORIZON_DATA names no folder with mnist/ in it")
    expected = tasks.load("mnist", {"data_dir": str(source)}).task

    environment = {"TFDS_DATA_DIR": str(tmp_path / "tfds"), "MNIST_HORIZON_DATA": ""}
    prepared = run(PREPARE, source, **environment)
    assert prepared.returncode == 0, prepared.stderr
    read = run(READ, tmp_path / "read.npz", **environment)
    assert read.returncode == 0, read.stderr

    provenance = json.loads(read.stdout.splitlines()[-1])
    assert provenance["source"] == "tensorflow-datasets mnist/3.0.1, array_record"
    found = np.load(tmp_path / "read.npz")
    for split, examples in (("train", expected.train), ("test", expected.test)):
        images, labels = found[f"{split}_images"], found[f"{split}_labels"]
        assert (images.dtype, images.min(), images.max()) == (np.uint8, 0, 255)
        wanted = in_order(np.asarray(examples.images), np.asarray(examples.labels))
        assert sorted(in_order(images, labels)) == sorted(wanted)


def test_prepared_data_name_no_module_to_import(data_dir, monkeypatch, tmp_path):
    """TFDS can make a reader of `features.json` alone, which imports the modules named there."""
    folder = write_prepared(data_dir, "mnist", VERSIONS["mnist"], SPLITS)
    (tmp_path / "hostile_features.py").write_text(f"open({str(tmp_path / 'executed')!r}, 'w')")
    monkeypatch.syspath_prepend(tmp_path)
    features = {"pythonClassName": "hostile_features.Feature", "json": {"json": "{}"}}
    (folder / "features.json").write_text(json.dumps(features))
    assert len(tasks.load("mnist", {}).task.train.labels) == 30
    assert not (tmp_path / "executed").exists()

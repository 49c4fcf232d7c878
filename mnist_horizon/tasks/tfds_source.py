"""Images from tensorflow-datasets (TFDS): prepared once with TensorFlow, read without it.

TFDS and what it is built on raise errors of many classes, which change between versions. All of
them end in one line here.
"""

import contextlib
import hashlib
import importlib.util
import os
import socket
import threading
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Integer, UInt8

from mnist_horizon.tasks.task import TaskError

PROBE_SECONDS = 2.0
GOOGLE_STORAGE = "https://storage.googleapis.com"
"""Where `gs://` is."""

_CHUNK = 2_000

Split = tuple[UInt8[np.ndarray, "example height width"], Integer[np.ndarray, "example"]]


def read(name: str, alternatives: str) -> tuple[list[Split], dict[str, Any]]:
    """Train and test split of the TFDS data set `name`, and the provenance.

    Data prepared as array_record (in `TFDS_DATA_DIR`, by default ~/tensorflow_datasets) are read
    without TensorFlow. Otherwise they are downloaded and prepared, which needs TensorFlow and a
    network connection; both are checked first, in seconds, because TFDS itself retries each URL
    with long waits. TFDS compares the files it downloads with their known checksums.

    Args:
        name: as TFDS knows it, with its config: "emnist/digits".
        alternatives: alternatives for the user, for the message.

    Raises:
        TaskError: there is nothing to read and no way to prepare it, or it cannot be read.
    """
    if not _may_be_prepared(name) and not _has_tensorflow():
        raise TaskError(_message(name, "TensorFlow is not installed", alternatives))
    builder = _builder(name, alternatives)
    with _one_line(f"task {name!r}: {builder.data_path} cannot be read", alternatives):
        is_prepared = builder.data_path.exists()
    if not is_prepared:
        if not _has_tensorflow():
            raise TaskError(_message(name, "TensorFlow is not installed", alternatives))
        if not is_reachable(builder.URL, PROBE_SECONDS):
            host = urllib.parse.urlsplit(builder.URL).hostname
            raise TaskError(_message(name, f"no connection to {host}", alternatives))
        _prepare(name, builder, alternatives)
    damaged = f"task {name!r}: {builder.data_path} is damaged or half prepared"
    with _one_line(damaged, f"remove that folder and run this again, or {alternatives}"):
        splits = [_read_split(builder, split) for split in ("train", "test")]
        return splits, _provenance(builder)


def is_reachable(url: str, seconds: float) -> bool:
    """Whether the URL's host, or the proxy on the way to it, accepts a connection in that time."""
    target = urllib.parse.urlsplit(url)
    proxy = urllib.request.getproxies().get(target.scheme)
    if proxy and not urllib.request.proxy_bypass(target.hostname or ""):
        target = urllib.parse.urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    port = target.port or (443 if target.scheme == "https" else 80)
    reached = threading.Event()

    def connect() -> None:
        try:
            socket.create_connection((target.hostname, port), timeout=seconds).close()
        except OSError:
            return
        reached.set()

    # A thread, because the name look-up has no time limit of its own.
    thread = threading.Thread(target=connect, daemon=True)
    thread.start()
    thread.join(seconds)
    return reached.is_set()


def _data_dir() -> str:
    return os.path.expanduser(os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets")  # noqa: PTH111


def _may_be_prepared(name: str) -> bool:
    """Whether the disk may have the data; avoids the import of TFDS, which takes seconds."""
    data_dir = _data_dir()
    return "://" in data_dir or (Path(data_dir) / name).exists()


def _has_tensorflow() -> bool:
    return importlib.util.find_spec("tensorflow") is not None


def _message(name: str, problem: str, alternatives: str) -> str:
    return (
        f"task {name!r} has no data here and cannot fetch it ({problem}): either, with a network, "
        f"install the extra tfds-prepare (pip install -e '.[tfds-prepare]') and run this again; "
        f"or {alternatives}"
    )


@contextlib.contextmanager
def _one_line(problem: str, way_out: str) -> Iterator[None]:
    """Turn any error of TFDS into one line; only too little memory is said by the registry.

    Raises:
        TaskError: with the problem, the error in brackets and the way out.
    """
    try:
        yield
    except (TaskError, MemoryError):
        raise
    except Exception as error:
        raise TaskError(f"{problem} ({_text_of(error)}): {way_out}") from error


def _text_of(error: Exception) -> str:
    """Class and message of an error, without what TFDS puts before it, which is long."""
    text = " ".join(str(error).rpartition('}": ')[2].split())[:200]
    text = text if text.isprintable() else repr(text)  # it may quote a damaged file
    return f"{type(error.__cause__ or error).__name__}: {text}"


def _builder(name: str, alternatives: str) -> Any:
    with _one_line(f"task {name!r}: tensorflow-datasets cannot be imported", alternatives):
        import tensorflow_datasets as tfds  # takes seconds, and most tasks do not need it
    place = _data_dir()
    if "://" in place:
        problem = f"task {name!r}: TFDS_DATA_DIR={place} cannot be read"
        way_out = (
            f"set it to a folder on this machine, or install what is missing, or {alternatives}"
        )
        _check_connection(place, problem, alternatives)
    else:
        place = f"{place}/{name}"
        problem = f"task {name!r}: {place} is damaged or half prepared"
        way_out = f"remove that folder and run this again, or {alternatives}"
    with _one_line(problem, way_out):
        try:
            return tfds.builder(name, data_dir=_data_dir(), file_format="array_record")
        except ValueError as error:
            if "File format is already set" not in str(error):
                raise
            raise TaskError(
                f"task {name!r}: {place} was prepared in another format than "
                "array_record; remove it, or set TFDS_DATA_DIR to another folder"
            ) from None


def _check_connection(place: str, problem: str, alternatives: str) -> None:
    """Refuse a bucket that cannot be reached: the attempts of its client take a minute."""
    if place.startswith("gs://") and not is_reachable(GOOGLE_STORAGE, PROBE_SECONDS):
        host = urllib.parse.urlsplit(GOOGLE_STORAGE).hostname
        raise TaskError(
            f"{problem} (no connection to {host}): set it to a folder on this machine, or "
            f"{alternatives}"
        )


def _prepare(name: str, builder: Any, alternatives: str) -> None:
    try:
        builder.download_and_prepare()
    except MemoryError:
        raise
    except Exception as error:
        raise TaskError(_message(name, _text_of(error), alternatives)) from error


def _read_split(builder: Any, split: str) -> Split:
    from array_record.python.array_record_module import ArrayRecordReader

    source = builder.as_data_source(split)
    paths = map(os.fspath, builder.info.splits[split].filepaths)
    records = sum(ArrayRecordReader(path).num_records() for path in paths)
    if records != len(source):
        raise ValueError(f"{records} examples of {split} where {len(source)} are promised")
    images = np.empty((len(source), *builder.info.features["image"].shape[:2]), np.uint8)
    labels = np.empty(len(source), np.int64)
    for start in range(0, len(source), _CHUNK):
        positions = range(start, min(start + _CHUNK, len(source)))
        for position, example in zip(positions, source.__getitems__(list(positions)), strict=True):
            images[position] = example["image"][..., 0]
            labels[position] = example["label"]
    return images, labels


def _provenance(builder: Any) -> dict[str, Any]:
    import tensorflow_datasets as tfds

    paths = [path for split in ("train", "test") for path in builder.info.splits[split].filepaths]
    files = [
        {
            "file": path.name,
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "known_as": None,
        }
        for path in paths
    ]
    return {
        "source": f"tensorflow-datasets {builder.info.full_name}, array_record",
        "files": files,
        "versions": {"tensorflow-datasets": tfds.__version__},
    }

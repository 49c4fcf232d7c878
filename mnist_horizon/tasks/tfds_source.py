"""Images from tensorflow-datasets (TFDS): prepared once with TensorFlow, read without it."""

import hashlib
import importlib.util
import os
import socket
import threading
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Integer, UInt8

from mnist_horizon.tasks.task import TaskError

PROBE_SECONDS = 2.0
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
    builder = _builder(name)
    if not builder.data_path.exists():
        if not _has_tensorflow():
            raise TaskError(_message(name, "TensorFlow is not installed", alternatives))
        if not is_reachable(builder.URL, PROBE_SECONDS):
            host = urllib.parse.urlsplit(builder.URL).hostname
            raise TaskError(_message(name, f"no connection to {host}", alternatives))
        _prepare(name, builder, alternatives)
    try:
        splits = [_read_split(builder, split) for split in ("train", "test")]
        return splits, _provenance(builder)
    except (KeyError, OSError, RuntimeError, ValueError) as error:
        problem = " ".join(str(error).split())[:200]
        raise TaskError(
            f"task {name!r}: {builder.data_path} is damaged or half prepared ({problem}): remove "
            f"that folder and run this again, or {alternatives}"
        ) from None


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


def _builder(name: str) -> Any:
    import tensorflow_datasets as tfds  # takes seconds, and most tasks do not need it

    try:
        return tfds.builder(name, data_dir=_data_dir(), file_format="array_record")
    except ValueError:
        raise TaskError(
            f"task {name!r}: {_data_dir()}/{name} was prepared in another format than "
            "array_record; remove it, or set TFDS_DATA_DIR to another folder"
        ) from None


def _prepare(name: str, builder: Any, alternatives: str) -> None:
    from tensorflow_datasets.core.download.download_manager import NonMatchingChecksumError
    from tensorflow_datasets.core.download.util import DownloadError

    try:
        builder.download_and_prepare()
    except (OSError, DownloadError, NonMatchingChecksumError) as error:
        problem = " ".join(str(error).split())
        raise TaskError(_message(name, problem, alternatives)) from error


def _read_split(builder: Any, split: str) -> Split:
    source = builder.as_data_source(split)
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

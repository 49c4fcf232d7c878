"""What is stored of the series of a live view, read from the files of TensorBoard and W&B."""

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest

from mnist_horizon import results

SHOWN = (
    *("updates", "return_mean", "reward_mean", "train_accuracy", "test_accuracy"),
    *("entropy", "kl_initial"),
)

Points = dict[str, list[tuple[int, dict[str, float]]]]
"""By run: interactions and values of each point that is stored, in the order of storing."""


def points(folder: Path, name: str) -> Points:
    return tensorboard_points(folder) if name == "tensorboard" else wandb_points(folder)


def tensorboard_points(folder: Path) -> Points:
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
    from tensorboard.util.tensor_util import make_ndarray

    found: Points = {}
    for file in sorted((folder / "tensorboard").rglob("*tfevents*")):
        for event in EventFileLoader(str(file)).Load():
            values = {one.tag: float(make_ndarray(one.tensor)) for one in event.summary.value}
            if values:
                found.setdefault(file.parent.name, []).append((event.step, values))
    return found


def wandb_points(folder: Path) -> Points:
    found: Points = {}
    for records in wandb_records(folder):
        names = [record.run.display_name for record in records if record.HasField("run")]
        for record in records:
            if record.HasField("history"):
                items = {
                    ".".join(item.nested_key) or item.key: item.value_json
                    for item in record.history.item
                }
                values = {key: json.loads(items[key]) for key in items if key[0] != "_"}
                step = record.history.step.num
                found.setdefault(names[0], []).append((step, values))
    return found


def wandb_records(folder: Path) -> list[list[Any]]:
    """The records of each file that W&B has written."""
    from wandb.proto.wandb_internal_pb2 import Record
    from wandb.sdk.internal.datastore import DataStore

    found = []
    for file in sorted(folder.glob("wandb/offline-run-*/*.wandb")):
        store = DataStore()
        store.open_for_scan(str(file))
        found.append([])
        with contextlib.suppress(AssertionError):  # a kill left half a record
            while (data := store.scan_data()) is not None:
                found[-1].append(Record.FromString(data))
    return found


def check_equal(found: Points, folder: Path) -> None:
    """The series are the rows of the results, each once and in order."""
    frame = results.read_results(folder).frame
    assert found.keys() == set(frame["run_id"])
    for run_id, rows in frame.groupby("run_id"):
        assert [step for step, _ in found[run_id]] == rows["interactions"].tolist()
        for (_, values), row in zip(found[run_id], rows.to_dict("records"), strict=True):
            assert values == pytest.approx({name: row[name] for name in SHOWN}, rel=1e-6)

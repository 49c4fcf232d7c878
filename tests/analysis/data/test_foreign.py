"""Files of others are read as they are, and what cannot be read is said in one line."""

import gzip
import os
import sys
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from analysis.data import foreign
from analysis.data.foreign import form_of, read
from mnist_horizon.errors import InputError
from tests.analysis.foreign_tables import wandb_export

ROWS = "run,frames,score\na,10,0.5\nb,20,\n"


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_csv_file_is_read_as_text_whatever_separates_it(tmp_path: Path, separator: str) -> None:
    path = tmp_path / "runs.v2.csv"
    path.write_text("\ufeff" + ROWS.replace(",", separator), encoding="utf-8")
    found = read([path])
    assert list(found.table) == ["run", "frames", "score", "file", "row"]
    assert found.table["score"].tolist() == ["0.5", ""]
    assert found.table["file"].tolist() == ["runs", "runs"]
    assert found.table["row"].tolist() == [1, 2]
    assert not found.roles
    assert not found.has_gaps
    assert len(found.checksums[str(path)]) == 64


def test_several_files_are_one_table(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / f"{name}.csv").write_text(ROWS)
    with gzip.open(tmp_path / "three.csv.gz", "wt") as file:
        file.write(ROWS)
    paths = [tmp_path / name for name in ("one.csv", "two.csv", "three.csv.gz")]
    table = read(paths).table
    assert table["file"].tolist() == ["one", "one", "two", "two", "three", "three"]
    assert table["row"].tolist() == [1, 2, 3, 4, 5, 6]


def test_parquet_keeps_its_types_and_columns_named_file_and_row(tmp_path: Path) -> None:
    path = tmp_path / "runs.parquet"
    frame = pd.DataFrame({"frames": [10, 20], "score": [0.5, 0.6], "file": "f", "row": [7, 8]})
    frame.to_parquet(path)
    pd.testing.assert_frame_equal(read([path]).table, frame)


def test_columns_that_pandas_kept_in_an_index_are_columns(tmp_path: Path) -> None:
    path = tmp_path / "runs.parquet"
    frame = pd.DataFrame({"frames": [10, 20], "seed": [0, 1], "score": [0.5, 0.6]})
    frame.set_index(["frames", "seed"]).to_parquet(path)
    assert read([path]).table[["frames", "seed", "score"]].equals(frame)


@pytest.mark.parametrize(
    "kinds",
    [
        {"run": pa.dictionary(pa.int32(), pa.string()), "frames": pa.uint64()},
        {"run": pa.large_string(), "frames": pa.decimal128(20, 0), "score": pa.float16()},
        {"run": pa.string_view(), "frames": pa.int32(), "score": pa.float32()},
    ],
)
def test_tables_of_other_engines_are_read(kinds: dict[str, pa.DataType], tmp_path: Path) -> None:
    table = pa.table({"run": ["a", "b"], "frames": [10, 2**31 - 1], "score": [0.5, 0.25]})
    for name, kind in kinds.items():
        column = table.column(name).cast(kind)
        table = table.set_column(table.column_names.index(name), name, column)
    pq.write_table(table, tmp_path / "runs.parquet")
    found = read([tmp_path / "runs.parquet"]).table
    assert [*map(str, found["run"])] == ["a", "b"]
    assert [*map(float, found["frames"])] == [10, 2**31 - 1]
    assert [*map(float, found["score"])] == [0.5, 0.25]


def test_a_column_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    table = pa.table({"frames": [1], "score": [0.5]}).append_column("score", pa.array([0.7]))
    pq.write_table(table, tmp_path / "runs.parquet")
    with pytest.raises(InputError, match="the column score more than once: rename one"):
        read([tmp_path / "runs.parquet"])


def test_wandbs_export_is_read_by_run_and_step(tmp_path: Path) -> None:
    path = wandb_export(tmp_path / "chart.csv")
    assert form_of(path) == "wandb"
    found = read([path])
    rows = found.table[["run", "step", "eval/return"]]
    assert rows.to_dict("list") == {
        "run": ["run-a", "run-a", "run - b", "run - b"],
        "step": ["10", "20", "20", "30"],
        "eval/return": [0.1, 0.4, 0.2, 0.9],
    }
    roles = {"run_id": "run", "interactions": "step", "return_mean": "eval/return"}
    assert found.roles == roles
    assert found.has_gaps


def test_a_series_that_is_used_must_be_finite(tmp_path: Path) -> None:
    path = wandb_export(tmp_path / "chart.csv")
    path.write_text(path.read_text().replace('"0.9","0.9"', '"NaN","0.9"'))
    with pytest.raises(InputError, match=r"NaN of run run - b at step 30 is not a finite number"):
        read([path])


BAD = {
    "empty": (b"", "cannot be read: No columns"),
    "no rows": (b"run,frames\n", "it has no rows"),
    "more fields than names": (b"a,b\n1,2,3\n", "more fields than its first line"),
    "ragged": (b"a,b\n1,2\n1,2,3,4\n", "cannot be read"),
    "not text": (b"\xff\xfe\x00\x01", "cannot be read"),
}


@pytest.mark.parametrize(("content", "message"), BAD.values(), ids=BAD)
def test_what_is_no_table_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "bad.csv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as error:
        read([path])
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_damaged_parquet_file_a_missing_one_and_mixed_formats_are_refused(tmp_path: Path) -> None:
    damaged, table = tmp_path / "a.parquet", tmp_path / "a.csv"
    damaged.write_bytes(b"PAR1 and no more")
    table.write_text(ROWS)
    with pytest.raises(InputError, match=r"a\.parquet: cannot be read"):
        read([damaged])
    with pytest.raises(InputError, match="cannot be read: No such file"):
        read([tmp_path / "none.csv"])
    with pytest.raises(InputError, match="several formats"):
        read([damaged, table])
    with pytest.raises(InputError, match='no column is named "RUN - SERIES"'):
        read([table], "wandb")


def test_tensorboards_files_need_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    name = "tensorboard.backend.event_processing.event_file_loader"
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(InputError, match="need the extra import: make setup EXTRAS=import"):
        read([tmp_path])


def write_events(folder: Path, series: dict[str, list[tuple[int, float]]]) -> None:
    """Event files as TensorBoard's own writer makes them."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    writer = EventFileWriter(str(folder))
    for name, points in series.items():
        for step, value in points:
            summary = Summary(value=[Summary.Value(tag=name, simple_value=value)])
            writer.add_event(Event(step=step, wall_time=0.0, summary=summary))
    writer.close()


def test_tensorboards_runs_are_the_folders_of_their_files(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="the extra import is not installed")
    points = [(10, 0.25), (20, 0.5), (20, 0.75)]
    write_events(tmp_path / "logs" / "a", {"return": points, "loss": [(15, float("nan"))]})
    write_events(tmp_path / "logs" / "b" / "eval", {"return": points[:1]})
    found = read([tmp_path / "logs"], wanted=["return"])
    rows = found.table[["run", "step", "return"]].sort_values(["run", "step"])
    expected = [["a", 10, 0.25], ["a", 20, 0.75], ["b/eval", 10, 0.25]]
    assert rows.to_numpy().tolist() == expected, "a step logged twice has its last value"
    assert found.roles == {"run_id": "run", "interactions": "step"}, "which of two is not known"
    assert len(found.checksums) == 2
    (file,) = (tmp_path / "logs" / "a").iterdir()
    assert read([file], wanted=["return"]).table["run"].unique().tolist() == ["a"]


def test_a_folder_without_events_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="the extra import is not installed")
    with pytest.raises(InputError, match="a folder without TensorBoard's event files"):
        read([tmp_path])
    (tmp_path / "events.out.tfevents.1").write_bytes(b"no events")
    with pytest.raises(InputError, match="it has no rows"):
        read([tmp_path])


def test_a_small_file_that_is_huge_when_unpacked_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "runs.csv.gz"
    with gzip.open(path, "wt") as file:
        file.write(ROWS + "x" * 2_000_000)
    assert path.stat().st_size < 10_000
    assert len(read([path]).table) == 3
    monkeypatch.setattr(foreign, "MOST_UNPACKED", 1_000_000)
    with pytest.raises(InputError, match=r"runs\.csv\.gz: more than 0\.0 GB when it is unpacked"):
        read([path])
    plain = tmp_path / "runs.tsv"
    plain.write_bytes(gzip.decompress(path.read_bytes()))
    assert len(read([plain]).table) == 3
    path.write_bytes(path.read_bytes()[:-20])
    monkeypatch.undo()
    with pytest.raises(InputError, match="cannot be read"):
        read([path])


def test_a_parquet_file_that_would_fill_the_memory_and_a_pipe_are_refused(tmp_path: Path) -> None:
    once = pa.DictionaryArray.from_arrays(pa.array([0] * 1000), pa.array(["x" * 5_000_000]))
    pq.write_table(pa.table({"score": once}), tmp_path / "a.parquet")
    with pytest.raises(InputError, match=r"a\.parquet: it would need 5\.0 GB of memory"):
        read([tmp_path / "a.parquet"])
    for name in ("b.parquet", "b.csv"):
        os.mkfifo(tmp_path / name)
        with pytest.raises(InputError, match="not a regular file"):
            read([tmp_path / name])

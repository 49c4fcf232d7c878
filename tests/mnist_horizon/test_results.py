import json
import os
import subprocess
import sys
from pathlib import Path

import msgpack
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from flax import serialization

from mnist_horizon.errors import InputError
from mnist_horizon.results import (
    CROSSINGS_SCHEMA,
    NOISE_SCHEMA,
    READ_SCHEMA,
    REQUIRED_COLUMNS,
    RUN_COLUMNS,
    SCHEMA,
    ResultsError,
    kept_files,
    kept_policies,
    learning_settings,
    load_policy,
    read_crossings,
    read_noise,
    read_programs,
    read_results,
    read_sweep,
    save_examples,
    save_kept,
    save_policy,
    write_results,
)


def rows_of(run_id: str, count: int = 3, **changes: object) -> list[dict[str, object]]:
    base: dict[str, object] = {
        "run_id": run_id,
        "task": "digits",
        "network": "mlp",
        "algorithm": "vpg",
        "schedule": "dense",
        "schedule_level": 1.0,
        "width": 8,
        "parameters": 610,
        "flops_per_interaction": 3000.0,
        "horizon": 3.0,
        "discount": 0.5,
        "seed": 0,
    }
    return [
        base | {"interactions": 100 * (i + 1), "return_mean": 0.1 * (i + 1)} | changes
        for i in range(count)
    ]


def test_round_trip_fills_in_defaults_and_keeps_types(tmp_path):
    write_results(tmp_path / "results" / "a.parquet", rows_of("one", baseline="value_net"))
    read = read_results(tmp_path)
    assert read.notes == ()
    assert list(read.frame) == READ_SCHEMA.names
    assert pq.read_schema(tmp_path / "results" / "a.parquet").names == SCHEMA.names
    assert read.frame["baseline"].tolist() == ["value_net"] * 3
    assert read.frame["gae_lambda"].tolist() == [1.0] * 3
    assert read.frame["interactions"].dtype == np.int64
    assert read.frame["interactions"].tolist() == [100, 200, 300]
    assert read.frame["reward_mean"].isna().all()
    assert read.frame["test_examples"].tolist() == [0] * 3, "not given, as in older tables"
    assert read.frame["test_examples"].dtype == np.int64


def test_columns_chosen_come_with_what_every_reader_needs(tmp_path):
    write_results(tmp_path / "results" / "a.parquet", rows_of("one"))
    frame = read_results(tmp_path, columns=["horizon"]).frame
    assert sorted(frame) == ["horizon", "interactions", "return_mean", "run_id"]


def test_written_file_is_the_old_or_the_new_one(tmp_path, monkeypatch):
    path = tmp_path / "results" / "a.parquet"
    write_results(path, rows_of("one"))

    def half_then_fail(table, file, **options):
        file.write(b"PAR1 half")
        raise OSError("disk full")

    monkeypatch.setattr(pq, "write_table", half_then_fail)
    with pytest.raises(OSError, match="disk full"):
        write_results(path, rows_of("two"))
    assert [file.name for file in path.parent.iterdir()] == ["a.parquet"]
    assert set(read_results(tmp_path).frame["run_id"]) == {"one"}


def test_written_files_can_be_read_by_others(tmp_path):
    path = tmp_path / "results" / "a.parquet"
    write_results(path, rows_of("one"))
    plain = tmp_path / "plain"
    plain.touch()
    assert path.stat().st_mode == plain.stat().st_mode


def test_writing_refuses_what_the_schema_does_not_know(tmp_path):
    with pytest.raises(ResultsError, match="unknown reward_maen"):
        write_results(tmp_path / "a.parquet", rows_of("one", reward_maen=1.0))
    without = [{k: v for k, v in row.items() if k != "seed"} for row in rows_of("one")]
    with pytest.raises(ResultsError, match="lacks seed"):
        write_results(tmp_path / "a.parquet", without)
    with pytest.raises(ResultsError, match="cannot write"):
        write_results(tmp_path / "a.parquet", rows_of("one", width=8.5))
    assert list(tmp_path.iterdir()) == []


def test_tables_of_others_need_only_the_required_columns_in_any_fitting_type(tmp_path):
    frame = pd.DataFrame(rows_of("one"))[list(reversed(REQUIRED_COLUMNS))]
    frame = frame.astype({"horizon": "int32", "task": "category", "width": "float64"})
    (tmp_path / "results").mkdir()
    frame.assign(extra=1).to_parquet(tmp_path / "results" / "theirs.parquet")
    read = read_results(tmp_path)
    assert read.notes == ()
    assert read.frame["test_examples"].tolist() == [0] * 3
    assert read.frame["horizon"].tolist() == [3.0] * 3
    assert read.frame["width"].dtype == np.int64
    assert set(read.frame["task"]) == {"digits"}


def with_a_column_twice(path: Path) -> pa.Table:
    table = pq.read_table(path)
    return table.append_column("horizon", table.column("horizon"))


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:-200]), "cannot be read"),
        (lambda path: path.write_bytes(b""), "cannot be read"),
        (
            lambda path: pd.DataFrame(rows_of("bad")).drop(columns=["seed"]).to_parquet(path),
            "lacks the column seed",
        ),
        (
            lambda path: pd.DataFrame(rows_of("bad", seed=0.5)).to_parquet(path),
            "cannot be read",
        ),
        (lambda path: pq.write_table(with_a_column_twice(path), path), "horizon more than once"),
    ],
    ids=["truncated", "empty", "missing column", "fractional seed", "column twice"],
)
def test_a_bad_table_is_noted_in_one_line_and_the_rest_is_read(tmp_path, damage, says):
    write_results(tmp_path / "results" / "bad.parquet", rows_of("bad"))
    write_results(tmp_path / "results" / "good.parquet", rows_of("good"))
    damage(tmp_path / "results" / "bad.parquet")
    read = read_results(tmp_path)
    assert set(read.frame["run_id"]) == {"good"}
    (note,) = read.notes
    assert "bad.parquet" in note
    assert says in note
    assert "\n" not in note


def test_rows_without_a_finite_return_are_noted_with_their_run(tmp_path):
    rows = rows_of("fine") + rows_of("diverged")
    rows[4]["return_mean"] = float("nan")
    rows[5]["return_mean"] = float("inf")
    write_results(tmp_path / "results" / "a.parquet", rows)
    read = read_results(tmp_path)
    assert len(read.frame) == 4
    (note,) = read.notes
    assert note.startswith("2 rows of 1 runs")
    assert "diverged at 200 interactions" in note


def test_rows_with_an_empty_required_column_are_left_out_and_types_kept(tmp_path):
    (tmp_path / "results").mkdir()
    frame = pd.DataFrame(rows_of("one")).astype({"seed": "Int64"})
    frame.loc[1, "seed"] = pd.NA
    frame.to_parquet(tmp_path / "results" / "a.parquet")
    read = read_results(tmp_path)
    assert read.frame["interactions"].tolist() == [100, 300]
    assert read.frame["seed"].dtype == np.int64
    assert read.notes == ("1 rows left out: a required column is empty there",)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"interactions": 0}, "interactions are below 0, or none come after 0"),
        ({"interactions": -5}, "interactions are below 0, or none come after 0"),
        ({"horizon": float("inf")}, "the horizon is not from 1 to below infinity"),
        ({"horizon": 0.5}, "the horizon is not from 1 to below infinity"),
        ({"parameters": 0}, "parameters is 0"),
        ({"flops_per_interaction": 0.0}, "flops_per_interaction is 0"),
        ({"schedule": "often"}, "there is no such schedule"),
        ({"schedule_level": 3.0}, "there is no such schedule"),
        ({"schedule": "revealed", "schedule_level": 2.0}, "there is no such schedule"),
    ],
)
def test_rows_that_cannot_be_are_left_out_with_a_note(tmp_path, changes, says):
    write_results(tmp_path / "results" / "a.parquet", rows_of("bad", 1, **changes))
    with pytest.raises(ResultsError, match=says):
        read_results(tmp_path)
    write_results(tmp_path / "results" / "b.parquet", rows_of("good"))
    read = read_results(tmp_path)
    assert set(read.frame["run_id"]) == {"good"}
    assert read.notes == (f"1 rows left out: {says}",)


def test_a_row_before_the_first_interaction_is_kept(tmp_path):
    rows = [*rows_of("one"), *rows_of("one", 1, interactions=0)]
    write_results(tmp_path / "results" / "a.parquet", rows)
    assert read_results(tmp_path).frame["interactions"].tolist() == [0, 100, 200, 300]


def test_runs_of_one_folder_with_an_id_and_several_settings_are_told_apart(tmp_path):
    for name, batch in (("a", 64), ("b", 512)):
        write_results(tmp_path / "results" / f"{name}.parquet", rows_of("one", batch=batch))
    read = read_results(tmp_path)
    assert read.notes == (f"{tmp_path}: 1 runs renamed, other settings share their id",)
    batches = read.frame.groupby("run_id")["batch"].agg(["first", "nunique", "size"])
    assert batches.to_dict("index") == {
        "one": {"first": 64, "nunique": 1, "size": 3},
        "one@2": {"first": 512, "nunique": 1, "size": 3},
    }


@pytest.mark.parametrize("runs", ["5", "null", '[{"a": 2}]'])
def test_a_record_that_is_none_is_left_out(tmp_path, runs):
    write_results(tmp_path / "results" / "a.parquet", rows_of("one"))
    (tmp_path / "programs").mkdir()
    (tmp_path / "programs" / "a.json").write_text(f'{{"runs": {runs}}}')
    (note,) = read_results(tmp_path).notes
    assert note.endswith("a.json: left out, not a program's record")


@pytest.mark.parametrize("make", [lambda path: None, lambda path: path.mkdir()])
def test_nothing_to_read_is_an_error_of_one_line(tmp_path, make):
    make(tmp_path / "w")
    with pytest.raises(ResultsError) as error:
        read_results(tmp_path / "w")
    assert "no results to read" in str(error.value)
    assert "\n" not in str(error.value)


def test_all_rows_bad_is_nothing_to_read(tmp_path):
    write_results(tmp_path / "results" / "a.parquet", rows_of("one", return_mean=np.nan))
    with pytest.raises(ResultsError, match="not a number"):
        read_results(tmp_path)


def test_one_missing_folder_of_two_is_a_note(tmp_path):
    write_results(tmp_path / "w" / "results" / "a.parquet", rows_of("one"))
    read = read_results([tmp_path / "w", tmp_path / "nowhere"])
    assert len(read.frame) == 3
    assert read.notes == (f"{tmp_path / 'nowhere'}: left out, no such folder",)


def test_the_same_run_in_two_folders_is_read_once_and_another_one_is_renamed(tmp_path):
    write_results(tmp_path / "v" / "results" / "a.parquet", rows_of("same") + rows_of("other"))
    write_results(
        tmp_path / "w" / "results" / "a.parquet",
        rows_of("same") + rows_of("other", optimizer="sgd"),
    )
    read = read_results([tmp_path / "v", tmp_path / "w"])
    assert read.frame.groupby("run_id").size().to_dict() == {"same": 3, "other": 3, "other@w": 3}
    assert len(read.notes) == 2
    again = read_results([tmp_path / "v", tmp_path / "v"])
    assert len(again.frame) == 6
    assert again.notes == ()


def settings(**changes: object) -> str:
    base = {"baseline": "none", "budget": 500, "noise": {"samples": 0}, "entropy_coef": 0.5}
    return json.dumps(base | changes, sort_keys=True)


@pytest.mark.parametrize(
    "changes",
    [
        {"budget": 9},
        {"evaluations": 9},
        {"test_sample": 9},
        {"stop_at_return": 0.9},
        {"noise": {"samples": 9, "every": 2}},
        {"max_program_bytes": 9},
    ],
)
def test_how_closely_a_run_is_looked_at_is_no_part_of_its_learning(changes):
    assert learning_settings(settings(**changes)) == learning_settings(settings())
    write = {"optimizer": {"clip": 0.1}}
    assert learning_settings(settings(**write)) != learning_settings(settings())


@pytest.mark.parametrize("text", ["", "no JSON", "[1]", "5"])
def test_settings_that_are_no_json_object_are_left_as_they_are(text):
    assert learning_settings(text) == text


def in_two_folders(tmp_path, one, other, **columns):
    """The ids read from two folders that hold a run of the same id with other settings."""
    for folder, text in (("v", one), ("w", other)):
        extra = columns if folder == "w" else {}
        rows = rows_of("run", settings=text, **extra)
        write_results(tmp_path / folder / "results" / "a.parquet", rows)
    read = read_results([tmp_path / "v", tmp_path / "w"])
    assert read_results([tmp_path / "v", tmp_path / "w"], ["seed"]).notes == read.notes
    return set(read.frame["run_id"])


def test_runs_whose_settings_differ_are_told_apart(tmp_path):
    other = settings(optimizer={"decay_interactions": 100.0})
    assert in_two_folders(tmp_path, settings(), other) == {"run", "run@w"}


def test_what_is_derived_from_settings_is_no_identity_beside_them(tmp_path):
    derived = {"entropy_coef": 0.25, "learning_rate": 0.1, "flops_per_interaction": 5.0}
    other = settings(budget=1000)
    assert in_two_folders(tmp_path, settings(), other, **derived) == {"run"}


def test_an_axis_is_identity_beside_equal_settings(tmp_path):
    assert in_two_folders(tmp_path, settings(), settings(), horizon=5.0) == {"run", "run@w"}


@pytest.mark.parametrize(
    ("columns", "ids"), [({}, {"run"}), ({"entropy_coef": 0.5}, {"run", "run@w"})]
)
def test_without_settings_on_one_side_all_columns_are_identity(tmp_path, columns, ids):
    assert in_two_folders(tmp_path, "", settings(), **columns) == ids


def test_derived_columns_do_not_tell_runs_of_one_folder_apart(tmp_path):
    for name, changes in (("a", {}), ("b", {"learning_rate": 0.1, "interactions": 900})):
        rows = rows_of("run", 1, settings=settings(budget=len(changes)), **changes)
        write_results(tmp_path / "results" / f"{name}.parquet", rows)
    assert set(read_results(tmp_path).frame["run_id"]) == {"run"}
    rows = rows_of("run", 1, settings=settings(baseline="state"))
    write_results(tmp_path / "results" / "c.parquet", rows)
    assert set(read_results(tmp_path).frame["run_id"]) == {"run", "run@2"}


def test_folders_of_the_same_name_and_a_run_that_comes_back(tmp_path):
    folders = [tmp_path / place / "w" for place in "abcd"]
    texts = [settings(baseline=name) for name in ("none", "state", "value_net", "state")]
    for folder, text in zip(folders, texts, strict=True):
        write_results(folder / "results" / "a.parquet", rows_of("run", settings=text))
    read = read_results(folders)
    assert read.frame.groupby("run_id")["settings"].first().to_dict() == {
        "run": texts[0],
        "run@w": texts[1],
        "run@w@2": texts[2],
    }
    assert len(read.frame) == 9


def test_a_run_is_unfinished_under_the_id_that_it_is_given(tmp_path):
    for folder, text in (("v", settings()), ("w", settings(baseline="state"))):
        write_results(tmp_path / folder / "results" / "a.parquet", rows_of("run", settings=text))
    (tmp_path / "w" / "programs").mkdir()
    (tmp_path / "w" / "programs" / "a.json").write_text('{"runs": ["run", "waits"]}')
    assert read_results([tmp_path / "v", tmp_path / "w"]).unfinished == {"run@w", "waits"}


def noise_rows(run_id, **changes):
    texts = {"run_id": run_id, "task": "digits", "schedule": "dense", "baseline": ""}
    same = {name: rows_of(run_id)[0][name] for name in ("width", "horizon", "discount", "seed")}
    row = dict.fromkeys(NOISE_SCHEMA.names, 1) | texts | same | {"batch": 0}
    return [row | {"interactions": 100 * (i + 1)} | changes for i in range(2)]


@pytest.mark.parametrize("has_noise", ["v", "w", "vw"])
def test_noise_is_read_under_the_ids_of_the_results(tmp_path, has_noise):
    for folder, text in (("v", settings()), ("w", settings(optimizer={"clip": 0.1}))):
        write_results(tmp_path / folder / "results" / "a.parquet", rows_of("run", settings=text))
        if folder in has_noise:
            rows = noise_rows("run", settings=text)
            write_results(tmp_path / folder / "noise" / "a.parquet", rows, NOISE_SCHEMA)
    read = read_noise([tmp_path / "v", tmp_path / "w"])
    assert set(read.frame["run_id"]) == {{"v": "run", "w": "run@w"}[name] for name in has_noise}
    assert len(read.frame) == 2 * len(has_noise)


def test_noise_of_a_run_that_another_folder_holds_without_noise_is_kept(tmp_path):
    for folder, text in (("v", settings()), ("w", settings(noise={"samples": 9}))):
        write_results(tmp_path / folder / "results" / "a.parquet", rows_of("run", settings=text))
    rows = noise_rows("run", settings=text)
    write_results(tmp_path / "w" / "noise" / "a.parquet", rows, NOISE_SCHEMA)
    assert read_noise([tmp_path / "v", tmp_path / "w"]).frame["run_id"].tolist() == ["run"] * 2


def test_noise_tables_without_results_and_settings_are_read_too(tmp_path):
    for folder, baseline in (("v", "none"), ("w", "state")):
        rows = noise_rows("run", baseline=baseline)
        frame = pd.DataFrame(rows).drop(columns="settings")
        (tmp_path / folder / "noise").mkdir(parents=True)
        frame.to_parquet(tmp_path / folder / "noise" / "a.parquet")
    assert set(read_noise([tmp_path / "v", tmp_path / "w"]).frame["run_id"]) == {"run", "run@w"}


def crossing_rows(run_id, **changes):
    same = {name: value for name, value in rows_of(run_id)[0].items() if name in RUN_COLUMNS}
    rows = [{"threshold": 0.5 + i / 10, "censored": bool(i)} for i in range(3)]
    return [same | row | {"interactions": 10.5} | changes for row in rows]


def test_crossings_are_read_under_ids_of_their_own(tmp_path):
    for folder, task in (("u", "one"), ("v", "digits"), ("w", "digits"), ("x", "three")):
        rows = crossing_rows("run", task=task)
        write_results(tmp_path / folder / "crossings" / "a.parquet", rows, CROSSINGS_SCHEMA)
    write_results(tmp_path / "w" / "results" / "a.parquet", rows_of("run", task="digits"))
    read = read_crossings([tmp_path / folder for folder in "uvwx"])
    tasks = read.frame.groupby("run_id")["task"].first()
    assert tasks.to_dict() == {"run@u": "one", "run@x": "three"}, "the others follow from curves"
    assert len(read.frame) == 6, "equal interactions of several thresholds are no repetition"
    assert read.frame["censored"].tolist() == [False, True, True] * 2
    assert any("its crossings are left out" in note for note in read.notes)
    assert any("crossings of 1 run left out" in note for note in read.notes)


def test_crossings_that_are_no_numbers_are_left_out(tmp_path):
    rows = [*crossing_rows("run"), *crossing_rows("bad", threshold=float("nan"))]
    rows += crossing_rows("zero", interactions=0.0)
    write_results(tmp_path / "crossings" / "a.parquet", rows, CROSSINGS_SCHEMA)
    read = read_crossings(tmp_path)
    assert set(read.frame["run_id"]) == {"run"}
    assert read.notes
    with pytest.raises(ResultsError, match="no crossings to read"):
        read_crossings(tmp_path / "elsewhere")
    for row in rows:
        del row["censored"]
    with pytest.raises(ResultsError, match="lacks censored"):
        write_results(tmp_path / "crossings" / "a.parquet", rows, CROSSINGS_SCHEMA)


def test_runs_of_programs_that_go_on_are_unfinished(tmp_path):
    write_results(tmp_path / "results" / "a.parquet", rows_of("short") + rows_of("whole", 5))
    write_results(tmp_path / "results" / "b.parquet", rows_of("stopped"))
    (tmp_path / "programs").mkdir()
    (tmp_path / "sweep.json").write_text(json.dumps({"budget": 500}))
    going = {"runs": ["short", "whole", "waiting"], "done": False}
    (tmp_path / "programs" / "a.json").write_text(json.dumps(going))
    (tmp_path / "programs" / "b.json").write_text(json.dumps({"runs": ["stopped"], "done": True}))
    (tmp_path / "programs" / "c.json").write_text("{")
    read = read_results(tmp_path)
    assert read.unfinished == {"short", "waiting"}
    assert any("2 runs are short of the budget" in note for note in read.notes)
    assert any("c.json" in note for note in read.notes)


def test_policy_round_trip_and_its_errors(tmp_path):
    params = {"dense_0": {"kernel": np.arange(6, dtype=np.float32).reshape(2, 3)}}
    save_policy(tmp_path, "run-1", params)
    loaded = load_policy(tmp_path, "run-1")
    np.testing.assert_array_equal(loaded["dense_0"]["kernel"], params["dense_0"]["kernel"])
    with pytest.raises(ResultsError, match="no finished run 'run-2'"):
        load_policy(tmp_path, "run-2")
    path = tmp_path / "policies" / "run-1.msgpack"
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(ResultsError, match="cannot be read"):
        load_policy(tmp_path, "run-1")
    with pytest.raises(InputError, match="not a plain name"):
        save_policy(tmp_path, "../elsewhere", params)


def test_kept_policies_round_trip_and_their_errors(tmp_path):
    params = {"first": {"kernel": np.arange(12, dtype=np.float32).reshape(2, 2, 3)}}
    (tmp_path / "programs").mkdir()
    record = tmp_path / "programs" / "one.json"
    record.write_text(json.dumps({"program_id": "one", "runs": ["a", "b"]}))
    images = np.full((3, 2), 7, np.uint8)
    save_examples(tmp_path, "one", images)
    for interactions in (640, 0, 64):
        save_kept(tmp_path, "one", interactions, params)
    kept = list(kept_policies(tmp_path))
    order = [(policy.interactions, policy.run_id) for policy in kept]
    assert order == [(number, run) for number in (0, 64, 640) for run in "ab"]
    np.testing.assert_array_equal(kept[1].params["first"]["kernel"], params["first"]["kernel"][1])
    np.testing.assert_array_equal(kept[0].images, images)
    assert [path.name for path in kept_files(tmp_path, "one")] == [
        *("one-at0.npz", "one-at64.npz", "one-at640.npz", "one-examples.npz")
    ]
    record.write_text(json.dumps({"program_id": "one", "runs": ["a"]}))
    with pytest.raises(ResultsError, match="does not hold the policies of one"):
        list(kept_policies(tmp_path))
    np.savez(tmp_path / "kept" / "one-at0.npz", **{"first/kernel": np.array([object()])})
    with pytest.raises(ResultsError, match=r"one-at0\.npz: cannot be read"):
        list(kept_policies(tmp_path))
    with pytest.raises(InputError, match="not a plain name"):
        save_kept(tmp_path, "../elsewhere", 0, params)
    (tmp_path / "kept" / "two-at0.npz").symlink_to(record)
    with pytest.raises(InputError, match="is a link"):
        save_kept(tmp_path, "two", 0, params)


def test_sweep_spec_and_its_errors(tmp_path):
    with pytest.raises(ResultsError, match="holds no sweep"):
        read_sweep(tmp_path)
    (tmp_path / "sweep.json").write_text('{"budget": 5}')
    assert read_sweep(tmp_path) == {"budget": 5}
    (tmp_path / "sweep.json").write_text("[1]")
    with pytest.raises(ResultsError, match="not a JSON object"):
        read_sweep(tmp_path)


def test_noise_table_round_trip(tmp_path):
    texts = {"run_id": "one", "task": "digits", "schedule": "dense", "baseline": "none"}
    texts["settings"] = "{}"
    row = dict.fromkeys(NOISE_SCHEMA.names, 1) | texts
    write_results(tmp_path / "noise" / "a.parquet", [row], NOISE_SCHEMA)
    read = read_noise(tmp_path)
    assert list(read.frame) == NOISE_SCHEMA.names
    with pytest.raises(ResultsError, match="no noise to read"):
        read_noise(tmp_path / "nowhere")


# The peak is asked of /proc: getrusage's outlives exec, so that a child of a large pytest has its.
_LOAD = """
import sys, time
from pathlib import Path
from mnist_horizon.results import read_results
before = time.process_time()
frame = read_results(sys.argv[1]).frame
seconds = time.process_time() - before
status = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
print(len(frame), seconds, status["VmHWM"].split()[0])
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_a_hundred_thousand_rows_load_in_two_seconds_and_a_gibibyte(tmp_path):
    runs = 200
    table = pa.Table.from_pylist(rows_of("run", 50))
    for program in range(10):
        parts = [
            table.set_column(0, "run_id", pa.array([f"p{program}-r{run}"] * 50))
            for run in range(runs)
        ]
        (tmp_path / "results").mkdir(exist_ok=True)
        pq.write_table(pa.concat_tables(parts), tmp_path / "results" / f"p{program}.parquet")
    printed = subprocess.run(
        [sys.executable, "-c", _LOAD, str(tmp_path)], capture_output=True, text=True, check=True
    )
    count, seconds, kibibytes = printed.stdout.split()
    assert int(count) == 100_000
    assert float(seconds) < 2
    assert int(kibibytes) < 2**20


def test_texts_of_others_can_be_printed_parsed_and_drawn(tmp_path):
    odd = {"settings": "[" * 2000, "task_settings": "[1]", "task": "a\x1b[31m\nb\u202e"}
    write_results(tmp_path / "results" / "odd.parquet", rows_of("odd", **odd))
    good = {"settings": '{"a": 1}', "task_settings": "{}", "task": "\u6570, =1"}
    write_results(tmp_path / "results" / "good.parquet", rows_of("good", **good))
    write_results(tmp_path / "results" / "long.parquet", rows_of("x" * 501))
    read = read_results(tmp_path)
    rows = read.frame.drop_duplicates("run_id").set_index("run_id")
    assert sorted(rows.index) == ["good", "odd"]
    assert rows.loc["good", list(good)].to_dict() == good
    changed = {"settings": "", "task_settings": "{}", "task": "a\ufffd[31m\ufffdb\ufffd"}
    assert rows.loc["odd", list(odd)].to_dict() == changed
    assert [note.rpartition(".parquet: ")[2] for note in read.notes] == [
        "3 rows left out: a name there has more than 500 characters",
        "control characters in task are replaced",
        "task_settings that are no JSON object are not used",
        "settings that are no JSON object are not used",
    ]


def repeated(text: str, rows: int) -> pa.Table:
    """A table in which one text is stored once, and is in every row."""
    table = pa.Table.from_pandas(pd.DataFrame(rows_of("a", rows)))
    once = pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int32)), pa.array([text]))
    return table.set_column(table.column_names.index("task"), "task", once)


@pytest.mark.parametrize("form", ["dictionary", "string"])
def test_a_small_file_that_would_fill_the_memory_is_left_out(tmp_path, form):
    (tmp_path / "results").mkdir()
    table = repeated("x" * 5_000_000, 1000)
    if form == "string":  # the same bytes, without the schema that says so
        table = table.replace_schema_metadata({})
    path = tmp_path / "results" / "a.parquet"
    pq.write_table(table, path, store_schema=form == "dictionary")
    assert path.stat().st_size < 1_000_000
    with pytest.raises(ResultsError, match=r"it would need 5\.0 GB of memory"):
        read_results(tmp_path)


def test_a_small_file_of_very_many_rows_is_left_out(tmp_path):
    (tmp_path / "results").mkdir()
    path = tmp_path / "results" / "a.parquet"
    column = pa.nulls(14_000_000)
    pq.write_table(pa.table(dict.fromkeys(REQUIRED_COLUMNS, column)), path)
    assert path.stat().st_size < 1_000_000
    with pytest.raises(ResultsError, match=r"it would need \d\.\d GB of memory"):
        read_results(tmp_path)


def test_a_table_is_data_and_never_executed(tmp_path):
    """Arrow's files can name extension types that old versions unpickled."""
    code = b"cos\nmkdir\n(V" + str(tmp_path / "executed").encode() + b"\ntR."
    about = {b"ARROW:extension:name": b"arrow.py_extension_type"}
    table = pa.Table.from_pandas(pd.DataFrame(rows_of("a")), preserve_index=False)
    field = table.schema.field("task")
    field = field.with_metadata({**about, b"ARROW:extension:metadata": code})
    place = table.column_names.index("task")
    (tmp_path / "results").mkdir()
    path = tmp_path / "results" / "a.parquet"
    pq.write_table(table.set_column(place, field, table.column(place)), path)
    assert read_results(tmp_path).frame["task"].tolist() == ["digits"] * 3
    assert not (tmp_path / "executed").exists()


def test_texts_that_are_no_utf8_and_pipes_are_left_out(tmp_path):
    write_results(tmp_path / "results" / "good.parquet", rows_of("good"))
    table = pa.Table.from_pandas(pd.DataFrame(rows_of("bad")), preserve_index=False)
    raw = pa.array([b"\xff"] * 3, pa.binary())
    text = pa.Array.from_buffers(pa.string(), 3, raw.buffers())
    place = table.column_names.index("task")
    pq.write_table(table.set_column(place, "task", text), tmp_path / "results" / "bad.parquet")
    os.mkfifo(tmp_path / "results" / "pi\x1bpe.parquet")
    read = read_results(tmp_path)
    assert set(read.frame["run_id"]) == {"good"}
    one, other = read.notes
    assert "bad.parquet: left out, cannot be read" in one
    assert r"pi\x1bpe.parquet: left out, cannot be read: [Errno 0] not a regular file" in other


@pytest.mark.parametrize("at", ["3\x1b[2J", None, [1], 1.5, True])
def test_updates_of_a_record_are_numbers(tmp_path, at):
    """They are printed where runs diverged."""
    (tmp_path / "programs").mkdir()
    record = {"program_id": "one", "runs": ["a"], "done": True, "diverged": {"a": at}}
    (tmp_path / "programs" / "one.json").write_text(json.dumps(record))
    programs, (note,) = read_programs(tmp_path)
    assert programs == []
    assert "not a program's record" in note


@pytest.mark.parametrize(
    "content", [[1], {"a": "text"}, {"a": 5}, {"a": {"b": None}}, "text", {"a": np.float32(1)}]
)
def test_a_policy_holds_arrays_alone(tmp_path, content):
    (tmp_path / "policies").mkdir()
    data = serialization.msgpack_serialize(content)
    (tmp_path / "policies" / "a.msgpack").write_bytes(data)
    with pytest.raises(ResultsError, match="does not hold arrays alone"):
        load_policy(tmp_path, "a")


def test_no_policy_can_hold_objects_of_python(tmp_path):
    """As an array of objects its bytes would be taken as addresses, or unpickled."""
    (tmp_path / "policies").mkdir()
    array = msgpack.packb(((1,), "object", bytes(8)), use_bin_type=True)
    data = msgpack.packb({"a": msgpack.ExtType(1, array)})
    (tmp_path / "policies" / "a.msgpack").write_bytes(data)
    with pytest.raises(ResultsError, match="cannot be read"):
        load_policy(tmp_path, "a")
    os.mkfifo(tmp_path / "policies" / "b.msgpack")
    with pytest.raises(ResultsError, match="not a regular file"):
        load_policy(tmp_path, "b")

"""Processes that share a working directory agree; what is not theirs is refused."""

import contextlib
import json
import threading
from pathlib import Path
from typing import Any

import pytest

from mnist_horizon import files, results
from mnist_horizon.devices.memory import ProgramMemory
from mnist_horizon.errors import InputError, SweepError
from mnist_horizon.sweeps import workdir
from tests.mnist_horizon.small_sweeps import all_runs, records, tiny

TASK = {"task": "digits", "settings": {}, "source": "here", "content": {"train": "a", "test": "b"}}
NEEDS = {4: ProgramMemory(1, 0), 8: ProgramMemory(1, 0)}


def test_processes_that_start_at_once_agree_on_the_programs(tmp_path: Path) -> None:
    found: list[Any] = []
    spec = tiny(widths=(4, 8), seeds=3, max_program_bytes=2)
    work = lambda: found.append(workdir.prepare(tmp_path, spec, NEEDS, TASK))  # noqa: E731
    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    names = [sorted(program.program_id for program in programs) for programs in found]
    assert len(names) == 8
    assert all(name == names[0] for name in names)
    held = [run for record in records(tmp_path).values() for run in record["runs"]]
    assert sorted(held) == sorted(run.run_id(spec) for run in all_runs(spec))


@pytest.mark.parametrize("written", range(1, 6))
def test_a_kill_while_programs_are_placed_changes_nothing(
    written: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Records are written one by one; planned without some of them, the rest would be cut anew."""
    spec = tiny(seeds=5, max_program_bytes=4)
    whole = workdir.prepare(tmp_path / "whole", spec, NEEDS, TASK)
    assert [len(program.seeds) for program in whole] == [2, 1, 2], "cuts that the rest lacks"
    write, count = files.write_atomically, 0

    def killed(*arguments: Any) -> None:
        nonlocal count
        count += 1
        if count > written:
            raise KeyboardInterrupt
        write(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(files, "write_atomically", killed)
        with contextlib.suppress(KeyboardInterrupt):
            workdir.prepare(tmp_path / "killed", spec, NEEDS, TASK)
    resumed = workdir.prepare(tmp_path / "killed", spec, NEEDS, TASK)
    assert sorted(p.program_id for p in resumed) == sorted(p.program_id for p in whole)
    assert records(tmp_path / "killed") == records(tmp_path / "whole")
    assert not (tmp_path / "killed" / workdir.PLACING).exists()


def test_a_placed_program_keeps_its_runs_when_the_sweep_grows(tmp_path: Path) -> None:
    (old,) = workdir.prepare(tmp_path, tiny(), NEEDS, TASK)
    programs = workdir.prepare(tmp_path, tiny(seeds=3, horizons=(1.0, 3.0, 7.0)), NEEDS, TASK)
    assert programs[0] == old
    runs = [run for program in programs for run in program.runs]
    assert len(set(runs)) == len(runs) == 9
    (again,) = workdir.prepare(tmp_path, tiny(), NEEDS, TASK)
    assert again == old, "a call with fewer runs works on the programs that hold them"
    spec = results.read_sweep(tmp_path)
    assert (spec["seeds"], spec["horizons"]) == (3, [1.0, 3.0, 7.0])


def test_a_lock_is_held_once_and_freed_by_its_end(tmp_path: Path) -> None:
    with workdir.lock(tmp_path, "program") as first:
        with workdir.lock(tmp_path, "program") as second:
            assert (first, second) == (True, False)
        with workdir.lock(tmp_path, "other") as other:
            assert other
    with workdir.lock(tmp_path, "program") as third:
        assert third


def test_checking_touches_nothing(tmp_path: Path) -> None:
    workdir.check(tmp_path / "deep" / "new", tiny())
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("content", ["", "[1]", '{"task": '])
def test_a_damaged_spec_is_refused_with_the_ways_out(content: str, tmp_path: Path) -> None:
    (tmp_path / "sweep.json").write_text(content)
    with pytest.raises(SweepError, match="choose another --workdir"):
        workdir.check(tmp_path, tiny())


def test_what_is_left_is_what_no_finished_program_holds(tmp_path: Path) -> None:
    spec = tiny(widths=(4, 8))
    placed, new = workdir.planned(tmp_path, spec, NEEDS)
    assert placed == []
    first, second = workdir.prepare(tmp_path, spec, NEEDS, TASK)
    assert [first, second] == new, "nothing is planned otherwise than it was told"
    workdir.write_done(tmp_path, spec, first, [], TASK, {})
    more = tiny(widths=(4, 8), seeds=3)
    placed, new = workdir.planned(tmp_path, more, NEEDS)
    assert placed == [first, second]
    assert [program.seeds for program in new] == [(2,), (2,)]
    assert workdir.planned(tmp_path, tiny(widths=(8,), seeds=1), NEEDS) == ([second], [])
    assert workdir.planned(tmp_path, tiny(widths=(8,), horizons=(5.0,)), NEEDS)[0] == []
    assert [workdir.is_done(tmp_path, program) for program in (first, second)] == [True, False]
    lost = tmp_path / "results" / "lost.parquet"
    lost.parent.mkdir()
    lost.write_text("")
    workdir.write_done(tmp_path, spec, first, [lost], TASK, {})
    assert workdir.is_done(tmp_path, first)
    lost.unlink()
    assert not workdir.is_done(tmp_path, first), "it will be run again"


def test_provenance_names_versions_and_device_only() -> None:
    facts = workdir.provenance()
    assert set(facts) == {"versions", "commit", "device"}
    assert {"python", "jax", "numpy", "mnist_horizon"} <= set(facts["versions"])


@pytest.fixture
def placed(tmp_path: Path) -> Path:
    """A working directory with one program, not yet run."""
    workdir.prepare(tmp_path / "w", tiny(), NEEDS, TASK)
    return tmp_path / "w"


def change_record(folder: Path, **changes: Any) -> None:
    (path,) = folder.glob("programs/*.json")
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def snapshot(folder: Path) -> dict[str, bytes | None]:
    """All that is in a folder, with the content of its files."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


@pytest.mark.parametrize(
    "changes",
    [
        {"program_id": "/tmp/victim"},
        {"program_id": "../victim"},
        {"program_id": "another"},
        {"program_id": ["list"]},
        {"runs": ["../victim"]},
        {"runs": ["/tmp/victim"]},
        {"diverged": {"a/b": 3}},
        {"files": {"/tmp/victim": "0"}},
        {"files": {"results/../../victim": "0"}},
        {"files": {"checkpoints/x": "0"}},
        {"files": {"results/deep/x": "0"}},
    ],
)
def test_a_record_with_names_that_are_paths_is_refused_and_nothing_written(
    changes: dict[str, Any], placed: Path
) -> None:
    change_record(placed, **changes)
    before = snapshot(placed.parent)
    with pytest.raises(InputError, match=r"\.json: .* not a record of a sweep") as error:
        workdir.check(placed, tiny())
    assert len(str(error.value).splitlines()) == 1
    with pytest.raises(InputError, match="not a record of a sweep"):
        workdir.prepare(placed, tiny(), NEEDS, TASK)
    assert snapshot(placed.parent) == before
    programs, (note,) = results.read_programs(placed)
    assert programs == []
    assert "left out" in note


@pytest.mark.parametrize(
    "changes",
    [
        {"width": "4/../../x"},
        {"seeds": ["0"]},
        {"variants": [{"horizon": "1", "schedule": "x"}]},
        {"variants": [{"horizon": 1, "schedule": 3, "learning_rate": 0.1}]},
    ],
)
def test_a_record_of_other_types_is_placed_anew(changes: dict[str, Any], placed: Path) -> None:
    change_record(placed, **changes)
    (program,) = workdir.prepare(placed, tiny(), NEEDS, TASK)
    assert [run.run_id(tiny()) for run in program.runs] == records(placed)[program.program_id][
        "runs"
    ]


@pytest.mark.parametrize("name", ["../victim", "/tmp/victim", 5])
def test_programs_that_are_being_placed_under_paths_are_refused(name: Any, placed: Path) -> None:
    (placed / workdir.PLACING).write_text(json.dumps({"programs": [{"program_id": name}]}))
    before = snapshot(placed.parent)
    with pytest.raises(SweepError, match="not a plain name"):
        workdir.check(placed, tiny())
    assert snapshot(placed.parent) == before


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"programs": 3}', '{"programs": [{}]}'])
def test_a_damaged_file_of_programs_to_place_is_refused(content: str, placed: Path) -> None:
    (placed / workdir.PLACING).write_text(content)
    with pytest.raises(SweepError, match=r"placing\.json: cannot be read"):
        workdir.check(placed, tiny())


@pytest.mark.parametrize("name", [*workdir.FOLDERS, *workdir.FILES])
def test_a_directory_with_a_link_is_refused_and_nothing_written(name: str, placed: Path) -> None:
    outside = placed.parent / "outside"
    outside.mkdir()
    (outside / "file").write_text("precious")
    path = placed / name
    if path.exists():
        path.rename(outside / name)
    path.symlink_to(outside / name if (outside / name).exists() else outside)
    before = snapshot(placed.parent)
    with pytest.raises(InputError, match=f"{name} is a link"):
        workdir.check(placed, tiny())
    with pytest.raises(InputError, match="is a link"):
        workdir.prepare(placed, tiny(), NEEDS, TASK)
    assert snapshot(placed.parent) == before


@pytest.mark.parametrize(
    "parts", [("locks", "sweep"), ("checkpoints", "w4-4runs"), ("results", ".a.parquet.tmp")]
)
def test_links_within_its_folders_are_refused(parts: tuple[str, ...], placed: Path) -> None:
    path = placed.joinpath(*parts)
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)
    path.symlink_to("/etc/hostname")
    with pytest.raises(InputError, match="is a link"):
        workdir.check(placed, tiny())


def test_a_directory_that_is_named_by_a_link_is_welcome(placed: Path) -> None:
    named = placed.parent / "named"
    named.symlink_to(placed)
    (program,) = workdir.prepare(named, tiny(), NEEDS, TASK)
    with workdir.lock(named, program.program_id) as is_free:
        assert is_free


def test_a_lock_of_a_path_is_refused_and_truncates_nothing(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    with pytest.raises(InputError, match="not a plain name"):
        workdir.lock(tmp_path / "w", str(victim))
    assert victim.read_text() == "precious"


OTHERS = tiny(entropy_coef=0.5, baseline="none")


def remove_spec(folder: Path) -> None:
    (folder / "sweep.json").unlink()


def forget_settings(folder: Path) -> None:
    """As an older version would have written it."""
    (path,) = folder.glob("programs/*.json")
    record = json.loads(path.read_text())
    del record["settings"]
    path.write_text(json.dumps(record))


def test_without_its_spec_a_sweep_is_known_by_its_records(placed: Path) -> None:
    """More axes are welcome, other settings are not, and the spec comes back with all axes."""
    remove_spec(placed)
    with pytest.raises(SweepError, match=r"baseline: 'expected_reward' -> 'none'; entropy_coef"):
        workdir.check(placed, OTHERS)
    grown = tiny(horizons=(7.0,), seeds=1, widths=(8,), optimizer={"learning_rates": (1e-2,)})
    workdir.prepare(placed, grown, NEEDS, TASK)
    spec = results.read_sweep(placed)
    assert (spec["horizons"], spec["seeds"], spec["widths"]) == ([1.0, 3.0, 7.0], 2, [4, 8])
    assert spec["optimizer"]["learning_rates"] == [1e-2, 3e-2]


def write_table(folder: Path, **changes: str) -> None:
    row: dict[str, Any] = {field.name: 1 for field in results.SCHEMA}
    row |= {field.name: "x" for field in results.SCHEMA if str(field.type) == "string"}
    row |= {"schedule": "dense", "phase_visible": False, **changes}
    results.write_results(folder / "results" / "a.parquet", [row])


@pytest.mark.parametrize("changes", [{"settings": ""}, {"settings": "no JSON"}])
def test_results_that_do_not_say_their_settings_need_the_spec(
    changes: dict[str, str], placed: Path
) -> None:
    write_table(placed, **changes)
    workdir.check(placed, tiny())
    remove_spec(placed)
    with pytest.raises(SweepError, match="put it back, or choose another --workdir"):
        workdir.check(placed, tiny())


def test_results_without_records_are_known_by_their_column(placed: Path) -> None:
    write_table(placed, settings=json.dumps(tiny().fixed_settings()))
    remove_spec(placed)
    for path in placed.glob("programs/*.json"):
        path.unlink()
    workdir.check(placed, tiny(seeds=5))
    with pytest.raises(SweepError, match="entropy_coef"):
        workdir.check(placed, OTHERS)


def test_records_of_older_versions_need_the_spec(placed: Path) -> None:
    forget_settings(placed)
    workdir.check(placed, tiny())
    remove_spec(placed)
    with pytest.raises(SweepError, match="put it back, or choose another --workdir"):
        workdir.check(placed, tiny())


@pytest.mark.parametrize("without", [(), ("source",)])
def test_other_data_are_refused_also_where_nobody_says_their_source(
    without: tuple[str, ...], tmp_path: Path
) -> None:
    task = {name: value for name, value in TASK.items() if name not in without}
    workdir.prepare(tmp_path, tiny(), NEEDS, task)
    other = {**task, "content": {"train": "c", "test": "d"}}
    with pytest.raises(SweepError, match=r"^task: the data .*are not those"):
        workdir.prepare(tmp_path, tiny(seeds=3), NEEDS, other)


@pytest.mark.parametrize(
    "axes",
    [
        {"widths": "abc"},
        {"widths": 3},
        {"widths": [[4]]},
        {"seeds": "2"},
        {"optimizer": {"learning_rates": ["0.1"]}},
        {"references": {"exact": 3}},
        {"kl_coefs": [None, 1]},
    ],
)
def test_a_spec_whose_axes_are_no_lists_of_values_is_refused(
    axes: dict[str, Any], placed: Path
) -> None:
    path = placed / "sweep.json"
    old = json.loads(path.read_text())
    optimizer = {"optimizer": {**old["optimizer"], **axes.get("optimizer", {})}}
    path.write_text(json.dumps({**old, **axes, **optimizer}))
    before = snapshot(placed.parent)
    with pytest.raises(SweepError, match=r"sweep\.json: an axis is no list of its") as error:
        workdir.check(placed, tiny())
    assert "\n" not in str(error.value)
    assert snapshot(placed.parent) == before

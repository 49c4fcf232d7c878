"""Processes that share a working directory agree; what is not theirs is refused."""

import contextlib
import threading
from pathlib import Path
from typing import Any

import pytest

from mnist_horizon import results
from mnist_horizon.devices.memory import ProgramMemory
from mnist_horizon.errors import SweepError
from mnist_horizon.sweeps import plan, workdir
from tests.mnist_horizon.small_sweeps import records, tiny

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
    assert sorted(held) == sorted(run.run_id(spec) for run in plan.all_runs(spec))


@pytest.mark.parametrize("written", range(1, 6))
def test_a_kill_while_programs_are_placed_changes_nothing(
    written: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Records are written one by one; planned without some of them, the rest would be cut anew."""
    spec = tiny(seeds=5, max_program_bytes=4)
    whole = workdir.prepare(tmp_path / "whole", spec, NEEDS, TASK)
    assert [len(program.seeds) for program in whole] == [2, 1, 2], "cuts that the rest lacks"
    write, count = results.write_atomically, 0

    def killed(*arguments: Any) -> None:
        nonlocal count
        count += 1
        if count > written:
            raise KeyboardInterrupt
        write(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(results, "write_atomically", killed)
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
    assert workdir.remaining_runs(tmp_path, spec) == ([], plan.all_runs(spec))
    first, second = workdir.prepare(tmp_path, spec, NEEDS, TASK)
    workdir.write_done(tmp_path, spec, first, [], TASK, {})
    placed, runs = workdir.remaining_runs(tmp_path, tiny(widths=(4, 8), seeds=3))
    assert placed == [second]
    assert {run.seed for run in runs} == {2}
    lost = tmp_path / "results" / "lost.parquet"
    lost.parent.mkdir()
    lost.write_text("")
    workdir.write_done(tmp_path, spec, first, [lost], TASK, {})
    assert workdir.remaining_runs(tmp_path, spec)[0] == [second]
    lost.unlink()
    assert workdir.remaining_runs(tmp_path, spec)[0] == [first, second], "it will be run again"


def test_provenance_names_versions_and_device_only() -> None:
    facts = workdir.provenance()
    assert set(facts) == {"versions", "commit", "device"}
    assert {"python", "jax", "numpy", "mnist_horizon"} <= set(facts["versions"])

"""A search that is stopped goes on, with the same bytes; what is done is not done again."""

import json
import signal
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from mnist_horizon import tasks
from mnist_horizon.errors import InputError
from mnist_horizon.sweeps.runner import Interrupted
from mnist_horizon.tuning import Tuning, cells, workdir
from tests.mnist_horizon.tuning.small import small

DIGITS = tasks.load("digits", {})


def content(folder: Path) -> dict[str, bytes]:
    """Every file but the locks."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.parent.name != "locks"]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def counted(monkeypatch: pytest.MonkeyPatch, then: Any = None) -> list[str]:
    """Names of the cells that are computed from now on; `then` is called after each."""
    names: list[str] = []
    run_cell = cells.run_cell

    def noted(tuning: Tuning, cell: Any, *arguments: Any) -> Any:
        rows = run_cell(tuning, cell, *arguments)
        names.append(cell.name)
        if then:
            then()
        return rows

    monkeypatch.setattr(cells, "run_cell", noted)
    return names


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished")
    assert workdir.search(folder, small(), DIGITS)
    return folder


def test_a_search_that_is_stopped_goes_on_with_the_same_bytes(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        counted(patch, lambda: signal.raise_signal(signal.SIGTERM))
        with pytest.raises(Interrupted):
            workdir.search(tmp_path, small(), DIGITS)
    assert [cell.name for cell in workdir.missing(tmp_path, small())] == ["vpg-w4-h3"]
    assert not (tmp_path / workdir.RULE).exists()
    names = counted(monkeypatch)
    assert workdir.search(tmp_path, small(), DIGITS)
    assert names == ["vpg-w4-h3"]
    assert content(tmp_path) == content(finished)


def test_what_is_done_is_read_and_not_computed(
    finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = content(finished)
    names = counted(monkeypatch)
    assert workdir.search(finished, small(), DIGITS) == json.loads(before["rule.json"])
    assert not names
    assert content(finished) == before


def test_more_widths_add_cells(finished: Path) -> None:
    more = small(widths=(4, 8))
    workdir.check(finished, more)
    assert {cell.width for cell in workdir.missing(finished, more)} == {8}


def test_a_cell_that_another_process_searches_is_left_to_it(tmp_path: Path) -> None:
    from mnist_horizon import files

    with files.lock(tmp_path / "locks" / "vpg-w4-h1"):
        assert workdir.search(tmp_path, small(), DIGITS) is None
    assert [cell.name for cell in workdir.missing(tmp_path, small())] == ["vpg-w4-h1"]


def test_other_settings_are_refused_and_nothing_is_touched(finished: Path) -> None:
    before = content(finished)
    other = small({"decay_interactions": (0.0, 5.0)}, budget=64 * 36)
    with pytest.raises(InputError, match="holds a search with other settings") as caught:
        workdir.check(finished, other)
    assert "budget: 1152 -> 2304" in str(caught.value)
    assert "tuning.decay_interactions: [0.0, 1000.0] -> [0.0, 5.0]" in str(caught.value)
    assert content(finished) == before


@pytest.mark.parametrize("name", [workdir.SETTINGS, "cells", "sweep.json"])
def test_a_folder_that_holds_something_else_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(InputError):
        workdir.check(tmp_path, small())
    assert content(tmp_path) == {name: b"mine"}


def test_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "cells").symlink_to(tmp_path.parent)
    with pytest.raises(InputError, match="link"):
        workdir.check(tmp_path, small())


def test_other_data_are_refused(finished: Path) -> None:
    other = tasks.LoadedTask(DIGITS.task, {**DIGITS.provenance, "content": "other"})
    with pytest.raises(InputError, match="other data"):
        workdir.check_task(finished, small(), other)


def test_candidates_beyond_the_memory_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"widths\[0\]: 8 candidates need"):
        workdir.check_task(tmp_path, small(max_program_bytes=100_000), DIGITS)


def test_a_damaged_table_is_one_line(finished: Path, tmp_path: Path) -> None:
    for name, data in content(finished).items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data[:100] if name.startswith("cells") else data)
    with pytest.raises(InputError, match="cannot be read: remove it"):
        workdir.search(tmp_path, small(), DIGITS)


def test_a_table_of_others_is_one_line(finished: Path, tmp_path: Path) -> None:
    for name, data in content(finished).items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
    path = next(tmp_path.glob("cells/*"))
    rows = pd.read_parquet(path)
    for other in (
        rows.drop(columns="score"),
        rows.assign(score="a"),
        rows.assign(algorithm="../a"),
    ):
        other.to_parquet(path)
        with pytest.raises(InputError, match="cannot be read: remove it"):
            workdir.search(tmp_path, small(), DIGITS)


@pytest.mark.parametrize("text", ["3", "[]", '{"settings": 3}', "[" * 5000])
def test_settings_of_others_are_one_line(text: str, tmp_path: Path) -> None:
    (tmp_path / workdir.SETTINGS).write_text(text)
    with pytest.raises(InputError, match=r"tuning\.json: cannot be read"):
        workdir.check(tmp_path, small())

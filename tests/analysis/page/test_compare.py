"""Several working directories stand side by side, paired by seed."""

import pytest

from analysis.page.compare import compare
from tests.analysis.report_sweeps import SMALL, sweep_frame, write_sweep


@pytest.fixture(scope="module", name="folders")
def _folders(tmp_path_factory):
    """The same runs, and again with twice the interactions and another optimiser."""
    root = tmp_path_factory.mktemp("compare")
    frame = sweep_frame(SMALL).assign(optimizer="adam")
    slower = frame.assign(optimizer="sgd", interactions=2 * frame["interactions"])
    return [
        write_sweep(root / "first", frame),
        write_sweep(root / "second", slower),
        write_sweep(root / "again", frame),
    ]


def test_what_seeds_share_cancels_in_the_ratio(folders):
    found = compare(folders[:2])
    (claim,) = found.claims
    ratio, ends = claim.numbers["ratio"]
    assert ratio == pytest.approx(2, rel=1e-6)
    assert ends == pytest.approx([2, 2], rel=1e-6)
    assert (claim.decided, claim.verdict) == (True, "more")
    assert "second (digits, dense) needs 2 [2, 2] times the interactions of" in claim.text


def test_the_table_has_each_horizon_and_the_knees(folders):
    table = compare(folders[:2]).table
    assert [row[0] for row in table.rows] == ["1", "7", "31", "knee"]
    assert all(len(row) == len(table.head) == 4 for row in table.rows)
    assert table.rows[0][3] == "2 [2, 2]"
    first, second, ratio = table.rows[-1][1:]
    assert first == second
    assert ratio in ("1 [1, 1]", "-")


def test_parts_of_one_sweep_and_a_single_directory_are_not_compared(folders):
    assert compare(folders[:1]) is None
    assert compare([folders[0], folders[2]]) is None

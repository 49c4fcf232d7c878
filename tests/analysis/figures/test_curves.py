"""Learning curves are drawn as their table says, unfinished runs faded."""

import numpy as np
import pandas as pd
import pytest

from analysis.figures import curves, theme
from tests.analysis.drawings import drawn, lines, tabled
from tests.analysis.report_sweeps import sweep_frame


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return sweep_frame()


@pytest.mark.parametrize(
    ("draw", "x"),
    [
        (curves.return_against_interactions, "interactions"),
        (curves.return_by_horizon, "interactions"),
        (curves.return_against_compute, "flops"),
    ],
)
def test_curves_are_those_of_the_table(frame, draw, x):
    figure, table = draw(frame)
    np.testing.assert_allclose(drawn(figure), tabled(table, x, "return_mean"))
    panels = 3
    assert len(figure.axes) == panels


def test_of_many_sizes_some_are_drawn_and_the_table_has_all(frame):
    one = frame[(frame["width"] == 32) & (frame["seed"] == 0)]
    sizes = [
        one.assign(width=width, parameters=width, run_id=one["run_id"] + f"-{width}")
        for width in range(1, 31)
    ]
    many = pd.concat(sizes, ignore_index=True)
    figure, table = curves.return_by_horizon(many)
    assert len(figure.axes) == curves.MOST_PANELS
    assert table["width"].nunique() == 30
    figure, table = curves.return_against_interactions(many)
    assert len(figure.axes[0].get_lines()) == curves.MOST_CURVES
    assert table["width"].nunique() == 30


def test_unfinished_runs_are_faded_and_not_averaged(frame):
    run = frame["run_id"].iloc[0]
    cut = frame[(frame["run_id"] != run) | (frame["interactions"] < 50_000)]
    figure, table = curves.return_against_interactions(cut, {run})
    (faded,) = lines(figure, "unfinished")
    assert faded.get_alpha() == theme.FADED
    alone = table[table["run_id"] == run]
    np.testing.assert_allclose(faded.get_ydata(), alone["return_mean"])
    cell = table[(table["width"] == alone["width"].iloc[0]) & (table["run_id"] == "")]
    assert cell[cell["horizon"] == alone["horizon"].iloc[0]]["seeds"].eq(2).all()


def test_entropy_and_divergence(frame):
    figure, table = curves.entropy_and_divergence(frame[frame["width"] == 32])
    left, right = figure.axes
    assert sum(len(line.get_xdata()) for line in left.get_lines()) == len(table)
    values = np.concatenate([line.get_ydata() for line in right.get_lines()])
    np.testing.assert_allclose(np.sort(values), np.sort(table["kl_initial"]))


def test_references_are_broken_lines_in_the_panel_of_their_width(frame):
    one = frame[frame["horizon"] == 1]
    parts = [
        one.assign(algorithm=name, run_id=one["run_id"] + name) for name in ("supervised", "exact")
    ]
    figure, table = curves.return_by_horizon(frame, (), pd.concat(parts))
    at_zero = table[table["horizon"] == 0]
    for name in ("supervised", "exact"):
        rows = at_zero[at_zero["reference"] == name]
        np.testing.assert_allclose(drawn(figure, name), tabled(rows, "interactions", "return_mean"))
        assert len(list(lines(figure, name))) == len(figure.axes)
    done = set(parts[1]["run_id"])
    _, table = curves.return_by_horizon(frame, done, pd.concat(parts))
    assert set(table["reference"].dropna()) == {"supervised"}

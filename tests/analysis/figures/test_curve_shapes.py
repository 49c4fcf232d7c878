"""Curves are drawn with the fits to their start, and every error with the mean of its shape."""

import numpy as np
import pytest

from analysis.figures import theme
from analysis.figures.curve_shapes import LABELS, curve_shapes, representatives
from analysis.laws.curve_shapes import SHAPES, ShapesCompared, fit_curve_shapes
from tests.analysis.curve_runs import ENDS, curve_frame, sigmoid
from tests.analysis.drawings import artists, drawn, tabled


@pytest.fixture(scope="module", name="law")
def _law() -> ShapesCompared:
    rng = np.random.default_rng(0)
    frame = curve_frame(sigmoid, rng, widths=(8, 16, 32), horizons=(1.0, 7.0, 31.0))
    return fit_curve_shapes(frame).entries[-1]


def test_every_shape_has_a_label():
    assert set(LABELS) == set(SHAPES)


def test_the_smallest_and_largest_size_of_the_shortest_and_longest_horizon_are_drawn(law):
    found = [(one.curves.parameters, one.group["horizon"]) for one in representatives(law.groups)]
    assert found == [(6400, 1.0), (25600, 1.0), (6400, 31.0), (25600, 31.0)]
    assert representatives(law.groups[:1]) == [law.groups[0]]


def test_the_figure_has_what_its_table_has(law, tmp_path):
    figure, table = curve_shapes(law)
    assert len(figure.axes) == 5
    for what, gid in (("measured", "measured"), ("fit", "fit")):
        rows = table[table["what"] == what]
        rows = rows.assign(gap=np.maximum(1 - rows["return_mean"], 1e-4))
        np.testing.assert_allclose(drawn(figure, gid), tabled(rows, "interactions", "gap"))
    assert len(artists(figure, "heldout")) == 4
    start, end = artists(figure, "heldout")[0].get_extents().intervalx
    left, right = figure.axes[0].transData.transform([(ENDS[-1] / 4, 1), (ENDS[-1], 1)])[:, 0]
    assert (start, end) == pytest.approx((left, right), abs=1)
    errors = table[table["what"] == "error"]
    assert len(errors) == 9 * len(law.shapes)
    points = drawn(figure, "error")
    assert sorted(points[:, 1]) == sorted(errors["heldout_error"])
    means = table[table["what"] == "mean"].set_index("shape")
    logs = np.log(errors["heldout_error"]).groupby(errors["shape"]).mean()
    for name in law.shapes:
        assert means.loc[name, "heldout_error"] == pytest.approx(np.exp(logs[name]))
        assert means.loc[name, "low"] < means.loc[name, "heldout_error"] < means.loc[name, "high"]
    theme.save(figure, table, tmp_path, "curve_shapes")


def test_one_seed_is_drawn_without_intervals(tmp_path):
    frame = curve_frame(sigmoid, np.random.default_rng(0), seeds=1)
    figure, table = curve_shapes(fit_curve_shapes(frame).entries[-1])
    assert len(figure.axes) == 2
    assert "low" not in table
    theme.save(figure, table, tmp_path, "curve_shapes")

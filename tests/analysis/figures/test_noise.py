"""The gradient's noise, measured as marks and predicted as lines."""

import numpy as np
import pandas as pd
import pytest

from analysis.figures import noise
from tests.analysis.drawings import drawn, tabled
from tests.analysis.report_sweeps import noise_rows, sweep_frame


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return sweep_frame()


def test_gradient_variance_draws_measured_and_predicted(frame):
    figure, table = noise.gradient_variance(noise_rows(frame))
    assert len(figure.axes) == 3
    points = tabled(table[table["part"] == "total"], "horizon", "predicted")
    np.testing.assert_allclose(drawn(figure, "total"), points)
    np.testing.assert_allclose(table["measured"] / table["predicted"], 1.05)


def test_a_part_that_is_zero_but_for_rounding_is_left_out(frame):
    rows = noise_rows(frame)
    rows.loc[rows["horizon"] == rows["horizon"].min(), "future"] = 1e-12
    figure, _ = noise.gradient_variance(rows)
    assert all(axis.get_ylim()[0] > 1e-9 for axis in figure.axes)


def test_gradient_noise_scale(frame):
    figure, table = noise.gradient_noise_scale(noise_rows(frame))
    (axis,) = figure.axes
    curves = [bar.lines[0] for bar in axis.containers]
    for curve, (_, rows) in zip(curves, table.groupby("horizon"), strict=True):
        place, height = curve.get_xydata().T
        np.testing.assert_allclose(height, rows["noise_scale"])
        np.testing.assert_allclose(place, rows["interactions"], rtol=0.1)

"""Parts and ratios are drawn as their tables say."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.patches import Rectangle

from analysis.data.noise import action_noise_ratio
from analysis.figures.decomposition import interactions_by_part, ratios_by_width
from analysis.laws.decomposition import Decomposition, fit_decompositions
from tests.analysis.drawings import artists, drawn, lines
from tests.analysis.reference_runs import noise_of, sweep


def laws_of(table: pd.DataFrame) -> tuple[Decomposition, ...]:
    """The decompositions of a table with noise measured everywhere."""
    ratio = action_noise_ratio(noise_of(table), table)
    return fit_decompositions(table.assign(action_noise_ratio=ratio)).entries


@pytest.fixture(scope="module", name="table")
def _table() -> pd.DataFrame:
    return sweep(np.random.default_rng(0), widths=(32, 64))


def test_parts_are_marks_and_bars_between_levels(table):
    laws = laws_of(table)
    figure, numbers = interactions_by_part(laws)
    assert len(numbers) == 2 * 4
    (axis,) = figure.axes
    for part in ("task", "horizon"):
        rows = numbers[numbers["part"] == part]
        assert drawn(figure, part)[:, 1].tolist() == sorted(rows["value"])
    for part in ("objective", "action_noise"):
        bars = [one for one in artists(figure, part) if isinstance(one, Rectangle)]
        rows = numbers[numbers["part"] == part].sort_values("width")
        np.testing.assert_allclose([bar.get_y() for bar in bars], rows["start"])
        np.testing.assert_allclose([bar.get_height() for bar in bars], rows["value"])
    ends = {tuple(line.get_ydata()) for line in lines(figure, "ci")}
    row = numbers[(numbers["part"] == "objective") & (numbers["width"] == 64)].iloc[0]
    assert any(
        np.allclose(one, (row["start"] + row["low"], row["start"] + row["high"])) for one in ends
    )
    assert [label.get_text() for label in axis.get_xticklabels()] == ["32", "64"]
    assert laws[0].quantities["task"].value == numbers["value"].iloc[0]


def test_a_part_that_saves_interactions_reaches_down(table):
    slower = table["interactions"].where(table["algorithm"] != "supervised", 60_000)
    figure, numbers = interactions_by_part(laws_of(table.assign(interactions=slower)))
    row = numbers[(numbers["part"] == "objective") & (numbers["width"] == 64)].iloc[0]
    assert row["value"] < 0
    bars = [one for one in artists(figure, "objective") if isinstance(one, Rectangle)]
    assert any(
        np.allclose((bar.get_y(), bar.get_height()), (row["start"] + row["value"], -row["value"]))
        for bar in bars
    )


def test_what_is_not_determined_is_hollow_and_bounds_are_triangles(table):
    wide = sweep(np.random.default_rng(1), seeds=2, own=0.6)
    figure, numbers = interactions_by_part(laws_of(wide))
    assert not numbers["determined"].all()
    hollow = artists(figure, "open")
    assert len(hollow) == (~numbers["determined"]).sum()
    faces = [one.get_facecolor() for one in hollow if isinstance(one, Rectangle)]
    assert all(face[3] == 0 for face in faces)
    censored = table.assign(censored=(table["algorithm"] == "vpg") & (table["horizon"] == 1))
    figure, numbers = interactions_by_part(laws_of(censored))
    bound = numbers[numbers["bound"] == "at_least"]
    assert drawn(figure, "bound")[:, 1].tolist() == sorted(bound["start"] + bound["value"])
    # Of a level that is not known nothing is drawn, though the table has the bound.
    unknown = table.assign(censored=table["algorithm"] == "exact")
    figure, numbers = interactions_by_part(laws_of(unknown))
    action = numbers[numbers["part"] == "action_noise"]
    assert action["bound"].eq("at_most").all()
    assert action["start"].isna().all()


def test_ratios_are_drawn_beside_the_prediction(table):
    figure, numbers = ratios_by_width(laws_of(table))
    assert set(numbers["ratio"]) == {
        *("exact_over_supervised", "h1_over_exact", "predicted_h1_over_exact")
    }
    for name, rows in numbers.groupby("ratio"):
        np.testing.assert_allclose(drawn(figure, name)[:, 1], sorted(rows["value"]))
    alone = fit_decompositions(table[table["algorithm"] != "supervised"]).entries
    _, numbers = ratios_by_width(alone)
    assert set(numbers["ratio"]) == {"h1_over_exact"}

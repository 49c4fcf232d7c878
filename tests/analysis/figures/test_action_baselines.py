"""Bars, marks and lines are the numbers of the table."""

import numpy as np

from analysis.figures import action_baselines as figures
from analysis.laws.action_baselines import by_baseline
from tests.analysis.baseline_sweeps import made, sweeps


def test_a_panel_each_for_parts_ratios_and_bias():
    named = sweeps()
    figure, table = figures.action_baselines(by_baseline(list(named), list(named.values())))
    variance, interactions, bias = figure.axes
    heights = {bar.get_gid(): [] for bar in variance.patches}
    for bar in variance.patches:
        heights[bar.get_gid()].append(bar.get_height())
    assert np.allclose(heights["action"], [3 / 4, 3 / 8])
    assert np.allclose(np.sum(list(heights.values()), axis=0), 1)
    rows = table[table["panel"] == "interactions"]
    drawn = [value for one in interactions.containers for value in one.lines[0].get_ydata()]
    assert np.allclose(sorted(drawn), sorted(rows["ratio"]))
    lines = [line for line in bias.lines if line.get_gid()]
    assert {line.get_gid() for line in lines} == {"f = 0.5, advantage normalised"}
    assert len(lines) == 2


def test_what_is_not_there_has_no_panel():
    alone = {"none": made(), "exact": made(0.5, action_baseline={"fraction": 1.0})}
    figure, table = figures.action_baselines(by_baseline(list(alone), list(alone.values())))
    assert len(figure.axes) == 2
    assert set(table["panel"]) == {"variance", "interactions"}


def test_parts_along_training_have_a_panel_for_each_horizon():
    figure, table = figures.parts_along_training(made())
    assert [axis.get_title() for axis in figure.axes] == ["h = 1", "h = 8"]
    (line,) = [line for line in figure.axes[0].lines if line.get_gid() == "action"]
    rows = table[(table["horizon"] == 1) & (table["part"] == "action")]
    assert np.allclose(line.get_ydata(), rows.sort_values("interactions")["share"])

"""Interactions and multipliers against the horizon, with laws and knees."""

import numpy as np
import pandas as pd
import pytest

from analysis.data.crossings import interactions_to_threshold
from analysis.figures import horizon
from analysis.laws.horizon import fit_horizon_laws
from analysis.laws.synthetic import HorizonTruth, Noise
from tests.analysis.drawings import drawn, lines, tabled
from tests.analysis.horizon_runs import table_of
from tests.analysis.reference_runs import sweep
from tests.analysis.report_sweeps import DESIGN, sweep_frame


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return sweep_frame()


@pytest.fixture(scope="module")
def crossings(frame) -> pd.DataFrame:
    return interactions_to_threshold(frame)


def test_interactions_against_horizon_draws_runs_laws_and_knee(frame, crossings):
    one = crossings[crossings["width"] == 8]
    laws = [
        law
        for law in fit_horizon_laws(one, ("h-1",), profiles=False).entries
        if law.group.get("width") == 8
    ]
    figure, table = horizon.interactions_against_horizon(one, laws)
    assert one["censored"].any()
    assert not one["censored"].all()
    for gid, censored in (("run", False), ("censored", True)):
        expected = one[one["censored"] == censored]
        points = tabled(expected, "horizon", "interactions")
        np.testing.assert_allclose(drawn(figure, gid), points)
    assert {line.get_marker() for line in lines(figure, "censored")} == {"^"}
    for form in set(table["what"]) - {"run", "average"}:
        points = tabled(table[table["what"] == form], "horizon", "interactions")
        np.testing.assert_allclose(drawn(figure, form), points)
    drawn_knees = sorted(line.get_xdata()[0] for line in lines(figure, "knee"))
    knees = [law.shown_knee.value for law in laws if law.shown_knee is not None]
    assert drawn_knees == sorted(knee for knee in knees if 1 < knee < 31)
    assert drawn_knees
    assert {law.threshold: set(law.drawn) for law in laws} == {
        law.threshold: set(table.loc[table["threshold"] == law.threshold, "what"])
        - {"run", "average"}
        for law in laws
    }


def test_a_refused_law_is_neither_drawn_nor_named():
    runs = table_of(np.random.default_rng(0), HorizonTruth(knee=1e6))
    runs["interactions"] *= np.where(runs["horizon"] >= 15, 2.0, 1.0)
    laws = fit_horizon_laws(runs, ("h-1",), profiles=False).entries
    figure, table = horizon.interactions_against_horizon(runs, laws)
    assert set(table["what"]) == {"run", "average"}
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ["a run", "mean over seeds, 95% interval"]
    assert not list(lines(figure, "knee"))


def test_bars_stay_in_their_axes():
    runs = table_of(np.random.default_rng(0), HorizonTruth(), Noise(0.3, 0.3, 0.5), seeds=2)
    figure, table = horizon.interactions_against_horizon(runs, [])
    (axis,) = figure.axes
    low, high = axis.get_ylim()
    assert (table["high"] > high).any()  # else the test would test nothing
    for bars in axis.collections:
        for path in bars.get_paths():
            assert path.vertices[:, 1].min() >= low * 0.999
            assert path.vertices[:, 1].max() <= high * 1.001


def test_the_interval_of_the_mean_is_students(crossings):
    one = crossings[(crossings["width"] == 128) & (crossings["threshold"] == 0.5)]
    _, table = horizon.interactions_against_horizon(one, [])
    average = table[(table["what"] == "average") & (table["horizon"] == 7)].iloc[0]
    log_e = np.log(one.loc[one["horizon"] == 7, "interactions"])
    reach = 4.302653 * log_e.std() / np.sqrt(3)  # t of 2 degrees of freedom
    assert average["interactions"] == pytest.approx(np.exp(log_e.mean()))
    assert average["high"] == pytest.approx(np.exp(log_e.mean() + reach), rel=1e-6)
    assert average["low"] == pytest.approx(np.exp(log_e.mean() - reach), rel=1e-6)


def test_multipliers_of_all_widths(crossings):
    entries = fit_horizon_laws(crossings, ("h-1",), profiles=False).entries
    pooled = [law for law in entries if "width" not in law.group]
    figure, table = horizon.multiplier_against_horizon(crossings, pooled)
    averages = table[table["what"] == "average"]
    reached = averages[~averages["censored"].astype(bool)]
    points = tabled(reached, "horizon", "multiplier")
    np.testing.assert_allclose(drawn(figure, "average"), points)
    affine = table[(table["what"] == "affine") & (table["horizon"] == 1)]
    np.testing.assert_allclose(affine["multiplier"], 1.0)


def test_the_design_has_censored_and_finished_runs(crossings):
    assert 0 < crossings["censored"].sum() < len(crossings)
    assert len(crossings) == 3 * len(DESIGN.horizons) * len(DESIGN.widths) * DESIGN.seeds


def test_unfinished_runs_take_no_part_in_an_average(crossings):
    one = crossings[(crossings["width"] == 128) & (crossings["threshold"] == 0.5)]
    run = one.loc[one["horizon"] == 7, "run_id"].iloc[0]
    _, table = horizon.interactions_against_horizon(one, [], {run})
    averages = table[table["what"] == "average"]
    assert 7 not in set(averages["horizon"])
    assert 1 in set(averages["horizon"])
    assert table.loc[table["run_id"] == run, "unfinished"].all()


def test_references_are_at_the_left_of_the_horizons_without_a_law():
    table = sweep(np.random.default_rng(0))
    rl = table["algorithm"] == "vpg"
    laws = fit_horizon_laws(table[rl], ("h-1",), profiles=False).entries
    figure, numbers = horizon.interactions_against_horizon(table[rl], laws, (), table[~rl])
    (axis,) = figure.axes
    for name in ("supervised", "exact"):
        row = numbers[numbers["what"] == name]
        assert row["horizon"].tolist() == [0.0]
        logs = np.log(table.loc[table["algorithm"] == name, "interactions"])
        assert row["interactions"].iloc[0] == pytest.approx(np.exp(logs.mean()))
        (bars,) = [one for one in axis.containers if one.lines[0].get_gid() == name]
        (x,), (y,) = bars.lines[0].get_data()
        assert 0 < x < 1
        assert y == row["interactions"].iloc[0]
        low, high = axis.get_ylim()
        assert low < y < high
    assert drawn(figure, "affine")[:, 0].min() == 1
    assert axis.get_xticklabels()[0].get_text() == "1"
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert {"supervised, as h = 0", "exact gradient, as h = 0"} <= set(labels)
    cut = table[~rl].assign(censored=table["algorithm"] == "exact")
    figure, numbers = horizon.interactions_against_horizon(table[rl], laws, (), cut)
    assert numbers.loc[numbers["what"] == "exact", "low"].isna().all()
    (mark,) = lines(figure, "exact")
    assert mark.get_marker() == "^"

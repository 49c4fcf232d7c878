"""Averages over seeds, unfinished runs, and the scores of learning rates."""

import numpy as np
import pandas as pd
import pytest

from analysis.data.crossings import place_in_interval
from analysis.data.curves import has_curves, learning_rate_scores, placed, seed_averages
from tests.analysis.report_sweeps import sweep_frame


@pytest.fixture(scope="module", name="frame")
def _frame() -> pd.DataFrame:
    return sweep_frame()


def test_rows_are_placed_run_by_run_without_zero_and_repeats():
    rows = pd.DataFrame(
        {
            "run_id": ["b", "a", "a", "a", "b", "a"],
            "interactions": [100, 400, 0, 100, 300, 400],
            "return_mean": [0.1, 0.3, 0.9, 0.2, 0.4, 0.3],
        }
    )
    found = placed(rows)
    assert found["run_id"].tolist() == ["a", "a", "b", "b"]
    assert found["return_mean"].tolist() == [0.2, 0.3, 0.1, 0.4]
    by_hand = [place_in_interval(np.array(ends)) for ends in ([100, 400], [100, 300])]
    np.testing.assert_allclose(found["interactions"], np.concatenate(by_hand))
    assert placed(rows[:0]).empty
    at_points = placed(rows.assign(averaged=False))
    assert at_points["interactions"].tolist() == [100, 400, 100, 300]


def test_there_is_a_curve_where_runs_of_a_cell_have_interactions_in_common():
    cell = {"width": 8, "parameters": 100, "horizon": 1.0}
    ends = {"a": [10, 20], "b": [3000, 4000], "c": [3500]}
    rows = pd.DataFrame(
        [{**cell, "run_id": run, "interactions": end} for run in ends for end in ends[run]]
    ).assign(return_mean=0.5)
    one, two, three = (rows["run_id"] == run for run in "abc")
    assert has_curves(rows[one])
    assert not has_curves(rows[one | two]), "nothing in common"
    assert not has_curves(rows[three]), "one row"
    assert has_curves(rows[two | three], unfinished={"b"}), "drawn by itself"
    assert not has_curves(rows[:0])
    for some in (one, one | two):
        assert has_curves(rows[some]) == (len(seed_averages(rows[some], ["return_mean"])) > 1)


def test_averages_are_over_seeds(frame):
    one = frame[(frame["width"] == 32) & (frame["horizon"] == 7)]
    table = seed_averages(one, ["return_mean"])
    by_row = one.pivot(index="interactions", columns="seed", values="return_mean")
    np.testing.assert_allclose(table["return_mean"], by_row.mean(axis=1))
    np.testing.assert_allclose(table["return_mean_lowest"], by_row.min(axis=1))
    np.testing.assert_allclose(table["return_mean_highest"], by_row.max(axis=1))
    assert set(table["seeds"]) == {3}


def test_an_average_ends_with_the_first_seed_and_leaves_unfinished_runs_alone(frame):
    one = frame[(frame["width"] == 32) & (frame["horizon"] == 7)]
    short = one["run_id"].iloc[0]
    cut = one[(one["run_id"] != short) | (one["interactions"] < 50_000)]
    averaged = seed_averages(cut, ["return_mean"])
    assert averaged["interactions"].max() < 50_000
    table = seed_averages(cut, ["return_mean"], {short})
    assert table[table["run_id"] == ""]["seeds"].eq(2).all()
    alone = table[table["run_id"] == short]
    np.testing.assert_allclose(alone["return_mean"], cut[cut["run_id"] == short]["return_mean"])
    assert table[table["run_id"] == ""]["interactions"].max() > 500_000


def test_scores_of_learning_rates_have_t_intervals_and_name_the_best(frame):
    one = frame[(frame["width"] == 32) & (frame["horizon"] == 7)].assign(learning_rate=1e-3)
    worse = one.assign(run_id=one["run_id"] + "-b", learning_rate=3e-3)
    worse["return_mean"] *= 0.5
    table = learning_rate_scores(pd.concat([one, worse])).set_index("learning_rate")
    assert table["best"].to_dict() == {1e-3: True, 3e-3: False}
    assert table.loc[3e-3, "score"] == pytest.approx(0.5 * table.loc[1e-3, "score"])
    assert table["seeds"].tolist() == [3, 3]
    reach = table["high"] - table["score"]
    assert reach[3e-3] == pytest.approx(0.5 * reach[1e-3])
    assert reach[1e-3] > 0
    single = learning_rate_scores(one[one["seed"] == 0]).iloc[0]
    assert single["low"] == single["score"] == single["high"]

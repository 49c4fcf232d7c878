"""The learning-rate rule, with the best rate of each width marked."""

import pandas as pd
import pytest

from analysis.data.curves import learning_rate_scores
from analysis.figures import rates
from tests.analysis.drawings import lines
from tests.analysis.report_sweeps import sweep_frame, two_rates


@pytest.fixture(scope="module", name="both")
def _both() -> pd.DataFrame:
    return two_rates(sweep_frame())


def test_learning_rate_rule_marks_the_best(both):
    figure, table = rates.learning_rate_rule(both)
    assert set(table["horizon"]) == {1, 31}
    assert set(table.loc[table["best"], "learning_rate"]) == {1e-3}
    assert len(list(lines(figure, "best"))) == 6
    scores = learning_rate_scores(both[both["horizon"].isin((1, 31))])
    pd.testing.assert_frame_equal(table, scores)


def test_unfinished_runs_and_horizons_with_one_rate_are_left_out(both):
    later = both[(both["horizon"] < 31) | (both["learning_rate"] == 1e-3)]
    seed = set(later.loc[later["seed"] == 2, "run_id"])
    _, table = rates.learning_rate_rule(later, seed)
    assert set(table["horizon"]) == {1, 7}
    assert set(table["seeds"]) == {2}

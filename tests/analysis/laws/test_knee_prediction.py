"""Knees predicted from gradient noise beside measured ones, for tasks with known knees."""

import json
import math

import numpy as np
import pandas as pd
import pytest

from analysis.data.horizon_cost import COLUMN
from analysis.laws.comparisons import fit_task_laws
from analysis.laws.knee_prediction import KneeAgreement, TaskLaw, knee_of_cost
from analysis.stats.intervals import t_factor
from mnist_horizon.horizon import variance_horizon
from tests.analysis.horizon_runs import tasks_with_costs

KNEES = {"one": 8.0, "two": 16.0, "three": 32.0, "four": 50.0}


def laws_of(table: pd.DataFrame) -> dict[str, TaskLaw]:
    return {law.labels["task"]: law for law in fit_task_laws(table).entries}


@pytest.mark.parametrize("knee", [2.0, 13.0, 100.0])
def test_a_cost_is_that_of_the_horizon_at_which_it_doubles_the_interactions(knee):
    assert knee_of_cost(1 / variance_horizon(knee)) == pytest.approx(knee)
    # The end of a rollout lowers the noise, and a longer horizon is needed to double it.
    assert knee < knee_of_cost(1 / variance_horizon(knee), 512) < 1.3 * knee
    assert knee_of_cost(1e-13) == math.inf


def test_the_prediction_is_of_the_noise_alone_with_its_interval_over_seeds():
    law = laws_of(tasks_with_costs(KNEES, factor=1.5, spread=0.1))["two"]
    logs = np.log(list(law.cost.values()))
    cost = np.exp(logs.mean())
    assert law.seeds == sorted(law.cost)
    knee, multiplier = law.predicted["predicted_knee"], law.predicted["predicted_multiplier"]
    assert knee.value == pytest.approx(knee_of_cost(cost))
    half = t_factor(4) * logs.std(ddof=1) / 2
    ends = knee_of_cost(cost * np.exp(half)), knee_of_cost(cost * np.exp(-half))
    assert knee.interval == pytest.approx(ends)
    x = variance_horizon(127.0)
    assert multiplier.value == pytest.approx(1 + cost * x)
    assert multiplier.interval == pytest.approx([1 + cost * np.exp(s * half) * x for s in (-1, 1)])
    alone = law.without_seed(2)
    assert set(alone.cost) == {0, 1, 3}


def test_one_seed_that_reaches_the_return_has_a_prediction_without_an_interval():
    table = tasks_with_costs(KNEES)
    table.loc[table["seed"] > 0, COLUMN] = np.nan
    knee = laws_of(table)["one"].predicted["predicted_knee"]
    assert knee.interval is None
    table[COLUMN] = np.nan
    laws = laws_of(table)
    assert laws["one"].predicted == {}
    assert laws["one"].over_tasks is None
    assert "predicted_knee" not in laws["one"].to_json()


def test_where_the_noise_predicts_every_knee_up_to_one_factor_slope_and_rank_are_1():
    laws = laws_of(tasks_with_costs(KNEES, factor=1.5))
    found = laws["one"].over_tasks
    assert found.measured == pytest.approx(KNEES, rel=0.02)
    assert found.predicted == pytest.approx({n: 1.5 * k for n, k in KNEES.items()}, rel=1e-6)
    assert all(law.over_tasks is found for law in laws.values())
    numbers = found.quantities
    assert numbers["knee_ratio"].value == pytest.approx(1 / 1.5, rel=0.02)
    assert numbers["knee_slope"].value == pytest.approx(1, abs=0.02)
    low, high = numbers["knee_slope"].interval
    assert 0.9 < low < 1 < high < 1.1
    assert numbers["knee_rank"].value == 1
    assert numbers["knee_rank"].interval[0] < 0  # four tasks in order are no proof
    assert found.within_factor == pytest.approx(1.5, rel=0.02)
    assert found.within_factor_after_ratio == pytest.approx(1, abs=0.02)
    spread = np.std(np.log(list(KNEES.values())), ddof=1)
    assert found.measured_factor == pytest.approx(np.exp(spread), rel=0.02)
    entry = laws["one"].to_json()
    assert entry["prediction_over_tasks"]["tasks"] == 4
    assert entry["predicted_knee"] == pytest.approx(12)
    assert json.loads(json.dumps(entry, allow_nan=False)) == entry


def test_a_prediction_that_is_wrong_is_shown_to_be():
    """Noise that predicts the knees in the opposite order."""
    table = tasks_with_costs(KNEES)
    opposite = dict(zip(KNEES, [*KNEES.values()][::-1], strict=True))
    cost = table["task"].map({name: 1 / variance_horizon(k) for name, k in opposite.items()})
    found = laws_of(table.assign(**{COLUMN: cost.where(table["horizon"] == 1)}))["one"].over_tasks
    assert found.quantities["knee_rank"].value == -1
    assert found.quantities["knee_slope"].value < 0
    assert found.within_factor > 2


def test_three_tasks_are_too_few():
    laws = laws_of(tasks_with_costs({name: KNEES[name] for name in ("one", "two", "three")}))
    assert {law.over_tasks for law in laws.values()} == {None}
    assert all(law.predicted for law in laws.values())


def test_equal_predictions_have_no_slope_and_no_order():
    found = KneeAgreement(
        dict.fromkeys("abcd", 10.0), dict(zip("abcd", (8.0, 9, 11, 12), strict=True))
    )
    assert found.quantities["knee_slope"].value == 0
    assert found.quantities["knee_rank"].interval == (-1, 1)

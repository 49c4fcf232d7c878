"""Horizon laws side by side, by task and by optimiser."""

import numpy as np
import pandas as pd
import pytest

from analysis.laws.comparisons import by_label, fit_optimizer_laws, fit_task_laws
from analysis.laws.law import Fits
from analysis.laws.synthetic import HorizonTruth
from tests.analysis.horizon_runs import NONE, table_of

HORIZONS = np.array([1.0, 7.0, 31.0, 127.0])


def one_optimizer(name: str, rates: dict[float, float], knee: float = 30.0) -> pd.DataFrame:
    """Runs of an optimiser at some rates, with the score of each; the best one has the knee."""
    best = max(rates.values())
    tables = []
    for rate, score in rates.items():
        truth = HorizonTruth(knee=knee if score == best else 5.0)
        table = table_of(np.random.default_rng(0), truth, NONE, seeds=2, horizons=HORIZONS)
        run_id = f"{name}-{rate}-" + table["run_id"]
        columns = {"optimizer": name, "learning_rate": rate, "score": score}
        tables.append(table.assign(run_id=run_id, **columns))
    return pd.concat(tables, ignore_index=True)


def knees(laws: Fits, *names: str) -> dict[tuple[str, ...], float]:
    found = by_label(laws.entries, *names)
    return {key: laws[0].quantities["knee"].value for key, laws in found.items()}


def test_optimisers_are_compared_at_the_rate_of_each_horizon_and_at_that_of_the_shortest():
    adam = one_optimizer("adam", {1e-3: 0.8, 2e-3: 0.6})
    # At h = 1 the other rate is better, and that has the knee at 5.
    adam.loc[(adam["horizon"] == 1) & (adam["learning_rate"] == 2e-3), "score"] = 0.9
    sgd = one_optimizer("sgd", {0.1: 0.5}, knee=12.0)
    fits = fit_optimizer_laws(pd.concat([adam, sgd], ignore_index=True))
    assert knees(fits, "optimizer", "rates") == {
        ("adam", "each horizon"): pytest.approx(30, rel=0.02),
        ("adam", "h = 1"): pytest.approx(5, rel=0.02),
        ("sgd", "each horizon"): pytest.approx(12, rel=0.02),
    }
    entry = fits.entries[0].to_json()
    assert (entry["optimizer"], entry["rates"], entry["regressor"]) == (
        *("adam", "each horizon"),
        "h-1",
    )


def test_optimisers_that_share_no_settings_are_not_compared():
    adam, sgd = one_optimizer("adam", {1e-3: 0.8}), one_optimizer("sgd", {0.1: 0.5})
    assert fit_optimizer_laws(adam) == Fits()
    assert fit_optimizer_laws(adam.drop(columns="optimizer")) == Fits()
    fits = fit_optimizer_laws(pd.concat([adam, sgd.assign(batch=64)]).fillna({"batch": 128}))
    assert fits.entries == ()
    assert "no two of them share all other settings" in fits.notes[0]


def test_delays_are_not_compared_by_a_law_that_they_do_not_have():
    rows = pd.concat(
        [one_optimizer("adam", {1e-3: 0.8}), one_optimizer("sgd", {0.1: 0.5})], ignore_index=True
    )
    delayed = rows.assign(schedule="periodic", schedule_level=4.0, run_id="p" + rows["run_id"])
    assert fit_optimizer_laws(delayed) == Fits()
    both = fit_optimizer_laws(pd.concat([rows, delayed], ignore_index=True))
    assert {law.group["schedule"] for law in both.entries} == {"dense"}


def one_task(name: str, knee: float, **columns: object) -> pd.DataFrame:
    table = table_of(np.random.default_rng(0), HorizonTruth(knee=knee), NONE, horizons=HORIZONS)
    return table.assign(task=name, run_id=f"{name}-" + table["run_id"], **columns)


def test_tasks_are_compared_under_dense_rewards_at_the_width_that_most_of_them_have():
    tables = [one_task("one", 30.0), one_task("two", 10.0)]
    sparse = one_task("two", 3.0).assign(schedule="revealed", schedule_level=0.25)
    sparse["run_id"] += "-sparse"
    wide = one_task("one", 50.0, width=256)
    wide["run_id"] += "-wide"
    made = [
        one_task("made", knee, task_settings=f'{{"classes": {n}}}')
        for n, knee in ((4, 8.0), (9, 20.0))
    ]
    made[1]["run_id"] += "-9"
    plain = [table.assign(task_settings="{}") for table in (*tables, sparse, wide)]
    fits = fit_task_laws(pd.concat([*plain, *made], ignore_index=True))
    assert knees(fits, "task") == {
        ("made (4 classes)",): pytest.approx(8, rel=0.02),
        ("made (9 classes)",): pytest.approx(20, rel=0.02),
        ("one",): pytest.approx(30, rel=0.02),
        ("two",): pytest.approx(10, rel=0.02),
    }
    assert fits.entries[0].to_json()["task"] == "made (4 classes)"


def test_one_task_is_no_comparison():
    assert fit_task_laws(one_task("one", 30.0)) == Fits()
    assert fit_task_laws(one_task("one", 30.0).drop(columns="schedule")) == Fits()

"""The law of a delay: a U with a best horizon, measured and by the theory."""

import json

import numpy as np
import pandas as pd
import pytest

from analysis.laws.delay import DelayLaw, fit_delay_laws
from tests.analysis.sparse_runs import TRUTH, crossings

BEST = {"periodic:4": 6.28, "periodic:16": 25.4}
"""By the theory at `TRUTH`."""


def table(*schedules: str, seed: int = 0, **more: float) -> pd.DataFrame:
    return crossings(TRUTH, np.random.default_rng(seed), schedules=schedules, **more)


def only(rows: pd.DataFrame) -> DelayLaw:
    (law,) = fit_delay_laws(rows).entries
    assert isinstance(law, DelayLaw)
    return law


def test_a_law_for_each_delay_width_and_return_and_none_of_other_schedules():
    parts = [
        table("dense", "revealed:0.25", "periodic:4", "streak:2", width=width).assign(threshold=t)
        for width in (8, 32)
        for t in (0.5, 0.7)
    ]
    laws = fit_delay_laws(pd.concat(parts, ignore_index=True)).entries
    found = {(str(law.schedule), law.group["width"], law.threshold) for law in laws}
    kinds = ("periodic:4", "streak:2")
    assert found == {(kind, width, t) for kind in kinds for width in (8, 32) for t in (0.5, 0.7)}


@pytest.mark.parametrize("name", [*BEST])
def test_the_best_horizon_is_that_of_the_truth_measured_and_by_the_theory(name):
    law = only(table(name))
    entry = law.to_json()
    assert entry["best_horizon"] == pytest.approx(BEST[name], rel=0.3)
    low, high = entry["predicted_ci"]
    assert low < BEST[name] < high < 2 * low
    assert entry["fit_test"]["theory"] > 0.01
    assert entry["delay"] == int(name.split(":")[1])
    json.dumps(entry, allow_nan=False)


def test_the_ends_of_the_range_are_compared_with_the_best_without_a_curve():
    law = only(table("periodic:4"))
    mean = np.exp(np.log(law.data.values.log_e * 0 + np.exp(law.data.values.log_e)))
    by_horizon = pd.Series(np.log(mean)).groupby(law.data.horizon).mean()
    assert law.best.lowest == by_horizon.idxmin() == 7
    for name, end in (("cost_shortest", 1.0), ("cost_longest", 63.0)):
        cost = law.costs[name]
        assert cost.horizons == (7.0, end)
        assert cost.ratio.value == pytest.approx(np.exp(by_horizon[end] - by_horizon[7.0]))
        assert cost.verdict == "more"
    assert law.verdict == "inside"
    assert law.to_json()["costs"]["cost_longest"]["ratio_ci"][0] > 1


def test_a_flat_curve_has_no_best_horizon():
    """The least of six noisy means is no evidence: each seed's best is chosen by the others."""
    rng = np.random.default_rng(0)
    rows = table("periodic:4")
    held = []
    for _ in range(40):
        noise = 0.1 * rng.standard_normal(len(rows))
        law = only(rows.assign(interactions=np.exp(10 + noise)).drop(columns="batch"))
        costs = [cost.verdict == "more" for cost in law.costs.values()]
        held.append(any(costs) or law.verdict == "inside")
    assert np.mean(held) <= 0.15


def test_censored_ends_give_lower_bounds():
    law = only(table("periodic:16", budget=120_000))
    assert law.to_json()["censored"] > 0
    cost = law.costs["cost_shortest"]
    assert cost.is_bound
    assert cost.verdict == "more"
    entry = law.to_json()
    assert entry["costs"]["cost_shortest"]["at_least"] > 1
    assert "cost_shortest" not in entry


def test_a_best_horizon_at_the_end_of_the_range_is_not_determined():
    rows = table("periodic:16")
    law = only(rows[rows["horizon"] <= 15])
    assert law.best.edge == "longest"
    assert law.verdict == "undecided"
    assert not law.determined["best_horizon"]
    assert set(law.costs) == {"cost_shortest"}


def test_a_streak_or_a_table_without_batches_has_a_cubic_alone():
    for rows in (table("streak:2"), table("periodic:4").drop(columns="batch")):
        law = only(rows)
        assert law.theory is None
        assert "predicted" not in law.to_json()
        assert law.best.value.interval is not None
        at = law.predict(pd.DataFrame({"horizon": [law.best.value.value]}))[0]
        assert at == pytest.approx(np.exp(law.data.values.log_e).min(), rel=0.3)


def test_a_theory_that_the_runs_refuse_predicts_nothing():
    rows = table("periodic:4")
    rows["interactions"] *= np.where(rows["horizon"] == 15, 2.0, 1.0)
    law = only(rows)
    assert law.theory is not None
    assert law.theory.is_refused
    assert not law.determined["predicted"]
    assert law.to_json()["predicted"] > 0


def test_the_theorys_curve_is_that_of_the_truth():
    law = only(table("periodic:4"))
    needed = np.exp(pd.Series(law.data.values.log_e).groupby(law.data.horizon).mean())
    predicted = law.predict(pd.DataFrame({"horizon": needed.index}))
    np.testing.assert_allclose(predicted, needed, rtol=0.15)


def test_without_a_seed_the_law_is_that_of_the_others():
    rows = table("periodic:4")
    law = only(rows).without_seed(2)
    other = only(rows[rows["seed"] != 2])
    assert law.seeds == [0, 1, 3]
    assert law.quantities["best_horizon"].value == pytest.approx(
        other.quantities["best_horizon"].value, rel=1e-3
    )


def test_runs_that_fell_back_are_counted():
    rows = table("periodic:4")
    entry = only(rows.assign(fell_back=rows["seed"] == 0)).to_json()
    assert entry["fell_back"] == 6
    assert len(entry["fell_back_runs"]) == 5


def test_too_few_horizons_give_one_note_for_each_schedule():
    rows = table("periodic:4", "periodic:16")
    few = pd.concat([rows, rows.assign(threshold=0.5)])
    fits = fit_delay_laws(few[few["horizon"] <= 3].reset_index(drop=True))
    assert fits.entries == ()
    assert [note.split(" ")[0] for note in fits.notes] == ["periodic:4:", "periodic:16:"]
    assert all("2 pairs of width and return" in note for note in fits.notes)
    assert fit_delay_laws(rows.drop(columns=["schedule", "schedule_level"])).entries == ()

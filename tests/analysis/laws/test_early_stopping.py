"""Penalised runs against the run stopped early, on curves of known difference."""

import numpy as np
import pandas as pd
import pytest

from analysis.data.frontier import gold_curves
from analysis.laws.early_stopping import (
    MARGIN,
    Curve,
    differences,
    equivalence_p,
    fit_early_stopping,
    gold_falls,
)
from tests.analysis.proxy_runs import ENDS, frontiers_of, gold_of, proxy_runs


def law_of(**settings):
    frame = proxy_runs(np.random.default_rng(1), **settings)
    (law,) = fit_early_stopping(gold_curves(frame, frontiers_of(frame))).entries
    return law


def fit(frame):
    return fit_early_stopping(gold_curves(frame, pd.DataFrame()))


def test_curves_that_lie_on_each_other_are_equivalent():
    law = law_of()
    assert law.verdict == "equivalent"
    assert abs(law.largest["difference"]) < MARGIN
    assert law.quantities["proxy_end"].value == pytest.approx(0, abs=3e-3)
    assert [one["kl_coef"] for one in law.coefficients] == [0.1, 0.5]
    assert law.coefficients[1]["kl"] == pytest.approx(0.6 * 0.95, rel=0.1)


@pytest.mark.parametrize(("shift", "verdict"), [(0.05, "more"), (-0.05, "less")])
def test_a_known_difference_is_found_with_its_sign(shift, verdict):
    law = law_of(shift=shift)
    assert law.verdict == verdict
    low, high = law.quantities["gold_end"].interval
    assert low < shift < high
    assert law.quantities["gold_along"].value == pytest.approx(shift, abs=0.01)


def test_curves_with_much_noise_are_undecided():
    assert law_of(noise=0.06).verdict == "undecided"


def test_one_coefficient_that_differs_is_enough():
    frame = proxy_runs(np.random.default_rng(2))
    moved = np.where(frame["kl_coef"] == 0.5, 0.04, 0.0)
    (law,) = fit(frame.assign(test_gold=frame["test_gold"] + moved)).entries
    assert law.verdict == "more"
    assert law.largest["kl_coef"] == 0.5


def test_gaps_to_the_best_policies_are_those_of_the_made_ones():
    found = law_of(noise=0.0).quantities
    assert found["proxy_gap"].value == pytest.approx(0.1, abs=2e-3)
    assert found["proxy_gap_penalised"].value == pytest.approx(0.1, abs=2e-3)
    assert found["best_of_n_lead"].value == pytest.approx(0.05, abs=2e-3)
    # Gold is highest at KL 1, and 0.15 lower at KL 4.
    assert found["gold_fall"].value == pytest.approx(0.15, abs=0.01)


def test_the_fall_is_none_where_gold_only_fluctuates():
    generator = np.random.default_rng(3)
    falls = []
    for _ in range(60):
        runs = {
            seed: pd.DataFrame(
                {"interactions": ENDS, "test_gold": 0.01 * generator.standard_normal(len(ENDS))}
            )
            for seed in range(4)
        }
        falls.append(np.mean([one["gold_fall"] for one in gold_falls(runs).values()]))
    assert abs(np.mean(falls)) < 4 * np.std(falls) / np.sqrt(len(falls))


def test_a_run_is_stopped_where_its_kl_first_reaches_a_value():
    run = pd.DataFrame(
        {
            "interactions": [1, 2, 3, 4, 5],
            "kl_initial": [0.0, 1.0, 0.5, 4.0, 3.0],
            "test_gold": [0.1, 0.2, 0.9, 0.4, 0.9],
        }
    )
    found = Curve(run)("test_gold", np.array([0.0, 0.25, 1.0, 2.25, 4.0, 5.0]))
    np.testing.assert_allclose(found, [0.1, 0.15, 0.2, 0.3, 0.4, np.nan])


def test_at_the_margin_equivalence_is_found_in_5_percent_and_power_is_had_inside():
    generator = np.random.default_rng(4)
    values = 0.01 * generator.standard_normal((4000, 6))
    at_margin = np.array([equivalence_p(MARGIN + one, MARGIN) for one in values]) < 0.05
    assert at_margin.mean() == pytest.approx(0.05, abs=0.014)  # 4 standard errors
    inside = np.array([equivalence_p(one, MARGIN) for one in values[:1000]]) < 0.05
    assert inside.mean() > 0.8
    assert equivalence_p(np.array([0.0]), MARGIN) is None
    assert equivalence_p(np.zeros(3), MARGIN) == 0.0
    assert equivalence_p(np.full(3, MARGIN), MARGIN) == 1.0


def test_the_verdict_is_wrong_in_at_most_5_percent_at_the_margin():
    generator = np.random.default_rng(5)
    wrong = 0
    for _ in range(40):
        frame = proxy_runs(generator, shift=MARGIN, coefficients=(0.0, 0.5), noise=0.01)
        (law,) = fit(frame).entries
        wrong += law.verdict == "equivalent"
    assert wrong <= 7  # of 40 at 5%: more has a probability of 0.001


def test_rates_are_compared_separately_and_what_cannot_be_is_noted():
    frames = [proxy_runs(np.random.default_rng(6), learning_rate=rate) for rate in (1e-3, 1e-2)]
    fits = fit(pd.concat(frames, ignore_index=True))
    assert [law.group["learning_rate"] for law in fits.entries] == [1e-3, 1e-2]
    alone = frames[0][frames[0]["kl_coef"] > 0]
    fits = fit(alone)
    assert not fits.entries
    assert "only between a run with kl_coef 0 and one above it" in fits.notes[0]
    assert fit(frames[0][:0]).notes == ()


def test_a_seed_without_every_coefficient_is_left_out():
    frame = proxy_runs(np.random.default_rng(7))
    frame = frame[~((frame["seed"] == 2) & (frame["kl_coef"] == 0.5))]
    (law,) = fit(frame).entries
    assert law.seeds == [0, 1, 3]
    assert law.without_seed(0).seeds == [1, 3]
    assert set(differences(gold_curves(frame, pd.DataFrame()))["seed"]) == {0, 1, 2, 3}


def test_it_predicts_the_gold_of_the_run_without_a_penalty():
    law = law_of(shift=0.1)
    kl = np.array([0.25, 1.0, 3.0])
    predicted = law.predict(pd.DataFrame({"kl_initial": kl}))
    np.testing.assert_allclose(predicted, gold_of(kl), atol=6e-3)

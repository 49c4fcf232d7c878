"""Sentences of the law of a delay."""

from typing import Any

import pytest

from analysis.page.delay_claims import delay_answer, delay_claims

DELAY: dict[str, Any] = {
    "group": {"task": "digits", "schedule": "periodic", "schedule_level": 4.0, "width": 32},
    "schedule": "periodic:4",
    "delay": 4,
    "threshold": 0.7,
    "best_horizon": 5.6,
    "best_horizon_ci": [4.3, 7.4],
    "predicted": 6.2,
    "predicted_ci": [5.9, 6.6],
    "edge": "",
    "lowest": 7.0,
    "costs": {
        "cost_shortest": {"horizons": [7.0, 1.0], "ratio": 2.4, "ratio_ci": [2.0, 2.8]},
        "cost_longest": {"horizons": [7.0, 63.0], "ratio": 2.6, "ratio_ci": [2.1, 3.2]},
    },
    "fit_test": {"cubic": 0.5, "theory": 0.4},
    "determined": {
        **{"best_horizon": True, "predicted": True, "cost_shortest": True, "cost_longest": True}
    },
    "verdict": "inside",
    "runs": 24,
    "fell_back": 0,
    "fell_back_runs": [],
}


def test_the_best_horizon_is_told_with_the_costs_of_both_ends():
    (claim,) = delay_claims(DELAY)
    assert claim.text == (
        "Rewards paid every 4 steps: fewest interactions at h = 5.6 [4.3, 7.4] (theory: 6.2); "
        "h = 1 needs 2.4 [2, 2.8] times, h = 63 needs 2.6 [2.1, 3.2] times as many."
    )
    assert (claim.about, claim.verdict, claim.decided) == ("best_horizon", "inside", True)
    assert claim.numbers == {
        "best_horizon": (5.6, [4.3, 7.4]),
        "predicted": (6.2, [5.9, 6.6]),
        "cost_shortest": (2.4, [2.0, 2.8]),
        "cost_longest": (2.6, [2.1, 3.2]),
    }


def test_the_answer_names_width_and_return():
    answer = delay_answer(DELAY)
    assert answer.text.startswith("Width 32, return 0.7: rewards paid every 4 steps: fewest")
    streak = {**DELAY, "schedule": "streak:3", "delay": 3}
    assert "rewards paid for 3 right answers in a row: fewest" in delay_answer(streak).text
    assert "rewards by lottery:8" in delay_answer({**DELAY, "schedule": "lottery:8"}).text


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"edge": "longest"}, "at h = 5.6, the longest horizon measured, so that the best may lie"),
        ({"determined": {"best_horizon": False}}, "the best horizon is not determined by these"),
        ({}, "undecided whether the best lies inside the range"),
    ],
)
def test_what_is_not_shown_is_undecided(change, says):
    claim = delay_claims({**DELAY, "verdict": "undecided", **change})[0]
    assert says in claim.text
    assert (claim.verdict, claim.decided) == ("undecided", False)


def test_lower_bounds_are_said_to_be_so_and_those_below_one_left_out():
    costs = {
        "cost_shortest": {"horizons": [7.0, 1.0], "at_least": 3.0},
        "cost_longest": {"horizons": [7.0, 63.0], "at_least": 0.9},
    }
    claim = delay_claims({**DELAY, "costs": costs})[0]
    assert claim.text.endswith("; h = 1 needs at least 3 times as many.")
    assert claim.numbers["cost_shortest"] == (3.0, [3.0, None])
    assert "cost_longest" not in claim.numbers


def test_a_refused_theory_is_said_to_be_so_and_predicts_nothing():
    determined = {**DELAY["determined"], "predicted": False}
    entry = {**DELAY, "fit_test": {"theory": 0.0004}, "determined": determined}
    best, misfit = delay_claims(entry)
    assert "theory" not in best.text
    assert (misfit.about, misfit.verdict) == ("misfit", "theory")
    assert "p = 0.0004" in misfit.text


def test_no_sentence_says_that_a_longer_horizon_costs_more():
    assert all("longer horizon" not in claim.text for claim in delay_claims(DELAY))

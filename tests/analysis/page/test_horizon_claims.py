"""Sentences of the horizon law follow the numbers of the fits, and say what is undecided."""

import re

import pytest

from analysis.page import horizon_claims
from tests.analysis.page.entries import LAW


@pytest.mark.parametrize(
    ("change", "sentence", "decided"),
    [
        ({}, r"costs more: b = 500 \[400, 600\] .* excludes 0", True),
        ({"b_ci": [-1.0, 600.0]}, "Undecided whether the horizon costs anything", False),
        ({"b_ci": None}, "Undecided whether the horizon costs anything.*one seed", False),
        ({}, r"at h = 21 \[15, 30\]\.", True),
        ({"knee_ci": [15.0, None]}, r"at h = 21 \[15, unbounded\]", False),
        ({"knee": 500.0, "knee_ci": [300.0, 900.0]}, "beyond the largest horizon", True),
        ({"knee": None}, "There is no knee", False),
        ({}, "g = 0.8 .* 1 .affine. lies outside: the cost is concave", True),
        ({"free_power": {"g": 1.1, "g_ci": [0.9, 1.3]}}, "lies inside", True),
        ({"free_power": {"g": 1.1, "g_ci": [0.9, None]}}, "not bound it from above.*inside", False),
        ({"free_power": {"g": 0.8, "g_ci": [None, 0.9]}}, "not bound it from below.*outside", True),
        ({"knee_ci": [None, 30.0]}, r"\[unbounded, 30\]; .* not bound it from below", False),
        ({}, "select a power of the horizon other than 1", True),
        ({"verdict": "undecided"}, "Undecided which form holds", False),
        ({}, "22% for the affine law and 11% for the free power: here the free power", False),
        ({"heldout_error": {"affine": 0.11, "free": 0.1}}, "undecided which predicts", False),
    ],
)
def test_claims_follow_the_numbers(change, sentence, decided):
    entry = {**LAW, **change}
    entry = {key: value for key, value in entry.items() if value is not None}
    (claim,) = [
        one for one in horizon_claims.horizon_claims(entry) if re.search(sentence, one.text)
    ]
    assert claim.decided is decided


def test_in_short_says_how_often_the_horizon_costs_more():
    (claim,) = horizon_claims.in_short([LAW, {**LAW, "threshold": 0.85, "b_ci": [-1.0, 2.0]}])
    assert "shown to cost more at 1 of 2 thresholds" in claim.text
    assert "knee at h = 21 [15, 30] (return 0.7), 21 [15, 30] (return 0.85)" in claim.text
    assert not claim.decided
    assert horizon_claims.in_short([LAW])[0].decided
    assert not horizon_claims.in_short([{**LAW, "verdict": "undecided"}])[0].decided
    assert horizon_claims.in_short([]) == []

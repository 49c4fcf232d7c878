"""Sentences follow the numbers of the fits, and say what is undecided."""

import math
import re
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.page import claims
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
    (claim,) = [one for one in claims.horizon_claims(entry) if re.search(sentence, one.text)]
    assert claim.decided is decided


@pytest.mark.parametrize(
    ("aicc", "verdict", "sentence", "decided"),
    [
        (
            {"shared": 1.0, "free": 9.0},
            "shared",
            "best where only the coefficient.*does not show that there is none",
            False,
        ),
        ({"shared": 9.0, "free": 1.0}, "free", "best where everything changes", True),
        ({"shared": 2.0, "free": 1.0}, "undecided", "Undecided between", False),
        ({"shared": None, "free": 1.0}, "undecided", "too few runs", False),
    ],
)
def test_the_claim_on_exponents_follows_aicc(aicc, verdict, sentence, decided):
    numbers = {"alpha_n": 0.5, "alpha_e": 0.4}
    e_c = [{"horizon": h, "e_c": float(h), "e_c_ci": [0.5 * h, 2.0 * h]} for h in (1, 31)]
    intervals = {f"{name}_ci": [0.3, 0.6] for name in numbers}
    entry = {"joint": True, "aicc": aicc, "verdict": verdict, "e_c_by_horizon": e_c}
    shared, ratio = claims.power_law_claims([{**numbers, **intervals, **entry}])
    assert re.search(sentence, shared.text)
    assert shared.decided is decided
    assert "E_c at h = 31 is 31 times that at h = 1" in ratio.text


@pytest.mark.parametrize(
    ("ends", "decided"),
    [([0.3, 0.6], True), ([2e-6, 50.0], False), ([None, 0.6], False), (None, False)],
)
def test_an_exponent_that_is_not_pinned_is_open(ends, decided):
    entry = {"group": {"horizon": 7.0}, "alpha_n": 0.5, "alpha_n_ci": [0.4, 0.6], "alpha_e": 0.4}
    entry |= {"optimal_size_exponent": 0.4, "optimal_size_exponent_ci": [0.3, 0.5]}
    (claim,) = claims.power_law_claims([{**entry, "alpha_e_ci": ends}])
    assert claim.decided is decided


def test_in_short_says_how_often_the_horizon_costs_more():
    (claim,) = claims.in_short([LAW, {**LAW, "threshold": 0.85, "b_ci": [-1.0, 2.0]}])
    assert "shown to cost more at 1 of 2 thresholds" in claim.text
    assert "knee at h = 21 [15, 30] (return 0.7), 21 [15, 30] (return 0.85)" in claim.text
    assert not claim.decided
    assert claims.in_short([LAW])[0].decided
    assert not claims.in_short([{**LAW, "verdict": "undecided"}])[0].decided
    assert claims.in_short([]) == []


@pytest.mark.parametrize(
    ("ends", "decided"), [([5.0, 9.0], True), ([5.0, None], False), (None, False)]
)
def test_the_knee_of_small_batches_is_decided_by_its_interval(ends, decided):
    entry: dict[str, Any] = {"threshold": 0.7, "knee_small_batch": 7.0}
    entry |= {"knee_small_batch_ci": ends} if ends else {}
    (claim,) = claims.batch_claims(entry)
    assert "the knee tends to h = 7" in claim.text
    assert claim.decided is decided


@pytest.mark.parametrize(
    ("low", "high", "sentence", "decided"),
    [
        (0.9, 1.3, "as predicted, within its interval", True),
        (1.05, 1.3, "not as predicted", True),
        (math.nan, math.nan, "undecided whether as predicted, one seed", False),
    ],
)
def test_measured_noise_is_set_against_the_predicted(low, high, sentence, decided):
    agreement = pd.DataFrame([{"part": "total", "ratio": 1.1, "low": low, "high": high}])
    knees = pd.DataFrame([{"knee": 20.0, "knee_small_batch": 8.0, "batch": 256}])
    ratio, knee = claims.noise_claims(agreement, knees)
    assert "total variance" in ratio.text
    assert sentence in ratio.text
    assert ratio.decided is decided
    assert "h = 20 for a batch of 256 and at h = 8" in knee.text
    assert not knee.decided
    assert claims.noise_claims(agreement[:0], knees[:0]) == []


def test_the_power_law_is_told_at_the_shortest_and_the_longest_horizon():
    ends = {f"{name}_ci": [0.4, 0.6] for name in ("alpha_n", "alpha_e", "optimal_size_exponent")}
    numbers = {"alpha_n": 0.5, "alpha_e": 0.5, "optimal_size_exponent": 0.5, **ends}
    entries = [{"group": {"horizon": h}, **numbers} for h in (7.0, 31.0, 1.0)]
    found = [claim.text for claim in claims.power_law_claims(entries)]
    assert [re.match(r"At h = (\d+)", text)[1] for text in found] == ["1", "31"]
    assert np.all([claim.decided for claim in claims.power_law_claims(entries)])

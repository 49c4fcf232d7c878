"""Sentences on schedules, sizes, batches, optimisers and tasks follow the entries of the fits."""

import math
from typing import Any

import pandas as pd
import pytest

from analysis.laws.size import fit_size_exponents
from analysis.page import factor_claims
from analysis.page.factor_claims import (
    batch_law_claim,
    compared_claim,
    measured_noise_claims,
    schedule_claims,
    size_claims,
)
from tests.analysis.page.entries import LAW
from tests.analysis.sparse_runs import FIVE_SCHEDULES, censored_law, two_widths

SCHEDULES: dict[str, Any] = {
    **{"threshold": 0.7, "error": 0.095, "slope": 0.9, "slope_ci": [0.8, 1.1]},
    **{
        "s_min": 40.0,
        "s_min_ci": [30.0, 50.0],
        "noise_scale": 60.0,
        "noise_scale_ci": [50.0, 70.0],
    },
    **{"ratio": 1.2, "accuracy": 0.4, "departures": [], "best_horizons": []},
}


def test_claims_say_which_prediction_fails():
    texts = {
        claim.text.split(" ")[0]: claim.text for claim in schedule_claims(censored_law().to_json())
    }
    assert "the prediction fails" in texts["streak:2"]
    assert "at h = " in texts["periodic:16"]


@pytest.mark.parametrize(
    ("change", "sentence", "decided"),
    [
        ({}, "to the 0.9 [0.8, 1.1]; 1 (the law) lies inside", True),
        ({"slope_ci": [0.8, 0.95]}, "less than in proportion", True),
        ({"slope": 1.4, "slope_ci": [1.2, 1.6]}, "more than in proportion", True),
        ({"slope_ci": None}, "undecided whether it is 1 (the law): one seed", False),
    ],
)
def test_the_slope_is_told_by_its_interval(change, sentence, decided):
    entry = {name: value for name, value in {**SCHEDULES, **change}.items() if value is not None}
    constants, slope = schedule_claims(entry)
    assert sentence in slope.text
    assert slope.decided is decided
    assert "within 10% (root mean square), with S_min = 40 [30, 50] updates" in constants.text
    assert constants.decided
    assert not schedule_claims({k: v for k, v in entry.items() if k != "s_min_ci"})[0].decided


@pytest.mark.parametrize(
    ("change", "sentence", "decided"),
    [
        ({"ratio": 1.1, "ratio_ci": [0.9, 1.3]}, "as predicted, within its interval", True),
        ({"ratio": 2.0, "ratio_ci": [1.5, 2.5]}, "the prediction fails", True),
        ({"ratio": 2.0}, "undecided, no interval", False),
        ({"at_least": 3.0}, "at least 3 times what the law predicts (2 of 9 runs", False),
    ],
)
def test_a_departure_is_told_by_its_interval(change, sentence, decided):
    departure = {"schedule": "streak:2", "runs": 9, "censored": 2, **change}
    claim = schedule_claims({**SCHEDULES, "departures": [departure]})[2]
    assert claim.text.startswith("streak:2 needs")
    assert sentence in claim.text
    assert claim.decided is decided


@pytest.mark.parametrize(
    ("change", "sentence", "decided"),
    [
        ({"measured_ci": [5.0, 9.0]}, "h = 7 [5, 9], 8 [6, 10] by the law: as predicted", True),
        ({"measured_ci": [5.0, 7.5]}, "not as predicted", True),
        ({}, "undecided, no interval", False),
        ({"edge": "longest"}, "interactions at the longest horizon measured (7), so that", False),
    ],
)
def test_a_best_horizon_is_set_against_the_laws(change, sentence, decided):
    best = {"schedule": "periodic:8", "edge": "", "measured": 7.0, "predicted": 8.0}
    best |= {"predicted_ci": [6.0, 10.0], **change}
    claim = schedule_claims({**SCHEDULES, "best_horizons": [best]})[2]
    assert sentence in claim.text
    assert ("may lie beyond" in claim.text) == ("edge" in change)
    assert claim.decided is decided


def test_size_claims_say_which_exponents_change():
    claims = size_claims([one.to_json() for one in fit_size_exponents(two_widths()).entries])
    assert len(claims) == len(FIVE_SCHEDULES)
    by_schedule = {claim.text.partition(": ")[0]: claim for claim in claims}
    assert "the exponent changes" in by_schedule["streak:2"].text
    assert by_schedule["streak:2"].decided
    assert by_schedule["dense"].decided
    assert "more than under dense" not in by_schedule["dense"].text
    no_change = by_schedule["periodic:4"]
    assert "no change of the exponent is shown" in no_change.text
    assert not no_change.decided


def test_a_size_exponent_of_one_seed_is_undecided():
    row = {"exponent": 0.5, "exponent_low": None, "exponent_high": None, "schedule": "dense"}
    change = {"change": 0.1, "change_low": None, "change_high": None, "schedule": "streak:2"}
    dense, streak = size_claims([row, {**row, **change}])
    assert not dense.decided
    assert "undecided, no interval" in streak.text
    assert not streak.decided


def test_the_batch_law_is_told_with_the_knee_at_each_batch():
    entry: dict[str, Any] = {"s_min": 40.0, "noise_constant": 500.0, "noise_growth": 60.0}
    entry |= {"noise_growth_ci": [50.0, 70.0], "knees": {"128": 43.0, "512": 69.0}}
    claim = batch_law_claim(entry)
    assert "n_1 = 60 [50, 70]" in claim.text
    assert "knee at h = 43 at B = 128, 69 at B = 512" in claim.text
    assert not claim.decided
    assert batch_law_claim({**entry, "s_min_ci": [30.0, 50.0]}).decided


def test_measured_noise_is_told_for_each_batch_and_with_one_seed_without_interval():
    row: dict[str, Any] = {"noise_constant": 500.0, "noise_growth": 60.0, "batch": 128, "seeds": 3}
    row |= {
        f"{name}_{end}": value
        for name, ends in (("noise_constant", (400.0, 600.0)), ("noise_growth", (50.0, 70.0)))
        for end, value in zip(("low", "high"), ends, strict=True)
    }
    (claim,) = measured_noise_claims([row, {**row, "batch": 512, "seeds": 1}])
    assert "n_0 = 500 [400, 600] and n_1 = 60 [50, 70] at B = 128" in claim.text
    assert "n_0 = 500 (no interval) and n_1 = 60 (no interval) at B = 512" in claim.text
    assert measured_noise_claims([]) == []


def test_compared_laws_are_told_by_name_as_their_law_is():
    claim = compared_claim("sgd", LAW)
    assert claim.text.startswith("sgd, return 0.7: h = 127 needs 8.4 [7.1, 10] times")
    assert claim.decided
    flat = compared_claim("sgd", {**LAW, "multiplier_verdict": "undecided", "costs": False})
    assert "undecided whether the horizon costs anything" in flat.text
    assert not flat.decided


@pytest.mark.parametrize(
    ("ends", "decided"), [([5.0, 9.0], True), ([5.0, None], False), (None, False)]
)
def test_the_knee_of_small_batches_is_decided_by_its_interval(ends, decided):
    entry: dict[str, Any] = {"threshold": 0.7, "knee_small_batch": 7.0}
    entry |= {"knee_small_batch_ci": ends} if ends else {}
    (claim,) = factor_claims.batch_claims(entry)
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
    ratio, knee = factor_claims.noise_claims(agreement, knees)
    assert "total variance" in ratio.text
    assert sentence in ratio.text
    assert ratio.decided is decided
    assert "h = 20 for a batch of 256 and at h = 8" in knee.text
    assert not knee.decided
    assert factor_claims.noise_claims(agreement[:0], knees[:0]) == []

"""Sentences on schedules, sizes, batches, optimisers and tasks follow the entries of the fits."""

import math
from typing import Any

import pandas as pd
import pytest

from analysis.data.ratios import Ratio
from analysis.laws.size import fit_size_exponents
from analysis.page.factor_claims import (
    batch_claims,
    batch_law_claim,
    compared_answer,
    knee_prediction_claim,
    measured_noise_claims,
    noise_claims,
    schedule_claims,
    schedule_cost,
    size_claims,
)
from analysis.page.wording import NOT_DETERMINED
from tests.analysis.page.entries import LAW
from tests.analysis.sparse_runs import FIVE_SCHEDULES, censored_law, two_widths

SCHEDULES: dict[str, Any] = {
    **{"threshold": 0.7, "error": 0.095, "slope": 0.95, "slope_ci": [0.85, 1.1]},
    **{"s_min": 40.0, "s_min_ci": [30.0, 50.0]},
    **{"noise_scale": 60.0, "noise_scale_ci": [5.0, 700.0]},
    **{"ratio": 1.2, "accuracy": 0.4, "departures": [], "best_horizons": []},
}


def test_claims_say_which_prediction_fails():
    claims = schedule_claims(censored_law().to_json())
    by_name = {claim.text.split(" ")[0]: claim for claim in claims}
    assert by_name["streak:2"].verdict == "above"
    assert by_name["streak:2"].text.endswith("more than predicted.")
    assert by_name["periodic:16"].about == "best_horizon"


def test_constants_of_the_law_are_told_where_they_are_determined():
    constants = schedule_claims(SCHEDULES)[0]
    assert "within 10% (root mean square): S_min = 40 [30, 50]" in constants.text
    assert f"noise scale = {NOT_DETERMINED}, A/(F v) = {NOT_DETERMINED}" in constants.text
    assert constants.numbers == {"s_min": (40.0, [30.0, 50.0])}


@pytest.mark.parametrize(
    ("change", "sentence", "verdict"),
    [
        ({}, "to the 0.95 [0.85, 1.1]: in proportion", "equal"),
        ({"slope_ci": [0.6, 1.1]}, "undecided whether in proportion", "undecided"),
        ({"slope_ci": [0.8, 0.95]}, "less than in proportion", "below"),
        ({"slope": 1.4, "slope_ci": [1.2, 1.6]}, "more than in proportion", "above"),
        ({"slope_ci": None}, f"to the {NOT_DETERMINED}: undecided", "undecided"),
    ],
)
def test_the_slope_is_told_by_its_interval(change, sentence, verdict):
    entry = {name: value for name, value in {**SCHEDULES, **change}.items() if value is not None}
    slope = schedule_claims(entry)[1]
    assert sentence in slope.text
    assert (slope.verdict, slope.decided) == (verdict, verdict != "undecided")


@pytest.mark.parametrize(
    ("change", "sentence", "verdict"),
    [
        ({"ratio": 1.1, "ratio_ci": [0.9, 1.3]}, "as predicted, within a factor 1.5", "equal"),
        ({"ratio": 1.1, "ratio_ci": [0.5, 2.5]}, "undecided whether as predicted", "undecided"),
        ({"ratio": 2.0, "ratio_ci": [1.5, 2.5]}, "more than predicted", "above"),
        ({"ratio": 0.5, "ratio_ci": [0.4, 0.7]}, "less than predicted", "below"),
        ({"ratio": 2.2, "ratio_ci": [0.1, 38.0]}, NOT_DETERMINED, "undecided"),
        ({"ratio": 2.0}, NOT_DETERMINED, "undecided"),
        ({"at_least": 3.0}, "at least 3 times what the law predicts (2 of 9 runs", "undecided"),
    ],
)
def test_a_departure_is_told_by_its_interval(change, sentence, verdict):
    departure = {"schedule": "streak:2", "runs": 9, "censored": 2, **change}
    claim = schedule_claims({**SCHEDULES, "departures": [departure]})[2]
    assert "streak:2 needs" in claim.text
    assert sentence in claim.text
    assert (claim.verdict, claim.decided) == (verdict, verdict != "undecided")
    assert "0.1" not in claim.text


@pytest.mark.parametrize(
    ("change", "sentence", "verdict"),
    [
        ({"measured_ci": [6.0, 9.0]}, "at h = 7 [6, 9], h = 8 by the law: as predicted", "equal"),
        ({"measured_ci": [3.0, 9.0]}, "undecided whether as predicted", "undecided"),
        ({"measured_ci": [5.0, 7.5]}, "shorter than predicted", "below"),
        ({"measured_ci": [9.5, 13.0]}, "longer than predicted", "above"),
        ({}, NOT_DETERMINED, "undecided"),
        ({"edge": "longest"}, "at the longest horizon measured (7): its best", "edge"),
    ],
)
def test_a_best_horizon_is_set_against_the_laws(change, sentence, verdict):
    best = {"schedule": "periodic:8", "edge": "", "measured": 7.0, "predicted": 8.0}
    best |= {"predicted_ci": [6.0, 10.0], **change}
    claim = schedule_claims({**SCHEDULES, "best_horizons": [best]})[2]
    assert sentence in claim.text
    assert ("may lie beyond" in claim.text) == ("edge" in change)
    assert (claim.verdict, claim.decided) == (verdict, verdict in ("equal", "below", "above"))


def test_size_claims_say_which_exponents_change():
    claims = size_claims([one.to_json() for one in fit_size_exponents(two_widths()).entries])
    assert len(claims) == len(FIVE_SCHEDULES)
    by_schedule = {claim.text.split(",")[0].removeprefix("Under "): claim for claim in claims}
    assert by_schedule["streak:2"].verdict == "changes"
    assert by_schedule["streak:2"].decided
    assert by_schedule["dense"].decided
    assert "more than under dense" not in by_schedule["dense"].text
    assert "no change is shown" in by_schedule["periodic:4"].text
    assert not by_schedule["periodic:4"].decided


def test_a_size_exponent_of_one_seed_is_undecided():
    row = {"exponent": 0.5, "exponent_low": None, "exponent_high": None, "schedule": "dense"}
    row |= {"threshold": 0.7, "change": 0.1, "change_low": None, "change_high": None}
    dense, streak = size_claims([row, {**row, "schedule": "streak:2"}])
    assert not dense.decided
    assert NOT_DETERMINED in dense.text
    assert "no change is shown" in streak.text
    assert not streak.decided


def test_the_batch_law_is_told_with_the_knee_at_each_batch():
    entry: dict[str, Any] = {"s_min": 40.0, "noise_constant": 500.0, "noise_growth": 60.0}
    entry |= {"threshold": 0.7, "knees": {"128": 43.0, "512": 69.0}}
    assert "knee at" not in batch_law_claim(entry).text
    claim = batch_law_claim({**entry, "noise_growth_ci": [50.0, 70.0]})
    assert "n_1 = 60 [50, 70]" in claim.text
    assert "knee at h = 43 at B = 128, 69 at B = 512" in claim.text
    assert claim.numbers == {"noise_growth": (60.0, [50.0, 70.0])}


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


def test_one_sentence_compares_the_knees_that_are_known():
    known = {**LAW, "determined": {"knee": True}}
    unknown = {**LAW, "free_power": {}, "determined": {"knee": False}}
    claim = compared_answer([("adam", known), ("sgd", known)])
    assert "at h = 21 [15, 30] for adam; h = 21 [15, 30] for sgd." in claim.text
    assert claim.decided
    half = compared_answer([("adam", known), ("sgd", unknown)])
    assert half.text.endswith(f"for adam; {NOT_DETERMINED} for sgd.")
    assert not half.decided
    none = compared_answer([("adam", unknown)])
    assert "determine no knee" in none.text
    assert not none.decided


@pytest.mark.parametrize(
    ("rank", "verdict"),
    [([0.2, 1.0], "ordered"), ([-0.9, -0.1], "reversed"), ([-0.3, 0.9], "undecided")],
)
def test_a_prediction_of_knees_is_judged_by_the_order_of_the_tasks(rank, verdict):
    over_tasks = {
        **{
            "tasks": 6,
            "within_factor": 1.4,
            "within_factor_after_ratio": 1.2,
            "measured_factor": 1.6,
        },
        **{"knee_ratio": 0.8, "knee_ratio_ci": [0.6, 1.1]},
        **{"knee_slope": 0.5, "knee_slope_ci": [-0.5, 1.5], "knee_rank": 0.6, "knee_rank_ci": rank},
    }
    claim = knee_prediction_claim({"threshold": 0.7, "prediction_over_tasks": over_tasks})
    assert claim.verdict == verdict
    assert claim.decided == (verdict != "undecided")
    assert "within a factor 1.4" in claim.text
    assert "Measured over predicted is 0.8 [0.6, 1.1]" in claim.text
    assert f"predicted ones is {NOT_DETERMINED}" in claim.text  # its sign is open
    assert set(claim.numbers) == {"knee_ratio", "knee_rank"}


def test_the_cost_of_schedules_is_told_with_bounds_where_runs_are_censored():
    ratios = {
        "revealed:0.25": Ratio(4.0, (3.0, 5.0), "", 4),
        "streak:4": Ratio(30.0, None, "at least", 4),
        "streak:8": Ratio(30.0, None, "unknown", 4),
    }
    first, every = schedule_cost(ratios, 64, 0.7)
    assert "rewards for 1 right answer in 4 need 4 [3, 5] times." in first.text
    assert "revealed:0.25 4 [3, 5]; streak:4 at least 30." in every.text
    assert first.numbers == every.numbers == {"revealed:0.25": (4.0, (3.0, 5.0))}
    (bounds,) = schedule_cost({"streak:4": ratios["streak:4"]}, 64, 0.7)
    assert not bounds.decided


def test_the_hardest_of_each_kind_comes_first_in_words():
    ratios = {
        "revealed:0.25": Ratio(4.0, (3.0, 5.0), "", 4),
        "revealed:0.0625": Ratio(9.0, (8.0, 10.0), "", 4),
        "periodic:4": Ratio(2.0, (1.5, 2.5), "", 4),
    }
    first, _ = schedule_cost(ratios, 64, 0.7)
    assert list(first.numbers) == ["revealed:0.0625", "periodic:4"]
    assert "1 right answer in 16 need 9 [8, 10] times; rewards paid every 4 steps" in first.text


@pytest.mark.parametrize(
    ("ends", "decided"), [([3.0, 8.0], True), ([3.0, None], False), ([1.0, 80.0], False)]
)
def test_the_knee_of_small_batches_is_told_where_it_is_determined(ends, decided):
    entry = {"threshold": 0.7, "knee_small_batch": 5.0, "knee_small_batch_ci": ends}
    (claim,) = batch_claims(entry)
    assert claim.decided is decided
    assert ("h = 5 [3, 8]" in claim.text) == decided


@pytest.mark.parametrize(
    ("low", "high", "sentence", "verdict"),
    [
        (0.95, 1.2, "as predicted, within 25%", "equal"),
        (0.9, 1.3, "undecided whether as predicted", "undecided"),
        (1.05, 1.3, "above the prediction", "above"),
        (math.nan, math.nan, "(no interval): undecided", "undecided"),
    ],
)
def test_measured_noise_is_set_against_the_predicted(low, high, sentence, verdict):
    agreement = pd.DataFrame([{"part": "total", "ratio": 1.1, "low": low, "high": high}])
    knees = pd.DataFrame([{"knee": 20.0, "knee_small_batch": 8.0, "batch": 256}])
    ratio, knee = noise_claims(agreement, knees)
    assert "total variance" in ratio.text
    assert sentence in ratio.text
    assert ratio.verdict == verdict
    assert not knee.decided

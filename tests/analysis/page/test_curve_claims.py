"""Sentences on the shapes of learning curves follow the entries of the fits."""

from typing import Any

import numpy as np
import pytest

from analysis.laws.curve_shapes import SHAPES, fit_curve_shapes
from analysis.page.curve_claims import NAMES, shapes_claim, shapes_table, whole_claim
from tests.analysis.curve_runs import curve_frame, sigmoid


def errors(value: float) -> dict[str, Any]:
    ends = [0.9 * value, 1.1 * value]
    found = {"groups": 6, "best_in": 2, "heldout_error": value, "heldout_error_ci": ends}
    found |= {"error": 2 * value, "error_ci": [2 * one for one in ends], "early_error": 3 * value}
    return found


ENTRY: dict[str, Any] = {
    "groups": 6,
    "best": "power",
    "shapes": {"sigmoid": errors(0.03), "power": errors(0.01), "power_late": errors(0.02)},
    "over_least": {
        "shape": "power",
        "others": {
            "sigmoid": {"ratio": 3.0, "ratio_ci": [2.5, 3.6]},
            "power_late": {"ratio": 2.0, "ratio_ci": [1.5, 2.7]},
        },
    },
}


def undecided(**others: Any) -> dict[str, Any]:
    over = {"shape": "power", "others": {**ENTRY["over_least"]["others"], **others}}
    return {**ENTRY, "best": "undecided", "over_least": over}


def test_every_shape_has_words():
    assert set(NAMES) == set(SHAPES)


def test_the_best_is_named_with_its_error_and_the_next_best():
    claim = shapes_claim(ENTRY)
    assert claim.decided
    assert (claim.about, claim.verdict) == ("curve_shapes", "power")
    assert claim.text == (
        "From the first quarter of training, a power law of the gap to the highest return predicts "
        "the returns of the rest best, with an error of 0.01 (root mean square, geometric mean of "
        "6 curves); the next best, a power law of the gap without the first 1/64, has 2 [1.5, 2.7] "
        "times that."
    )
    assert claim.numbers["heldout_error"] == (0.01, ENTRY["shapes"]["power"]["heldout_error_ci"])
    assert claim.numbers["ratio"] == (2.0, [1.5, 2.7])
    assert shapes_claim(ENTRY, "digits, dense").text.startswith("digits, dense: from the first")


def test_undecided_names_those_that_may_be_as_good_and_no_other():
    claim = shapes_claim(undecided(power_late={"ratio": 1.2, "ratio_ci": [0.9, 1.6]}))
    assert not claim.decided
    assert claim.verdict == "undecided"
    assert "the least error in predicting" in claim.text
    assert claim.text.endswith(
        "undecided whether it predicts better than a power law of the gap without the first 1/64, "
        "which has 1.2 [0.9, 1.6] times that error."
    )
    assert "sigmoid" not in claim.text


def test_a_ratio_that_spans_a_factor_10_is_no_number():
    claim = shapes_claim(undecided(power_late={"ratio": 3.3, "ratio_ci": [0.05, 215.0]}))
    assert claim.text.endswith(
        "predicts better than a power law of the gap without the first 1/64."
    )


def test_without_intervals_every_other_may_be_as_good():
    bare = {name: {"ratio": one["ratio"]} for name, one in ENTRY["over_least"]["others"].items()}
    claim = shapes_claim(undecided(**bare))
    assert "a sigmoid in log E, which has 3 (no interval) times that error, and a" in claim.text


def test_one_curve_is_no_mean_of_several():
    shapes = {**ENTRY["shapes"], "power": {**ENTRY["shapes"]["power"], "groups": 1}}
    assert "an error of 0.01 (root mean square);" in shapes_claim({**ENTRY, "shapes": shapes}).text


def test_a_shape_that_shares_no_curve_is_named():
    entry = undecided()
    del entry["over_least"]["others"]["power_late"]
    text = shapes_claim(entry).text
    assert text.endswith("a power law of the gap without the first 1/64 (no curve has both).")


def test_whole_curves_are_told_with_their_first_part():
    claim = whole_claim(ENTRY)
    assert claim.decided
    assert claim.text == (
        "Fitted to whole curves, the error is 0.06 for a sigmoid in log E (0.09 on the first 1/64) "
        "and 0.02 for a power law of the gap to the highest return (0.03 on the first 1/64): root "
        "mean square, geometric mean of 6 curves."
    )
    late = {name: dict(one) for name, one in ENTRY["shapes"].items()}
    for one in late.values():
        del one["early_error"]
    assert "first 1/64" not in whole_claim({**ENTRY, "shapes": late}).text
    assert whole_claim(ENTRY, "digits").text.startswith("digits: fitted to whole")


@pytest.mark.parametrize("seeds", [1, 4])
def test_real_entries_make_claims_and_rows(seeds):
    frame = curve_frame(sigmoid, np.random.default_rng(0), seeds=seeds, horizons=(1.0, 7.0))
    entry = fit_curve_shapes(frame).entries[-1].to_json()
    claim = shapes_claim(entry)
    assert claim.decided is (claim.verdict != "undecided")
    table = shapes_table({"made": entry})
    assert [row[1] for row in table.rows] == [NAMES[name] for name in entry["shapes"]]
    assert all(len(row) == len(table.head) for row in table.rows)
    assert ("-" in table.rows[0]) is (seeds == 1)

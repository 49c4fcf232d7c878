"""Sentences of the horizon law follow the numbers of the fits, and say what is undecided."""

from typing import Any

import numpy as np
import pytest

from analysis.laws.horizon import fit_horizon_laws
from analysis.laws.synthetic import HorizonTruth
from analysis.page.claims import Claim
from analysis.page.horizon_claims import horizon_answer, horizon_claims
from tests.analysis.horizon_runs import table_of
from tests.analysis.page.entries import LAW

AFFINE: dict[str, Any] = {
    **LAW,
    "verdict": "affine",
    "free_power": {**LAW["free_power"], "g": 0.98, "g_ci": [0.91, 1.06]},
    "determined": {**LAW["determined"], "knee": True},
}
UNDECIDED: dict[str, Any] = {**LAW, "verdict": "undecided"}
UNKNOWN = "not determined by these runs"


def claims(entry: dict[str, Any]) -> dict[str, Claim]:
    found = horizon_claims(entry)
    assert len({claim.about for claim in found}) == len(found)
    assert all(
        claim.verdict == "undecided" or claim.decided
        for claim in found
        if claim.verdict != "refused"
    )
    return {claim.about: claim for claim in found}


@pytest.mark.parametrize(
    ("verdict", "ends", "says"),
    [
        (
            "more",
            [7.1, 10.0],
            "h = 127 needs 8.4 [7.1, 10] times the interactions of h = 1: a longer "
            "horizon costs more.",
        ),
        ("undecided", [0.95, 20.0], "undecided whether the horizon costs anything."),
        ("less", [0.5, 0.7], "a longer horizon costs less."),
    ],
)
def test_the_cost_is_what_was_measured(verdict, ends, says):
    costs = verdict == "more"
    entry = {**LAW, "multiplier_verdict": verdict, "multiplier_ci": ends, "costs": costs}
    claim = claims(entry)["cost"]
    assert claim.text.endswith(says)
    assert (claim.verdict, claim.decided) == (verdict, verdict != "undecided")
    known = {"multiplier": (8.4, ends), "horizon": (127.0, None)}
    assert claim.numbers == known


def test_a_cost_whose_factor_is_open_is_at_least_its_lower_end():
    determined = {**LAW["determined"], "multiplier": False}
    wide = {**LAW, "multiplier_ci": [1.5, 40.0], "determined": determined}
    claim = claims(wide)["cost"]
    assert claim.text.startswith("h = 127 needs at least 1.5 times the interactions of h = 1:")
    assert claim.numbers == {}
    open_sign = {**wide, "multiplier_ci": [0.5, 40.0], "multiplier_verdict": "undecided"}
    assert f"that is {UNKNOWN}" in claims({**open_sign, "costs": False})["cost"].text


def test_censored_runs_beyond_give_a_lower_bound():
    entry = {**LAW, "multiplier_horizons": [1.0, 31.0]}
    entry["multiplier_beyond"] = {"horizons": [1.0, 127.0], "at_least": 12.0}
    text = claims(entry)["cost"].text
    assert (
        "h = 31 needs 8.4 [7.1, 10] times the interactions of h = 1, h = 127 needs at least 12"
        in text
    )
    del entry["multiplier"], entry["multiplier_ci"], entry["multiplier_horizons"]
    assert claims(entry)["cost"].text.startswith("h = 127 needs at least 12 times those of h = 1:")
    del entry["multiplier_beyond"]
    none = {**entry, "multiplier_verdict": "undecided", "costs": False}
    assert claims(none)["cost"].text.startswith("No two horizons can be compared")


def test_where_the_horizon_costs_nothing_there_is_no_sentence_on_knee_form_or_exponent():
    entry = {**LAW, "multiplier_verdict": "undecided", "costs": False}
    assert set(claims(entry)) == {"cost"}
    answer = horizon_answer(entry)
    assert answer.text.endswith("; undecided whether the horizon costs anything.")
    assert not answer.decided


def test_the_knee_is_of_the_law_that_is_shown():
    knee = claims(AFFINE)["knee"]
    assert knee.text == "The cost doubles at h = 21 [15, 30] (the knee), by the affine law."
    assert (knee.verdict, knee.numbers) == ("inside", {"knee": (21.0, [15.0, 30.0])})
    for entry in (LAW, UNDECIDED):
        assert "h = 19 [14, 25] (the knee), by the free power" in claims(entry)["knee"].text
    beyond = claims({**AFFINE, "measured": [1.0, 15.0]})["knee"]
    assert beyond.text == "The cost does not double within the horizons measured (up to h = 15)."
    assert (beyond.verdict, beyond.decided, beyond.numbers) == ("undecided", False, {})
    shown = claims({**AFFINE, "measured": [1.0, 15.0], "multiplier_ci": [1.2, 1.8]})["knee"]
    assert (shown.verdict, shown.decided) == ("beyond", True)
    free = {**LAW["free_power"], "determined": {"knee": False}, "needs": {"knee": "more seeds"}}
    unknown = claims({**UNDECIDED, "free_power": free})
    assert unknown["knee"].text.endswith(f"{UNKNOWN} (needed: more seeds).")
    assert not unknown["knee"].decided
    assert unknown["knee"].numbers == {}


def test_a_form_is_told_with_its_margin():
    form = claims(AFFINE)["form"]
    assert form.text == (
        "The cost grows in proportion to h - 1 beyond its constant part (affine): the exponent "
        "g = 0.98 [0.91, 1.06] lies within 0.8 to 1.25."
    )
    assert (form.verdict, form.decided) == ("affine", True)
    assert form.numbers == {"g": (0.98, [0.91, 1.06])}
    straight = {**AFFINE, "verdict": "proportional", "knee": 2.1, "knee_ci": [1.8, 2.4]}
    text = claims(straight)["form"].text
    assert "the knee, 2.1 [1.8, 2.4], within 1.33 to 3 of which 2 is exact" in text
    assert "concave" in claims(LAW)["form"].text
    convex = {**LAW, "free_power": {**LAW["free_power"], "g": 1.4, "g_ci": [1.2, 1.6]}}
    assert "convex" in claims(convex)["form"].text


def test_an_undecided_form_names_the_exponent_where_it_is_known():
    found = claims(UNDECIDED)
    assert (found["form"].verdict, found["form"].decided) == ("undecided", False)
    assert "g = 0.8 [0.7, 0.9]" in found["exponent"].text
    assert not found["exponent"].decided
    free = {**LAW["free_power"], "determined": {"g": False}}
    unknown = claims({**UNDECIDED, "free_power": free})
    assert UNKNOWN in unknown["exponent"].text
    assert "exponent" not in claims(LAW)
    two = claims({**UNDECIDED, "free_power": None, "heldout_error": {}})
    assert "needs three horizons" in two["form"].text


def test_a_refused_law_has_no_knee_no_exponent_and_no_verdict():
    entry = {**UNDECIDED, "fit_test": {"affine": 1e-4, "free": 2e-3}}
    found = claims(entry)
    assert set(found) == {"cost", "form"}
    assert (found["form"].verdict, found["form"].decided) == ("refused", False)
    assert "lie on none of the three laws" in found["form"].text
    assert "0.2% of such sweeps" in found["form"].text
    assert found["cost"].decided
    assert "follows none of the three laws" in horizon_answer(entry).text


def test_where_the_affine_law_alone_is_refused_it_is_said():
    found = claims({**LAW, "fit_test": {"affine": 1e-9, "free": 0.4}})
    assert (found["misfit"].verdict, found["misfit"].decided) == ("affine", True)
    assert "fewer than 0.01% of such sweeps" in found["misfit"].text


def test_a_prediction_is_never_decided_nor_a_percentage_beyond_its_sense():
    claim = claims(LAW)["prediction"]
    assert "22% for the affine law and 11% for the free power: here the free power" in claim.text
    assert not claim.decided
    close = claims({**LAW, "heldout_error": {"affine": 0.11, "free": 0.1}})["prediction"]
    assert "undecided which predicts better" in close.text
    far = claims({**LAW, "heldout_error": {"affine": 0.1, "free": 4.5}})["prediction"]
    assert far.text.endswith("the laws do not determine a prediction there.")
    assert far.numbers == {}
    double = claims({**LAW, "heldout_error": {"affine": 0.1, "free": 1.0}})["prediction"]
    assert "a factor 2.72 for the free power" in double.text


def test_runs_that_fell_back_are_named():
    entry = {**LAW, "fell_back": 3, "fell_back_runs": ["a", "b", "c"]}
    claim = claims(entry)["fell_back"]
    assert claim.text == (
        "3 of 28 runs reached 0.7 and later fell below it (a, b, c): they count as having reached "
        "it, at their first lasting crossing."
    )
    assert claim.numbers == {"fell_back": (3, None)}
    assert (
        "it counts as having"
        in claims({**LAW, "fell_back": 1, "fell_back_runs": ["a"]})["fell_back"].text
    )
    many = claims({**entry, "fell_back": 9})["fell_back"].text
    assert "(a, b, c, ...)" in many


@pytest.mark.parametrize(
    ("entry", "ends"),
    [
        (
            AFFINE,
            "the cost doubles at h = 21 [15, 30] (the knee); it grows in proportion to h - 1 "
            "beyond its constant part (affine).",
        ),
        (LAW, "h = 19 [14, 25] (the knee); it grows as (h - 1) to the power 0.8 [0.7, 0.9]."),
        ({**AFFINE, "verdict": "proportional"}, "it is proportional to the horizon."),
        (
            {**AFFINE, "measured": [1.0, 15.0]},
            "the cost does not double within the horizons measured (up to h = 15); it grows in "
            "proportion to h - 1 beyond its constant part (affine).",
        ),
        (UNDECIDED, "h = 19 [14, 25] (the knee); undecided by which law it grows."),
        (
            {**UNDECIDED, "determined": {}, "free_power": None, "knee_ci": [2.0, 90.0]},
            f"(the knee) is {UNKNOWN}; undecided by which law it grows.",
        ),
        (
            {**LAW, "costs": False},
            "[7.1, 10] times the interactions of h = 1; undecided by which law the cost grows.",
        ),
        ({**LAW, "multiplier_verdict": "less", "costs": False}, "; a longer horizon costs less."),
    ],
)
def test_the_answer_is_one_sentence(entry, ends):
    answer = horizon_answer(entry)
    assert answer.text.startswith("All widths, return 0.7: a horizon of h = 127 needs 8.4 ")
    assert answer.text.endswith(ends)
    assert answer.about == "cost"
    assert answer.verdict == entry["multiplier_verdict"]
    assert answer.numbers["multiplier"] == (8.4, [7.1, 10.0])
    one = {**entry, "group": {**entry["group"], "width": 64}}
    assert horizon_answer(one).text.startswith("Width 64, return 0.7: a horizon of h = 127")
    assert horizon_answer(one, "sgd").text.startswith("sgd: a horizon of h = 127 needs")


@pytest.mark.parametrize("knee", [30.0, 1e6])
def test_every_number_of_a_fitted_laws_sentences_is_in_its_entry(knee):
    table = table_of(np.random.default_rng(0), HorizonTruth(knee=knee))
    (law,) = fit_horizon_laws(table, ("h-1",), profiles=False).entries
    entry = law.to_json()
    found = claims(entry)
    assert found["cost"].numbers["multiplier"] == (entry["multiplier"], entry["multiplier_ci"])
    assert set(found) == ({"cost"} if knee > 1e3 else {"cost", "knee", "form", "prediction"})

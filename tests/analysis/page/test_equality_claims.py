"""Sentences on equal exponents follow the entries and say nothing that these do not decide."""

from typing import Any

import pytest

from analysis.page.equality_claims import (
    best_size_equality_claims,
    equality_claims,
    network_claims,
)

NAMES = ("alpha_n", "alpha_e", "optimal_size_exponent")


def row(name: str, change: float | None = None, algorithm: str = "vpg") -> dict[str, Any]:
    """A condition, its exponents 0.01 about a change."""
    horizon = float(name[4:]) if name.startswith("h = ") else None
    found: dict[str, Any] = {"name": name, "algorithm": algorithm, "horizon": horizon}
    for name in NAMES if change is not None else ():
        found |= {f"{name}_change": change, f"{name}_change_ci": [change - 0.01, change + 0.01]}
    return found


def entry(verdict: str, reason: str = "", among: str = "horizons", **more: Any) -> dict[str, Any]:
    rows = [row("h = 1"), row("h = 7", 0.01), row("h = 31", -0.2)]
    if among == "references":
        rows = [row("h = 1"), row("supervised", 0.1, algorithm="supervised")]
    numbers = {"smallest_change": dict.fromkeys(NAMES, 0.15), "within": dict.fromkeys(NAMES, 0.09)}
    found = {
        "among": among,
        "deciding": NAMES[:2],
        "conditions": rows,
        "p": 0.02,
        "refused": [],
        "reversed_by": [],
    }
    return {**found, **numbers, "verdict": verdict, "reason": reason, **more}


def test_equal_exponents_are_said_with_their_limit():
    (claim,) = equality_claims([entry("equal")])
    assert claim.text == (
        "The exponents at horizons 1 to 31 are equal within 0.09 in alpha_N, 0.09 in alpha_E and "
        "0.09 in the exponent of the best size: no difference from vpg at h = 1 is larger, at 95%."
    )
    assert (claim.about, claim.verdict, claim.decided) == ("equal_over_horizons", "equal", True)
    assert claim.numbers["alpha_n_within"] == (0.09, None)


def test_different_exponents_are_said_where_they_differ_most():
    (claim,) = equality_claims([entry("differ")])
    assert "differ (p = 0.02, and without any one size too)" in claim.text
    assert "for vpg at h = 31, from vpg at h = 1, alpha_N by -0.2 [-0.21, -0.19]" in claim.text
    assert claim.numbers["alpha_e_change"] == (-0.2, pytest.approx([-0.21, -0.19]))
    assert claim.decided


def test_references_are_compared_with_the_shortest_horizon():
    (claim,) = equality_claims([entry("equal", among="references")])
    assert claim.text.startswith("The exponents of vpg at h = 1 and supervised are equal within")
    assert claim.about == "equal_to_references"


@pytest.mark.parametrize(
    ("reason", "more", "sentence"),
    [
        ("seeds", {}, "is undecided: this needs more seeds."),
        ("refused", {"refused": ["h = 1", "h = 7"]}, "the residuals refuse the power law (h = 1,"),
        (
            "reversed",
            {"reversed_by": ["size N = 10"]},
            "differences are seen (p = 0.02), but not so by size N = 10.",
        ),
        ("reversed", {"p": 0.3, "reversed_by": ["x"]}, "differences are not seen (p = 0.3), but"),
        (
            "wide",
            {"p": 0.3},
            "no difference is seen (p = 0.3), but they are equal only within 0.09 in alpha_N and "
            "0.09 in alpha_E; a change is found with probability 0.8 where it is 0.15 in alpha_N",
        ),
    ],
)
def test_what_is_undecided_has_its_reason(reason, more, sentence):
    (claim,) = equality_claims([entry("undecided", reason, **more)])
    assert sentence in claim.text
    assert (claim.decided, claim.verdict) == (False, "undecided")


def test_nothing_is_said_against_changes_that_another_test_shows():
    open_ = entry("undecided", "wide")
    assert equality_claims([open_], changes_are_shown=True) == []
    assert len(equality_claims([entry("differ")], changes_are_shown=True)) == 1
    assert len(equality_claims([entry("equal", among="references")], changes_are_shown=True)) == 1


def test_the_joint_test_of_horizons_and_references_is_in_the_table_alone():
    assert equality_claims([entry("equal", among="all")]) == []


def networks(verdict: str) -> dict[str, Any]:
    return {
        "networks": ["cnn", "mlp of depth 1"],
        "alpha_n_change": 0.3,
        "alpha_n_change_ci": [0.2, 0.4],
        "largest_change_by_horizon": {"alpha_n": [0.02, 0.1]},
        "verdict": {"alpha_n": verdict},
    }


@pytest.mark.parametrize(
    ("verdict", "sentence"),
    [
        ("more", "more than the horizon does, at most 0.1 from the shortest one"),
        ("less", "less than the longest horizon does, at least 0.02"),
    ],
)
def test_networks_are_said_to_change_more_or_less_than_the_horizon(verdict, sentence):
    (claim,) = network_claims([networks(verdict)])
    assert claim.text == (
        f"mlp of depth 1 instead of cnn changes alpha_N by 0.3 [0.2, 0.4]: {sentence}."
    )
    assert (claim.decided, claim.verdict) == (True, verdict)


def test_networks_that_decide_nothing_have_no_sentence():
    assert network_claims([networks("undecided")]) == []


BEST = {"deciding": ["optimal_size_exponent"], "within": {"optimal_size_exponent": 0.09}}


@pytest.mark.parametrize(
    ("verdict", "reason", "sentence"),
    [
        ("equal", "", "at horizons 1 to 31 are equal within 0.09: no difference from vpg at h = 1"),
        ("differ", "", "for vpg at h = 31, from vpg at h = 1, by -0.2 [-0.21, -0.19]."),
        ("undecided", "wide", "only within 0.09; a change is found with probability 0.8 where it"),
    ],
)
def test_exponents_of_the_best_size_are_named_once(verdict: str, reason: str, sentence: str):
    found = entry(verdict, reason, **BEST, smallest_change={"optimal_size_exponent": 0.15})
    for row_ in found["conditions"]:
        for name in ("alpha_n", "alpha_e"):
            row_.pop(f"{name}_change", None), row_.pop(f"{name}_change_ci", None)
    (claim,) = best_size_equality_claims([found])
    assert sentence in claim.text
    assert claim.text.count("the best size") == 1
    assert (claim.about, claim.verdict) == ("best_size_equal_over_horizons", verdict)

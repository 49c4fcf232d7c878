"""Sentences of the power law follow the numbers of the fits, and say what is undecided."""

import re
from typing import Any

import pytest

from analysis.page.claims import Claim
from analysis.page.power_claims import power_answer, power_law_claims

NUMBERS = ("alpha_n", "alpha_e", "optimal_size_exponent")
E_C = [{"horizon": h, "e_c": float(h), "e_c_ci": [0.5 * h, 2.0 * h]} for h in (1, 31)]


def single(horizon: float, **more: Any) -> dict[str, Any]:
    """An entry of one horizon."""
    entry = {"group": {"horizon": horizon}, "off_law": [], "plateaus": [], "refused": ""}
    entry |= {"misfit_p": 0.5, "without_size": [], "residuals_by_size": []}
    entry |= dict.fromkeys(NUMBERS, 0.5) | {f"{name}_ci": [0.4, 0.6] for name in NUMBERS}
    return {**entry, "determined": dict.fromkeys(NUMBERS, True), **more}


def refused(horizon: float, reason: str, **more: Any) -> dict[str, Any]:
    """An entry of one horizon whose fit is refused."""
    none = dict.fromkeys(NUMBERS, False)
    needs = dict.fromkeys(NUMBERS, "more")
    return single(horizon, refused=reason, determined=none, needs=needs, **more)


def joint(p: float | None = 0.4, verdict: str = "undecided", **more: Any) -> dict[str, Any]:
    """An entry of all horizons."""
    names = ("alpha_n", "alpha_e", "e_c_growth")
    entry = {"joint": True, "verdict": verdict, "e_c_by_horizon": E_C, "e_c_growth": 31.0}
    entry |= {"alpha_n": 0.5, "alpha_e": 0.4, "e_c_growth_ci": [25.0, 40.0]}
    entry |= {f"{name}_ci": [0.3, 0.6] for name in ("alpha_n", "alpha_e")}
    if p is not None:
        power = {"alpha_e": {"change": 0.1, "probability": 0.4}}
        entry["exponent_test"] = {"p": p, "draws": 99, "power": power}
    return {**entry, "determined": dict.fromkeys(names, True), **more}


def about(claims: list[Claim], name: str) -> list[Claim]:
    return [claim for claim in claims if claim.about == name]


@pytest.mark.parametrize(
    ("entry", "sentence", "verdict"),
    [
        (joint(0.4), "No change .* change of 0.1 .* with probability 0.4 in alpha_E", "undecided"),
        (joint(0.01, "free"), "exponents change with the horizon, alpha_N from 0.5", "changes"),
        (joint(None), "undecided: fewer than two horizons", "undecided"),
    ],
)
def test_the_claim_on_exponents_follows_the_test(entry, sentence, verdict):
    (claim,) = about(power_law_claims([single(1.0), single(31.0), entry]), "exponent_change")
    assert re.search(sentence, claim.text)
    assert claim.verdict == verdict
    assert claim.decided is (verdict == "changes")


def test_exponents_that_change_are_not_said_to_where_fits_are_refused():
    entries = [refused(1.0, "misfit", misfit_p=1e-3), single(31.0), joint(0.01, "free")]
    claims = power_law_claims(entries)
    (change,) = about(claims, "exponent_change")
    assert not change.decided
    assert "at h = 1 the fit of that horizon is refused" in change.text
    assert not power_answer(entries).decided


@pytest.mark.parametrize(
    ("ends", "known"),
    [([0.3, 0.6], True), ([2e-6, 50.0], False), ([None, 0.6], False), (None, False)],
)
def test_an_exponent_that_is_not_pinned_is_not_printed(ends, known):
    entry = single(7.0, alpha_e=0.0103, alpha_e_ci=ends)
    entry["determined"] = {**entry["determined"], "alpha_e": known}
    (claim,) = power_law_claims([entry])
    assert claim.decided is known
    assert claim.verdict == ("determined" if known else "undecided")
    assert ("0.0103" in claim.text) is known
    assert ("alpha_e" in claim.numbers) is known
    assert claim.numbers["horizon"] == (7.0, None)


def test_the_power_law_is_told_at_the_shortest_and_the_longest_horizon():
    found = power_law_claims([single(h) for h in (7.0, 31.0, 1.0)])
    assert [re.match(r"At h = (\d+)", claim.text)[1] for claim in found] == ["1", "31"]
    assert all(claim.decided for claim in found)


def test_a_width_off_the_law_is_named_with_both_answers_and_nothing_is_decided_by_it():
    off = {"parameters": 101770.0, "width": 128, "factor": 1.6, "ci": [1.4, 1.9], "p": 1e-4}
    without = {"parameters": 101770.0, "alpha_n": 0.55, "alpha_e": 0.42}
    own = {**off, "factor": 1.4, "ci": [1.05, 1.9]}  # at this horizon alone
    found = {"off_law": [own], "joint_residuals_by_size": [off]}
    entry = refused(1.0, "off_law", **found, without_size=[without], alpha_n=1.4)
    claims = power_law_claims([entry, refused(7.0, "off_law", **found)])
    (claim,) = about(claims, "off_law")
    assert claim.text == (
        "At h = 1, 7, width 128 lies off the law that the other sizes follow: it needs 1.6 "
        "[1.4, 1.9] times the interactions (its learning rate or its budget). At h = 1, alpha_N = "
        "1.4 with it, 0.55 without; alpha_E = 0.5 with it, 0.42 without."
    )
    assert claim.numbers["factor"] == (1.6, [1.4, 1.9])
    assert claim.decided
    assert claim.numbers["width"] == (128, None)
    assert not any(one.decided for one in about(claims, "exponents"))
    assert "not determined by these runs (needed: more)" in about(claims, "exponents")[0].text


@pytest.mark.parametrize("ends", [[1.1, 1.6], [0.7, 0.8], [None, None]])
def test_a_width_that_is_hardly_off_only_seems_to_be(ends):
    off = {"parameters": 1e5, "width": 128, "factor": 1.3, "ci": ends, "p": 1e-3}
    found = {"off_law": [off], "joint_residuals_by_size": [off]}
    without = [{"parameters": 1e5, "alpha_n": 0.5}]
    claims = power_law_claims([refused(1.0, "off_law", **found, without_size=without)])
    (claim,) = about(claims, "off_law")
    assert "width 128 seems to lie off the law" in claim.text
    assert (claim.decided, claim.verdict) == (False, "undecided")


@pytest.mark.parametrize(("p", "decided"), [(1e-6, True), (1e-3, False)])
def test_runs_that_follow_no_law_are_said_to(p, decided):
    sizes = [{"parameters": n, "alpha_n": a} for n, a in ((1e3, 0.74), (1e4, 1.1))]
    entries = [refused(1.0, "misfit", misfit_p=p, without_size=sizes), single(7.0)]
    (claim,) = about(power_law_claims(entries), "misfit")
    assert "alpha_N is 0.74 to 1.1, depending on which size is left out" in claim.text
    assert claim.decided is decided
    assert claim.verdict == ("refused" if decided else "undecided")


def test_a_plateau_leaves_the_exponents_open():
    entries = [refused(1.0, "plateau", plateaus=[1e3, 1e4]), single(7.0)]
    (claim,) = about(power_law_claims(entries), "plateau")
    assert "At h = 1 curves of up to 2 sizes rest before they rise again" in claim.text
    assert (claim.decided, claim.verdict) == (False, "undecided")


@pytest.mark.parametrize(
    ("p", "explains", "decided"), [(1e-4, True, True), (1e-4, False, False), (0.01, True, False)]
)
def test_runs_that_learn_nothing_at_first_are_said_to(p, explains, decided):
    offset = {"interactions": 12000.0, "ci": [9e3, 1.5e4], "p": p, "explains": explains}
    entries = [refused(h, "plateau", offset=offset) for h in (1.0, 7.0)]
    (claim,) = about(power_law_claims(entries), "plateau")
    assert "At h = 1, 7 the runs learn nothing for the first interactions" in claim.text
    assert "the exponents are not determined by these runs" in claim.text
    assert claim.decided is decided
    assert claim.verdict == ("delayed" if decided else "undecided")


def test_a_change_that_one_wrong_size_explains_is_undecided():
    entries = [single(1.0), single(31.0), joint(0.01)]
    (claim,) = about(power_law_claims(entries), "exponent_change")
    assert "undecided: they differ between horizons (p = 0.01)" in claim.text
    assert not claim.decided


@pytest.mark.parametrize(
    ("ends", "verdict"),
    [([25.0, 40.0], "grows"), ([0.2, 0.5], "falls"), ([0.5, 3.0], "undecided")],
)
def test_e_c_is_compared_with_an_interval_of_the_ratio(ends, verdict):
    value = (ends[0] * ends[1]) ** 0.5
    claims = power_law_claims([joint(e_c_growth=value, e_c_growth_ci=ends)])
    (claim,) = about(claims, "e_c")
    assert claim.verdict == verdict
    assert claim.decided is (verdict != "undecided")
    assert claim.numbers["e_c_growth"] == (value, ends)
    assert "E_c at h = 31 against that at h = 1" in claim.text


def test_the_answer_is_one_sentence_of_determined_numbers():
    entries = [single(1.0), single(31.0)]
    answer = power_answer([*entries, joint(0.4)])
    assert answer.text == (
        "Across horizons the exponents are alpha_N = 0.5 [0.3, 0.6] and alpha_E = 0.4 [0.3, 0.6], "
        "and the coefficient E_c grows 31 [25, 40] times; a change of 0.1 would have been "
        "seen with probability 0.4 in alpha_E."
    )
    assert set(answer.numbers) == {"alpha_n", "alpha_e", "e_c_growth"}
    assert power_answer([*entries, joint(0.01, "free")]).verdict == "changes"
    none = dict.fromkeys(("alpha_n", "alpha_e", "e_c_growth"), False)
    open_ = power_answer([*entries, joint(0.4, determined=none, needs={"alpha_n": "seeds"})])
    assert "not determined by these runs (needed: seeds)" in open_.text
    assert "at least two horizons" in power_answer(entries).text
    assert not open_.decided
    assert open_.about == "exponent_change"

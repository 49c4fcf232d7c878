"""Sentences on action-dependent baselines: what is undecided has no number."""

from analysis.laws.action_baselines import by_baseline, entries_of
from analysis.page.action_baselines_claims import action_baseline_claims
from tests.analysis.baseline_sweeps import sweeps

CELL = {"width": 8, "schedule": "dense"}
RATIO = {**CELL, "of": "phi = E[A | x, a]", "over": "no phi", "seeds": 4, "bound": ""}
BIAS = {**CELL, "of": "phi, advantage alone normalised", "interactions": 256}


def claims(**entries):
    return action_baseline_claims({"parts": [], "ratios": [], "bias": [], "falls": [], **entries})


def test_made_sweeps_are_said_with_their_numbers():
    named = sweeps()
    texts = [
        claim.text
        for claim in action_baseline_claims(
            entries_of(by_baseline(list(named), list(named.values())))
        )
    ]
    assert texts[0] == (
        "On the way to a return of 0.5 the actions' share of the gradient's variance is "
        "0.75 [0.75, 0.75] at h = 1, 0.375 [0.375, 0.375] at h = 8."
    )
    assert (
        "Phi = E[A | x, a], against no phi: the ratio of interactions to a return of 0.5 is "
        "0.5 [0.5, 0.5] at h = 1, not known to differ from 1 at h = 8."
    ) in texts
    assert len(texts) == 1 + 4 + 1 + 1
    assert texts[-1].startswith("Runs that end more than 0.1 below their highest return: 1 of 6 ")


def test_undecided_ratios_and_bounds_have_no_number():
    cells = [
        {**RATIO, "horizon": 4.0, "ratio": 0.123, "ratio_ci": [0.1, 2.0], "verdict": "undecided"},
        {**RATIO, "horizon": 1.0, "ratio": 0.321, "ratio_ci": None, "verdict": "undecided"},
    ]
    (claim,) = claims(ratios=cells)
    assert "not known to differ from 1 at h = 1, h = 4." in claim.text
    assert "0.123" not in claim.text
    assert "0.321" not in claim.text
    assert (claim.decided, claim.verdict) == (False, "undecided")


def test_widths_and_schedules_are_named_where_they_differ():
    more = {"horizon": 1.0, "ratio": 0.5, "ratio_ci": [0.4, 0.6], "verdict": "less"}
    (claim,) = claims(ratios=[{**RATIO, **more}, {**RATIO, **more, "width": 16}])
    assert "at h = 1, width 8, 0.5 [0.4, 0.6] at h = 1, width 16." in claim.text


def test_a_wide_cosine_is_not_printed():
    numbers = {"first_cosine": 0.464, "first_cosine_ci": [0.4, 0.5]}
    numbers |= {"length": 0.7, "length_ci": None, "cosine": 0.123, "cosine_ci": [-0.4, 0.6]}
    (claim,) = claims(bias=[{**BIAS, "horizon": 64.0, **numbers}])
    assert claim.text == (
        "Phi, advantage alone normalised: mean gradient against the exact one, averages along "
        "training: at h = 64 cosine not determined by these runs (after 256 interactions 0.464 "
        "[0.4, 0.5]), length not determined by these runs."
    )
    assert claim.numbers == {"first_cosine at h = 64": (0.464, [0.4, 0.5])}


def test_falls_are_said_only_where_there_are_some():
    some = [{"of": "no phi", "runs": 4, "fell": 1}, {"of": "phi", "runs": 4, "fell": 0}]
    (claim,) = claims(falls=some)
    assert claim.text.endswith("1 of 4 with no phi; none of the other sweeps.")
    assert claims(falls=some[1:]) == []

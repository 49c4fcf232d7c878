"""Sentences on penalties and early stopping say what their entry holds, and no more."""

import numpy as np
import pytest

from analysis.data.frontier import gold_curves
from analysis.laws.early_stopping import fit_early_stopping
from analysis.page.early_stopping_claims import early_stopping_claim, proxy_claims
from tests.analysis.proxy_runs import frontiers_of, proxy_runs


def entry_of(**settings):
    frame = proxy_runs(np.random.default_rng(1), **settings)
    (law,) = fit_early_stopping(gold_curves(frame, frontiers_of(frame))).entries
    return law.to_json()


@pytest.mark.parametrize(
    ("settings", "verdict", "words"),
    [
        ({}, "equivalent", "does what stopping early does"),
        ({"shift": 0.05}, "more", "a higher gold score"),
        ({"shift": -0.05}, "less", "a lower gold score"),
        ({"noise": 0.06}, "undecided", "It is undecided whether"),
    ],
)
def test_each_verdict_has_its_sentence(settings, verdict, words):
    claim = early_stopping_claim(entry_of(**settings))
    assert claim.verdict == verdict
    assert words in claim.text
    assert claim.decided == (verdict != "undecided")
    value, ends = claim.numbers["difference"]
    assert ends[0] < value < ends[1]
    assert f"{value:.3g}" in claim.text


def test_with_one_seed_nothing_is_decided_and_no_number_is_said():
    entry = entry_of(seeds=1)
    claim = early_stopping_claim(entry, "Rate 0.1")
    assert not claim.decided
    assert claim.text.startswith("Rate 0.1: it is undecided")
    assert "largest" not in claim.text
    assert proxy_claims(entry) == []


def test_gold_is_said_to_fall_only_where_it_does():
    falling = {claim.about: claim for claim in proxy_claims(entry_of())}
    assert "falls by" in falling["gold_fall"].text
    assert falling["proxy_gap"].numbers["proxy_gap"][0] == pytest.approx(0.1, abs=0.01)
    # With KL up to 0.6 alone gold only rises.
    rising = entry_of(coefficients=(0.0, 0.5))
    rising["gold_fall"], rising["gold_fall_ci"] = 0.0, [-0.01, 0.01]
    assert "gold_fall" not in {claim.about for claim in proxy_claims(rising)}

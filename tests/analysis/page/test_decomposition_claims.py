"""Sentences on the parts state determined numbers alone, and the sign that they have."""

import numpy as np
import pytest

from analysis.laws.decomposition import fit_decompositions
from analysis.page.decomposition_claims import decomposition_claims
from tests.analysis.reference_runs import sweep


def entry(**changes: object) -> dict[str, object]:
    """An entry of `decomposition` of made runs, with some numbers in place of its own."""
    (one,) = fit_decompositions(sweep(np.random.default_rng(0), own=0.01)).entries
    return {**one.to_json(), **changes}


def test_every_part_is_stated_with_its_interval():
    first, ratio = decomposition_claims(entry())
    assert set(first.numbers) == {"task", "objective", "action_noise", "horizon"}
    for text in ("supervised learning needs", "more than supervised", "add ", "adds "):
        assert text in first.text
    assert (first.verdict, first.decided) == ("known", True)
    assert ratio.verdict == "measured"
    assert set(ratio.numbers) == {"h1_over_exact"}


def test_a_negative_part_saves_interactions():
    saved = entry(objective=-2_000.0, objective_ci=[-2_500.0, -1_500.0])
    first, _ = decomposition_claims(saved)
    assert "needs 2,000 [1,500, 2,500] interactions fewer than supervised learning" in first.text
    assert first.numbers["objective"] == (-2_000.0, [-2_500.0, -1_500.0])


def test_what_is_not_determined_is_not_stated():
    open_sign = entry()
    open_sign["determined"] = {**open_sign["determined"], "objective": False, "horizon": False}
    first, _ = decomposition_claims(open_sign)
    assert set(first.numbers) == {"task", "action_noise"}
    assert "expected return" not in first.text
    nothing = entry(determined={})
    nothing = {name: value for name, value in nothing.items() if not name.endswith("_ci")}
    (only,) = decomposition_claims(nothing)
    assert (only.decided, only.verdict, dict(only.numbers)) == (False, "undecided", {})


@pytest.mark.parametrize(
    ("ends", "verdict", "says"),
    [
        ([1.0, 1.2], "more", "less than measured"),
        ([5.0, 6.0], "less", "more than measured"),
        ([1.0, 6.0], "undecided", "it would be"),
    ],
)
def test_the_prediction_is_compared_by_intervals(ends, verdict, says):
    given = entry(predicted_h1_over_exact=sum(ends) / 2, predicted_h1_over_exact_ci=ends)
    given["determined"] = {**given["determined"], "predicted_h1_over_exact": True}
    _, ratio = decomposition_claims(given)
    assert ratio.verdict == verdict
    assert says in ratio.text
    assert ("than measured" in ratio.text) == (verdict != "undecided")


def test_learning_rates_that_differ_are_named_beside_the_prediction():
    ends = {"predicted_h1_over_exact": 2.0, "predicted_h1_over_exact_ci": [1.5, 2.5]}
    given = entry(**ends, learning_rates={"h1": [0.02], "exact": [0.02, 0.04]})
    given["determined"] = {**given["determined"], "predicted_h1_over_exact": True}
    assert "(the rates are 0.02 and, of the exact gradient, 0.02, 0.04)." in (
        decomposition_claims(given)[1].text
    )
    given["learning_rates"] = {"h1": [0.02], "exact": [0.02]}
    assert "the rates are" not in decomposition_claims(given)[1].text

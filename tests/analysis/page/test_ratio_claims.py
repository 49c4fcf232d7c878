"""Sentences on ratios over sizes follow the verdict and print no change that is open."""

from typing import Any

import pytest

from analysis.page.ratio_claims import ratio_answers, ratio_claims


def entry(
    verdict: str,
    of: str = "h = 31",
    over: str = "h = 1",
    threshold: float = 0.7,
    known: bool = True,
) -> dict[str, Any]:
    return {
        "threshold": threshold,
        "of": of,
        "over": over,
        "parameters": [3190.0, 3.02e6],
        "ratio": 4.5,
        "ratio_ci": [4.0, 5.0],
        "exponent_change": -0.02,
        "exponent_change_ci": [-0.06, 0.03],
        "verdict": verdict,
        "determined": {"ratio": True, "exponent_change": known},
        "needs": {} if known else {"exponent_change": "about 9 seeds instead of 4"},
    }


@pytest.mark.parametrize(
    ("verdict", "sentence"),
    [
        (
            "same",
            "-0.02 [-0.06, 0.03]: within 0.1 of 0, so that the coefficient of the cost in size",
        ),
        ("grows", "it grows with size."),
        ("falls", "it falls with size."),
        ("undecided", "undecided whether it depends on size."),
    ],
)
def test_each_verdict_is_said(verdict: str, sentence: str) -> None:
    (claim,) = ratio_claims([entry(verdict)])
    assert claim.text.startswith(
        "To a return of 0.7, RL at h = 31 needs 4.5 [4, 5] times the interactions of h = 1, "
        "averaged over sizes from N = 3,190 to 3.02e+06; this factor changes as N to the power -0.0"
    )
    assert sentence in claim.text
    assert (claim.about, claim.verdict) == ("ratio_by_size", verdict)
    assert claim.decided is (verdict != "undecided")


def test_a_change_that_is_open_is_not_printed() -> None:
    (claim,) = ratio_claims([entry("undecided", known=False)])
    assert claim.text.endswith(
        "whether this factor changes with size is undecided (needed: about 9 seeds instead of 4)."
    )
    assert set(claim.numbers) == {"ratio"}


def test_the_longest_horizon_and_references_answer_at_the_threshold_of_the_page() -> None:
    entries = [
        entry("same", of="h = 7"),
        entry("same", of="h = 31"),
        entry("grows", of="h = 31", threshold=0.5),
        entry("same", of="h = 1", over="exact"),
        entry("undecided", of="h = 1", over="supervised"),
    ]
    first, second = ratio_answers(entries, 0.7)
    assert "h = 31 needs" in first.text
    assert "of the exact gradient" in second.text
    (at_another, _) = ratio_answers([{**entries[1], "verdict": "undecided"}, *entries[2:]], 0.7)
    assert "To a return of 0.5, RL at h = 31" in at_another.text

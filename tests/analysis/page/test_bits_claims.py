"""Sentences on bits and noise follow the verdict."""

from typing import Any

import pytest

from analysis.page.bits_claims import bits_claim


def entry(verdict: str, ratio: list[float]) -> dict[str, Any]:
    return {
        "group": {"width": 24},
        "threshold": 0.7,
        "interactions_spread": 0.7,
        "bits_spread": 0.5,
        "steps_spread": 0.3,
        "bits_over_steps": sum(ratio) / 2,
        "bits_over_steps_ci": ratio,
        "verdict": verdict,
    }


@pytest.mark.parametrize(
    ("verdict", "ratio", "sentence"),
    [
        (
            "noise",
            [1.2, 1.6],
            "the noise predicts better what a schedule costs; the spread of bits",
        ),
        ("bits", [0.5, 0.8], "the number of bits predicts better what a schedule costs"),
        ("undecided", [0.8, 1.3], "(root mean square): undecided which predicts better."),
    ],
)
def test_the_verdict_is_said(verdict: str, ratio: list[float], sentence: str):
    claim = bits_claim(entry(verdict, ratio))
    assert claim.text.startswith(
        "To a return of 0.7 at width 24, schedules differ by a factor 2.01"
    )
    assert sentence in claim.text
    assert claim.decided is (verdict != "undecided")
    assert claim.numbers["bits_over_steps"][1] == ratio

"""A claim: a sentence on the page, and whether the data decide it.

The functions that make claims are in `horizon_claims`, `power_claims` and `factor_claims`. All of
them read the entries of `fits.json`, so that a sentence has no number that is not there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Entry = Mapping[str, Any]


@dataclass(frozen=True)
class Claim:
    """A sentence and whether the data decide it.

    Attributes:
        text: the sentence.
        decided: whether the data decide it.
        about: what it is about, one word for programs: "growth", "knee", "form", "exponent", ...
        verdict: what it says of that, one word for programs; "undecided" where it decides nothing.
        numbers: the numbers that it states with their 95% intervals: `{"knee": (17, [12, 20])}`.
    """

    text: str
    decided: bool
    about: str = ""
    verdict: str = ""
    numbers: Mapping[str, tuple[float, Sequence[float | None] | None]] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The claim as `fits.json` holds it."""
        numbers = {name: {"value": v, "ci": ends} for name, (v, ends) in self.numbers.items()}
        named = {"about": self.about, "verdict": self.verdict, "decided": self.decided}
        return {**named, "text": self.text, "numbers": numbers}

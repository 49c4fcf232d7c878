"""Claims on whether what a horizon, or learning from rewards, costs depends on the network's size.

Entries are those of `ratio_by_size` in `fits.json`.
"""

from collections.abc import Sequence

from analysis.laws.equality import MARGIN
from analysis.page.claims import Claim, Entry
from analysis.page.wording import is_determined, known, number, with_interval

_SAYS = {
    "same": f"within {MARGIN:g} of 0, so that the coefficient of the cost in size changes and its "
    "exponent does not",
    "grows": "it grows with size",
    "falls": "it falls with size",
    "undecided": "undecided whether it depends on size",
}


def ratio_claims(entries: Sequence[Entry]) -> list[Claim]:
    """One claim for each entry, the decided ones first."""
    claims = [_claim(entry) for entry in entries if entry.get("exponent_change_ci")]
    return sorted(claims, key=lambda claim: not claim.decided)


def ratio_answers(entries: Sequence[Entry], threshold: float) -> list[Claim]:
    """What is decided at one threshold, of the longest horizon and of the references.

    Args:
        entries: of `ratio_by_size`, of one family.
        threshold: the return of the page's answers; for the horizon another, where that decides.
    """
    of_horizons = [entry for entry in entries if entry["over"].startswith("h = ")]
    last = max((_horizon(entry) for entry in of_horizons), default=0.0)
    longest = [entry for entry in of_horizons if _horizon(entry) == last]
    longest.sort(
        key=lambda entry: (entry["verdict"] == "undecided", entry["threshold"] != threshold)
    )
    others = [one for one in entries if one not in of_horizons and one["threshold"] == threshold]
    return [claim for claim in ratio_claims([*longest[:1], *others]) if claim.decided]


def _horizon(entry: Entry) -> float:
    return float(entry["of"].removeprefix("h = "))


_IN_WORDS = {"supervised": "supervised learning", "exact": "the exact gradient"}


def _claim(entry: Entry) -> Claim:
    small, large = entry["parameters"]
    verdict = entry["verdict"]
    text = f"To a return of {entry['threshold']:g}, RL at {entry['of']} needs "
    over = _IN_WORDS.get(entry["over"], entry["over"])
    text += f"{known(entry, 'ratio')} times the interactions of {over}, averaged over "
    text += f"sizes from N = {number(small)} to {number(large)}"
    numbers = {}
    if is_determined(entry, "ratio"):
        numbers["ratio"] = (entry["ratio"], entry["ratio_ci"])
    if verdict == "undecided" and not is_determined(entry, "exponent_change"):
        needed = entry["needs"]["exponent_change"]
        text += f"; whether this factor changes with size is undecided (needed: {needed})."
        return Claim(text, False, "ratio_by_size", verdict, numbers)
    numbers["exponent_change"] = (entry["exponent_change"], entry["exponent_change_ci"])
    text += f"; this factor changes as N to the power {with_interval(entry, 'exponent_change')}: "
    return Claim(
        f"{text}{_SAYS[verdict]}.", verdict != "undecided", "ratio_by_size", verdict, numbers
    )

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
        threshold: the return of the page's answers.
    """
    here = [entry for entry in entries if entry["threshold"] == threshold]
    of_horizons = [entry for entry in here if entry["over"].startswith("h = ")]
    others = [entry for entry in here if entry not in of_horizons]
    longest = sorted(of_horizons, key=lambda entry: float(entry["of"].removeprefix("h = ")))[-1:]
    return [claim for claim in ratio_claims([*longest, *others]) if claim.decided]


def _claim(entry: Entry) -> Claim:
    small, large = entry["parameters"]
    verdict = entry["verdict"]
    text = f"To a return of {entry['threshold']:g} {entry['of']} needs "
    text += f"{known(entry, 'ratio')} times the interactions of {entry['over']}, averaged over "
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

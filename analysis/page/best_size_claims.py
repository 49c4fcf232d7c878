"""Claims on measured best sizes: how the size of least compute grows with that compute.

Entries are those of `best_sizes` in `fits.json`.
"""

from collections.abc import Sequence

from analysis.page.claims import Claim, Entry
from analysis.page.wording import is_determined, number, with_interval
from mnist_horizon.algorithms import REFERENCES

_NAME = "optimal_size_exponent"
_ALPHAS = {"alpha_n": "alpha_N", "alpha_e": "alpha_E"}


def best_size_claims(entries: Sequence[Entry]) -> list[Claim]:
    """A claim for each condition whose exponent the runs determine, and one for all others.

    Args:
        entries: of `best_sizes`, of one family and its references.
    """
    known = [entry for entry in entries if is_determined(entry, _NAME)]
    open_ = [entry for entry in entries if not is_determined(entry, _NAME)]
    claims = [_known(entry) for entry in known]
    return [*claims, _open(open_)] if open_ else claims


def best_size_answer(entries: Sequence[Entry]) -> Claim | None:
    """The exponents of all conditions that determine theirs, in one sentence."""
    known = [entry for entry in entries if is_determined(entry, _NAME)]
    if not known:
        return None
    each = [f"{with_interval(entry, _NAME)} {_condition(entry)}" for entry in known]
    listed = f"{', '.join(each[:-1])} and {each[-1]}" if len(each) > 1 else each[0]
    text = (
        "The size that needs the least compute for a return grows as that compute to the power "
        f"{listed} (measured, with no law of the curves)."
    )
    first = known[0]
    numbers = {_NAME: (first[_NAME], first[f"{_NAME}_ci"]), "horizon": (_horizon(first), None)}
    return Claim(text, True, "best_size", "determined", numbers)


def _known(entry: Entry) -> Claim:
    low, high = entry["return_mean"]
    factor = entry["compute"][1] / entry["compute"][0]
    text = (
        f"{_condition(entry, first=True)} the best size grows as the least compute to the power "
        f"{with_interval(entry, _NAME)}: over a factor {number(factor)} in compute, to returns of "
        f"{low:.2f} to {high:.2f}."
    )
    numbers = {_NAME: (entry[_NAME], entry[f"{_NAME}_ci"]), "horizon": (_horizon(entry), None)}
    if all(is_determined(entry, name) for name in _ALPHAS):
        alphas = " and ".join(f"{_ALPHAS[name]} = {with_interval(entry, name)}" for name in _ALPHAS)
        text += f" With the curvature of compute about the best size, {alphas}."
        numbers |= {name: (entry[name], entry[f"{name}_ci"]) for name in _ALPHAS}
    return Claim(text, True, "best_size", "determined", numbers)


def _open(entries: Sequence[Entry]) -> Claim:
    names = ", ".join(_condition(entry) for entry in entries)
    needed = next(iter(entries[0].get("needs", {}).values()), "longer runs")
    text = f"How the best size grows with compute is not determined {names} (needed: {needed})."
    return Claim(text, False, "best_size", "undecided")


def _condition(entry: Entry, first: bool = False) -> str:
    algorithm = entry["group"].get("algorithm")
    if algorithm in REFERENCES:
        return f"{'For' if first else 'for'} {algorithm}"
    return f"{'At' if first else 'at'} h = {_horizon(entry):g}"


def _horizon(entry: Entry) -> float:
    return float(entry["group"]["horizon"])

"""Claims from the power law in size: exponents, what they share over horizons, E_c."""

import math
from collections.abc import Sequence

from analysis.page.claims import Claim, Entry
from analysis.page.wording import interval, is_determined, number, with_interval


def power_law_claims(entries: Sequence[Entry]) -> list[Claim]:
    """Claims of one family's entries of `power_law` with compute as N * E."""
    single = [entry for entry in entries if not entry.get("joint")]
    claims = [_constants(entry) for entry in _ends(single)]
    for entry in entries:
        if entry.get("joint"):
            claims += [_shared(entry), _e_c(entry)]
    return claims


def _ends(entries: Sequence[Entry]) -> list[Entry]:
    """The entries of the shortest and the longest horizon."""
    ordered = sorted(entries, key=lambda entry: entry["group"]["horizon"])
    return ordered if len(ordered) < 2 else [ordered[0], ordered[-1]]


def _constants(entry: Entry) -> Claim:
    return Claim(
        f"At h = {entry['group']['horizon']:g}, fitted separately, the exponents are alpha_N = "
        f"{with_interval(entry, 'alpha_n')} and alpha_E = {with_interval(entry, 'alpha_e')}; the "
        f"best size grows as compute to the {with_interval(entry, 'optimal_size_exponent')}.",
        all(is_determined(entry, name) for name in ("alpha_n", "alpha_e")),
    )


_MODELS = {
    "shared": "only the coefficient E_c changes with the horizon",
    "exponents": "the exponents are shared, N_c and the link change too",
    "free": "everything changes with the horizon, the exponents too",
}


def _shared(entry: Entry) -> Claim:
    """The joint fit, and which of the models of `power.shared` describes the runs best by AICc."""
    text = (
        f"Sharing the exponents over horizons gives alpha_N = {with_interval(entry, 'alpha_n')} "
        f"and alpha_E = {with_interval(entry, 'alpha_e')}. "
    )
    known = {model: value for model, value in entry["aicc"].items() if value is not None}
    if len(known) < 2:
        return Claim(f"{text}Undecided against separate exponents: too few runs.", False)
    least = min(known.values())
    gaps = "; ".join(
        f"{_MODELS[model]}: +{value - least:.1f}"
        for model, value in sorted(known.items(), key=lambda item: item[1])
    )
    if entry["verdict"] in _MODELS:
        best = f"The runs are described best where {_MODELS[entry['verdict']]}"
        text = f"{text}{best} (AICc above the best: {gaps})."
        if entry["verdict"] == "free":
            return Claim(text, True)
        return Claim(f"{text} Finding no change does not show that there is none.", False)
    return Claim(f"{text}Undecided between the best of (AICc above the best) {gaps}.", False)


def _e_c(entry: Entry) -> Claim:
    first, last = entry["e_c_by_horizon"][0], entry["e_c_by_horizon"][-1]
    ratio = last["e_c"] / first["e_c"]
    return Claim(
        f"With shared exponents, E_c at h = {last['horizon']:g} is {number(ratio)} times that at "
        f"h = {first['horizon']:g} ({number(last['e_c'])} {interval(last['e_c_ci'])} against "
        f"{number(first['e_c'])} {interval(first['e_c_ci'])}).",
        math.isfinite(ratio),
    )

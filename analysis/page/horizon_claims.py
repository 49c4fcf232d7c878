"""Claims from the horizon law: what the horizon costs, the knee, the form, the prediction.

What a longer horizon costs is measured without a law, so that it is said whatever the form. Of the
knee, the exponent and the form there is a sentence only where the horizon is shown to cost more.
"""

import math
from typing import Any

from analysis.laws.horizon import EXPONENT_MARGIN, KNEE_MARGIN
from analysis.page.claims import Claim, Entry
from analysis.page.wording import is_determined, known, number, percent
from analysis.stats.fit_test import REFUSED

TOO_CLOSE = 1.25
"""Ratio of held-out errors below which neither law is said to predict better."""

TOO_FAR = math.log(10)
"""Error in log E, a factor 10, from which a fit is said to determine no prediction."""

UNDECIDED = "undecided"


def horizon_claims(entry: Entry) -> list[Claim]:
    """Claims of one entry of `horizon_law` in h - 1."""
    claims = [_cost(entry)]
    if entry["costs"]:
        claims += _of_the_law(entry)
    return claims + fell_back_claims(entry)


def horizon_answer(entry: Entry, of: str = "") -> Claim:
    """One sentence: what the long horizon costs, where the cost doubles, and how it grows.

    Args:
        entry: one of `horizon_law` in h - 1.
        of: what the sentence is about; by default the width and the return.
    """
    verdict = _cost_verdict(entry)
    needs = _multiplier(entry)
    needs = f"a horizon of {needs}" if needs.startswith("h = ") else needs
    text = f"{of or about_runs(entry)}: {needs}"
    numbers = _of_multiplier(entry)
    if verdict == UNDECIDED:
        text += "; undecided whether the horizon costs anything"
    elif verdict == "less":
        text += "; a longer horizon costs less"
    elif verdict == "measured":
        text += "; the cost follows none of the three laws of the horizon"
    elif not entry["costs"]:
        text += "; undecided by which law the cost grows"
    else:
        text += f"; {_growth(entry)}"
        numbers |= _numbers(knee_source(entry), "knee") if _knee_is_inside(entry) else {}
    return Claim(f"{text}.", verdict != UNDECIDED, "cost", verdict, numbers)


def about_runs(entry: Entry) -> str:
    """The width and the return of an entry."""
    width = entry["group"].get("width")
    return f"{f'Width {width}' if width else 'All widths'}, return {entry['threshold']:g}"


def _growth(entry: Entry) -> str:
    """Where the cost doubles and how it grows, as the end of a sentence."""
    forms = {
        "proportional": "it is proportional to the horizon",
        "affine": "it grows in proportion to h - 1 beyond its constant part (affine)",
        "free": f"it grows as (h - 1) to the power {known(_free(entry), 'g')}",
    }
    return f"{_doubling(entry)}; {forms.get(entry['verdict'], 'undecided by which law it grows')}"


def _doubling(entry: Entry) -> str:
    """Where the cost doubles; not where that lies beyond what was measured."""
    source = knee_source(entry)
    if not is_determined(source, "knee"):
        return f"the horizon at which the cost doubles (the knee) is {known(source, 'knee')}"
    if not _knee_is_inside(entry):
        largest = entry["measured"][1]
        return f"the cost does not double within the horizons measured (up to h = {largest:g})"
    return f"the cost doubles at h = {known(source, 'knee')} (the knee)"


def _knee_is_inside(entry: Entry) -> bool:
    """Whether a knee is determined and lies within the measured horizons: none is extrapolated."""
    source = knee_source(entry)
    return is_determined(source, "knee") and source["knee"] <= entry["measured"][1]


def _refused(entry: Entry) -> set[str]:
    """The forms that the runs do not lie on."""
    tests = entry["fit_test"].items()
    return {form for form, p in tests if p is not None and p < REFUSED}


def _numbers(entry: Entry, name: str, call: str = "") -> dict[str, Any]:
    """A number of a sentence with its interval, where the runs determine it."""
    if name not in entry or not is_determined(entry, name):
        return {}
    return {call or name: (entry[name], entry.get(f"{name}_ci"))}


def _free(entry: Entry) -> Entry:
    """The free power of an entry; empty where there is none."""
    free: Entry = entry.get("free_power") or {}
    return free


def knee_source(entry: Entry) -> Entry:
    """Where the knee is read: of the affine law where that is shown, else of the free power."""
    by_power = not is_determined(entry, "knee") and entry.get("free_power")
    return _free(entry) if by_power else entry


def _multiplier(entry: Entry) -> str:
    """What the long horizon needs over the short one, in words."""
    parts = []
    if "multiplier" in entry:
        shortest, longest = entry["multiplier_horizons"]
        ends = entry.get("multiplier_ci")
        if is_determined(entry, "multiplier"):
            needs = f"{known(entry, 'multiplier')} times the interactions of h = {shortest:g}"
        elif ends and ends[0] > 1:
            needs = f"at least {number(ends[0])} times the interactions of h = {shortest:g}"
        else:
            needs = f"a multiple of h = {shortest:g} that is {known(entry, 'multiplier')}"
        parts.append(f"h = {longest:g} needs {needs}")
    beyond = entry.get("multiplier_beyond")
    if beyond and beyond["at_least"] > max(1.0, entry.get("multiplier", 0.0)):
        shortest, longest = beyond["horizons"]
        needs = f"h = {longest:g} needs at least {number(beyond['at_least'])} times"
        parts.append(f"{needs}{f' those of h = {shortest:g}' if not parts else ''}")
    return ", ".join(parts) or "no two horizons can be compared, too few runs reach the return"


def _cost_verdict(entry: Entry) -> str:
    """What is said of the cost: "more", "less" or undecided; of runs on no law only the ratio.

    A law that does not fit may turn: then it is not said that a longer horizon costs more.
    """
    verdict = str(entry["multiplier_verdict"])
    return "measured" if verdict != UNDECIDED and "free" in _refused(entry) else verdict


def _of_multiplier(entry: Entry) -> dict[str, Any]:
    """The measured multiplier, and the horizon that it is of."""
    if not (found := _numbers(entry, "multiplier")):
        return {}
    return {**found, "horizon": (entry["multiplier_horizons"][1], None)}


_COSTS = {
    "more": "a longer horizon costs more",
    "less": "a longer horizon costs less",
    UNDECIDED: "undecided whether the horizon costs anything",
}


def _cost(entry: Entry) -> Claim:
    verdict = _cost_verdict(entry)
    text = _multiplier(entry)
    text = f"{text[0].upper()}{text[1:]}" if text.startswith("no ") else text
    text += f": {_COSTS[verdict]}" if verdict in _COSTS else ""
    numbers = _of_multiplier(entry)
    return Claim(f"{text}.", verdict != UNDECIDED, "cost", verdict, numbers)


def _of_the_law(entry: Entry) -> list[Claim]:
    """What the forms say, where the horizon is shown to cost more."""
    refused = _refused(entry)
    if "free" in refused:
        worst = f"a true law would fit as badly in {_share(entry, 'free')} of such sweeps"
        text = f"The points lie on none of the three laws ({worst}): no knee and no exponent."
        return [Claim(text, False, "form", "refused")]
    claims = [_knee(entry)]
    if "affine" in refused:
        share = _share(entry, "affine")
        text = f"The points do not lie on the affine law: a true one would fit as badly in {share}"
        claims.append(Claim(f"{text} of such sweeps.", True, "misfit", "affine"))
    claims.append(_form(entry))
    if entry.get("free_power") and entry["verdict"] == UNDECIDED:
        claims.append(_exponent(entry))
    return claims + _prediction(entry)


def _share(entry: Entry, form: str) -> str:
    share = 100 * float(entry["fit_test"][form])
    return "fewer than 0.01%" if share < 0.01 else f"{share:.1g}%"


def _knee(entry: Entry) -> Claim:
    source = knee_source(entry)
    text = _doubling(entry)
    text = f"{text[0].upper()}{text[1:]}"
    if _knee_is_inside(entry):
        law = "affine law" if source is entry else "free power"
        numbers = _numbers(source, "knee")
        return Claim(f"{text}, by the {law}.", True, "knee", "inside", numbers)
    if not is_determined(source, "knee"):
        return Claim(f"{text}.", False, "knee", UNDECIDED)
    highest = (entry.get("multiplier_ci") or [None, None])[1]
    shown = highest is not None and highest < 2
    return Claim(f"{text}.", shown, "knee", "beyond" if shown else UNDECIDED)


def _exponent(entry: Entry) -> Claim:
    free = _free(entry)
    text = f"The exponent of h - 1 beyond the constant part is g = {known(free, 'g')}."
    if not is_determined(free, "g"):
        text = f"The exponent g of h - 1 beyond the constant part is {known(free, 'g')}."
    return Claim(text, False, "exponent", UNDECIDED, _numbers(free, "g"))


def _form(entry: Entry) -> Claim:
    form = entry["verdict"]
    if form == UNDECIDED:
        if not entry.get("free_power"):
            text = "Undecided which form holds: a power of the horizon needs three horizons."
            return Claim(text, False, "form", UNDECIDED)
        return Claim("Undecided which form of law holds.", False, "form", UNDECIDED)
    free = _free(entry)
    exponent = f"the exponent g = {known(free, 'g')}"
    low, high = EXPONENT_MARGIN
    numbers = _numbers(free, "g")
    if form == "affine":
        text = (
            "The cost grows in proportion to h - 1 beyond its constant part (affine): "
            f"{exponent} lies within {low:g} to {high:g}."
        )
    elif form == "proportional":
        numbers |= _numbers(entry, "knee")
        text = (
            f"The cost is proportional to the horizon: {exponent} lies within {low:g} to {high:g}, "
            f"and the knee, {known(entry, 'knee')}, within {KNEE_MARGIN[0]:.3g} to "
            f"{KNEE_MARGIN[1]:.3g} of which 2 is exact."
        )
    else:
        curve = "concave" if entry["free_power"]["g"] < 1 else "convex"
        text = (
            f"The cost is {curve} in the horizon: beyond its constant part it grows as (h - 1)^g, "
            f"and {exponent} excludes 1 (affine)."
        )
    return Claim(text, True, "form", form, numbers)


def _prediction(entry: Entry) -> list[Claim]:
    """How well the longest horizons are predicted by a fit without them.

    There is only one split, without an interval: it decides nothing.
    """
    errors = entry["heldout_error"]
    if not {"affine", "free"} <= set(errors):
        return []
    affine, free = errors["affine"], errors["free"]
    if max(affine, free) >= TOO_FAR:
        text = "Fitted without the longest horizons, the laws do not determine a prediction there."
        return [Claim(text, False, "prediction", UNDECIDED)]
    text = (
        f"Fitted without the longest horizons, the error there is {_error(affine)} for the affine "
        f"law and {_error(free)} for the free power"
    )
    numbers = {"affine": (affine, None), "free": (free, None)}
    if max(affine, free) < TOO_CLOSE * min(affine, free):
        text += ": undecided which predicts better."
    else:
        better = "affine law" if affine < free else "free power"
        text += f": here the {better} predicts better, from one split."
    return [Claim(text, False, "prediction", UNDECIDED, numbers)]


def _error(log_error: float) -> str:
    """An error in log E in per cent, from a factor 2 on as a factor."""
    if log_error < math.log(2):
        return percent(log_error)
    return f"a factor {number(math.exp(log_error))}"


def fell_back_claims(entry: Entry) -> list[Claim]:
    """How many runs reached the return and later fell below it; empty where none did."""
    count = entry.get("fell_back", 0)
    if not count:
        return []
    names = ", ".join(entry["fell_back_runs"])
    more = ", ..." if count > len(entry["fell_back_runs"]) else ""
    they = (
        "they count as having reached it, at their" if count > 1 else "it counts as having, at its"
    )
    text = (
        f"{count} of {entry['runs']} runs reached {entry['threshold']:g} and later fell below it "
        f"({names}{more}): {they} first lasting crossing."
    )
    return [Claim(text, True, "fell_back", "some", {"fell_back": (count, None)})]

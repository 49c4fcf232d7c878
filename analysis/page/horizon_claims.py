"""Claims from the horizon law: growth, knee, exponent, form, prediction."""

import math
from collections.abc import Sequence

from analysis.page.claims import Claim, Entry
from analysis.page.wording import interval, number, percent, with_interval

TOO_CLOSE = 1.25
"""Ratio of held-out errors below which neither law is said to predict better."""


def horizon_claims(entry: Entry) -> list[Claim]:
    """Claims of one entry of `horizon_law` in h - 1: growth, knee, exponent, form, prediction."""
    claims = [_growth(entry), _knee(entry)]
    if entry.get("free_power"):
        claims.append(_exponent(entry))
    claims.append(_form(entry))
    claims += _prediction(entry)
    return claims


def _growth(entry: Entry) -> Claim:
    unit = f"b = {with_interval(entry, 'b')} interactions per step of horizon"
    ends = entry.get("b_ci")
    if ends is None:
        return Claim(f"Undecided whether the horizon costs anything: {unit}; one seed.", False)
    if ends[0] > 0:
        return Claim(f"A longer horizon costs more: {unit}; the interval excludes 0.", True)
    if ends[1] < 0:
        return Claim(f"A longer horizon costs less: {unit}; the interval excludes 0.", True)
    return Claim(f"Undecided whether the horizon costs anything: {unit}; it includes 0.", False)


def _open_sides(ends: Sequence[float | None]) -> str:
    """The sides on which the data do not determine an interval, in words."""
    sides = [side for side, end in zip(("below", "above"), ends, strict=True) if end is None]
    return " or from ".join(sides)


def _knee(entry: Entry) -> Claim:
    knee = entry.get("knee")
    if knee is None:
        return Claim("There is no knee: interactions do not grow with the horizon.", False)
    ends = entry.get("knee_ci")
    text = (
        "The knee, the horizon that needs twice the interactions of h = 1 by the affine law, is at "
        f"h = {number(knee)} {interval(ends)}"
    )
    largest = entry["measured"][1]
    if knee > largest:
        text += f", beyond the largest horizon measured ({largest:g})"
    open_sides = _open_sides(ends) if ends else ""
    if open_sides:
        text += f"; the data do not bound it from {open_sides}"
    return Claim(f"{text}.", ends is not None and not open_sides)


def _exponent(entry: Entry) -> Claim:
    free = entry["free_power"]
    ends = free.get("g_ci")
    text = f"The free exponent of the horizon is g = {with_interval(free, 'g')}"
    if ends is None:
        return Claim(f"{text}; undecided whether it is 1 (affine): one seed.", False)
    if open_sides := _open_sides(ends):
        text += f" (the data do not bound it from {open_sides})"
    if (ends[0] or 0.0) <= 1 <= (math.inf if ends[1] is None else ends[1]):
        return Claim(f"{text}; 1 (affine) lies inside.", not open_sides)
    curve = "concave" if free["g"] < 1 else "convex"
    return Claim(f"{text}; 1 (affine) lies outside: the cost is {curve} in the horizon.", True)


_FORMS = {
    "affine": "an affine law, a part independent of the horizon and one that grows with it",
    "proportional": "a law proportional to the horizon",
    "free": "a power of the horizon other than 1",
}


def _form(entry: Entry) -> Claim:
    verdict = entry["verdict"]
    aicc = ", ".join(f"{form} {value:.1f}" for form, value in entry["aicc"].items())
    scores = f" (AICc: {aicc}; lower is better, a difference of 2 is small)" if aicc else ""
    if verdict == "undecided":
        return Claim(f"Undecided which form holds{scores}.", False)
    return Claim(f"The data select {_FORMS[verdict]}{scores}.", True)


def _prediction(entry: Entry) -> list[Claim]:
    errors = entry["heldout_error"]
    if not {"affine", "free"} <= set(errors):
        return []
    affine, free = errors["affine"], errors["free"]
    text = (
        f"Fitted without the largest horizons, the error there is {percent(affine)} for the "
        f"affine law and {percent(free)} for the free power"
    )
    if max(affine, free) < TOO_CLOSE * min(affine, free):
        return [Claim(f"{text}: undecided which predicts better.", False)]
    better = "affine law" if affine < free else "free power"
    # There is only one split, without an interval: it decides nothing.
    return [Claim(f"{text}: here the {better} predicts better.", False)]


def in_short(laws: Sequence[Entry]) -> list[Claim]:
    """One sentence over all thresholds of a family."""
    if not laws:
        return []
    grows = sum(law.get("b_ci") is not None and law["b_ci"][0] > 0 for law in laws)
    forms = ", ".join(dict.fromkeys(law["verdict"] for law in laws))
    knees = ", ".join(
        f"{with_interval(law, 'knee')} (return {law['threshold']:g})" if law.get("knee") else "none"
        for law in laws
    )
    text = (
        f"In short: a longer horizon is shown to cost more at {grows} of {len(laws)} thresholds; "
        f"form of the law: {forms}; knee at h = {knees}."
    )
    return [Claim(text, grows == len(laws) and forms != "undecided")]

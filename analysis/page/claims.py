"""Claims from the fits: a sentence each, with its interval, or that it is undecided.

All of them read the entries of `fits.json`, so that a sentence has no number that is not there.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from analysis.laws.law import TOO_WIDE
from analysis.page.wording import interval, number, percent, with_interval

Entry = Mapping[str, Any]

TOO_CLOSE = 1.25
"""Ratio of held-out errors below which neither law is said to predict better."""


@dataclass(frozen=True)
class Claim:
    """A sentence and whether the data decide it."""

    text: str
    decided: bool


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
        all(_is_determined(entry.get(f"{name}_ci")) for name in ("alpha_n", "alpha_e")),
    )


def _is_determined(ends: Sequence[float | None] | None) -> bool:
    """Whether the ends of an exponent's interval are known and less than a factor 10 apart."""
    low, high = ends or (None, None)
    return low is not None and high is not None and high < TOO_WIDE * low


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


def batch_claims(entry: Entry) -> list[Claim]:
    """Claims of one entry of `batch_law`: the knee as the batch gets small."""
    return [
        Claim(
            f"To a return of {entry['threshold']:g} the knee tends to h = "
            f"{with_interval(entry, 'knee_small_batch')} as the batch gets small: the part of it "
            "that depends on the task, not on the batch.",
            None not in (entry.get("knee_small_batch_ci") or [None]),
        )
    ]


def noise_claims(agreement: pd.DataFrame, coefficients: pd.DataFrame) -> list[Claim]:
    """Claims on gradient noise at one width: measured over predicted, and the knee it predicts.

    Args:
        agreement: of `data.noise.agreement`.
        coefficients: of `data.noise.horizon_coefficients`; may be empty.
    """
    claims = []
    for row in agreement.itertuples():
        ends = (row.low, row.high) if math.isfinite(row.low) else None
        inside = ends is not None and row.low <= 1 <= row.high
        fits = "as predicted, within its interval" if inside else "not as predicted"
        if ends is None:
            fits = "undecided whether as predicted, one seed"
        text = f"The {row.part} variance of a step's gradient, measured over predicted, is"
        claims.append(Claim(f"{text} {number(row.ratio)} {interval(ends)}: {fits}.", bool(ends)))
    claims += [
        Claim(
            f"By the noise scale alone, averaged over training, the knee would be at h = "
            f"{number(row.knee)} for a batch of {row.batch} and at h = "
            f"{number(row.knee_small_batch)} as the batch gets small.",
            False,
        )
        for row in coefficients.itertuples()
    ]
    return claims


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

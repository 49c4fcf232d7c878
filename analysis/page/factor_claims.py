"""Claims from the laws of schedules, sizes, batches, optimisers and tasks, a sentence each.

As in `claims`, all of them read the entries of `fits.json`.
"""

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd

from analysis.page.claims import Claim, Entry
from analysis.page.horizon_claims import horizon_answer
from analysis.page.wording import interval, number, percent, with_interval


def schedule_claims(entry: Entry) -> list[Claim]:
    """Claims of one entry of `joint_law`: constants, slope, each schedule, each best horizon."""
    known = "s_min_ci" in entry
    claims = [
        Claim(
            f"E = S_min (B + B_noise) describes the pairs of horizon and schedule within "
            f"{percent(entry['error'])} (root mean square), with S_min = "
            f"{with_interval(entry, 's_min')} updates, noise scale tr(F v)/|m|^2 = "
            f"{with_interval(entry, 'noise_scale')} interactions, A/(F v) = "
            f"{with_interval(entry, 'ratio')} and an effective accuracy of "
            f"{with_interval(entry, 'accuracy')}.",
            known,
        ),
        _slope(entry),
    ]
    claims += [_departure(one) for one in entry["departures"]]
    return claims + [_best(one) for one in entry["best_horizons"]]


def _slope(entry: Entry) -> Claim:
    text = f"Interactions grow as (B + B_noise) to the {with_interval(entry, 'slope')}"
    ends = entry.get("slope_ci")
    if ends is None:
        return Claim(f"{text}; undecided whether it is 1 (the law): one seed.", False)
    if ends[0] <= 1 <= ends[1]:
        return Claim(f"{text}; 1 (the law) lies inside.", True)
    way = "less" if entry["slope"] < 1 else "more"
    return Claim(f"{text}: {way} than in proportion, unlike the law.", True)


def _departure(entry: Entry) -> Claim:
    name = entry["schedule"]
    censored = f"{entry['censored']} of {entry['runs']} runs censored"
    if "ratio" not in entry:
        bound = number(entry["at_least"])
        text = f"{name} needs, at some horizon, at least {bound} times what the law predicts"
        return Claim(f"{text} ({censored}; too few runs reach the return for a ratio).", False)
    text = (
        f"{name} needs {with_interval(entry, 'ratio')} times what the law of the others predicts "
        f"({censored})"
    )
    ends = entry.get("ratio_ci")
    if ends is None:
        return Claim(f"{text}: undecided, no interval.", False)
    if ends[0] <= 1 <= ends[1]:
        return Claim(f"{text}: as predicted, within its interval.", True)
    return Claim(f"{text}: the prediction fails.", True)


def _best(entry: Entry) -> Claim:
    predicted = f"{number(entry['predicted'])} {interval(entry.get('predicted_ci'))} by the law"
    name = entry["schedule"]
    if entry["edge"]:
        edge = f"{entry['edge']} horizon measured ({entry['measured']:g})"
        text = f"{name} needs the fewest interactions at the {edge}"
        return Claim(f"{text}, so that its best horizon may lie beyond; {predicted}.", False)
    text = f"{name} has its best horizon at h = {with_interval(entry, 'measured')}, {predicted}"
    ends = entry.get("measured_ci")
    if ends is None:
        return Claim(f"{text}; undecided, no interval.", False)
    inside = ends[0] <= entry["predicted"] <= ends[1]
    return Claim(f"{text}: {'as predicted' if inside else 'not as predicted'}.", True)


def size_claims(rows: Sequence[Entry]) -> list[Claim]:
    """Claims of one threshold's `size_exponents`: that of dense, and each change from it."""
    claims = []
    for row in rows:
        ends = (row["exponent_low"], row["exponent_high"])
        exponent = f"{number(row['exponent'])} {interval(ends)}"
        text = f"{row['schedule']}: E falls as N^-a, a = {exponent}"
        if row["schedule"] == "dense":
            claims.append(Claim(f"{text}.", ends[0] is not None))
            continue
        change = (row["change_low"], row["change_high"])
        more = f"{number(row['change'])} {interval(change)} more than under dense"
        if change[0] is None or change[1] is None:
            verdict = "undecided, no interval"
        elif change[0] <= 0 <= change[1]:
            verdict = "no change of the exponent is shown"
        else:
            verdict = "the exponent changes"
        claims.append(Claim(f"{text}, {more}: {verdict}.", verdict == "the exponent changes"))
    return claims


def batch_law_claim(entry: Entry) -> Claim:
    """The constants of one entry of `batch_law`, and the knee at each batch."""
    knees = ", ".join(f"{number(knee)} at B = {batch}" for batch, knee in entry["knees"].items())
    text = (
        f"E = S_min (B + n_0 + n_1 x) with S_min = {with_interval(entry, 's_min')} updates, "
        f"n_0 = {with_interval(entry, 'noise_constant')} and n_1 = "
        f"{with_interval(entry, 'noise_growth')} interactions; knee at h = {knees}."
    )
    return Claim(text, "s_min_ci" in entry)


def measured_noise_claims(coefficients: Sequence[dict[str, Any]]) -> list[Claim]:
    """What was measured of the constants that the batch law fits.

    Args:
        coefficients: rows of `data.noise.horizon_coefficients`, before the threshold.
    """
    parts = []
    for row in coefficients:
        constants = []
        for symbol, name in (("n_0", "noise_constant"), ("n_1", "noise_growth")):
            ends = (row[f"{name}_low"], row[f"{name}_high"]) if row["seeds"] > 1 else None
            constants.append(f"{symbol} = {number(row[name])} {interval(ends)}")
        parts.append(f"{' and '.join(constants)} at B = {row['batch']}")
    text = "Measured, from a quarter of the interactions to this return up to it (geometric means)"
    return [Claim(f"{text}: {'; '.join(parts)}.", True)] if parts else []


def compared_claim(name: str, entry: Entry) -> Claim:
    """The answer of one of several horizon laws that are compared."""
    return horizon_answer(entry, f"{name}, return {entry['threshold']:g}")


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

"""Claims from the laws of schedules, sizes, batches, optimisers and tasks, a sentence each.

As in `claims`, all of them read the entries of `fits.json`.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from analysis.data.ratios import Ratio
from analysis.page.claims import Claim, Entry
from analysis.page.horizon_claims import knee_source
from analysis.page.wording import (
    NOT_DETERMINED,
    in_words,
    interval,
    is_determined,
    known,
    number,
    percent,
    with_interval,
)

EQUAL = 1.5
"""Largest factor about a prediction within which an interval shows that it holds."""


def _against(ends: Sequence[float | None] | None, expected: float, factor: float) -> str:
    """Whether an interval shows a number to be "equal" to one that is expected, "above" or "below".

    "equal": the interval lies within the factor about the expected number. Else an interval that
    excludes it is "above" or "below", and one that holds it is "undecided".
    """
    low, high = ends or (None, None)
    low_is_close = low is not None and expected < low * factor
    if low_is_close and high is not None and high < expected * factor:
        return "equal"
    if low is not None and low > expected:
        return "above"
    return "below" if high is not None and high < expected else "undecided"


def schedule_claims(entry: Entry) -> list[Claim]:
    """Claims of one entry of `joint_law`: constants, slope, each schedule, each best horizon."""
    names = {"S_min": "s_min", "noise scale": "noise_scale", "A/(F v)": "ratio", "mu": "accuracy"}
    determined = {name: key for name, key in names.items() if is_determined(entry, key)}
    constants = ", ".join(f"{name} = {known(entry, key)}" for name, key in names.items())
    claims = [
        Claim(
            f"To a return of {entry['threshold']:g}, E = S_min (B + B_noise) describes all pairs "
            f"of horizon and schedule within {percent(entry['error'])} (root mean square): "
            f"{constants}.",
            bool(determined),
            "schedule_law",
            "fitted",
            {key: (entry[key], entry[f"{key}_ci"]) for key in determined.values()},
        ),
        _slope(entry),
    ]
    claims += [_departure(one) for one in entry["departures"]]
    return claims + [_best(one) for one in entry["best_horizons"]]


_SLOPES = {
    "equal": "in proportion, as the law says, within a factor 1.25 of the exponent",
    "above": "more than in proportion, unlike the law",
    "below": "less than in proportion, unlike the law",
    "undecided": "undecided whether in proportion",
}


def _slope(entry: Entry) -> Claim:
    verdict = _against(entry.get("slope_ci"), 1.0, 1.25)
    text = f"Interactions grow as (B + B_noise) to the {known(entry, 'slope')}: {_SLOPES[verdict]}."
    numbers = {"slope": (entry["slope"], entry.get("slope_ci"))}
    return Claim(text, verdict != "undecided", "schedule_slope", verdict, numbers)


_DEPARTURES = {
    "equal": f"as predicted, within a factor {EQUAL:g}",
    "above": "more than predicted",
    "below": "less than predicted",
    "undecided": "undecided whether as predicted",
}


def _departure(entry: Entry) -> Claim:
    name = entry["schedule"]
    censored = f"{entry['censored']} of {entry['runs']} runs censored"
    if "ratio" not in entry:
        bound = number(entry["at_least"])
        text = f"{name} needs, at some horizon, at least {bound} times what the law predicts"
        text = f"{text} ({censored}; too few runs reach the return for a ratio)."
        return Claim(text, False, "departure", "undecided")
    ends = entry.get("ratio_ci")
    verdict = _against(ends, 1.0, EQUAL)
    text = f"{name} needs {known(entry, 'ratio')} times what the law of the others predicts"
    if not is_determined(entry, "ratio"):
        text = f"What {name} needs over what the law of the others predicts is {NOT_DETERMINED}"
    text = f"{text} ({censored}): {_DEPARTURES[verdict]}."
    return Claim(
        text, verdict != "undecided", "departure", verdict, {"ratio": (entry["ratio"], ends)}
    )


def _best(entry: Entry) -> Claim:
    name, about = entry["schedule"], "best_horizon"
    by_law = f"h = {number(entry['predicted'])} by the law"
    if entry["edge"]:
        text = (
            f"{name} needs the fewest interactions at the {entry['edge']} horizon measured "
            f"({entry['measured']:g}): its best horizon may lie beyond; {by_law}."
        )
        return Claim(text, False, about, "edge")
    if not is_determined(entry, "measured"):
        return Claim(
            f"The best horizon of {name} is {NOT_DETERMINED}; {by_law}.", False, about, "undecided"
        )
    ends = entry["measured_ci"]
    verdict = _against(ends, entry["predicted"], EQUAL)
    says = {
        "equal": f"as predicted, within a factor {EQUAL:g}",
        "above": "longer than predicted",
        "below": "shorter than predicted",
        "undecided": "undecided whether as predicted",
    }
    text = f"{name} has its best horizon at h = {with_interval(entry, 'measured')}, {by_law}"
    numbers = {"measured": (entry["measured"], ends)}
    text = f"{text}: {says[verdict]}."
    return Claim(text, verdict != "undecided", about, verdict, numbers)


def size_claims(rows: Sequence[Entry]) -> list[Claim]:
    """Claims of `size_exponents` of one task: that of dense, and each change from it."""
    claims = []
    for row in rows:
        entry = {**row, "exponent_ci": [row["exponent_low"], row["exponent_high"]]}
        change = [row["change_low"], row["change_high"]]
        text = (
            f"Under {row['schedule']}, to a return of {row['threshold']:g}, E falls as N^-a with "
            f"a = {known(entry, 'exponent')}"
        )
        numbers = {"exponent": (row["exponent"], entry["exponent_ci"])}
        if row["schedule"] == "dense":
            shown = is_determined(entry, "exponent")
            claims.append(Claim(f"{text}.", shown, "size_exponent", "dense", numbers))
            continue
        verdict = "undecided"
        if None not in change:
            verdict = "undecided" if change[0] <= 0 <= change[1] else "changes"
            text += f", {number(row['change'])} {interval(change)} more than under dense rewards"
            numbers |= {"change": (row["change"], change)}
        says = {"changes": "the exponent changes", "undecided": "no change is shown"}[verdict]
        decided = verdict == "changes"
        claims.append(Claim(f"{text}: {says}.", decided, "size_change", verdict, numbers))
    return claims


def batch_law_claim(entry: Entry) -> Claim:
    """The constants of one entry of `batch_law`, and the knee at each batch."""
    knees = ", ".join(f"{number(knee)} at B = {batch}" for batch, knee in entry["knees"].items())
    names = {"S_min": "s_min", "n_0": "noise_constant", "n_1": "noise_growth"}
    constants = ", ".join(f"{name} = {known(entry, key)}" for name, key in names.items())
    determined = [key for key in names.values() if is_determined(entry, key)]
    text = f"To a return of {entry['threshold']:g}, E = S_min (B + n_0 + n_1 x): {constants}"
    if "noise_growth" in determined:
        text += f"; knee at h = {knees}"
    numbers = {key: (entry[key], entry[f"{key}_ci"]) for key in determined}
    return Claim(f"{text}.", bool(determined), "batch_law", "fitted", numbers)


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


def compared_answer(compared: Sequence[tuple[str, Entry]]) -> Claim:
    """One sentence on the knees of several horizon laws, of one return to reach."""
    sources = {name: knee_source(entry) for name, entry in compared}
    found = {name: one for name, one in sources.items() if is_determined(one, "knee")}
    parts = [f"h = {with_interval(one, 'knee')} for {name}" for name, one in found.items()]
    missing = [name for name in sources if name not in found]
    text = f"To a return of {compared[0][1]['threshold']:g}, "
    text += f"the cost doubles at {'; '.join(parts)}" if parts else "these runs determine no knee"
    if parts and missing:
        text += f"; {NOT_DETERMINED} for {', '.join(missing)}"
    numbers = {f"knee, {name}": (one["knee"], one.get("knee_ci")) for name, one in found.items()}
    verdict = "known" if len(found) > 1 else "undecided"
    return Claim(f"{text}.", len(found) > 1, "compared_knees", verdict, numbers)


_ORDERS = {
    "ordered": "tasks with a longer predicted knee have a longer measured one",
    "reversed": "tasks with a longer predicted knee have a shorter measured one",
    "undecided": "undecided whether the order of the tasks is predicted",
}


def knee_prediction_claim(entry: Entry) -> Claim:
    """How well gradient noise predicts the knees of several tasks, of one entry of `task_law`."""
    found = entry["prediction_over_tasks"]
    low, high = found["knee_rank_ci"]
    verdict = "ordered" if low > 0 else "reversed" if high < 0 else "undecided"
    text = (
        f"To a return of {entry['threshold']:g}, over {found['tasks']} tasks, the knees predicted "
        f"from gradient noise at h = 1 are within a factor {number(found['within_factor'])} of the "
        f"measured ones (root mean square). Measured over predicted is {known(found, 'knee_ratio')}"
        f", and {number(found['within_factor_after_ratio'])} is the factor of the scatter about "
        f"that (of the measured knees about their mean: {number(found['measured_factor'])}); "
        f"the power with which measured knees follow predicted ones is "
        f"{known(found, 'knee_slope')}, the rank correlation {with_interval(found, 'knee_rank')}: "
        f"{_ORDERS[verdict]}."
    )
    shown = [name for name in ("knee_ratio", "knee_slope") if is_determined(found, name)]
    numbers = {name: (found[name], found[f"{name}_ci"]) for name in (*shown, "knee_rank")}
    return Claim(text, verdict != "undecided", "knee_prediction", verdict, numbers)


def schedule_cost(ratios: Mapping[str, Ratio], width: int, threshold: float) -> list[Claim]:
    """What schedules need over dense rewards, each at the horizon at which it needs least.

    First the hardest of each kind that has an interval, in words; then all of them, by name.
    """
    of = f"at width {width}, to a return of {threshold:g}"
    known_ratios = {name: one for name, one in ratios.items() if one.interval}
    hardest: dict[str, str] = {}
    for name, one in known_ratios.items():
        kind = name.partition(":")[0]
        if kind not in hardest or one.value > known_ratios[hardest[kind]].value:
            hardest[kind] = name
    parts = [f"{in_words(name)} need {_times(ratios[name])}" for name in hardest.values()]
    first = f"Over dense rewards, each at its best horizon, {of}: {' times; '.join(parts)} times."
    every = "; ".join(f"{n} {_times(one)}" for n, one in ratios.items() if one.bound != "unknown")
    last = f"Multiples of the interactions of dense rewards, {of}: {every}."
    claims = [_cost_claim(first, {name: ratios[name] for name in hardest.values()})]
    return [*claims, _cost_claim(last, known_ratios)] if hardest else [_cost_claim(last, {})]


def _times(one: Ratio) -> str:
    if one.interval:
        return f"{number(one.value)} {interval(one.interval)}"
    return f"{one.bound} {number(one.value)}".strip()


def _cost_claim(text: str, ratios: Mapping[str, Ratio]) -> Claim:
    numbers = {name: (one.value, one.interval) for name, one in ratios.items()}
    verdict = "known" if numbers else "bounds"
    return Claim(text, bool(numbers), "schedule_cost", verdict, numbers)


def batch_claims(entry: Entry) -> list[Claim]:
    """Claims of one entry of `batch_law`: the knee as the batch gets small."""
    is_known = is_determined(entry, "knee_small_batch")
    numbers = (
        {"knee": (entry["knee_small_batch"], entry["knee_small_batch_ci"])} if is_known else {}
    )
    text = (
        "As the batch gets small, the horizon that needs twice the interactions of h = 1 "
        f"(the knee) tends to h = {known(entry, 'knee_small_batch')}, to a return of "
        f"{entry['threshold']:g}: the part of it that depends on the task, not on the batch."
    )
    return [Claim(text, is_known, "batch_knee", "known" if is_known else "undecided", numbers)]


def noise_claims(agreement: pd.DataFrame, coefficients: pd.DataFrame) -> list[Claim]:
    """Claims on gradient noise at one width: measured over predicted, and the knee it predicts.

    Args:
        agreement: of `data.noise.agreement`.
        coefficients: of `data.noise.horizon_coefficients`; may be empty.
    """
    claims = []
    for row in agreement.itertuples():
        ends = [row.low, row.high] if math.isfinite(row.low) else None
        verdict = _against(ends, 1.0, 1.25)
        text = (
            f"The {row.part} variance of a step's gradient, measured over predicted, is "
            f"{number(row.ratio)} {interval(ends)}: {_VARIANCES[verdict]}."
        )
        numbers = {"ratio": (row.ratio, ends)}
        claims.append(Claim(text, verdict != "undecided", "noise", verdict, numbers))
    claims += [
        Claim(
            f"By the noise scale alone, averaged over training, the knee would be at h = "
            f"{number(row.knee)} for a batch of {row.batch} and at h = "
            f"{number(row.knee_small_batch)} as the batch gets small.",
            False,
            "noise_knee",
            "undecided",
        )
        for row in coefficients.itertuples()
        if math.isfinite(row.knee)
    ]
    return claims


_VARIANCES = {
    "equal": "as predicted, within 25%",
    "above": "above the prediction",
    "below": "below the prediction",
    "undecided": "undecided whether as predicted",
}

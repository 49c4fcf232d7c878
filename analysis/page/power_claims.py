"""Claims from the power law in size: exponents, what changes with the horizon, E_c, and misfit.

No sentence is decided by a fit that its own residuals refuse (`laws.power.misfit`).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from analysis.page.claims import Claim, Entry
from analysis.page.wording import (
    NOT_DETERMINED,
    interval,
    is_determined,
    known,
    number,
    with_interval,
)
from mnist_horizon.algorithms import REFERENCES

_LEVEL = 0.05
_CERTAIN = 1e-5
"""p value, over horizons, from which on it is said that runs do not follow the law: with few seeds
the test refuses more of the right fits than it should (`laws.power.misfit`)."""

_FAR = 1.3
"""Factor beyond which the whole interval of a size must lie for it to be decided that it is off: of
106 simulated sweeps that follow the law 2 name a size, neither as far."""

_CLEAR = 1e-3
"""p value from which on it is said that the runs learn nothing at first."""

_NAMES = {"alpha_n": "alpha_N", "alpha_e": "alpha_E"}

Numbers = dict[str, tuple[float, list[float | None] | None]]


def power_law_claims(entries: Sequence[Entry]) -> list[Claim]:
    """Claims of one family's entries of `power_law` with compute as N * E."""
    single = _by_horizon(entries)
    claims = [_constants(entry) for entry in _ends(single)]
    claims += [*_off_law(single), *_misfit(single), *_plateau(single)]
    for entry in entries:
        if entry.get("joint"):
            claims += [_exponent_change(entry, single), _e_c(entry)]
    return claims


def power_answer(entries: Sequence[Entry]) -> Claim:
    """Whether the horizon changes the exponents in size or only the coefficient, in one sentence.

    Args:
        entries: of `power_law`, of one family, with compute as N * E.
    """
    single = _by_horizon(entries)
    joint = next((entry for entry in entries if entry.get("joint")), None)
    if joint is None:
        text = "Whether the horizon changes the exponents of the power law in size is "
        needed = "at least two horizons with runs of four sizes that follow a power law"
        return _change(f"{text}{NOT_DETERMINED} (needed: {needed}).")
    change = _exponent_change(joint, single)
    if change.decided:
        return change
    names = [name for name in _NAMES if is_determined(joint, name)]
    if len(names) < len(_NAMES):
        needed = next(iter(joint.get("needs", {}).values()), "more seeds and sizes")
        text = "Whether the horizon changes the exponents of the power law in size is "
        return _change(f"{text}{NOT_DETERMINED} (needed: {needed}).")
    exponents = " and ".join(f"{_NAMES[n]} = {with_interval(joint, n)}" for n in names)
    numbers = {name: _with_ends(joint, name) for name in names}
    text = f"Across horizons the exponents are {exponents}"
    if is_determined(joint, "e_c_growth"):
        text += f", and the coefficient E_c grows {with_interval(joint, 'e_c_growth')} times"
        numbers["e_c_growth"] = _with_ends(joint, "e_c_growth")
    seen = _would_have_been_seen(joint)
    return _change(f"{text}; {seen}." if seen else f"{text}.", numbers)


def _by_horizon(entries: Sequence[Entry]) -> list[Entry]:
    single = [entry for entry in entries if not entry.get("joint")]
    return sorted(single, key=_horizon)


def _at(entries: Sequence[Entry]) -> str:
    """Where some fits hold: `At h = 1, 7`, or `For supervised` of an algorithm without horizon."""
    algorithm = entries[0]["group"].get("algorithm")
    return f"For {algorithm}" if algorithm in REFERENCES else f"At h = {_listed(entries)}"


def _horizon(entry: Entry) -> float:
    return float(entry["group"]["horizon"])


def _ends(entries: Sequence[Entry]) -> list[Entry]:
    """The entries of the shortest and the longest horizon."""
    return list(entries) if len(entries) < 2 else [entries[0], entries[-1]]


def _with_ends(entry: Entry, name: str) -> tuple[float, list[float | None] | None]:
    return float(entry[name]), entry.get(f"{name}_ci")


def _constants(entry: Entry) -> Claim:
    names = (*_NAMES, "optimal_size_exponent")
    determined = [name for name in names if is_determined(entry, name)]
    numbers: Numbers = {"horizon": (_horizon(entry), None)}
    numbers |= {name: _with_ends(entry, name) for name in determined}
    decided = all(name in determined for name in _NAMES)
    head = f"{_at([entry])}, fitted separately, the"
    if not determined:
        needed = next(iter(entry.get("needs", {}).values()), "")
        text = f"{head} exponents are {NOT_DETERMINED}" + (
            f" (needed: {needed})." if needed else "."
        )
    else:
        text = (
            f"{head} exponents are alpha_N = {known(entry, 'alpha_n')} and alpha_E = "
            f"{known(entry, 'alpha_e')}; the exponent of the best size in compute is "
            f"{known(entry, 'optimal_size_exponent')}."
        )
    return Claim(text, decided, "exponents", "determined" if decided else "undecided", numbers)


def _off_law(single: Sequence[Entry]) -> list[Claim]:
    """One claim for each size that lies off the law of the others, with both answers."""
    found: dict[float, list[tuple[Entry, Mapping[str, Any]]]] = {}
    for entry in single:
        for size in entry.get("off_law", []):
            found.setdefault(size["parameters"], []).append((entry, size))
    return [_off_size(of_size) for of_size in found.values()]


def _off_size(of_size: Sequence[tuple[Entry, Mapping[str, Any]]]) -> Claim:
    entry, found = of_size[0]
    together = {one["parameters"]: one for one in entry["joint_residuals_by_size"]}
    size = together[found["parameters"]]
    name = f"width {size['width']:g}" if "width" in size else f"N = {size['parameters']:g}"
    numbers: Numbers = {"horizon": (_horizon(entry), None), "factor": (size["factor"], size["ci"])}
    if "width" in size:
        numbers["width"] = (size["width"], None)
    refits = {one["parameters"]: one for one in entry["without_size"]}
    without = refits[size["parameters"]]
    answers = []
    for key, symbol in _NAMES.items():
        if key in without:
            answers.append(
                f"{symbol} = {number(entry[key])} with it, {number(without[key])} without"
            )
            numbers |= {f"{key}_with": (entry[key], None), f"{key}_without": (without[key], None)}
    low, high = (end or 0.0 for end in size["ci"])
    decided = low > _FAR or 0 < high < 1 / _FAR
    lies = "lies" if decided else "seems to lie"
    text = (
        f"{_at([one for one, _ in of_size])}, {name} {lies} off the law that the other sizes "
        "follow: it needs "
        f"{number(size['factor'])} {interval(size['ci'])} times the interactions (its learning "
        f"rate or its budget). {_at([entry])}, {'; '.join(answers)}."
    )
    return Claim(text, decided, "off_law", "off" if decided else "undecided", numbers)


def _misfit(single: Sequence[Entry]) -> list[Claim]:
    """The horizons whose runs do not follow the law, and how far the exponents then move."""
    refused = [entry for entry in single if entry.get("refused") == "misfit"]
    if not refused:
        return []
    worst = min(refused, key=lambda entry: float(entry["misfit_p"]))
    text = f"{_at(refused)} the runs do not follow one power law: their residuals refuse the fit"
    numbers: Numbers = {"horizon": (_horizon(worst), None), "p": (worst["misfit_p"], None)}
    if worst["without_size"]:
        values = [one["alpha_n"] for one in worst["without_size"]]
        low, high = min(values), max(values)
        numbers |= {"alpha_n_least": (low, None), "alpha_n_most": (high, None)}
        text += (
            f". {_at([worst])} alpha_N is {number(low)} to {number(high)}, "
            "depending on which size is left out"
        )
    decided = worst["misfit_p"] < _CERTAIN
    return [Claim(f"{text}.", decided, "misfit", "refused" if decided else "undecided", numbers)]


def _plateau(single: Sequence[Entry]) -> list[Claim]:
    """The horizons at which a plateau, or an offset in E, delays the curves."""
    refused = [entry for entry in single if entry.get("refused") == "plateau"]
    resting = [entry for entry in refused if entry["plateaus"]]
    late = [entry for entry in refused if not entry["plateaus"]]
    claims = []
    if resting:
        most = float(max(len(entry["plateaus"]) for entry in resting))
        text = (
            f"{_at(resting)} curves of up to {most:g} sizes rest before they rise "
            f"again. {_NOT_DESCRIBED}"
        )
        claims.append(Claim(text, False, "plateau", "undecided", {"sizes": (most, None)}))
    if late:
        claims.append(_offset(late))
    return claims


_NOT_DESCRIBED = (
    "This delays what follows, which the power law does not describe: the exponents are "
    f"{NOT_DETERMINED}."
)


def _listed(entries: Sequence[Entry]) -> str:
    return ", ".join(f"{_horizon(entry):g}" for entry in entries)


def _offset(late: Sequence[Entry]) -> Claim:
    """Runs that learn nothing in their first interactions; decided where nothing else explains."""
    first, offset = late[0], late[0]["offset"]
    numbers: Numbers = {"horizon": (_horizon(first), None), "p": (offset["p"], None)}
    text = (
        f"{_at(late)} the runs learn nothing for the first interactions, about "
        f"{number(offset['interactions'])} at h = {_horizon(first):g}. {_NOT_DESCRIBED}"
    )
    decided = bool(offset["explains"]) and offset["p"] < _CLEAR
    return Claim(text, decided, "plateau", "delayed" if decided else "undecided", numbers)


def _change(text: str, numbers: Numbers | None = None, verdict: str = "undecided") -> Claim:
    return Claim(text, verdict != "undecided", "exponent_change", verdict, numbers or {})


def _exponent_change(joint: Entry, single: Sequence[Entry]) -> Claim:
    """Whether the exponents change with the horizon, and what would have been seen."""
    test = joint.get("exponent_test")
    if not test:
        text = "Whether the exponents change with the horizon is undecided: fewer than two horizons"
        return _change(f"{text} determine their own.")
    numbers: Numbers = {"p": (test["p"], None)}
    for name, one in test["power"].items():
        numbers[f"{name}_seen"] = (one["probability"], None)
    refused = [entry for entry in single if entry.get("refused")]
    if refused:
        text = "Whether the exponents change with the horizon is undecided: at h = "
        horizons = ", ".join(f"{_horizon(entry):g}" for entry in refused)
        return _change(f"{text}{horizons} the fit of that horizon is refused.", numbers)
    if joint["verdict"] == "free":
        text = "The exponents change with the horizon"
        first, last = single[0], single[-1]
        for name, symbol in _NAMES.items():
            if is_determined(first, name) and is_determined(last, name):
                numbers |= {f"{name}_first": _with_ends(first, name)}
                numbers |= {f"{name}_last": _with_ends(last, name)}
                text += f", {symbol} from {with_interval(first, name)} at h = {_horizon(first):g}"
                text += f" to {with_interval(last, name)} at h = {_horizon(last):g}"
        chance = f"p = {test['p']:.2g} in {test['draws']} data sets drawn from shared exponents"
        return _change(f"{text} ({chance}).", numbers, "changes")
    if test["p"] <= _LEVEL:
        text = "Whether the exponents change with the horizon is undecided: they differ between"
        text += f" horizons (p = {test['p']:.2g}), as they would if one size had a wrong learning"
        return _change(f"{text} rate, or nothing were learned at first.", numbers)
    text = f"No change of the exponents with the horizon is seen (p = {test['p']:.2g})"
    return _change(f"{text}; {_would_have_been_seen(joint)}.", numbers)


def _would_have_been_seen(joint: Entry) -> str:
    """The power of the test, in words; empty where there was none."""
    power = joint.get("exponent_test", {}).get("power", {})
    if not power:
        return ""
    chances = [f"{one['probability']:.2g} in {_NAMES[name]}" for name, one in power.items()]
    change = next(iter(power.values()))["change"]
    return f"a change of {change:g} would have been seen with probability {' and '.join(chances)}"


def _e_c(joint: Entry) -> Claim:
    """How E_c grows from the shortest to the longest horizon, with shared exponents."""
    first, last = joint["e_c_by_horizon"][0]["horizon"], joint["e_c_by_horizon"][-1]["horizon"]
    head = f"With shared exponents, E_c at h = {last:g} against that at h = {first:g} is"
    if not is_determined(joint, "e_c_growth"):
        return Claim(f"{head} {known(joint, 'e_c_growth')}.", False, "e_c", "undecided")
    low, high = joint["e_c_growth_ci"]
    verdict = "grows" if low > 1 else "falls" if high < 1 else "undecided"
    numbers = {"e_c_growth": _with_ends(joint, "e_c_growth"), "horizon": (last, None)}
    text = f"{head} {with_interval(joint, 'e_c_growth')} times as large."
    return Claim(text, verdict != "undecided", "e_c", verdict, numbers)

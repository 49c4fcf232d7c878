"""Claims on whether exponents are the same: over horizons, against references, of networks.

Entries are those of `exponent_equality`, `best_size_equality` and `exponents_by_network` in
`fits.json`.
"""

from collections.abc import Sequence
from typing import Any

from analysis.laws.equality import POWER
from analysis.page.claims import Claim, Entry
from analysis.page.wording import interval, number

_NAMES = {
    "alpha_n": "alpha_N",
    "alpha_e": "alpha_E",
    "optimal_size_exponent": "the exponent of the best size",
}
_ABOUT = {"horizons": "equal_over_horizons", "references": "equal_to_references"}


def equality_claims(entries: Sequence[Entry], *, changes_are_shown: bool = False) -> list[Claim]:
    """One claim for the horizons and one for the references of a family, where it has them.

    Args:
        entries: of `exponent_equality`, of one family.
        changes_are_shown: the comparison of models has decided that the exponents change with the
            horizon: the horizons then have a claim only where this one decides it too.
    """
    claims = [
        _claim(entry, _ABOUT[entry["among"]]) for entry in entries if entry["among"] in _ABOUT
    ]
    hidden = _ABOUT["horizons"] if changes_are_shown else ""
    return [one for one in claims if one.decided or one.about != hidden]


def best_size_equality_claims(entries: Sequence[Entry]) -> list[Claim]:
    """The same of the measured exponents of the best size.

    Args:
        entries: of `best_size_equality`, of one family.
    """
    return [_claim(entry, f"best_size_{_ABOUT[entry['among']]}") for entry in entries]


def _claim(entry: Entry, about: str) -> Claim:
    verdict = entry["verdict"]
    say = {"equal": _equal, "differ": _differ}.get(verdict, _undecided)
    text, numbers = say(entry)
    return Claim(text, verdict != "undecided", about, verdict, numbers)


Numbers = dict[str, tuple[float, list[float | None] | None]]
Said = tuple[str, Numbers]


def _equal(entry: Entry) -> Said:
    within = entry["within"]
    text = (
        f"{_subject(entry)} are equal within {_each(within)}: no difference from "
        f"{_first(entry)} is larger, at 95%."
    )
    return text, {f"{name}_within": (within[name], None) for name in within}


def _differ(entry: Entry) -> Said:
    row = max(entry["conditions"][1:], key=_clearness)
    changes = [
        f"{symbol}by {number(row[f'{name}_change'])} {interval(row[f'{name}_change_ci'])}"
        for name, symbol in _symbols(entry).items()
        if f"{name}_change" in row
    ]
    text = (
        f"{_subject(entry)} differ (p = {entry['p']:.2g}, and without any one size too): most "
        f"clearly for {_shown(row)}, from {_first(entry)}, {', '.join(changes)}."
    )
    numbers = {name: (row[name], row[f"{name}_ci"]) for name in row if name.endswith("_change")}
    return text, {"p": (entry["p"], None), **numbers}


def _undecided(entry: Entry) -> Said:
    head = f"Whether {_lower(_subject(entry))} are equal is undecided"
    reason = entry["reason"]
    if reason == "seeds":
        return f"{head}: this needs more seeds.", {}
    if reason == "refused":
        text = (
            f"{head}: the residuals refuse the power law ({', '.join(entry['refused'])}), so that "
            "differences of its exponents need not be differences of the runs."
        )
        return text, {}
    numbers: Numbers = {"p": (entry["p"], None)}
    if reason == "reversed":
        other = "; ".join(entry["reversed_by"])
        seen = "are seen" if entry["p"] <= 0.05 else "are not seen"
        return f"{head}: differences {seen} (p = {entry['p']:.2g}), but not so by {other}.", numbers
    return f"{head}: no difference is seen (p = {entry['p']:.2g}), but {_limits(entry)}.", numbers


def _limits(entry: Entry) -> str:
    """What the runs exclude, and what the test would have found."""
    found = {name: entry["smallest_change"][name] for name in entry["deciding"]}
    chance = f"a change is found with probability {POWER:g} where it is {_each(found)}"
    within = {name: entry["within"][name] for name in found}
    return f"they are equal only within {_each(within)}; {chance}"


def _symbols(entry: Entry) -> dict[str, str]:
    """Each exponent with a space, by its name; empty where the subject names the only one."""
    return (
        dict.fromkeys(_NAMES, "")
        if _is_best_size(entry)
        else {n: f"{s} " for n, s in _NAMES.items()}
    )


def _is_best_size(entry: Entry) -> bool:
    return list(entry["deciding"]) == ["optimal_size_exponent"]


def _each(numbers: dict[str, float]) -> str:
    if len(numbers) == 1:
        return number(*numbers.values())
    *others, last = (f"{number(value)} in {_NAMES[name]}" for name, value in numbers.items())
    return f"{', '.join(others)} and {last}"


def _subject(entry: Entry) -> str:
    what = "The exponents of the best size" if _is_best_size(entry) else "The exponents"
    if entry["among"] == "horizons":
        horizons = [one["horizon"] for one in entry["conditions"]]
        return f"{what} at horizons {min(horizons):g} to {max(horizons):g}"
    *others, last = (_shown(one) for one in entry["conditions"])
    return f"{what} of {', '.join(others)} and {last}"


def _lower(text: str) -> str:
    return text[0].lower() + text[1:]


def _first(entry: Entry) -> str:
    return _shown(entry["conditions"][0])


def _shown(row: Entry) -> str:
    return f"{row['algorithm']} at {row['name']}" if row["horizon"] is not None else row["name"]


def _clearness(row: Entry) -> float:
    """The largest of a condition's changes over half the length of their intervals."""
    sizes = []
    for name in _NAMES:
        ends: list[Any] | None = row.get(f"{name}_change_ci")
        if ends and None not in ends:
            sizes.append(2 * abs(row[f"{name}_change"]) / max(ends[1] - ends[0], 1e-300))
    return max(sizes, default=0.0)


def network_claims(entries: Sequence[Entry]) -> list[Claim]:
    """Whether a network changes an exponent more than the horizon does, where that is decided.

    Args:
        entries: of `exponents_by_network`.
    """
    return [
        _network(entry, name)
        for entry in entries
        for name, verdict in entry["verdict"].items()
        if verdict != "undecided"
    ]


def _network(entry: Entry, name: str) -> Claim:
    first, second = entry["networks"]
    least, most = entry["largest_change_by_horizon"][name]
    value, ends = entry[f"{name}_change"], entry[f"{name}_change_ci"]
    verdict = entry["verdict"][name]
    beside = {
        "more": f"more than the horizon does, at most {number(most)} from the shortest one",
        "less": f"less than the longest horizon does, at least {number(least)}",
    }[verdict]
    text = (
        f"{second} instead of {first} changes {_NAMES[name]} by {number(value)} {interval(ends)}: "
        f"{beside}."
    )
    return Claim(text, True, "exponents_by_network", verdict, {f"{name}_change": (value, ends)})

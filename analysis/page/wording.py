"""How numbers and their intervals are written for readers."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from analysis.laws.law import TOO_WIDE, determines


def number(value: float | None) -> str:
    """Three significant figures: 0.0123, 12.3, 50,900, 1.23e+09; `unbounded` for an open end."""
    if value is None or not math.isfinite(value):
        return "unbounded"
    if value != 0 and not 1e-3 <= abs(value) < 1e6:
        return f"{value:.3g}"
    if abs(value) >= 1000:
        return f"{float(f'{value:.3g}'):,.0f}"
    return f"{value:.3g}"


def interval(ends: Sequence[float | None] | None) -> str:
    """`[low, high]` at 95%, or that there is none."""
    if ends is None:
        return "(no interval)"
    return f"[{number(ends[0])}, {number(ends[1])}]"


def change(value: float, ends: Sequence[float] | None) -> str:
    """A relative change in per cent with its interval: `+12.0% [+8.1%, +16.0%]`."""
    if ends is None:
        return f"{value:+.1%}"
    return f"{value:+.1%} [{ends[0]:+.1%}, {ends[1]:+.1%}]"


def with_interval(entry: Mapping[str, Any], name: str) -> str:
    """A number of a fit and its interval, as `fits.json` names them."""
    return f"{number(entry.get(name))} {interval(entry.get(f'{name}_ci'))}"


def is_determined(entry: Mapping[str, Any], name: str) -> bool:
    """Whether the runs determine a number of a fit: what `fits.json` says, else its interval."""
    known = entry.get("determined", {}).get(name)
    return determines(entry.get(f"{name}_ci")) if known is None else bool(known)


def known(entry: Mapping[str, Any], name: str) -> str:
    """A number of a fit and its interval, or that these runs do not determine it.

    What spans more than a factor 10, or whose sign is open, is never printed as a number.
    """
    if is_determined(entry, name):
        return with_interval(entry, name)
    needed = entry.get("needs", {}).get(name)
    return f"{NOT_DETERMINED} (needed: {needed})" if needed else NOT_DETERMINED


def is_above_one(entry: Mapping[str, Any] | None) -> bool:
    """Whether the interval of an entry's `ratio` lies above 1."""
    low, _ = (entry or {}).get("ratio_ci") or (None, None)
    return low is not None and low > 1


def cell(entry: Mapping[str, Any], name: str) -> str:
    """The same for a table: a dash where these runs do not determine the number."""
    return with_interval(entry, name) if is_determined(entry, name) else "-"


_SCHEDULES = {
    "dense": "a reward for each right answer",
    "revealed": "rewards for 1 right answer in {rarity:g}",
    "periodic": "rewards paid every {level:g} steps",
    "streak": "rewards paid for {level:g} right answers in a row",
}


def in_words(schedule: str) -> str:
    """A schedule as a config writes it in plain words; one of a user's own by its name."""
    kind, _, text = schedule.partition(":")
    if kind not in _SCHEDULES:
        return f"rewards by {schedule}"
    level = float(text or 1.0)
    return _SCHEDULES[kind].format(level=level, rarity=1 / level)


NOT_DETERMINED = "not determined by these runs"


def percent(log_error: float) -> str:
    """An error in log E as a factor, in per cent: 0.095 is 10%; of a factor 10, only that it is."""
    if abs(log_error) >= math.log(TOO_WIDE):
        return f"a factor of more than {TOO_WIDE:g}"
    return f"{float(f'{100 * math.expm1(abs(log_error)):.2g}'):g}%"

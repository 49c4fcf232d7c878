"""Claims from the shapes of learning curves: which predicts the end, and which fits the whole."""

from collections.abc import Mapping
from typing import Any

from analysis.laws.curve_shapes import UNDECIDED
from analysis.page.claims import Claim, Entry
from analysis.page.section import Table
from analysis.page.wording import cell, is_above_one, is_determined, number, with_interval

NAMES = {
    "sigmoid": "a sigmoid in log E",
    "sigmoid_late": "a sigmoid in log E without the first 1/64",
    "power": "a power law of the gap to the highest return",
    "power_late": "a power law of the gap without the first 1/64",
    "link": "the power law of all sizes",
}
"""Shapes in words."""


def shapes_claim(entry: Entry, of: str = "") -> Claim:
    """Which shape predicts the returns after the first quarter of training.

    Args:
        entry: a joint entry of `curve_shapes`.
        of: which runs these are, where there are others.
    """
    over, shapes = entry["over_least"], entry["shapes"]
    least, others = over["shape"], over["others"]
    error = f"{number(shapes[least]['heldout_error'])} ({_counted(shapes[least])})"
    numbers = {"heldout_error": _value(shapes[least], "heldout_error")}
    start = f"{of}: from" if of else "From"
    start += " the first quarter of training"
    if entry["best"] == UNDECIDED:
        rivals = [name for name in shapes if name != least and not is_above_one(others.get(name))]
        text = (
            f"{start}, the least error in predicting the returns of the rest is that of "
            f"{NAMES[least]}, {error}; undecided whether it predicts better than "
            f"{', and '.join(_rival(name, others) for name in rivals)}"
        )
        return Claim(f"{text}.", False, "curve_shapes", UNDECIDED, numbers)
    second = min(others, key=lambda name: float(others[name]["ratio"]))
    numbers["ratio"] = _value(others[second], "ratio")
    text = (
        f"{start}, {NAMES[least]} predicts the returns of the rest best, with an error of {error}; "
        f"the next best, {NAMES[second]}, has {with_interval(others[second], 'ratio')} times that"
    )
    return Claim(f"{text}.", True, "curve_shapes", least, numbers)


def _rival(name: str, others: Mapping[str, Entry]) -> str:
    if name not in others:
        return f"{NAMES[name]} (no curve has both)"
    if others[name].get("ratio_ci") and not is_determined(others[name], "ratio"):
        return NAMES[name]
    return f"{NAMES[name]}, which has {with_interval(others[name], 'ratio')} times that error"


def _counted(shape: Entry) -> str:
    count = shape["groups"]
    return "root mean square" + (f", geometric mean of {count} curves" if count > 1 else "")


def _value(entry: Entry, name: str) -> tuple[float, Any]:
    return entry[name], entry.get(f"{name}_ci")


def whole_claim(entry: Entry, of: str = "") -> Claim:
    """How closely a sigmoid and a power law fit whole curves, and their first 1/64; as above."""
    parts = []
    numbers = {}
    for name in ("sigmoid", "power"):
        one = entry["shapes"][name]
        early = f" ({number(one['early_error'])} on the first 1/64)" if "early_error" in one else ""
        parts.append(f"{number(one['error'])} for {NAMES[name]}{early}")
        numbers[name] = _value(one, "error")
    start = f"{of}: fitted" if of else "Fitted"
    counted = _counted(entry["shapes"]["sigmoid"])
    text = f"{start} to whole curves, the error is {' and '.join(parts)}: {counted}."
    known = all(is_determined(entry["shapes"][name], "error") for name in numbers)
    return Claim(text, known, "curve_fits", "measured", numbers)


_COLUMNS = {
    "heldout_error": "error of the prediction",
    "heldout_log_error": "the same of log(1 - return)",
    "error": "fit to the whole",
    "early_error": "first 1/64",
    "late_error": "after",
}


def shapes_table(entries: Mapping[str, Entry]) -> Table:
    """The errors of each shape.

    Args:
        entries: joint entries of `curve_shapes` by the family's label.
    """
    rows = [
        (
            *(label, NAMES[name], f"{one['best_in']} of {one['groups']}"),
            *(cell(one, key) for key in _COLUMNS),
        )
        for label, entry in entries.items()
        for name, one in entry["shapes"].items()
    ]
    text = (
        "Geometric means of root mean square errors over the curves, of the return unless named. "
        "Predictions are of the last 3/4 of training from the first quarter. A shape without the "
        "first 1/64 is drawn back into it. Best in: curves of which the others are shown to be "
        "predicted worse. A dash: not determined by these runs, or not computed."
    )
    return Table(("runs of", "shape", "best in", *_COLUMNS.values()), rows, text)

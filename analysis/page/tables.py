"""Tables of the fits, as texts: a number that the runs do not determine is a dash."""

from collections.abc import Sequence
from typing import Any

from analysis.data.families import label
from analysis.page.claims import Entry
from analysis.page.horizon_claims import knee_source
from analysis.page.section import Table
from analysis.page.wording import cell

NOTE = "A dash: not determined by these runs; fits.json has the raw numbers."


def horizon_table(entries: Sequence[Entry]) -> Table:
    """Entries of `horizon_law`: one row each."""
    head = ("runs of", "width", "return", "a", "b", "knee", "exponent g", "form")
    rows = [
        (
            label(_without_width(entry)),
            str(entry["group"].get("width", "all")),
            f"{entry['threshold']:g}",
            *(cell(entry, name) for name in ("a", "b", "knee")),
            cell(entry.get("free_power", {}), "g"),
            entry["verdict"],
            _counts(entry),
        )
        for entry in entries
    ]
    text = "Interactions to a return, E = a + b (h - 1); the knee is the horizon with E = 2 a."
    return Table((*head, "runs"), rows, f"{text} {NOTE}")


def knee_prediction_table(entries: Sequence[Entry]) -> Table:
    """Entries of `task_law` with a predicted knee: one row each."""
    names = ("predicted_multiplier", "multiplier")
    rows = [
        (
            str(entry["task"]),
            f"{entry['threshold']:g}",
            cell(entry, "predicted_knee"),
            cell(knee_source(entry), "knee"),
            *(cell(entry, name) if name in entry else "-" for name in names),
        )
        for entry in entries
        if "predicted_knee" in entry
    ]
    knees = ("task", "return", "predicted knee", "measured knee")
    text = (
        "Predicted from the gradient noise of runs at h = 1; the multiplier is that of the longest "
        "horizon at which all runs reach the return."
    )
    head = (*knees, "predicted multiplier", "measured multiplier")
    return Table(head, rows, f"{text} {NOTE}")


def _counts(entry: Entry) -> str:
    parts = [str(entry["runs"])]
    parts += [f"{entry['censored']} censored"] * bool(entry["censored"])
    if entry.get("fell_back"):
        parts.append(f"{entry['fell_back']} fell back")
    return ", ".join(parts)


def _without_width(entry: Entry) -> dict[str, Any]:
    """The settings that a table's first column names; the width has a column of its own."""
    return {name: value for name, value in entry["group"].items() if name != "width"}


_EXPONENTS = ("alpha_n", "alpha_e", "n_c", "e_c", "optimal_size_exponent")


def power_table(entries: Sequence[Entry]) -> list[Table]:
    """Entries of `power_law`, one row each, and E_c by horizon where exponents are shared."""
    head = ("runs of", "horizon", "compute", "alpha_N", "alpha_E", "N_c", "E_c", "size exponent")
    rows = [
        (
            label(_without_width(entry)),
            "all, shared" if entry.get("joint") else f"{entry['group']['horizon']:g}",
            entry["compute"],
            *(cell(entry, name) for name in _EXPONENTS),
            f"{entry['starts_agreeing']} of {entry['starts']}",
        )
        for entry in entries
    ]
    text = (
        "I^-beta = (N_c/N)^alpha_N + (E_c/E)^alpha_E, I the least compute at the same return. NE: "
        "compute is parameters x interactions; flops: counted training FLOPs."
    )
    tables = [Table((*head, "starts agreeing"), rows, f"{text} {NOTE}")]
    shared = [
        (label(_without_width(entry)), f"{one['horizon']:g}", cell(one, "e_c"))
        for entry in entries
        if entry.get("joint") and entry["compute"] == "NE"
        for one in entry["e_c_by_horizon"]
    ]
    if shared:
        tables.append(Table(("runs of", "horizon", "E_c, exponents shared"), shared))
    return tables

"""Tables of the fits, as texts: a number that the runs do not determine is a dash."""

from collections.abc import Mapping, Sequence
from typing import Any

from analysis.data.families import label
from analysis.page.claims import Entry
from analysis.page.horizon_claims import knee_source
from analysis.page.section import Table
from analysis.page.wording import cell, interval, number
from mnist_horizon.algorithms import REFERENCES

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


def _of(entry: Entry) -> str:
    """The horizon of a power law, or the algorithm that has none."""
    if entry.get("joint"):
        return "all, shared"
    algorithm = entry["group"].get("algorithm")
    return str(algorithm) if algorithm in REFERENCES else f"{entry['group']['horizon']:g}"


_EXPONENTS = ("alpha_n", "alpha_e", "n_c", "e_c", "optimal_size_exponent")


def power_table(entries: Sequence[Entry]) -> list[Table]:
    """Entries of `power_law`, one row each, and E_c by horizon where exponents are shared."""
    head = ("runs of", "horizon", "compute", "alpha_N", "alpha_E", "N_c", "E_c", "size exponent")
    rows = [
        (
            label(_without_width(entry)),
            _of(entry),
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


_CHANGED = ("alpha_n", "alpha_e", "optimal_size_exponent")


def equality_tables(entries: Sequence[Entry]) -> list[Table]:
    """Entries of `exponent_equality`: one row for each test, and the changes that it is made of."""
    head = ("runs of", "among", "p", "found with probability 0.8", "equal within", "verdict")
    tests = [
        (
            label(_without_width(entry)),
            entry["among"],
            f"{entry['p']:.2g}",
            _three(entry["smallest_change"], bool(entry["refused"])),
            _three(entry["within"], bool(entry["refused"])),
            ", ".join([entry["verdict"], *filter(None, [entry["reason"]])]),
        )
        for entry in entries
        if "p" in entry
    ]
    text = (
        "Of alpha_N, alpha_E and the exponent of the best size: the change that the test of equal "
        "exponents finds, and the upper limit at 95% of the largest difference. A dash: residuals "
        "refuse the power law."
    )
    changes = [
        (
            label(_without_width(entry)),
            f"{row['name']} less {entry['conditions'][0]['name']}",
            *(_change(row, name, bool(entry["refused"])) for name in _CHANGED),
        )
        for entry in entries
        if entry["among"] != "all"
        for row in entry["conditions"][1:]
    ]
    return [
        *([Table(head, tests, text)] if tests else []),
        Table(("runs of", "change", "alpha_N", "alpha_E", "size exponent"), changes),
    ]


def _three(numbers: Mapping[str, float | None], refused: bool) -> str:
    return "-" if refused else ", ".join(number(numbers[name]) for name in _CHANGED)


def _change(row: Entry, name: str, refused: bool) -> str:
    ends = row.get(f"{name}_change_ci")
    return "-" if refused or ends is None else f"{number(row[f'{name}_change'])} {interval(ends)}"


_PARTS = ("task", "objective", "action_noise", "horizon")
_RATIOS = ("exact_over_supervised", "h1_over_exact", "predicted_h1_over_exact")


def decomposition_table(entries: Sequence[Entry]) -> Table:
    """Entries of `decomposition`: one row each; a part with censored runs is a bound."""
    head = ("runs of", "width", "return", "task", "objective", "action noise", "horizon, per step")
    ratios = ("exact / supervised", "(h = 1) / exact", "the same by the noise measured")
    rows = [
        (
            label(_without_width(entry)),
            str(entry["group"]["width"]),
            f"{entry['threshold']:g}",
            *(_cell_or_bound(entry, name) for name in (*_PARTS, *_RATIOS)),
        )
        for entry in entries
    ]
    text = (
        "Interactions to a return: of supervised learning (task), what the exact gradient of the "
        "expected return needs more (objective), what RL at h = 1 needs more than that (action "
        "noise), and what each further step of horizon adds. Negative: fewer."
    )
    return Table((*head, *ratios), rows, f"{text} {NOTE}")


def _cell_or_bound(entry: Entry, name: str) -> str:
    """A cell, or the bound that censored runs make."""
    for bound, value in entry["bounds"].get(name, {}).items():
        return f"{bound.replace('_', ' ')} {number(value)}"
    return cell(entry, name)

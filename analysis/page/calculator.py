"""The calculator: samples and compute by the fitted laws, for settings that the reader chooses.

An HTML fragment that holds the numbers of the laws, from `fits.json`, and its script, which
evaluates them:

    law of the horizon             E = a + b (h - 1)^g        (g = 1 in the affine law)
    law of horizon and schedule    E = S_min (B + B_noise(h, schedule))

The 95% intervals are those of `laws.prediction_bands`: the law is evaluated again at its numbers
without each seed. At h = 1 the interval is that of a. A task multiplier scales all of it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from string import Template
from typing import Any

from analysis.data.families import schedule_of, task_label
from analysis.page.explorer import as_script, refused
from analysis.page.wording import NOT_DETERMINED, is_determined, with_interval
from mnist_horizon.schedules import parse

_HERE = Path(__file__).parent

KINDS = {"dense": "", "revealed": "p", "periodic": "k"}
"""Schedules whose closed forms `calculator.js` has, and the names of their levels."""

REACH = 4.0
"""How far beyond the measured range horizons, p and k may be chosen, as a factor."""

Entry = Mapping[str, Any]


def calculator(entries: Mapping[str, Sequence[Entry]]) -> str:
    """The calculator of a sweep as an HTML fragment; empty where no law can be used.

    A law is offered where its runs determine it and its residuals do not refuse it.

    Args:
        entries: `fits.json`.
    """
    laws = [*_horizon_laws(entries.get("horizon_law", ()))]
    laws += _schedule_laws(entries.get("joint_law", ()))
    if not laws:
        return ""
    data = {"laws": _named(laws), "kinds": KINDS, "reach": REACH, "unknown": NOT_DETERMINED}
    return Template((_HERE / "calculator.html").read_text(encoding="utf-8")).substitute(
        data=as_script(data), script=(_HERE / "calculator.js").read_text(encoding="utf-8")
    )


def _horizon_laws(entries: Iterable[Entry]) -> Iterator[dict[str, Any]]:
    """The usable laws of the horizon in h - 1, of one width each."""
    for entry in entries:
        determined = is_determined(entry, "a") and is_determined(entry, "b")
        if entry["regressor"] == "h-1" and _is_usable(entry) and determined:
            yield _common(entry) | {"kind": "horizon"}


def _schedule_laws(entries: Iterable[Entry]) -> Iterator[dict[str, Any]]:
    """The usable laws of horizon and schedule, of one width each."""
    for entry in entries:
        determined = is_determined(entry, "s_min") and is_determined(entry, "noise_scale")
        if _is_usable(entry) and determined and entry["group"].get("batch"):
            more = {
                "batch": entry["group"]["batch"],
                "measured_levels": _measured_levels(entry),
                "departures": {
                    one["schedule"]: with_interval(one, "ratio")
                    for one in entry["departures"]
                    if is_determined(one, "ratio")
                },
            }
            yield _common(entry) | more | {"kind": "schedule"}


def _is_usable(entry: Entry) -> bool:
    """Whether a law is of one width, has what predictions need, and is not refused."""
    group, needed = entry["group"], ("width", "parameters", "flops_per_interaction")
    return all(name in group for name in needed) and "bands" in entry and not refused(entry)


def _common(entry: Entry) -> dict[str, Any]:
    group, bands = entry["group"], entry["bands"]
    return {
        "group": group,
        "threshold": entry["threshold"],
        "width": group["width"],
        "parameters": group["parameters"],
        "flops": group["flops_per_interaction"],
        "measured": entry["measured"],
        **{name: bands[name] for name in ("estimate", "without_seed", "t")},
    }


def _measured_levels(entry: Entry) -> dict[str, list[float]]:
    """Smallest and largest measured level of each kind of schedule; dense is level 1 of all."""
    levels: dict[str, list[float]] = {}
    for departure in entry["departures"]:
        schedule = parse(departure["schedule"])
        levels.setdefault(schedule.kind, []).append(float(schedule.level))
    dense = levels.pop("dense", [])
    return {kind: [min(found + dense), max(found + dense)] for kind, found in levels.items()}


def _named(laws: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The laws with the name of what each was fitted to, in place of their settings.

    It is the schedule, or that all of them are together, where this tells apart whatever differs in
    more than width and threshold; else every setting that varies is named.
    """
    own = {"width", "parameters", "flops_per_interaction", "learning_rate"}
    groups = [
        {name: law["group"][name] for name in law["group"] if name not in own} for law in laws
    ]
    short = [str(schedule_of(group)) if "schedule" in group else _TOGETHER for group in groups]
    names = short if _tells_apart(short, groups) else _long_names(short, groups)
    others = [{key: law[key] for key in law if key != "group"} for law in laws]
    return [{"name": name, **law} for name, law in zip(names, others, strict=True)]


_TOGETHER = "all schedules together"


def _tells_apart(names: Sequence[str], groups: Sequence[Entry]) -> bool:
    """Whether no two groups that differ have the same name."""
    known: dict[str, Entry] = {}
    return all(
        known.setdefault(name, group) == group for name, group in zip(names, groups, strict=True)
    )


def _long_names(short: Sequence[str], groups: Sequence[Entry]) -> list[str]:
    """Names with every setting that varies, and a number where that is not enough."""
    shown = {"task", "task_settings", "schedule", "schedule_level", "settings"}
    varying = sorted({name for group in groups for name in group} - shown)
    varying = [name for name in varying if len({str(group.get(name)) for group in groups}) > 1]
    names, known = [], {}  # type: ignore[var-annotated]
    for text, group in zip(short, groups, strict=True):
        settings = [f"{name} {group[name]}" for name in varying if name in group]
        name = ", ".join([text, task_label(group), *settings])
        same = known.setdefault(name, [])
        if group not in same:
            same.append(group)
        number = same.index(group) + 1
        names.append(f"{name} ({number})" if number > 1 else name)
    return names

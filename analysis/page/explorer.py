"""The explorer: two linked charts of every run, in which the reader chooses what is shown.

An HTML fragment that holds its data, its charts' specifications (`explorer_charts`) and its script;
the page needs Vega's scripts once (`explorer_charts.fixed_parts`) and `explorer.css`. Nothing comes
from a network.
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
import pandas as pd

from analysis.data.crossings import means_over_seeds
from analysis.data.curves import placed
from analysis.data.families import Family, families, schedule_of
from analysis.data.measurements import Measurements
from analysis.laws import AllFits
from analysis.laws.horizon_forms import left_censored
from analysis.laws.prediction_bands import horizon_curve, with_band
from analysis.page.explorer_looks import AXES, LAWS, STATES
from analysis.stats.fit_test import REFUSED

STYLE = Path(__file__).with_name("explorer.css")
"""The style of the explorer and of the calculator."""

MAX_RUNS = 800
"""Runs that are put on the page: of more, those of the first seeds, then of the first families."""

MAX_ROWS = 40
"""Rows of a learning curve on the page."""

_LAW_POINTS = 16
_HERE = Path(__file__).parent


def explorer(measured: Measurements, fits: AllFits, charts: Mapping[str, Any]) -> str:
    """The explorer of some measurements as an HTML fragment; empty where there is nothing to show.

    Args:
        measured: the tables.
        fits: the laws fitted to them; those that are refused are not drawn.
        charts: their specifications, of `explorer_charts.fixed_parts`.
    """
    if measured.crossings.empty:
        return ""
    data, notes = explorer_data(measured, fits)
    return Template((_HERE / "explorer.html").read_text(encoding="utf-8")).substitute(
        data=as_script(data),
        charts=as_script(charts),
        notes="".join(f'<p class="explorer-note">{escape(note)}</p>' for note in notes),
        script=(_HERE / "explorer.js").read_text(encoding="utf-8"),
    )


def as_script(value: Any) -> str:
    """JSON for a `<script type="application/json">`: no text in it can end the element."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c")


def explorer_data(measured: Measurements, fits: AllFits) -> tuple[dict[str, Any], list[str]]:
    """What the explorer draws, with numbers of 4 significant digits, and notes on what it omits.

    Returns:
        What `explorer.js` reads: `thresholds`, `axes`, `lines`, `states`, `families` (labels),
        `runs`, `places` (the interactions of curves, which many runs share), `means`, `laws`.
    """
    kept, notes = _kept(families(measured.frame), measured)
    thresholds = sorted(float(one) for one in measured.crossings["threshold"].unique())
    curves = _curves(measured.curves)
    places: dict[tuple[float | int | None, ...], int] = {}
    data: dict[str, Any] = {
        "thresholds": thresholds,
        "axes": {axis: [*texts] for axis, texts in AXES.items()},
        "lines": [[law, look] for law, (look, *_) in LAWS.items()],
        "states": STATES,
        "families": _names([family for family, _ in kept]),
        "runs": [],
        "means": [],
        "laws": [],
    }
    lines = [*_horizon_lines(fits), *_schedule_lines(fits, [family for family, _ in kept])]
    for number, (family, seeds) in enumerate(kept):
        crossings = family.select(measured.crossings)
        shown = crossings[crossings["seed"].isin(seeds)]
        data["runs"] += [[number, *row] for row in _runs(shown, curves, thresholds, places)]
        data["means"] += [[number, *row] for row in _means(crossings, thresholds)]
        data["laws"] += [
            [number, line.group["width"], thresholds.index(line.threshold), *line.drawn]
            for line in lines
            if family.matches(line.group)
            and line.schedule in ("", str(schedule_of(family.settings)))
        ]
    data["places"] = [[*one] for one in places]
    if measured.unfinished:
        notes.append(f"{len(measured.unfinished)} runs are not done.")
    return data, notes


def _kept(
    found: Sequence[Family], measured: Measurements
) -> tuple[list[tuple[Family, list[int]]], list[str]]:
    """The families and seeds that are drawn, and notes on the others."""
    runs = measured.crossings.drop_duplicates("run_id")
    seeds = sorted(int(seed) for seed in runs["seed"].unique())
    drawn = len(seeds)
    while drawn > 1 and runs["seed"].isin(seeds[:drawn]).sum() > MAX_RUNS:
        drawn -= 1
    shown = runs[runs["seed"].isin(seeds[:drawn])]
    sizes = np.cumsum([len(family.select(shown)) for family in found])
    several = max(1, int(np.sum(sizes <= MAX_RUNS)))
    notes = []
    if drawn < len(seeds):
        notes.append(
            f"Runs and curves of {drawn} of {len(seeds)} seeds are drawn here; means and laws are "
            "of all of them."
        )
    if several < len(found):
        notes.append(
            f"{several} of {len(found)} kinds of runs can be chosen here, those with most runs."
        )
    return [(family, seeds[:drawn]) for family in found[:several]], notes


def _names(kept: Sequence[Family]) -> list[str]:
    """What distinguishes the families: the schedule alone where they differ in nothing else."""
    schedules = [str(schedule_of(family.settings)) for family in kept]
    distinct = len(set(schedules)) == len(schedules)
    return schedules if distinct else [family.label for family in kept]


def _curves(frame: pd.DataFrame) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Interactions and returns of each run, at most `MAX_ROWS` of them, by its id."""
    frame = placed(frame)
    if frame.empty:
        return {}
    runs = frame["run_id"].to_numpy(str)
    first = np.flatnonzero(runs[1:] != runs[:-1]) + 1
    columns = [frame[name].to_numpy(float) for name in ("interactions", "return_mean")]
    parts = zip(*(np.split(column, first) for column in columns), strict=True)
    return {str(run): _thinned(*part) for run, part in zip(runs[[0, *first]], parts, strict=True)}


def _thinned(places: np.ndarray, returns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """At most `MAX_ROWS` of a curve, about evenly spaced in log E, first and last included."""
    if len(places) > MAX_ROWS:
        where = np.log(places)
        wanted = np.searchsorted(where, np.linspace(where[0], where[-1], MAX_ROWS))
        kept = np.unique(wanted.clip(0, len(places) - 1))
        places, returns = places[kept], returns[kept]
    return places, returns


def _runs(
    crossings: pd.DataFrame,
    curves: Mapping[str, tuple[np.ndarray, np.ndarray]],
    thresholds: Sequence[float],
    places: dict[tuple[float | int | None, ...], int],
) -> Iterator[list[Any]]:
    """A row per run: id, width, horizon, seed, interactions and states, place, returns.

    Places are numbered as they appear.
    """
    nothing = (np.zeros(0), np.zeros(0))
    columns = ["run_id", "threshold", "width", "horizon", "seed", "interactions", "censored"]
    by_run: dict[str, dict[float, dict[str, Any]]] = {}
    rows = crossings[columns].assign(left_censored=left_censored(crossings))
    for row in rows.to_dict("records"):
        by_run.setdefault(str(row["run_id"]), {})[float(row["threshold"])] = row
    for run, known in by_run.items():
        first = next(iter(known.values()))
        settings = [run, int(first["width"]), rounded(first["horizon"]), int(first["seed"])]
        reached = [known.get(threshold) for threshold in thresholds]
        interactions = [row and rounded(row["interactions"]) for row in reached]
        states = [row and _state(row) for row in reached]
        where, returns = curves.get(run, nothing)
        place = places.setdefault(tuple(map(rounded, where)), len(places))
        yield [*settings, interactions, states, place, [*map(rounded, returns)]]


def _state(crossing: Mapping[str, Any]) -> int:
    """Place in `STATES` of what became of a run at a threshold."""
    return 1 if crossing["censored"] else 2 if crossing["left_censored"] else 0


def _means(crossings: pd.DataFrame, thresholds: Sequence[float]) -> Iterator[list[Any]]:
    """A row per cell: width, threshold, horizon, mean, its interval, censored, seeds."""
    for row in means_over_seeds(crossings, ["width", "threshold", "horizon"]).to_dict("records"):
        numbers = [rounded(row[name]) for name in ("horizon", "interactions", "low", "high")]
        where = [int(row["width"]), thresholds.index(row["threshold"])]
        yield [*where, *numbers, int(row["censored"]), int(row["seeds"])]


@dataclass(frozen=True)
class _Line:
    """The line of a law: what it is of, and its place in `LAWS`, regressor and points.

    The regressor is None for a law without one; points are h, E and the ends of its interval. With
    a schedule it is drawn for runs of that schedule only.
    """

    group: Mapping[str, Any]
    threshold: float
    drawn: tuple[int, str | None, list[list[Any]]]
    schedule: str = ""


def _horizon_lines(fits: AllFits) -> Iterator[_Line]:
    """Laws of the horizon of one width each that are not refused."""
    for law in fits["horizon_law"]:
        if "width" not in law.group:
            continue
        entry = law.to_json()
        if not refused(entry):
            shortest, longest = law.measured
            curve = horizon_curve(entry, np.geomspace(shortest, longest, _LAW_POINTS))
            yield _Line(law.group, law.threshold, (0, law.regressor, _points(curve)))


def _schedule_lines(fits: AllFits, kept: Sequence[Family]) -> Iterator[_Line]:
    """Laws of horizon and schedule that are not refused, at each of the schedules they are of."""
    wanted = {schedule_of(family.settings) for family in kept}
    for law in fits["joint_law"]:
        schedules = [one for one in law.data.mean.schedules if one.adds_up and one in wanted]
        if not schedules or refused(law.to_json()):
            continue
        horizons = law.data.mean.horizon
        grid = np.geomspace(horizons.min(), horizons.max(), _LAW_POINTS)
        named = [{"schedule": one.kind, "schedule_level": one.level} for one in schedules]
        rows = pd.DataFrame([one | {"horizon": h} for one in named for h in grid])
        seeds = law.seeds if len(law.left_out) > 1 else []
        left_out = [law.without_seed(seed).predict(rows) for seed in seeds]
        horizon, estimate = rows["horizon"].to_numpy(float), law.predict(rows)
        for number, schedule in enumerate(schedules):
            here = slice(number * _LAW_POINTS, (number + 1) * _LAW_POINTS)
            curve = with_band(horizon[here], estimate[here], [one[here] for one in left_out])
            yield _Line(law.group, law.threshold, (1, None, _points(curve)), str(schedule))


def _points(curve: pd.DataFrame) -> list[list[Any]]:
    numbers = curve[["horizon", "interactions", "low", "high"]].to_numpy(float)
    return [[rounded(value) for value in row] for row in numbers]


def refused(entry: Mapping[str, Any]) -> bool:
    """Whether the runs of a law do not lie on the form that its predictions are of (`bands`)."""
    form = entry.get("bands", {}).get("form", "")
    p = (entry.get("fit_test") or {}).get(form)
    return p is not None and p < REFUSED


def rounded(value: float | None) -> float | int | None:
    """A number to 4 significant digits, as short as JSON has it; None where it is not finite."""
    if value is None or not math.isfinite(value):
        return None
    short = float(f"{value:.4g}")
    return int(short) if short.is_integer() else short

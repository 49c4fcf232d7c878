"""The explorer: two linked charts of every run, in which the reader chooses what is shown.

An HTML fragment that holds its data, its charts' specifications (`explorer_charts`) and its script;
the page needs Vega's scripts once (`bundle`) and `explorer.css`. Nothing comes from a network.
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
import pandas as pd
import vl_convert

from analysis.data.crossings import means_over_seeds
from analysis.data.curves import placed
from analysis.data.families import Family, families, schedule_of
from analysis.data.measurements import Measurements
from analysis.laws import AllFits
from analysis.laws.prediction_bands import horizon_curve
from analysis.laws.schedule import ScheduleLaw
from analysis.page.explorer_charts import (
    AT_FIRST_ROW,
    AXES,
    NOT_REACHED,
    REACHED,
    crossings_chart,
    curves_chart,
)

STYLE = Path(__file__).with_name("explorer.css")
"""The style of the explorer and of the calculator."""

MAX_RUNS = 500
"""Runs that are put on the page: of more, those of the first seeds, then of the first families."""

MAX_ROWS, MAX_POINTS = 40, 20_000
"""Rows of a learning curve, and of all curves together."""

_LAW_POINTS = 16
_HERE = Path(__file__).parent


def bundle() -> str:
    """The text of Vega, Vega-Lite and Vega-Embed for one `<script>` (about 900 kB)."""
    return str(vl_convert.javascript_bundle())


def explorer(measured: Measurements, fits: AllFits) -> str:
    """The explorer of some measurements as an HTML fragment; empty where there is nothing to show.

    Args:
        measured: the tables.
        fits: the laws fitted to them; those that are refused are not drawn.
    """
    if measured.crossings.empty:
        return ""
    data, notes = explorer_data(measured, fits)
    charts = {
        "crossings": {axis: crossings_chart(axis) for axis in AXES},
        "curves": {"one": curves_chart(False), "several": curves_chart(True)},
    }
    return Template((_HERE / "explorer.html").read_text()).substitute(
        data=as_script(data),
        charts=as_script(charts),
        notes="".join(f'<p class="explorer-note">{escape(note)}</p>' for note in notes),
        script=(_HERE / "explorer.js").read_text(),
    )


def as_script(value: Any) -> str:
    """JSON for a `<script type="application/json">`: no text in it can end the element."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c")


def explorer_data(measured: Measurements, fits: AllFits) -> tuple[dict[str, Any], list[str]]:
    """What the explorer draws, with numbers of 4 significant digits, and notes on what it omits.

    Returns:
        `thresholds`, `axes`, `states`, `families` (labels), `runs`, `places` (the interactions of
        curves, which many runs share), `means` and `laws`, as `explorer.js` reads them.
    """
    found = families(measured.frame)
    kept, notes = _kept(found, measured)
    thresholds = sorted(float(one) for one in measured.crossings["threshold"].unique())
    places: dict[tuple[float, ...], int] = {}
    data: dict[str, Any] = {
        "thresholds": thresholds,
        "axes": AXES,
        "states": [REACHED, NOT_REACHED, AT_FIRST_ROW],
        "families": _names(kept),
        "runs": [],
        "means": [],
        "laws": [],
    }
    curves = placed(measured.curves)
    for number, (family, seeds) in enumerate(kept):
        crossings = family.select(measured.crossings)
        shown = crossings[crossings["seed"].isin(seeds)]
        data["runs"] += _runs(number, shown, family.select(curves), thresholds, places)
        data["means"] += _means(number, crossings, thresholds)
        data["laws"] += _laws(number, family, fits, thresholds)
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


def _names(kept: Sequence[tuple[Family, Sequence[int]]]) -> list[str]:
    """What distinguishes the families: the schedule alone where they differ in nothing else."""
    schedules = [str(schedule_of(family.settings)) for family, _ in kept]
    if len(set(schedules)) == len(schedules):
        return schedules
    return [family.label for family, _ in kept]


def _runs(
    number: int,
    crossings: pd.DataFrame,
    curves: pd.DataFrame,
    thresholds: Sequence[float],
    places: dict[tuple[float, ...], int],
) -> Iterator[list[Any]]:
    """A row per run: id, family, width, horizon, seed, interactions and states, place, returns."""
    by_run = dict(tuple(curves.groupby("run_id")))
    rows_each = max(8, min(MAX_ROWS, MAX_POINTS // MAX_RUNS))
    for run, rows in crossings.groupby("run_id"):
        first, reached = rows.iloc[0], rows.set_index("threshold")
        known = [reached.loc[one] if one in reached.index else None for one in thresholds]
        interactions = [None if one is None else rounded(one["interactions"]) for one in known]
        states = [0 if one is None else _state(one) for one in known]
        curve = _thinned(by_run.get(run, curves[:0]), rows_each)
        where = tuple(rounded(value) for value in curve["interactions"])
        place = places.setdefault(where, len(places))
        returns = [rounded(value) for value in curve["return_mean"]]
        settings = [str(run), number, int(first["width"]), rounded(first["horizon"])]
        yield [*settings, int(first["seed"]), interactions, states, place, returns]


def _state(crossing: Mapping[str, Any]) -> int:
    """Place in `states` of what became of a run at a threshold."""
    return 1 if crossing["censored"] else 2 if crossing["left_censored"] else 0


def _thinned(curve: pd.DataFrame, rows: int) -> pd.DataFrame:
    """At most so many rows of a curve, about evenly spaced in log E, first and last included."""
    if len(curve) <= rows:
        return curve
    where = np.log(curve["interactions"].to_numpy(float))
    wanted = np.linspace(where[0], where[-1], rows)
    return curve.iloc[np.unique(np.searchsorted(where, wanted).clip(0, len(curve) - 1))]


def _means(
    number: int, crossings: pd.DataFrame, thresholds: Sequence[float]
) -> Iterator[list[Any]]:
    """A row per cell: family, width, threshold, horizon, mean, its interval, censored, seeds."""
    for row in means_over_seeds(crossings, ["width", "threshold", "horizon"]).to_dict("records"):
        ends = [rounded(row["low"]), rounded(row["high"])]
        where = [number, int(row["width"]), thresholds.index(row["threshold"])]
        mean = [rounded(row["horizon"]), rounded(row["interactions"])]
        yield [*where, *mean, *ends, int(row["censored"]), int(row["seeds"])]


def _laws(
    number: int, family: Family, fits: AllFits, thresholds: Sequence[float]
) -> Iterator[list[Any]]:
    """A row per line: family, width, threshold, law, regressor (or null), points [h, E, ends]."""
    for law in fits["horizon_law"]:
        if "width" in law.group and family.matches(law.group):
            entry = law.to_json()
            if refused(entry):
                continue
            grid = np.geomspace(*law.measured, _LAW_POINTS)
            known = horizon_curve(entry, grid).to_numpy().tolist()
            points = [[rounded(value) for value in row] for row in known]
            where = [number, law.group["width"], thresholds.index(law.threshold)]
            yield [*where, 0, law.regressor, points]
    for law in fits["joint_law"]:
        if family.matches(law.group) and not refused(law.to_json()):
            yield from _schedule_line(number, family, law, thresholds)


def _schedule_line(
    number: int, family: Family, law: ScheduleLaw, thresholds: Sequence[float]
) -> Iterator[list[Any]]:
    """The line of a family by the law of horizon and schedule, where the law has one."""
    schedule = schedule_of(family.settings)
    if not schedule.adds_up or schedule not in law.data.mean.schedules:
        return
    horizons = law.data.mean.horizon
    grid = np.geomspace(horizons.min(), horizons.max(), _LAW_POINTS)
    curve = zip(grid, law.curve(schedule, grid), strict=True)
    points = [[rounded(h), rounded(e), None, None] for h, e in curve]
    yield [number, law.group["width"], thresholds.index(law.threshold), 1, None, points]


def refused(entry: Mapping[str, Any]) -> bool:
    """Whether a law's own residuals refuse it, by its entry in `fits.json`."""
    return entry.get("verdict") == "refused" or bool(entry.get("fit_test", {}).get("refused"))


def rounded(value: float | None) -> float | int | None:
    """A number to 4 significant digits, as short as JSON has it; None where it is not finite."""
    if value is None or not math.isfinite(value):
        return None
    short = float(f"{value:.4g}")
    return int(short) if short.is_integer() else short

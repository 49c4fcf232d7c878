"""Figures of what the interactions to a return are spent on.

Each function returns the figure and the table of the numbers that are drawn in it.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from analysis.figures import theme
from analysis.laws.decomposition import PARTS, Decomposition
from analysis.laws.law import Quantity

PART_LOOKS = {
    "task": (theme.BLACK, "", "the task: supervised learning"),
    "objective": (theme.ORANGE, "////", "objective: the exact gradient instead"),
    "action_noise": (theme.BLUE, "", "action noise: RL at h = 1 instead"),
    "horizon": (theme.VERMILION, "", "horizon: each further step adds"),
}
"""Colour, hatch and label of each part."""

RATIO_LOOKS = {
    "exact_over_supervised": (theme.ORANGE, "s", "exact over supervised"),
    "h1_over_exact": (theme.BLUE, "o", "h = 1 over exact"),
    "predicted_h1_over_exact": (theme.BLACK, "_", "the same, by the noise measured"),
}
"""Colour, marker and label of each ratio."""

_SLOTS = {"task": -0.3, "objective": -0.1, "action_noise": 0.1, "horizon": 0.3}
_BAR = 0.17


def interactions_by_part(laws: Sequence[Decomposition]) -> theme.Drawn:
    """The parts by width, one panel per threshold, on a logarithmic axis.

    A part that is the change from one level to another is a bar between the two, with its interval
    at the second; what each step of horizon adds is a mark of its own. Hollow: not determined.
    Triangles: bounds, where runs are censored.

    Args:
        laws: of one group, at its widths and thresholds.
    """
    table = pd.DataFrame([row for law in laws for row in _parts(law)], columns=_COLUMNS)
    widths = sorted(table["width"].unique())
    thresholds = sorted(table["threshold"].unique())
    with theme.style():
        figure, axes = theme.row(len(thresholds), height=3.2)
        limits = _limits(table)
        for axis, threshold in zip(axes, thresholds, strict=True):
            axis.set_title(f"to a return of {threshold:g}")
            axis.set_yscale("log")
            axis.set_ylim(*limits)
            for row in table[table["threshold"] == threshold].to_dict("records"):
                _draw_part(axis, widths.index(row["width"]), row)
            theme.log_axis(axis, "y")
            _width_axis(axis, widths)
        axes[0].set_ylabel("interactions (environment steps)")
        theme.legend(figure, [*_part_keys(table)], columns=2)
    return figure, table


_COLUMNS = ("threshold", "width", "part", "value", "low", "high", "start", "bound", "determined")


def _parts(law: Decomposition) -> Iterator[dict[str, Any]]:
    """A row for each part, and for each bound of one.

    `start` is the level from which it counts, NaN where runs of that level are censored.
    """
    levels = {"horizon": 0.0}
    for name, pair in law.pairs.items():
        lower = PARTS[name][1]
        known = lower is None or not law.runs[lower][["censored", "left_censored"]].any(axis=None)
        below = np.zeros(1) if pair.below is None else pair.below
        levels[name] = float(below.mean()) if known and len(below) else np.nan
    named = {"threshold": law.threshold, "width": law.group["width"]}
    for name in (*PARTS, "horizon"):
        at = {**named, "part": name, "start": levels.get(name, np.nan)}
        if name in law.quantities:
            one = law.quantities[name]
            yield {**at, **_ends(one), "bound": "", "determined": law.is_determined(name, one)}
        for bound, value in law.bounds.get(name, {}).items():
            open_ends = {"low": np.nan, "high": np.nan, "determined": False}
            yield {**at, "bound": bound, "value": value, **open_ends}


def _ends(one: Quantity) -> dict[str, float]:
    low, high = one.interval or (np.nan, np.nan)
    return {"value": one.value, "low": low, "high": high}


def _limits(table: pd.DataFrame) -> tuple[float, float]:
    """Limits of the axis: those of what was measured; an interval may reach beyond them."""
    levels = pd.concat([table["start"] + table["value"], table["start"]])
    levels = levels[levels > 0]  # neither of an unknown start nor of a bound below 0
    return (0.6 * levels.min(), 1.6 * levels.max()) if len(levels) else (1.0, 10.0)


def _draw_part(axis: Axes, place: int, row: dict[str, Any]) -> None:
    """One part of one width: a mark, or a bar from its start; its interval, or a bound."""
    color, hatch, _ = PART_LOOKS[row["part"]]
    x, start, end = place + _SLOTS[row["part"]], row["start"], row["start"] + row["value"]
    bottom, top = axis.get_ylim()
    if row["bound"]:
        marker = "^" if row["bound"] == "at_least" else "v"
        if end > max(start, bottom):  # a bound below 0, or of an unknown level, says nothing
            axis.plot(x, min(end, top), marker, color=color, mfc="none", gid="bound")
        return
    fill = color if row["determined"] else "none"
    gid = row["part"] if row["determined"] else "open"
    if start > 0:
        low, high = sorted((start, max(end, bottom)))
        look = {"edgecolor": "white" if hatch and row["determined"] else color, "hatch": hatch}
        axis.bar(x, high - low, _BAR, low, facecolor=fill, linewidth=0.6, gid=gid, **look)
    else:
        marker = "o" if row["part"] == "task" else "D"
        axis.plot(x, end, marker, color=color, markerfacecolor=fill, markersize=3.5, gid=gid)
    ends = np.clip([start + row["low"], start + row["high"]], bottom, top)
    if np.isfinite(ends).all():
        axis.plot([x, x], ends, color=theme.BLACK if start > 0 else color, linewidth=1.1, gid="ci")


def _width_axis(axis: Axes, widths: Sequence[float]) -> None:
    crowded = len(widths) > 8
    labels = [theme.compact(width) for width in widths]
    axis.set_xticks(range(len(widths)), labels, rotation=45 if crowded else 0)
    axis.set_xlim(-0.6, len(widths) - 0.4)
    axis.grid(visible=False, axis="x")
    axis.set_xlabel("width")


def _part_keys(table: pd.DataFrame) -> Iterator[Line2D | Patch]:
    drawn = set(table["part"])
    for part, (color, hatch, label) in PART_LOOKS.items():
        if part not in drawn:
            continue
        if part in ("task", "horizon"):
            marker = "o" if part == "task" else "D"
            yield Line2D([], [], color=color, marker=marker, markersize=3.5, label=label)
        else:
            edge = "white" if hatch else color
            yield Patch(facecolor=color, edgecolor=edge, hatch=hatch, label=label)


def ratios_by_width(laws: Sequence[Decomposition]) -> theme.Drawn:
    """What the objective and the noise of actions multiply the interactions by, against the width.

    The second is also predicted by the gradient's noise, where that was measured.

    Args:
        laws: of one group, at its widths and thresholds.
    """
    table = pd.DataFrame(
        [
            {"threshold": law.threshold, "width": law.group["width"], "ratio": name}
            | _ends(law.quantities[name])
            | {"determined": law.is_determined(name, law.quantities[name])}
            for law in laws
            for name in RATIO_LOOKS
            if name in law.quantities
        ],
        columns=["threshold", "width", "ratio", "value", "low", "high", "determined"],
    )
    widths = sorted(table["width"].unique())
    thresholds = sorted(table["threshold"].unique())
    names = [name for name in RATIO_LOOKS if name in set(table["ratio"])]
    top, bottom = table["value"].max() * 2, table["value"].min() / 2
    with theme.style():
        figure, axes = theme.row(len(thresholds))
        for axis, threshold in zip(axes, thresholds, strict=True):
            axis.set_title(f"to a return of {threshold:g}")
            axis.set_yscale("log")
            axis.set_ylim(bottom, top)
            axis.axhline(1, color=theme.GREY, linewidth=0.8)
            here = table[table["threshold"] == threshold]
            for number, name in enumerate(names):
                shift = 0.18 * (number - (len(names) - 1) / 2)
                rows = here[here["ratio"] == name]
                x = np.array([widths.index(width) for width in rows["width"]]) + shift
                _draw_ratios(axis, x, rows, name)
            theme.log_axis(axis, "y")
            _width_axis(axis, widths)
        axes[0].set_ylabel("ratio of interactions")
        theme.legend(figure, [*_ratio_keys(names)], columns=len(names))
    return figure, table


def _draw_ratios(axis: Axes, x: np.ndarray, rows: pd.DataFrame, name: str) -> None:
    color, marker, _ = RATIO_LOOKS[name]
    bottom, top = axis.get_ylim()
    shown = rows.assign(low=rows["low"].clip(lower=bottom), high=rows["high"].clip(upper=top))
    bars = theme.bars(shown, "value")
    style: dict[str, Any] = {"linestyle": "none", "color": color, "elinewidth": 1, "capsize": 1.5}
    axis.errorbar(x, rows["value"], bars, marker="", **style)
    for known, gid in ((True, name), (False, "open")):
        kept = (rows["determined"] == known).to_numpy()
        fill = color if known else "white"
        axis.plot(
            x[kept],
            rows["value"][kept],
            marker,
            color=color,
            markerfacecolor=fill,
            gid=gid,
            markersize=7 if marker == "_" else 4,
        )


def _ratio_keys(names: Sequence[str]) -> Iterator[Line2D]:
    for name in names:
        color, marker, label = RATIO_LOOKS[name]
        yield Line2D([], [], color=color, marker=marker, linestyle="none", label=label)

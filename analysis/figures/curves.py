"""Figures of learning curves: return, entropy and KL along training.

Bands reach from the lowest to the highest seed; faded lines are unfinished runs.
Each function returns the figure and the table of the numbers that are drawn in it.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis.data.curves import seed_averages
from analysis.figures import theme
from analysis.figures.horizon import REFERENCE_STYLES

MOST_PANELS, MOST_CURVES = 12, 16
"""Panels of a figure and curves of a panel: of more sizes or horizons these are drawn, spread."""


def return_against_interactions(
    frame: pd.DataFrame, unfinished: Collection[str] = ()
) -> theme.Drawn:
    """Learning curves by size, one panel per horizon."""
    table = seed_averages(frame, ["return_mean"], unfinished)
    figure = _curve_panels(table, "interactions", "interactions (environment steps)", "horizon")
    return figure, table


def return_by_horizon(
    frame: pd.DataFrame,
    unfinished: Collection[str] = (),
    references: pd.DataFrame | None = None,
) -> theme.Drawn:
    """Learning curves by horizon, one panel per size.

    Args:
        frame: tidy results of one family of runs.
        unfinished: ids of runs that are not done.
        references: the same of its references, drawn as h = 0: the averages of runs that are done.
    """
    table = seed_averages(frame, ["return_mean"], unfinished)
    at_zero = None
    if references is not None and len(references):
        done = references[~references["run_id"].isin(list(unfinished))]
        parts = [
            seed_averages(rows, ["return_mean"]).assign(horizon=0.0, reference=str(name))
            for name, rows in done.groupby("algorithm")
        ]
        at_zero = pd.concat(parts, ignore_index=True) if parts else None
    axis = ("interactions", "interactions (environment steps)")
    figure = _curve_panels(table, *axis, "width", at_zero)
    return figure, table if at_zero is None else pd.concat([table, at_zero], ignore_index=True)


def return_by_family(
    families: Mapping[str, pd.DataFrame], unfinished: Collection[str] = ()
) -> theme.Drawn:
    """Learning curves by horizon at one width, one panel per family of runs.

    Args:
        families: rows of one width by the family's label.
        unfinished: ids of runs that are not done.
    """
    tables = [
        seed_averages(rows, ["return_mean"], unfinished).assign(family=label)
        for label, rows in families.items()
    ]
    table = pd.concat(tables, ignore_index=True)
    return _curve_panels(table, "interactions", "interactions (environment steps)", "family"), table


def return_against_compute(frame: pd.DataFrame, unfinished: Collection[str] = ()) -> theme.Drawn:
    """Return against counted training FLOPs, by size, one panel per horizon."""
    table = seed_averages(frame, ["return_mean"], unfinished)
    flops = frame.groupby("width")["flops_per_interaction"].first()
    table.insert(4, "flops", table["interactions"] * table["width"].map(flops))
    return _curve_panels(table, "flops", "training compute (FLOP)", "horizon"), table


def _curve_panels(
    table: pd.DataFrame, x: str, x_label: str, panel: str, references: pd.DataFrame | None = None
) -> Figure:
    """Averages with the band of seeds; panels by horizon, width or family; colours by size where
    panels are horizons, else by horizon. References are lines of their own in panels by width."""
    color = "width" if panel == "horizon" else "horizon"
    make = theme.size_looks if color == "width" else theme.horizon_looks
    looks = make(theme.spread(table[color].unique(), MOST_CURVES))
    titles: dict[str, Callable[[Any], str]] = {
        "width": _size_title(table),
        "horizon": "h = {:g}".format,
        "family": str,
    }
    title = titles[panel]
    levels = list(table[panel].unique())[:MOST_PANELS]
    if panel != "family":
        levels = theme.spread(table[panel].unique(), MOST_PANELS)
    table = table[table[color].isin(looks)]
    with theme.style():
        figure, axes = theme.panels(len(levels))
        for axis, level in zip(axes, levels, strict=True):
            axis.set_title(title(level))
            here = table[table[panel] == level]
            for (value, run), rows in here.groupby([color, "run_id"]):
                _draw_curve(axis, rows, x, looks[value], bool(run))
            if references is not None:
                _draw_references(axis, references[references[panel] == level])
        for axis in axes:
            theme.log_axis(axis, "x")
        figure.supxlabel(x_label, fontsize=8.5)
        figure.supylabel("return", fontsize=8.5)
        label = _size_title(table) if color == "width" else (lambda value: f"h = {value:g}")
        keys = [] if references is None else _reference_keys(references)
        columns = 5 if keys and figure.get_figwidth() > 6 else 0
        keys += [theme.key(looks[value], label(value)) for value in looks]
        theme.legend(figure, keys, columns=columns)
    return figure


_REFERENCE_LINES = {"supervised": (0, (5, 1.5)), "exact": (0, (1.2, 1.2))}


def _draw_references(axis: Axes, rows: pd.DataFrame) -> None:
    """Lines without the band of seeds, which would hide those of RL."""
    for name, curve in rows.groupby("reference"):
        line = {"color": theme.BLACK, "linestyle": _REFERENCE_LINES[str(name)], "gid": str(name)}
        axis.plot(curve["interactions"], curve["return_mean"], **line)


def _reference_keys(references: pd.DataFrame) -> list[Line2D]:
    drawn = set(references["reference"])
    return [
        Line2D(
            [], [], color=theme.BLACK, linestyle=line, label=f"{REFERENCE_STYLES[name][2]}, h = 0"
        )
        for name, line in _REFERENCE_LINES.items()
        if name in drawn
    ]


def _draw_curve(axis: Axes, rows: pd.DataFrame, x: str, look: theme.Look, faded: bool) -> None:
    alpha = theme.FADED if faded else 1.0
    axis.plot(
        rows[x],
        rows["return_mean"],
        color=look.color,
        alpha=alpha,
        linestyle="--" if faded else "-",
        marker="" if faded else look.marker,
        markevery=max(len(rows) // 5, 1),
        markersize=3,
        gid="unfinished" if faded else None,
    )
    if not faded:
        lowest, highest = rows["return_mean_lowest"], rows["return_mean_highest"]
        axis.fill_between(rows[x], lowest, highest, color=look.color, alpha=0.22, linewidth=0)


def _size_title(table: pd.DataFrame) -> Callable[[float], str]:
    """Names of widths, with their parameters."""
    parameters = table.groupby("width")["parameters"].first()
    return lambda width: f"width {width:g} (N = {theme.compact(parameters[width])})"


def entropy_and_divergence(frame: pd.DataFrame, unfinished: Collection[str] = ()) -> theme.Drawn:
    """Entropy of the policy and KL from the initial policy along training, by horizon.

    Args:
        frame: tidy results of one width.
        unfinished: ids of runs that are not done.
    """
    table = seed_averages(frame, ["entropy", "kl_initial"], unfinished)
    looks = theme.horizon_looks(table["horizon"])
    labels = {"entropy": "entropy (nats per step)", "kl_initial": "KL from start (nats per step)"}
    with theme.style():
        figure, axes = theme.row(2, width=3.3)
        for axis, (name, label) in zip(axes, labels.items(), strict=True):
            for (horizon, run), rows in table.groupby(["horizon", "run_id"]):
                look, x = looks[horizon], rows["interactions"]
                if run:
                    style = {"linestyle": "--", "alpha": theme.FADED, "gid": "unfinished"}
                    axis.plot(x, rows[name], color=look.color, **style)
                    continue
                every = max(len(rows) // 5, 1)
                axis.plot(
                    x, rows[name], color=look.color, marker=look.marker, markevery=every, ms=3.5
                )
                ends = rows[f"{name}_lowest"], rows[f"{name}_highest"]
                axis.fill_between(x, *ends, color=look.color, alpha=0.2, linewidth=0)
            theme.log_axis(axis, "x")
            axis.set_ylim(0, None)
            axis.set_xlabel("interactions (environment steps)")
            axis.set_ylabel(label)
        theme.legend(figure, [theme.key(looks[h], f"h = {h:g}") for h in looks], columns=7)
    return figure, table

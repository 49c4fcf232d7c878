"""Figures of action-dependent baselines.
Each function returns the figure and the table of the numbers that are drawn in it.
"""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from analysis.data.measurements import Measurements
from analysis.figures import theme
from analysis.laws.action_baselines import (
    PARTS,
    THRESHOLD,
    Baseline,
    Sweeps,
    bias_along_training,
    biased_rows,
    parts,
    ratios,
)
from analysis.laws.action_baselines import parts_along_training as along_training

_PART_COLORS = {"future": theme.BLUE, "action": theme.ORANGE, "state": theme.GREEN}


def action_baselines(sweeps: Sweeps) -> theme.Drawn:
    """Parts of the variance, interactions over those compared with, and the bias, by horizon.

    Of one width and schedule. Bars are 95% intervals over seeds; open triangles are bounds.
    """
    short = {one.label: one.short for one in sweeps}
    shares = parts(sweeps[Baseline()]) if Baseline() in sweeps else pd.DataFrame()
    compared, biased = (
        table.assign(of=table["of"].map(short)) if len(table) else table
        for table in (pd.DataFrame(ratios(sweeps)), bias_along_training(biased_rows(sweeps)))
    )
    drawn = [
        (draw, table)
        for draw, table in ((_parts, shares), (_ratios, compared), (_cosines, biased))
        if len(table)
    ]
    with theme.style():
        figure, axes = theme.row(max(len(drawn), 1), width=3.4, height=3.4)
        for axis, (draw, table) in zip(axes, drawn, strict=False):
            draw(axis, table)
    kinds = ("variance", "interactions", "bias")
    named = [
        table.assign(panel=kind)
        for kind, table in zip(kinds, (shares, compared, biased), strict=True)
        if len(table)
    ]
    return figure, pd.concat(named, ignore_index=True) if named else pd.DataFrame()


def _parts(axis: Axes, table: pd.DataFrame) -> None:
    """Stacked shares of the variance."""
    wide = table.pivot_table(index="horizon", columns="part", values="share")[list(PARTS)]
    below = pd.Series(0.0, index=wide.index)
    places = range(len(wide))
    for part in PARTS:
        style: dict[str, Any] = {"color": _PART_COLORS[part], "width": 0.7, "gid": part}
        axis.bar(places, wide[part], bottom=below, **style)
        below = below + wide[part]
    axis.set_xticks(list(places), [f"{horizon:g}" for horizon in wide.index])
    axis.set_xlabel("horizon h (steps)")
    axis.set_ylabel("share of the gradient's variance")
    axis.set_ylim(0, 1)
    patches = [Patch(color=_PART_COLORS[part], label=part) for part in PARTS]
    axis.legend(handles=patches, ncols=3, **_ABOVE)


_ABOVE: dict[str, Any] = {
    **{"loc": "lower center", "bbox_to_anchor": (0.5, 1.0), "frameon": False, "fontsize": 6.5},
    **{"handlelength": 1.2, "columnspacing": 1.0},
}


def _ratios(axis: Axes, table: pd.DataFrame) -> None:
    ends = [one or (float("nan"),) * 2 for one in table["ratio_ci"]]
    table = table.assign(low=[low for low, _ in ends], high=[high for _, high in ends])
    table = table[table["bound"] != "unknown"].assign(censored=table["bound"] != "")
    looks = theme.kind_looks(dict.fromkeys(table["of"]))
    axis.axhline(1, color=theme.GREY, linewidth=0.8, linestyle="--")
    for place, (of, look) in enumerate(looks.items()):
        rows = table[table["of"] == of]
        shifted = rows.assign(horizon=rows["horizon"] * 1.07 ** (place - (len(looks) - 1) / 2))
        theme.draw_means(axis, shifted, look, y="ratio")
    axis.set_yscale("log")
    theme.log_axis(axis, "y")
    theme.horizon_axis(axis, table["horizon"])
    axis.set_ylabel(f"ratio of interactions to {THRESHOLD:g}")
    keys = [theme.key(look, of, linestyle="none") for of, look in looks.items()]
    axis.legend(handles=keys, ncols=2, **_ABOVE)


def _cosines(axis: Axes, table: pd.DataFrame) -> None:
    lines = dict(zip(dict.fromkeys(table["of"]), ("--", "-", ":"), strict=False))
    looks = theme.horizon_looks(table["horizon"])
    for (of, horizon), rows in table.groupby(["of", "horizon"]):
        look, rows = looks[horizon], rows.sort_values("interactions")
        style: dict[str, Any] = {"color": look.color, "linestyle": lines[of], "linewidth": 1.0}
        axis.plot(rows["interactions"], rows["cosine"], gid=of, **style)
        axis.fill_between(
            rows["interactions"],
            rows["low"],
            rows["high"].clip(upper=1),
            color=look.color,
            alpha=0.15,
            linewidth=0,
        )
    theme.log_axis(axis, "x")
    axis.set_xlabel("interactions (environment steps)")
    axis.set_ylabel("cosine of mean and exact gradient")
    keys = [theme.key(theme.Look(look.color, ""), f"h = {h:g}") for h, look in looks.items()]
    keys += [
        Line2D([], [], color=theme.GREY, linestyle=line, label=of) for of, line in lines.items()
    ]
    axis.legend(handles=keys, ncols=2, **_ABOVE)


def parts_along_training(measured: Measurements) -> theme.Drawn:
    """Shares of the future, action and state parts along training, a panel for each horizon.

    Bands are 95% intervals over seeds.
    """
    table = along_training(measured)
    horizons = sorted(table["horizon"].unique())
    with theme.style():
        figure, axes = theme.panels(len(horizons))
        for axis, horizon in zip(axes, horizons, strict=True):
            axis.set_title(f"h = {horizon:g}")
            for part, rows in table[table["horizon"] == horizon].groupby("part"):
                rows, color = rows.sort_values("interactions"), _PART_COLORS[str(part)]
                axis.plot(rows["interactions"], rows["share"], color=color, gid=str(part))
                band: dict[str, Any] = {"color": color, "alpha": 0.2, "linewidth": 0}
                axis.fill_between(rows["interactions"], rows["low"], rows["high"], **band)
            theme.log_axis(axis, "x")
            axis.set_ylim(0, 1)
        figure.supxlabel("interactions (environment steps)", fontsize=8.5)
        figure.supylabel("share of the variance", fontsize=8.5)
        keys = [Line2D([], [], color=color, label=part) for part, color in _PART_COLORS.items()]
        theme.legend(figure, keys, columns=3)
    return figure, table

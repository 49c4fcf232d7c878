"""Figures of the exponent in size: under each schedule, and of ratios of interactions.
Each function returns the figure and the table of the numbers that are drawn in it.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from analysis.figures import theme
from analysis.laws.ratio_by_size import RatioBySize
from analysis.laws.size import SizeExponent


def size_exponent_by_schedule(exponents: Sequence[SizeExponent]) -> theme.Drawn:
    """How E falls with size under each schedule, against `dense`, with 95% intervals.

    An exponent that the runs do not determine is a hollow mark without an interval.

    Args:
        exponents: of one group.
    """
    table = pd.DataFrame([{**one.details(), **_ends(one)} for one in exponents])
    names = list(dict.fromkeys(table["schedule"]))
    looks = theme.kind_looks(f"return {one:g}" for one in sorted(table["threshold"].unique()))
    with theme.style():
        figure, axis = theme.single(height=1.2 + 0.3 * len(names))
        groups = zip(looks.values(), table.groupby("threshold"), strict=True)
        for place, (look, (_, rows)) in enumerate(groups):
            shift = 0.18 * (place - (len(looks) - 1) / 2)
            y = np.array([names.index(name) + shift for name in rows["schedule"]])
            known = rows["determined"].to_numpy(bool)
            bars = theme.bars(rows[known], "exponent")
            settings: dict[str, Any] = {"fmt": "o", "capsize": 2, "color": look.color}
            axis.errorbar(rows["exponent"][known], y[known], xerr=bars, **settings)
            hollow = {"marker": "o", "markerfacecolor": "none", "linestyle": "none"}
            axis.plot(rows["exponent"][~known], y[~known], color=look.color, gid="open", **hollow)
        axis.set_yticks(range(len(names)), names)
        axis.set_xlabel("exponent a in size: E $\\propto$ N$^{-a}$")
        theme.legend(figure, [theme.key(look, name) for name, look in looks.items()])
    return figure, table


def _ends(one: SizeExponent) -> dict[str, float | bool]:
    exponent = one.quantities["exponent"]
    low, high = exponent.interval or (np.nan, np.nan)
    ends = {"exponent": exponent.value, "low": low, "high": high}
    return {**ends, "determined": exponent.is_determined}


def ratio_by_size(laws: Sequence[RatioBySize]) -> theme.Drawn:
    """What longer horizons, and learning from rewards, multiply the interactions by, against size.

    One panel per threshold. Lines are the power of N that was fitted; bars 95% intervals over
    seeds.

    Args:
        laws: of one group, at all its thresholds.
    """
    table = pd.concat([_ratios(law) for law in laws], ignore_index=True)
    names = list(dict.fromkeys(table["pair"]))
    looks = theme.kind_looks(names)
    thresholds = sorted(table["threshold"].unique())
    with theme.style():
        figure, axes = theme.panels(len(thresholds))
        for axis, threshold in zip(axes, thresholds, strict=True):
            axis.set_title(f"to a return of {threshold:g}")
            axis.axhline(1, color=theme.GREY, linewidth=0.8)
            for name, rows in table[table["threshold"] == threshold].groupby("pair"):
                color, marker = looks[name].color, looks[name].marker
                bars = theme.bars(rows, "value")
                axis.errorbar(
                    *(rows["parameters"], rows["value"], bars),
                    **{"color": color, "marker": marker, "linestyle": "none"},
                    **{"capsize": 1.5, "linewidth": 0.8, "markersize": 3.5},
                )
                axis.plot(rows["parameters"], rows["fitted"], color=color, gid="fitted")
        for axis in axes:
            theme.log_axis(axis, "x")
            theme.log_axis(axis, "y")
        figure.supxlabel("parameters N", fontsize=8.5)
        figure.supylabel("ratio of interactions", fontsize=8.5)
        theme.legend(figure, [theme.key(looks[name], name) for name in names])
    return figure, table


def _ratios(law: RatioBySize) -> pd.DataFrame:
    table = law.by_size()
    return table.assign(
        pair=f"{law.of} over {law.over}", threshold=law.threshold, fitted=law.predict(table)
    )

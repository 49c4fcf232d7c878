"""The figure of the exponent in size under each schedule.
Each function returns the figure and the table of the numbers that are drawn in it.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from analysis.figures import theme
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

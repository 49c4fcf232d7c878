"""Figures of the gradient's noise, measured and predicted.
Each function returns the figure and the table of the numbers that are drawn in it.
"""

import numpy as np
import pandas as pd
from matplotlib.lines import Line2D

from analysis.data.noise import scale_along_training, variance_by_horizon
from analysis.figures import theme

PART_STYLES = {
    "total": (theme.BLACK, "o", "-"),
    "future": (theme.BLUE, "s", "--"),
    "action": (theme.ORANGE, "D", "-."),
    "state": (theme.GREEN, "^", ":"),
}


_SHIFT = {"total": 0.93, "future": 1.07, "action": 1.0, "state": 1.0}
"""Horizontal shift of the marks of each part, as a factor, so that they do not overlap."""

ROUNDING = 1e-6
"""Share of the largest variance of a panel below which a part is 0 but for rounding."""


def gradient_variance(noise: pd.DataFrame) -> theme.Drawn:
    """Measured (marks) against predicted (lines) gradient variance by horizon, along training.

    Marks of one horizon are drawn slightly apart, parts that are 0 are left out; bars that reach
    below 2% of the measured value end there.

    Args:
        noise: rows of the noise tables of one family and width.
    """
    table = variance_by_horizon(noise)
    ends = np.sort(table["interactions"].unique())
    shown = dict.fromkeys(ends[[0, (len(ends) - 1) // 2, -1]])
    table = table[table["interactions"].isin(list(shown))].reset_index(drop=True)
    with theme.style():
        figure, axes = theme.row(len(shown))
        for axis, (interactions, here) in zip(axes, table.groupby("interactions"), strict=True):
            axis.set_title(f"after {theme.compact(interactions)} interactions")
            rounding = ROUNDING * here["measured"].max()
            for part, rows in here[here["measured"] > rounding].groupby("part"):
                color, marker, _ = PART_STYLES[str(part)]
                low = np.maximum(rows["low"], 0.02 * rows["measured"])
                bars = theme.bars(rows.assign(low=low), "measured")
                look = {"color": color, "capsize": 2, "markersize": 4, "fmt": marker}
                place = rows["horizon"] * _SHIFT[str(part)]
                axis.errorbar(place, rows["measured"], bars, **look)
            for part, rows in here[here["predicted"] > rounding].groupby("part"):
                color, _, line = PART_STYLES[str(part)]
                axis.plot(rows["horizon"], rows["predicted"], line, color=color, gid=str(part))
            axis.set_yscale("log")
            theme.log_axis(axis, "y")
            theme.horizon_axis(axis, table["horizon"])
        axes[0].set_ylabel("variance of a step's gradient, tr Cov")
        keys = [
            Line2D([], [], color=color, marker=marker, linestyle=line, label=part)
            for part, (color, marker, line) in PART_STYLES.items()
        ]
        theme.legend(figure, keys, "marks: measured, lines: predicted", columns=4)
    return figure, table


def gradient_noise_scale(noise: pd.DataFrame) -> theme.Drawn:
    """Gradient noise scale along training by horizon, with 95% intervals over seeds.

    Horizons of one evaluation are drawn slightly apart.

    Args:
        noise: rows of the noise tables of one family and width, with a signal above 0 somewhere.
    """
    table, _ = scale_along_training(noise)
    looks = theme.horizon_looks(table["horizon"])
    with theme.style():
        figure, axis = theme.single()
        for number, (horizon, rows) in enumerate(table.groupby("horizon")):
            look = looks[horizon]
            x = rows["interactions"] * 1.06 ** (number - (len(looks) - 1) / 2)
            style = {"color": look.color, "marker": look.marker, "elinewidth": 0.8, "capsize": 1.5}
            axis.errorbar(x, rows["noise_scale"], theme.bars(rows, "noise_scale"), **style)
        theme.log_axis(axis, "x")
        axis.set_yscale("log")
        theme.log_axis(axis, "y")
        axis.set_xlabel("interactions (environment steps)")
        axis.set_ylabel("gradient noise scale (environment steps)")
        theme.legend(figure, [theme.key(looks[h], f"h = {h:g}") for h in looks], columns=4)
    return figure, table

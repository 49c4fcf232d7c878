"""The figure of interactions against bits, and against noise.
The function returns the figure and the table of the numbers that are drawn in it.
"""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from analysis.data.families import in_order
from analysis.figures import theme
from analysis.laws.bits import BitsLaw
from mnist_horizon.schedules import parse


def interactions_against_bits(law: BitsLaw) -> theme.Drawn:
    """Interactions to a return against bits and against steps without noise, per interaction.

    A point per schedule and horizon, means over seeds. On a line of slope -1 all need the same.
    """
    columns = ["interactions", "bits", "steps"]
    means = law.table.groupby(["name", "horizon"])[columns].mean().reset_index()
    table = means.assign(
        interactions=np.exp(means["interactions"]),
        bits_each=np.exp(means["bits"] - means["interactions"]),
        steps_each=np.exp(means["steps"] - means["interactions"]),
        line_bits=float(np.exp(means["bits"].mean())),
        line_steps=float(np.exp(means["steps"].mean())),
    ).drop(columns=["bits", "steps"])
    names = [str(one) for one in in_order(parse(name) for name in table["name"].unique())]
    looks = theme.kind_looks(names)
    with theme.style():
        figure, axes = theme.row(2, width=3.4, height=3.4)
        _draw(axes[0], table, "bits_each", "line_bits", looks)
        _draw(axes[1], table, "steps_each", "line_steps", looks)
        axes[0].set_xlabel("bits per interaction")
        axes[1].set_xlabel("1 / noise per interaction (dense, h = 1: about 1)")
        axes[0].set_ylabel(f"interactions to a return of {law.threshold:g}")
        line = Line2D([], [], color=theme.GREY, linestyle="--", label="the same in total")
        keys = [theme.key(looks[name], name, linestyle="none") for name in names]
        theme.legend(figure, [*keys, line], columns=5)
    return figure, table


def _draw(axis: Axes, table: pd.DataFrame, x: str, line: str, looks: dict[str, theme.Look]) -> None:
    ends = np.array([table[x].min(), table[x].max()])
    style = {"color": theme.GREY, "linestyle": "--", "linewidth": 1, "gid": "line"}
    axis.plot(ends, table[line].iloc[0] / ends, **style)
    for name, rows in table.groupby("name"):
        look = looks[str(name)]
        size = {"markersize": 4, "linestyle": "none", "gid": "runs"}
        axis.plot(rows[x], rows["interactions"], color=look.color, marker=look.marker, **size)
    theme.log_axis(axis, "x")
    theme.log_axis(axis, "y")

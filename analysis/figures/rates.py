"""The figure of the learning-rate rule.
Each function returns the figure and the table of the numbers that are drawn in it.
"""

from collections.abc import Collection

import pandas as pd
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator

from analysis.data.curves import learning_rate_scores
from analysis.figures import theme


def learning_rate_rule(frame: pd.DataFrame, unfinished: Collection[str] = ()) -> theme.Drawn:
    """Return averaged over log E against learning rate by size, at two horizons; best marked.

    Horizons: the shortest and the longest with several rates. The rule holds if one rate is best.

    Args:
        frame: tidy results of a family with several learning rates at a size and horizon.
        unfinished: ids of runs that are not done; they are left out.
    """
    table = _learning_rate_table(frame[~frame["run_id"].isin(list(unfinished))])
    horizons = sorted(table["horizon"].unique())
    looks = theme.size_looks(table["width"])
    with theme.style():
        figure, axes = theme.row(len(horizons), width=3.1)
        for axis, horizon in zip(axes, horizons, strict=True):
            axis.set_title(f"h = {horizon:g}")
            for width, rows in table[table["horizon"] == horizon].groupby("width"):
                look = looks[width]
                axis.errorbar(
                    rows["learning_rate"],
                    rows["score"],
                    theme.bars(rows, "score"),
                    color=look.color,
                    marker=look.marker,
                    capsize=2,
                )
                best = rows[rows["best"]]
                axis.plot(
                    best["learning_rate"],
                    best["score"],
                    color=look.color,
                    marker="o",
                    markerfacecolor="none",
                    markersize=10,
                    gid="best",
                )
            rates = sorted(table.loc[table["horizon"] == horizon, "learning_rate"].unique())
            axis.set_xscale("log")
            axis.set_xticks(rates, [f"{rate:.2g}" for rate in rates])
            axis.xaxis.set_minor_locator(NullLocator())
            if table["score"].between(0, 1).all():  # bars may reach beyond, returns do not
                low, high = axis.get_ylim()
                axis.set_ylim(max(low, 0.0), min(high, 1.0))
            axis.set_xlabel("learning rate (before the rule over widths)")
        axes[0].set_ylabel("return, mean over log interactions")
        keys = [theme.key(looks[width], f"width {width:g}") for width in looks]
        ring = {"marker": "o", "markerfacecolor": "none", "markersize": 9, "linestyle": "none"}
        theme.legend(figure, [*keys, Line2D([], [], color=theme.GREY, label="best", **ring)])
    return figure, table


def _learning_rate_table(frame: pd.DataFrame) -> pd.DataFrame:
    """Scores at the shortest and longest horizon that have several rates, with t intervals."""
    rates = frame.groupby("horizon")["learning_rate"].transform("nunique")
    horizons = frame.loc[rates > 1, "horizon"]
    return learning_rate_scores(frame[frame["horizon"].isin((horizons.min(), horizons.max()))])

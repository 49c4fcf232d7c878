"""The figure of a proxy: gold and proxy against KL, with a penalty and without.

The function returns the figure and the table of the numbers that are drawn in it.
"""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from analysis.figures import theme
from analysis.laws.early_stopping import MEANS, EarlyStopping

_BEST: dict[str, tuple[str, dict[str, Any]]] = {
    "proxy_optimum": ("most proxy at this KL", {"color": theme.BLACK, "linestyle": "--"}),
    "best_of_n": ("best of n", {"color": theme.GREY, "linestyle": ":"}),
}


def gold_against_kl(law: EarlyStopping, frontier: pd.DataFrame) -> theme.Drawn:
    """Proxy and gold against KL, gold against sqrt KL, and the differences at the same KL.

    Args:
        law: the comparison.
        frontier: the best policies by KL of its runs; empty where not known.
    """
    means = _means(law.rows)
    best = _best(frontier, law.rows, means["kl"].max())
    looks = theme.looks(means["kl_coef"].unique(), "viridis")
    with theme.style():
        figure, axes = theme.row(3, width=2.6, height=3.2)
        free = means[means["kl_coef"] == 0]
        for value, color, up in (("proxy", theme.VERMILION, 4), ("gold", theme.BLUE, -10)):
            axes[0].plot(free["kl"], free[value], color=color)
            axes[0].annotate(
                value,
                (free["kl"].iloc[-1], free[value].iloc[-1]),
                (-4, up),
                ha="right",
                textcoords="offset points",
                color=color,
                fontsize=7.5,
            )
            for kind, (_, line) in _BEST.items():
                points = best[best["kind"] == kind]
                axes[0].plot(points["kl"], points[value], **line | {"color": color, "alpha": 0.6})
        axes[0].set_xlabel("KL from the initial policy (nats)")
        axes[0].set_ylabel("score, no penalty")
        _draw_gold(axes[1], means, best, looks)
        table = _draw_differences(axes[2], law, looks)
        keys = [theme.key(look, f"{value:g}") for value, look in looks.items()]
        for _, (name, line) in _BEST.items():
            keys.append(axes[1].plot([], [], label=name, **line)[0])
        theme.legend(figure, keys, "coefficient of the KL penalty", columns=min(len(keys), 5))
    parts = [means.assign(what="runs"), best.assign(what="best"), table.assign(what="difference")]
    return figure, pd.concat(parts, ignore_index=True)


def _draw_gold(
    axis: Axes, means: pd.DataFrame, best: pd.DataFrame, looks: dict[float, theme.Look]
) -> None:
    """Gold against sqrt KL of every coefficient, a mark at the end of each."""
    for coefficient, rows in means.groupby("kl_coef"):
        look = looks[coefficient]
        axis.plot(np.sqrt(rows["kl"]), rows["gold"], color=look.color, linewidth=1.1)
        end = rows.iloc[-1]
        axis.plot(np.sqrt(end["kl"]), end["gold"], look.marker, color=look.color, gid="end")
    for kind, (_, line) in _BEST.items():
        points = best[best["kind"] == kind]
        axis.plot(np.sqrt(points["kl"]), points["gold"], **line)
    axis.set_xlabel("sqrt KL")
    axis.set_ylabel("gold")


def _draw_differences(
    axis: Axes, law: EarlyStopping, looks: dict[float, theme.Look]
) -> pd.DataFrame:
    """Gold less that of the run stopped early, with intervals; the band is the margin."""
    rows = []
    for number, one in enumerate(law.coefficients):
        look = looks[one["kl_coef"]]
        for mean, shift, face in zip(MEANS, (-0.12, 0.12), ("none", look.color), strict=True):
            value = one.get(f"gold_{mean}", np.nan)
            low, high = one.get(f"gold_{mean}_ci") or (np.nan, np.nan)
            row = {"kl_coef": one["kl_coef"], "mean": mean, "gold": value}
            row |= {"low": low, "high": high}
            bars = theme.bars(pd.DataFrame([row]), "gold")
            settings: dict[str, Any] = {"color": look.color, "capsize": 2, "markerfacecolor": face}
            axis.errorbar([number + shift], [value], bars, fmt=look.marker, **settings)
            rows.append(row)
    axis.axhspan(-law.margin, law.margin, color=theme.GREY, alpha=0.25, linewidth=0)
    axis.axhline(0, color=theme.BLACK, linewidth=0.6)
    names = [f"{one['kl_coef']:g}" for one in law.coefficients]
    axis.set_xticks(range(len(names)), names)
    axis.set_xlim(-0.5, len(names) - 0.5)
    axis.set_xlabel("coefficient of the KL penalty")
    axis.set_ylabel("gold less that of stopping early")
    return pd.DataFrame(rows)


def _means(rows: pd.DataFrame) -> pd.DataFrame:
    """Means over seeds of `kl`, `gold` and `proxy` by coefficient and interactions."""
    names = {"kl_initial": "kl", "test_gold": "gold", "test_return": "proxy"}
    table = rows.rename(columns=names).groupby(["kl_coef", "interactions"])
    return table[[*names.values()]].mean().clip(lower=0).reset_index()


def _best(frontier: pd.DataFrame, rows: pd.DataFrame, most: float) -> pd.DataFrame:
    """Means over the initial policies of the runs, up to about the largest KL that is drawn."""
    columns = ["kind", "parameter", "kl", "gold", "proxy"]
    if frontier.empty:
        return pd.DataFrame(columns=columns)
    own = frontier[frontier["run_id"].isin(rows["run_id"])]
    table = own.groupby(["kind", "parameter"])[["kl", "gold", "proxy"]].mean().reset_index()
    return table[table["kl"] <= 1.1 * most].sort_values(["kind", "kl"])[columns]

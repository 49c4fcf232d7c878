"""The figure of the course of entropy and KL along training.
The function returns the figure and the table of the numbers that are drawn in it.
"""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from analysis.figures import theme
from analysis.laws.entropy_course import ENTROPY_FORMS, KL_FORMS, EntropyCourse

LABELS = {
    "entropy_linear": "entropy: E",
    "entropy_log": "entropy: log E",
    "entropy_sqrt_kl": "entropy: sqrt KL",
    "kl_linear": "KL: E",
    "kl_log": "KL: log E",
    "kl_sqrt": "KL: sqrt E",
}


def entropy_course(law: EntropyCourse) -> theme.Drawn:
    """Entropy against interactions and against sqrt KL, and the error of each form.

    Courses are averages over the seeds of each width and horizon, of one width where there are
    several: the largest.
    """
    table = _courses(law)
    looks = theme.horizon_looks(table["horizon"])
    with theme.style():
        figure, axes = theme.row(3, height=3.0)
        for horizon, rows in table.groupby("horizon"):
            look = looks[horizon]
            style = {"color": look.color, "marker": look.marker, "markersize": 2.5, "gid": "course"}
            axes[0].plot(rows["share"], rows["entropy"], **style)
            axes[1].plot(rows["root_kl"], rows["entropy"], **style)
        axes[0].set_xlabel("interactions, share of the course")
        axes[1].set_xlabel("sqrt KL from the initial policy (nats$^{1/2}$)")
        axes[0].set_ylabel("entropy (nats per step)")
        errors = _draw_errors(axes[2], law)
        theme.legend(figure, [theme.key(looks[h], f"h = {h:g}") for h in looks], columns=8)
    return figure, pd.concat([table, errors], ignore_index=True)


def _draw_errors(axis: Axes, law: EntropyCourse) -> pd.DataFrame:
    names = [*ENTROPY_FORMS, *KL_FORMS]
    rows = []
    for name in names:
        one = law.quantities[name]
        low, high = one.interval or (np.nan, np.nan)
        rows.append({"form": name, "error": one.value, "low": low, "high": high})
    table = pd.DataFrame(rows)
    places = np.arange(len(names))[::-1]
    colors = [theme.BLUE] * len(ENTROPY_FORMS) + [theme.ORANGE] * len(KL_FORMS)
    for place, color, (_, row) in zip(places, colors, table.iterrows(), strict=True):
        bars = theme.bars(row.to_frame().T, "error")
        axis.errorbar(row["error"], place, xerr=bars, fmt="o", color=color, capsize=2)
    axis.set_yticks(places, [LABELS[name] for name in names])
    axis.set_xlim(left=0)
    axis.set_xlabel("error of the second half / change")
    return table


def _courses(law: EntropyCourse) -> pd.DataFrame:
    """Mean courses of the largest width: entropy and sqrt KL at even shares of interactions."""
    width = law.logs.index.get_level_values("width").max()
    share = np.linspace(0.0, 1.0, 17)
    rows = []
    for (at, horizon, seed), course in zip(law.logs.index, law.courses, strict=True):
        if at != width:
            continue
        ends = course.ends / course.ends[-1]
        inside = share[share >= ends[0]]
        entropy = np.interp(inside, course.places / course.ends[-1], course.entropy)
        root = np.interp(inside, ends, np.sqrt(np.maximum(course.kl, 0.0)))
        table = {"share": inside, "entropy": entropy, "root_kl": root}
        rows.append(pd.DataFrame(table).assign(width=width, horizon=horizon, seed=seed))
    every = pd.concat(rows, ignore_index=True)
    return every.groupby(["width", "horizon", "share"], as_index=False)[
        ["entropy", "root_kl"]
    ].mean()

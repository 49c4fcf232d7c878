"""The figure of a delay: interactions against horizon, U-shaped, with the best horizon.

As in `figures`, the function returns the figure and the table of the numbers that are drawn.
"""

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from analysis.figures import theme
from analysis.figures.horizon import draw_points, point_keys, points_of
from analysis.laws.delay import DelayLaw

_THEORY: dict[str, Any] = {"color": theme.BLUE, "linestyle": "-"}
_BEST: dict[str, Any] = {"color": theme.VERMILION, "linestyle": "--"}


def interactions_against_horizon(
    crossings: pd.DataFrame, laws: Sequence[DelayLaw], unfinished: Collection[str] = ()
) -> theme.Drawn:
    """Interactions needed against horizon under a delay, with the theory and the best horizon.

    Args:
        crossings: interactions to threshold of the runs of one width.
        laws: their laws, at most one per threshold.
        unfinished: ids of runs that are not done.
    """
    points = points_of(crossings, unfinished)
    ends = points["horizon"].min(), points["horizon"].max()
    table = pd.concat([points, *map(_curves, laws)], ignore_index=True)
    thresholds = sorted(crossings["threshold"].unique())
    with theme.style():
        figure, axes = theme.row(len(thresholds))
        for axis, threshold in zip(axes, thresholds, strict=True):
            axis.set_title(f"to a return of {threshold:g}")
            here = table[table["threshold"] == threshold]
            draw_points(axis, here[here["what"].isin(("run", "average"))])
            curve = here[here["what"] == "theory"]
            if len(curve):
                axis.plot(curve["horizon"], curve["interactions"], gid="theory", **_THEORY)
            for best in here[here["what"] == "best"].itertuples():
                _mark_best(axis, best.horizon, np.clip((best.low, best.high), *ends))
            theme.log_axis(axis, "y")
            theme.horizon_axis(axis, points["horizon"])
        axes[0].set_ylabel("interactions (environment steps)")
        theme.legend(figure, _keys(table), columns=3)
    return figure, table


def _curves(law: DelayLaw) -> pd.DataFrame:
    """The theory's curve where the runs lie on it, and the best horizon where it is determined.

    `low` and `high` of the row of the best horizon are in steps.
    """
    parts = []
    if law.theory is not None and not law.theory.is_refused:
        horizons = np.geomspace(*law.measured, 60)
        curve = law.theory.curve(horizons)
        parts.append(pd.DataFrame({"what": "theory", "horizon": horizons, "interactions": curve}))
    best = law.best.value
    if law.determined["best_horizon"] and best.interval is not None:
        low, high = best.interval
        row = {"what": "best", "horizon": best.value, "low": low, "high": high}
        parts.append(pd.DataFrame([row]))
    table = pd.concat(parts) if parts else pd.DataFrame(columns=["what", "horizon"])
    return table.assign(threshold=law.threshold)


def _mark_best(axis: Axes, best: float, band: np.ndarray) -> None:
    """A vertical line, its interval a band."""
    axis.axvspan(*band, color=_BEST["color"], alpha=0.15, linewidth=0, gid="best_ci")
    axis.axvline(best, linewidth=1.2, gid="best", **_BEST)


def _keys(table: pd.DataFrame) -> list[Line2D]:
    keys = []
    if table["what"].eq("theory").any():
        keys.append(Line2D([], [], label="theory of the gradient's noise", **_THEORY))
    if table["what"].eq("best").any():
        keys.append(Line2D([], [], label="best horizon by a cubic, 95% interval", **_BEST))
    return keys + point_keys(table)

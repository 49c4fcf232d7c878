"""The figure of the shapes that predict the end of a learning curve.
Each function returns the figure and the table of the numbers that are drawn in it.
"""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from analysis.figures import theme
from analysis.laws.curve_shapes import EARLY_SHARE, SEEN_SHARE, CurveShapes, ShapesCompared

LABELS = {
    "sigmoid": "sigmoid",
    "sigmoid_late": "sigmoid, late",
    "power": "power law",
    "power_late": "power law, late",
    "link": "link of all sizes",
}
"""Shapes by their names; late: fitted without the first 1/64 of training."""

_COLORS = {"sigmoid": theme.BLUE, "power": theme.VERMILION, "link": theme.GREEN}
_LEAST_GAP = 1e-4


def curve_shapes(law: ShapesCompared) -> theme.Drawn:
    """Curves of some groups with the fits to their first quarter; the error of each shape.

    Drawn is the gap of the return to 1, at the smallest and the largest size with the shortest and
    the longest horizon that have curves; the part that is predicted is shaded.

    Args:
        law: the groups of a family.
    """
    drawn = representatives(law.groups)
    with theme.style():
        figure, axes = theme.row(len(drawn) + 1, width=2.2, height=2.9)
        parts = [_curve(axis, one) for axis, one in zip(axes, drawn, strict=False)]
        axes[0].set_ylabel("1 - return")
        parts.append(_errors(axes[-1], law))
        keys = [
            Line2D([], [], color=_color(name), linestyle=_line(name), label=LABELS[name])
            for name in law.shapes
        ]
        theme.legend(figure, keys, columns=len(keys))
    return figure, pd.concat(parts, ignore_index=True)


def representatives(groups: tuple[CurveShapes, ...]) -> list[CurveShapes]:
    """The smallest and the largest size of the shortest and the longest horizon."""
    horizons = sorted({float(one.group["horizon"]) for one in groups})
    found = []
    for horizon in dict.fromkeys((horizons[0], horizons[-1])):
        sizes = [one for one in groups if one.group["horizon"] == horizon]
        sizes.sort(key=lambda one: one.curves.parameters)
        found += sizes if len(sizes) < 3 else [sizes[0], sizes[-1]]
    return found


def _color(name: str) -> str:
    return _COLORS[name.removesuffix("_late")]


def _line(name: str) -> str:
    return ":" if name in ("sigmoid", "power") else "-"


def _curve(axis: Axes, one: CurveShapes) -> pd.DataFrame:
    """One group's averaged curve and the fits to its first quarter."""
    curves = one.curves
    at, end = np.exp(curves.places), float(curves.ends[-1])
    axis.axvspan(SEEN_SHARE * end, end, color=theme.GREY, alpha=0.18, linewidth=0, gid="heldout")
    axis.axvline(EARLY_SHARE * end, color=theme.GREY, linewidth=0.7, linestyle="--", gid="early")
    settings: dict[str, Any] = {"markersize": 2.2, "gid": "measured"}
    axis.plot(at, _gap(curves.means[0]), "o", color=theme.BLACK, **settings)
    label = {"parameters": curves.parameters, "horizon": one.group["horizon"]}
    table = {"interactions": at, "return_mean": curves.means[0]}
    parts = [pd.DataFrame(table).assign(what="measured", **label)]
    for name, shape in one.shapes.items():
        fitted = shape.predicted[0]
        style: dict[str, Any] = {"color": _color(name), "linestyle": _line(name), "gid": "fit"}
        axis.plot(at, _gap(fitted), linewidth=1.1, **style)
        table = {"interactions": at, "return_mean": fitted}
        parts.append(pd.DataFrame(table).assign(what="fit", shape=name, **label))
    theme.log_axis(axis, "x")
    theme.log_axis(axis, "y")
    axis.set_xlabel("interactions")
    axis.set_title(f"N = {theme.compact(curves.parameters)}, h = {one.group['horizon']:g}")
    return pd.concat(parts, ignore_index=True)


def _gap(returns: np.ndarray) -> np.ndarray:
    return np.asarray(np.maximum(1 - returns, _LEAST_GAP))


def _errors(axis: Axes, law: ShapesCompared) -> pd.DataFrame:
    """The held-out error of each shape in each group, and its geometric mean with its interval."""
    rows: list[dict[str, Any]] = []
    for place, name in enumerate(law.shapes):
        errors = [
            {
                "heldout_error": float(one.shapes[name].errors["heldout_error"][0]),
                **{"what": "error", "shape": name, "horizon": one.group["horizon"]},
                "parameters": one.curves.parameters,
            }
            for one in law.groups
            if name in one.shapes
        ]
        shown: dict[str, Any] = {"markersize": 2.5, "alpha": 0.35, "gid": "error"}
        values = [one["heldout_error"] for one in errors]
        axis.plot(np.full(len(errors), place), values, "o", color=_color(name), **shown)
        mean = law.average(name, "heldout_error")
        low, high = mean.interval or (mean.value, mean.value)
        reach = [[mean.value - low], [high - mean.value]]
        style: dict[str, Any] = {"fmt": "_", "capsize": 4, "color": theme.BLACK, "markersize": 12}
        axis.errorbar([place], [mean.value], reach, **style)
        ends = {"low": low, "high": high} if mean.interval else {}
        rows += [{"heldout_error": mean.value, "what": "mean", "shape": name, **ends}, *errors]
    axis.set_xticks(range(len(law.shapes)), [LABELS[name] for name in law.shapes], rotation=40)
    for text in axis.get_xticklabels():
        text.set_horizontalalignment("right")
    axis.set_title("error of the prediction")
    theme.log_axis(axis, "y")
    return pd.DataFrame(rows)

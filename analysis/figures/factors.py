"""Figures of what moves the horizon's cost: task, optimiser, batch, size under each schedule.

As in `figures`, each returns the figure and the table of the numbers that are drawn in it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator

from analysis.figures import theme
from analysis.figures.runs import Drawn
from analysis.laws.batch import BatchLaw
from analysis.laws.factors import mean_with_interval
from analysis.laws.horizon import HorizonLaw
from mnist_horizon.horizon import variance_horizon

_COLORS = (theme.BLUE, theme.VERMILION, theme.GREEN, theme.PURPLE, theme.ORANGE, theme.BLACK)
_MARKERS = "osD^vP"


def _level(law: HorizonLaw) -> pd.DataFrame:
    """Multipliers over the fitted E(1) by horizon: mean over seeds, t interval, censored."""
    data, rows = law.laws["affine"].data, []
    for horizon in np.unique(data.horizon):
        here = data.horizon == horizon
        ends = np.exp(mean_with_interval(data.values.log_e[here] - np.log(law.a)))
        censored = bool(data.values.right[here].any())
        row = {"horizon": float(horizon), "multiplier": ends[0], "censored": censored}
        low, high = (np.nan, np.nan) if censored else ends[1:]
        rows.append({**row, "low": low, "high": high})
    return pd.DataFrame(rows)


def _draw_law(axis: Axes, law: HorizonLaw, look: theme.Look) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Points of a law's runs and its free power's curve (affine without one); their numbers."""
    points = _level(law)
    whole, bound = points[~points["censored"]], points[points["censored"]]
    y = whole["multiplier"]
    bars = np.nan_to_num([y - whole["low"], whole["high"] - y])
    settings: dict[str, Any] = {"color": look.color, "capsize": 1.5, "linewidth": 0.8}
    axis.errorbar(whole["horizon"], y, bars, fmt=look.marker, markersize=3.5, **settings)
    hollow: dict[str, Any] = {"markerfacecolor": "none", "gid": "censored"}
    axis.plot(bound["horizon"], bound["multiplier"], "^", color=look.color, **hollow)
    fit = law.laws.get("free", law.laws["affine"])
    horizons = np.geomspace(*law.measured, 60)
    values = fit.multiplier(horizons, fit.fit.theta)
    axis.plot(horizons, values, color=look.color, linewidth=1.1, gid="law")
    return points, pd.DataFrame({"horizon": horizons, "multiplier": values})


def _several_laws(laws: Mapping[str, Sequence[HorizonLaw]], title: str) -> Drawn:
    """Multipliers by threshold, a colour a name, and below the knees with their intervals."""
    names = list(laws)
    looks = {
        name: theme.Look(_COLORS[i % len(_COLORS)], _MARKERS[i % len(_MARKERS)])
        for i, name in enumerate(names)
    }
    thresholds = sorted({law.threshold for found in laws.values() for law in found})
    parts = []
    with theme.style():
        figure, axes = theme.row(len(thresholds) + 1)
        for axis, threshold in zip(axes, thresholds, strict=False):
            axis.set_title(f"to a return of {threshold:g}")
            horizons: set[float] = set()
            for name, found in laws.items():
                for law in found:
                    if law.threshold == threshold:
                        points, curve = _draw_law(axis, law, looks[name])
                        label = {"name": name, "threshold": threshold}
                        parts += [points.assign(what="measured", **label)]
                        parts += [curve.assign(what="law", **label)]
                        horizons |= set(points["horizon"])
            theme.log_axis(axis, "y")
            theme.horizon_axis(axis, horizons)
        axes[0].set_ylabel("scaling multiplier E(h) / E(1)")
        parts.append(_draw_knees(axes[-1], laws, looks, thresholds))
        keys = [
            Line2D([], [], color=look.color, marker=look.marker, label=name)
            for name, look in looks.items()
        ]
        theme.legend(figure, keys, title, columns=4 if max(map(len, names)) < 20 else 2)
    return figure, pd.concat(parts, ignore_index=True)


def _draw_knees(
    axis: Axes,
    laws: Mapping[str, Sequence[HorizonLaw]],
    looks: Mapping[str, theme.Look],
    thresholds: Sequence[float],
) -> pd.DataFrame:
    """Knees of the affine laws by threshold with 95% intervals."""
    rows = []
    for place, (name, found) in enumerate(laws.items()):
        for law in found:
            low, high = law.knee_ci or (np.nan, np.nan)
            row = {"what": "knee", "name": name, "threshold": law.threshold, "knee": law.knee}
            rows.append({**row, "low": low, "high": high})
            if not np.isfinite(law.knee):
                continue
            x = thresholds.index(law.threshold) + 0.12 * (place - (len(laws) - 1) / 2)
            top = high if np.isfinite(high) else law.knee
            bars = np.nan_to_num([[law.knee - low], [top - law.knee]])
            look: dict[str, Any] = {"color": looks[name].color, "fmt": looks[name].marker}
            axis.errorbar([x], [law.knee], bars, capsize=2, **look)
    axis.set_title("knee")
    theme.log_axis(axis, "y")
    axis.set_xticks(range(len(thresholds)), [f"{threshold:g}" for threshold in thresholds])
    axis.xaxis.set_minor_locator(NullLocator())
    axis.set_xlabel("return")
    axis.set_ylabel("horizon with E(h) = 2 E(1)")
    return pd.DataFrame(rows)


def multiplier_by_task(laws: Mapping[str, Sequence[HorizonLaw]]) -> Drawn:
    """The scaling multiplier of each task, with the fitted free powers, and the knees."""
    return _several_laws(laws, "marks: measured, lines: free power")


def multiplier_by_optimizer(laws: Mapping[tuple[str, str], Sequence[HorizonLaw]]) -> Drawn:
    """The scaling multiplier of each optimiser, its rate chosen at each horizon and at h = 1."""
    named = {f"{name}, rate of {rates}": found for (name, rates), found in laws.items()}
    return _several_laws(named, "marks: measured, lines: free power")


def interactions_by_batch(crossings: pd.DataFrame, laws: Sequence[BatchLaw]) -> Drawn:
    """Interactions against horizon by batch, with S_min (B + n_0 + n_1 x), one panel a threshold.

    Args:
        crossings: interactions to threshold of the runs of these laws, of one width.
        laws: one a threshold, of that width.
    """
    looks = theme.size_looks(crossings["batch"].astype(float))
    parts = []
    with theme.style():
        figure, axes = theme.row(len(laws))
        for axis, law in zip(axes, laws, strict=True):
            axis.set_title(f"to a return of {law.threshold:g}")
            here = crossings[crossings["threshold"] == law.threshold]
            for batch, rows in here.groupby("batch"):
                look = looks[float(batch)]
                horizons = np.geomspace(rows["horizon"].min(), rows["horizon"].max(), 40)
                noise = law.noise_constant + law.noise_growth * variance_horizon(horizons)
                curve = law.s_min * (float(batch) + noise)
                axis.plot(horizons, curve, color=look.color, linewidth=1.1, gid="law")
                label = {"threshold": law.threshold, "batch": batch}
                parts.append(
                    pd.DataFrame({"horizon": horizons, "interactions": curve}).assign(
                        what="law", **label
                    )
                )
                parts.append(_draw_batch(axis, rows, look).assign(what="measured", **label))
            theme.log_axis(axis, "y")
            theme.horizon_axis(axis, here["horizon"])
        axes[0].set_ylabel("interactions (environment steps)")
        keys = [
            Line2D([], [], color=look.color, marker=look.marker, label=f"B = {batch:g}")
            for batch, look in looks.items()
        ]
        theme.legend(figure, keys, "lines: S$_{min}$ (B + n$_0$ + n$_1$ x)", columns=len(keys))
    return figure, pd.concat(parts, ignore_index=True)


def _draw_batch(axis: Axes, rows: pd.DataFrame, look: theme.Look) -> pd.DataFrame:
    """Geometric means over seeds with t intervals; censored ones as open triangles."""
    points = []
    for horizon, cell in rows.groupby("horizon"):
        ends = np.exp(mean_with_interval(np.log(cell["interactions"].to_numpy(float))))
        censored = bool(cell["censored"].any())
        point = {"horizon": horizon, "interactions": ends[0], "censored": censored}
        points.append({**point, "low": ends[1], "high": ends[2]})
        bars = np.nan_to_num([[ends[0] - ends[1]], [ends[2] - ends[0]]])
        if censored:
            hollow: dict[str, Any] = {"markerfacecolor": "none", "gid": "censored"}
            axis.plot([horizon], [ends[0]], "^", color=look.color, **hollow)
        else:
            settings: dict[str, Any] = {"capsize": 1.5, "linewidth": 0.8, "markersize": 3.5}
            axis.errorbar([horizon], [ends[0]], bars, fmt=look.marker, color=look.color, **settings)
    return pd.DataFrame(points)


def size_exponent_by_schedule(table: pd.DataFrame) -> Drawn:
    """How E falls with size under each schedule, against `dense`, with 95% intervals.

    Args:
        table: of `factors.size_exponents`, one group.
    """
    names = list(dict.fromkeys(table["schedule"]))
    thresholds = sorted(table["threshold"].unique())
    colors = dict(zip(thresholds, _COLORS, strict=False))
    with theme.style():
        figure, axis = theme.single(height=1.2 + 0.3 * len(names))
        for place, (threshold, rows) in enumerate(table.groupby("threshold")):
            shift = 0.18 * (place - (len(thresholds) - 1) / 2)
            y = [names.index(name) + shift for name in rows["schedule"]]
            value = rows["exponent"]
            bars = np.nan_to_num([value - rows["exponent_low"], rows["exponent_high"] - value])
            settings: dict[str, Any] = {"capsize": 2, "color": colors[threshold]}
            axis.errorbar(value, y, xerr=bars, fmt="o", **settings)
        axis.set_yticks(range(len(names)), names)
        axis.set_xlabel("exponent in size: E goes as N to the minus this")
        keys = [
            Line2D([], [], color=colors[one], marker="o", label=f"return {one:g}")
            for one in thresholds
        ]
        theme.legend(figure, keys)
    return figure, table

"""Figures of horizon and sparsity together, one function each, from the joint laws of one width.

As in `figures`, each returns the figure and the table of the numbers that are drawn in it.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.colors import LogNorm
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.ticker import NullLocator

from analysis.figures import theme
from analysis.figures.runs import Drawn
from analysis.laws.best_horizon import BestHorizon
from analysis.laws.factors import mean_with_interval
from analysis.laws.schedule import JointData, JointLaw, in_order
from mnist_horizon.schedules import make

KIND_STYLES = {
    "dense": (theme.BLACK, "o"),
    "revealed": (theme.BLUE, "s"),
    "periodic": (theme.VERMILION, "D"),
    "streak": (theme.PURPLE, "^"),
}


def cells(data: JointData) -> pd.DataFrame:
    """Geometric means over seeds by schedule and horizon, with t intervals.

    Where a seed is censored the mean is a lower bound (`censored`) and has no interval.
    """
    rows = []
    for number, schedule in enumerate(data.mean.schedules):
        own = data.mean.schedule == number
        for horizon in np.unique(data.mean.horizon[own]):
            here = own & (data.mean.horizon == horizon)
            log_e = data.values.log_e[here]
            censored = bool(data.values.right[here].any())
            ends = mean_with_interval(log_e)
            low, high = (np.nan, np.nan) if censored else np.exp(ends[1:])
            row = {"schedule": str(schedule), "kind": schedule.kind, "level": schedule.level}
            row |= {"horizon": float(horizon), "interactions": float(np.exp(ends[0]))}
            rows.append(
                {**row, "low": low, "high": high, "censored": censored, "seeds": len(log_e)}
            )
    return pd.DataFrame(rows)


def _with_law(law: JointLaw) -> pd.DataFrame:
    """Cells with what the law predicts, and measured over predicted."""
    table = cells(law.data)
    predicted = np.empty(len(table))
    for (kind, level), rows in table.groupby(["kind", "level"]):
        schedule = make(str(kind), float(level))
        predicted[rows.index] = law.predict(schedule, rows["horizon"].to_numpy(float))
    table = table.assign(predicted=predicted, ratio=table["interactions"] / predicted)
    return table.assign(threshold=law.threshold)


def interactions_heat_map(laws: Sequence[JointLaw]) -> Drawn:
    """Interactions needed over horizon and schedule, with contours of the law, by threshold."""
    table = pd.concat([_with_law(law) for law in laws], ignore_index=True)
    horizons = sorted(table["horizon"].unique())
    schedules = list(dict.fromkeys(s for law in laws for s in law.data.mean.schedules))
    names = [str(schedule) for schedule in in_order(schedules)]
    norm = LogNorm(table["interactions"].min(), table["interactions"].max())
    with theme.style():
        height = 1.3 + 0.24 * len(names)
        figure, axes = theme.row(len(laws), width=3.1, height=height)
        for axis, law in zip(axes, laws, strict=True):
            axis.set_title(f"to a return of {law.threshold:g}")
            here = table[table["threshold"] == law.threshold]
            mesh = _heat(axis, here, horizons, names, norm)
            _contours(axis, here, horizons, names, norm)
            axis.set_xticks(range(len(horizons)), [f"{h:g}" for h in horizons])
            axis.set_yticks(range(len(names)), names if axis is axes[0] else [""] * len(names))
            axis.set_xlabel("horizon h (steps)")
            axis.grid(False)
        bar = figure.colorbar(mesh, ax=axes, pad=0.01)
        bar.set_label("interactions (environment steps)")
        theme.legend(figure, _heat_keys(bool(table["censored"].any())), columns=3)
    return figure, table


def _heat(
    axis: Axes, table: pd.DataFrame, horizons: list[float], names: list[str], norm: LogNorm
) -> QuadMesh:
    """Coloured cells with their numbers; censored ones hatched."""
    grid = table.pivot_table(index="schedule", columns="horizon", values="interactions")
    grid = grid.reindex(index=names, columns=horizons)
    edges = np.arange(len(horizons) + 1) - 0.5, np.arange(len(names) + 1) - 0.5
    mesh = axis.pcolormesh(*edges, grid.to_numpy(float), norm=norm, cmap="viridis")
    for row in table.itertuples():
        place = horizons.index(row.horizon), names.index(row.schedule)
        bright = norm(row.interactions) > 0.55
        mark = ">" if row.censored else ""
        text = f"{mark}{theme.compact(float(f'{row.interactions:.2g}'))}"
        color = theme.BLACK if bright else "white"
        axis.text(*place, text, ha="center", va="center", fontsize=4.8, color=color)
        if row.censored:
            corner = (place[0] - 0.5, place[1] - 0.5)
            look: dict[str, Any] = {"fill": False, "hatch": "////", "linewidth": 0}
            axis.add_patch(Rectangle(corner, 1, 1, edgecolor="white", gid="censored", **look))
    return mesh


def _contours(
    axis: Axes, table: pd.DataFrame, horizons: list[float], names: list[str], norm: LogNorm
) -> None:
    """Contours of the predicted interactions, for streaks apart: their level is another thing."""
    grid = table.pivot_table(index="schedule", columns="horizon", values="predicted")
    grid = grid.reindex(index=names, columns=horizons)
    levels = np.geomspace(float(norm.vmin or 1), float(norm.vmax or 1), 7)[1:-1]
    streak = np.array([name.startswith("streak") for name in names])
    for part in (streak, ~streak):
        rows = np.flatnonzero(part)
        if len(rows) > 1 and len(horizons) > 1:
            values = np.log(grid.to_numpy(float)[rows])
            axis.contour(
                range(len(horizons)),
                rows,
                values,
                np.log(levels),
                colors=theme.VERMILION,
                linewidths=1.0,
                linestyles="--",
            )


def _heat_keys(censored: bool) -> list[Line2D]:
    look: dict[str, Any] = {"color": theme.VERMILION, "linestyle": "--"}
    keys = [Line2D([], [], label="same cost by the fitted law", **look)]
    if censored:
        bound: dict[str, Any] = {"linestyle": "none", "color": theme.GREY, "marker": "$//$"}
        keys.append(Line2D([], [], label="hatched, >: some seeds not there yet", **bound))
    return keys


def interactions_by_delay(laws: Sequence[JointLaw], best: Sequence[BestHorizon]) -> Drawn:
    """The U in h of each delay: measured (marks) and by the law (lines), best horizons as stars."""
    table = pd.concat([_with_law(law) for law in laws], ignore_index=True)
    table = table[table["kind"].isin(("dense", "periodic"))].reset_index(drop=True)
    looks = theme.looks(table["level"], "plasma")
    parts = [table.assign(what="measured")]
    with theme.style():
        figure, axes = theme.row(len(laws))
        for axis, law in zip(axes, laws, strict=True):
            axis.set_title(f"to a return of {law.threshold:g}")
            here = table[table["threshold"] == law.threshold]
            grid = np.geomspace(here["horizon"].min(), here["horizon"].max(), 60)
            for level, rows in here.groupby("level"):
                look = looks[float(level)]
                schedule = make(str(rows["kind"].iloc[0]), float(level))
                curve = law.predict(schedule, grid)
                axis.plot(grid, curve, color=look.color, linewidth=1, gid="law")
                _marks(axis, rows, "horizon", look.color, look.marker)
                drawn = {"what": "law", "threshold": law.threshold, "schedule": str(schedule)}
                parts.append(pd.DataFrame({**drawn, "horizon": grid, "interactions": curve}))
            theme.log_axis(axis, "y")
            theme.horizon_axis(axis, here["horizon"])
        for one in best:
            _mark_best(axes, laws, one, looks[float(one.schedule.level)].color)
        axes[0].set_ylabel("interactions (environment steps)")
        keys = [
            Line2D([], [], color=look.color, marker=look.marker, label=f"k = {level:g}")
            for level, look in looks.items()
        ]
        star: dict[str, Any] = {"marker": "*", "linestyle": "none", "markersize": 8}
        keys.append(Line2D([], [], color=theme.GREY, label="best horizon, measured", **star))
        theme.legend(figure, keys, "marks: measured, lines: the joint law", columns=len(keys))
    return figure, pd.concat(parts, ignore_index=True)


def _mark_best(
    axes: Sequence[Axes], laws: Sequence[JointLaw], best: BestHorizon, color: str
) -> None:
    """A star on the law's curve at a measured best horizon inside the measured range."""
    for axis, law in zip(axes, laws, strict=True):
        if law.threshold == best.threshold and not best.edge:
            height = float(law.predict(best.schedule, np.array([best.measured]))[0])
            axis.plot(
                best.measured,
                height,
                "*",
                color=color,
                markersize=9,
                gid="best",
                markeredgecolor="white",
                markeredgewidth=0.6,
                zorder=5,
            )


def _marks(axis: Axes, rows: pd.DataFrame, x: str, color: str, marker: str) -> None:
    """Means with bars; censored ones as open triangles."""
    whole, bound = rows[~rows["censored"]], rows[rows["censored"]]
    y = whole["interactions"]
    bars = np.nan_to_num([y - whole["low"], whole["high"] - y])
    look: dict[str, Any] = {"color": color, "marker": marker, "linestyle": "none"}
    axis.errorbar(whole[x], y, bars, capsize=1.5, linewidth=0.8, markersize=3.5, **look)
    axis.plot(
        bound[x], bound["interactions"], "^", color=color, markerfacecolor="none", gid="censored"
    )


def best_horizon_against_delay(laws: Sequence[JointLaw], best: Sequence[BestHorizon]) -> Drawn:
    """Best horizon of each delay by threshold: measured with intervals, and by the law (lines)."""
    table = pd.DataFrame([_best_row(one) for one in best])
    colors = dict(zip((law.threshold for law in laws), _THRESHOLD_COLORS, strict=False))
    delays = np.geomspace(table["delay"].min() / 1.3, table["delay"].max() * 1.3, 40)
    with theme.style():
        figure, axis = theme.single()
        for place, law in enumerate(laws):
            color, rows = colors[law.threshold], table[table["threshold"] == law.threshold]
            if rows.empty:
                continue
            x = rows["delay"] * 1.05 ** (place - (len(laws) - 1) / 2)
            order = np.argsort(rows["delay"])
            line = rows.iloc[order]
            axis.plot(line["delay"], line["predicted"], color=color, linewidth=1.2, gid="law")
            inside = (rows["edge"] == "").to_numpy()
            y = rows["measured"]
            bars = np.nan_to_num([y - rows["low"], rows["high"] - y])
            marks: dict[str, Any] = {"color": color, "fmt": "o", "capsize": 2}
            axis.errorbar(x[inside], y[inside], bars[:, inside], **marks)
            edges = {"shortest": "v", "longest": "^"}
            for edge, marker in edges.items():
                at = (rows["edge"] == edge).to_numpy()
                axis.plot(x[at], y[at], marker, color=color, markerfacecolor="none", gid="edge")
        axis.plot(delays, 1.59 * delays, color=theme.GREY, linestyle=":", gid="theory")
        theme.log_axis(axis, "y")
        theme.horizon_axis(axis, table["delay"], "delay k (steps)")
        axis.set_ylabel("best horizon (steps)")
        keys = [
            Line2D([], [], color=color, marker="o", label=f"return {threshold:g}")
            for threshold, color in colors.items()
        ]
        line_look: dict[str, Any] = {"color": theme.GREY, "linestyle": ":"}
        keys.append(Line2D([], [], label="1.59 k: theory at A = F v", **line_look))
        if (table["edge"] != "").any():
            mark: dict[str, Any] = {"marker": "^", "markerfacecolor": "none", "linestyle": "none"}
            keys.append(Line2D([], [], color=theme.GREY, label="at the grid's edge", **mark))
        theme.legend(figure, keys, "marks: measured, lines: the joint law", columns=3)
    return figure, table


_THRESHOLD_COLORS = (theme.BLUE, theme.VERMILION, theme.GREEN, theme.PURPLE, theme.ORANGE)


def _best_row(best: BestHorizon) -> dict[str, Any]:
    low, high = best.measured_ci or (np.nan, np.nan)
    predicted_low, predicted_high = best.predicted_ci or (np.nan, np.nan)
    return {
        "threshold": best.threshold,
        "delay": best.schedule.level,
        "measured": best.measured,
        "low": low,
        "high": high,
        "edge": best.edge,
        "predicted": best.predicted,
        "predicted_low": predicted_low,
        "predicted_high": predicted_high,
    }


def collapse(laws: Sequence[JointLaw]) -> Drawn:
    """Interactions of all schedules and horizons against the law's B + B_noise.

    They lie on one line if the law holds. Streaks, which take no part in the fit, are drawn too.
    """
    table = pd.concat(
        [_with_law(law).assign(s_min=law.numbers["s_min"]) for law in laws], ignore_index=True
    )
    table = table.assign(batch_and_noise=table["predicted"] / table["s_min"])
    with theme.style():
        figure, axes = theme.row(len(laws))
        for axis, law in zip(axes, laws, strict=True):
            here = table[table["threshold"] == law.threshold]
            axis.set_title(f"to a return of {law.threshold:g}")
            ends = np.array([here["batch_and_noise"].min(), here["batch_and_noise"].max()])
            line = law.numbers["s_min"] * ends
            axis.plot(ends, line, "--", color=theme.GREY, linewidth=1, gid="law")
            for kind, rows in here.groupby("kind"):
                _marks(axis, rows, "batch_and_noise", *KIND_STYLES[str(kind)])
            theme.log_axis(axis, "x")
            theme.log_axis(axis, "y")
            axis.set_xlabel("B + B$_{noise}$ by the law (steps)")
        axes[0].set_ylabel("interactions (environment steps)")
        kinds = [kind for kind in KIND_STYLES if kind in set(table["kind"])]
        keys = [_kind_key(kind) for kind in kinds]
        look: dict[str, Any] = {"color": theme.GREY, "linestyle": "--"}
        keys.append(Line2D([], [], label="S$_{min}$ (B + B$_{noise}$)", **look))
        theme.legend(figure, keys, columns=len(keys))
    return figure, table


def _kind_key(kind: str) -> Line2D:
    color, marker = KIND_STYLES[kind]
    return Line2D([], [], color=color, marker=marker, linestyle="none", label=kind)


def departures(laws: Sequence[JointLaw]) -> Drawn:
    """What each schedule needs over what the law of the others predicts, with intervals."""
    table = pd.DataFrame(
        [
            {
                "threshold": law.threshold,
                "schedule": str(one.schedule),
                "ratio": one.ratio,
                "low": one.ratio_ci[0] if one.ratio_ci else np.nan,
                "high": one.ratio_ci[1] if one.ratio_ci else np.nan,
                "runs": one.runs,
                "censored": one.censored,
            }
            for law in laws
            for one in law.departures
            if one.ratio is not None
        ]
    )
    names = list(dict.fromkeys(table["schedule"]))
    colors = dict(zip((law.threshold for law in laws), _THRESHOLD_COLORS, strict=False))
    with theme.style():
        figure, axis = theme.single(height=1.2 + 0.3 * len(names))
        for place, (threshold, rows) in enumerate(table.groupby("threshold")):
            shift = 0.18 * (place - (len(laws) - 1) / 2)
            y = [names.index(name) + shift for name in rows["schedule"]]
            bars = np.nan_to_num([rows["ratio"] - rows["low"], rows["high"] - rows["ratio"]])
            look: dict[str, Any] = {"fmt": "o", "capsize": 2, "color": colors[float(threshold)]}
            axis.errorbar(rows["ratio"], y, xerr=bars, **look)
        axis.axvline(1, color=theme.GREY, linestyle="--", linewidth=1, gid="law")
        theme.log_axis(axis, "x")
        axis.set_yticks(range(len(names)), names)
        axis.yaxis.set_minor_locator(NullLocator())
        axis.set_xlabel("measured over predicted from the other schedules")
        keys = [
            Line2D([], [], color=color, marker="o", label=f"return {threshold:g}")
            for threshold, color in colors.items()
        ]
        theme.legend(figure, keys)
    return figure, table

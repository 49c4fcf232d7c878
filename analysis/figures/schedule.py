"""Figures of horizon and sparsity together, one function each, from the laws of one width.

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

from analysis.data.crossings import means_over_seeds
from analysis.data.families import in_order, schedule_names
from analysis.figures import theme
from analysis.laws.best_horizon import BestHorizon
from analysis.laws.schedule import ScheduleLaw
from mnist_horizon import schedules
from mnist_horizon.schedules import parse


def kind_looks() -> dict[str, theme.Look]:
    """A colour and a marker for each kind of schedule; dense rewards are black."""
    kinds = [kind for kind in schedules.kinds() if kind != "dense"]
    return {"dense": theme.Look(theme.BLACK, "o"), **theme.kind_looks(kinds)}


def cells(law: ScheduleLaw) -> pd.DataFrame:
    """Means over seeds by schedule and horizon, with what the law predicts and their ratio."""
    data = law.data
    named = [data.mean.schedules[number] for number in data.mean.schedule]
    runs = pd.DataFrame(
        {
            "order": data.mean.schedule,
            "schedule": [schedule.kind for schedule in named],
            "schedule_level": [schedule.level for schedule in named],
            "horizon": data.mean.horizon,
            "interactions": np.exp(data.values.log_e),
            "censored": data.values.right,
        }
    )
    table = means_over_seeds(runs, ["order", "schedule", "schedule_level", "horizon"])
    predicted = law.predict(table)
    table = table.assign(predicted=predicted, ratio=table["interactions"] / predicted)
    names = schedule_names(table)
    table = table.rename(columns={"schedule": "kind", "schedule_level": "level"})
    return table.assign(schedule=names, threshold=law.threshold).drop(columns="order")


def interactions_heat_map(laws: Sequence[ScheduleLaw]) -> theme.Drawn:
    """Interactions needed over horizon and schedule, with contours of the law, by threshold."""
    table = pd.concat([cells(law) for law in laws], ignore_index=True)
    horizons = sorted(table["horizon"].unique())
    distinct = dict.fromkeys(s for law in laws for s in law.data.mean.schedules)
    names = [str(schedule) for schedule in in_order(distinct)]
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
    """Contours of the predicted interactions; schedules whose rewards do not add up separately."""
    grid = table.pivot_table(index="schedule", columns="horizon", values="predicted")
    grid = grid.reindex(index=names, columns=horizons)
    levels = np.geomspace(float(norm.vmin or 1), float(norm.vmax or 1), 7)[1:-1]
    adds_up = np.array([parse(name).adds_up for name in names])
    for part in (~adds_up, adds_up):
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
        keys.append(Line2D([], [], label="hatched, >: some seeds right-censored", **bound))
    return keys


def interactions_by_delay(laws: Sequence[ScheduleLaw], best: Sequence[BestHorizon]) -> theme.Drawn:
    """Interactions against h by delay: measured (marks), by the law (lines), the best as stars."""
    table = pd.concat([cells(law) for law in laws], ignore_index=True)
    delayed = [(parse(name).adds_up, parse(name).period) for name in table["schedule"]]
    shown = [
        name == "dense" or (adds_up and period > 1)
        for name, (adds_up, period) in zip(table["schedule"], delayed, strict=True)
    ]
    table = table[shown].reset_index(drop=True)
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
                schedule = parse(str(rows["schedule"].iloc[0]))
                curve = law.curve(schedule, grid)
                axis.plot(grid, curve, color=look.color, linewidth=1, gid="law")
                theme.draw_means(axis, rows, look)
                drawn = {"what": "law", "threshold": law.threshold, "schedule": str(schedule)}
                parts.append(pd.DataFrame({**drawn, "horizon": grid, "interactions": curve}))
            theme.log_axis(axis, "y")
            theme.horizon_axis(axis, here["horizon"])
        for one in best:
            _mark_best(axes, laws, one, looks[float(one.schedule.level)].color)
        axes[0].set_ylabel("interactions (environment steps)")
        keys = [theme.key(look, f"k = {level:g}") for level, look in looks.items()]
        star: dict[str, Any] = {"marker": "*", "linestyle": "none", "markersize": 8}
        keys.append(Line2D([], [], color=theme.GREY, label="best horizon, measured", **star))
        theme.legend(figure, keys, "marks: measured, lines: the law", columns=len(keys))
    return figure, pd.concat(parts, ignore_index=True)


def _mark_best(
    axes: Sequence[Axes], laws: Sequence[ScheduleLaw], best: BestHorizon, color: str
) -> None:
    """A star on the law's curve at a measured best horizon inside the measured range."""
    for axis, law in zip(axes, laws, strict=True):
        if law.threshold == best.threshold and not best.edge:
            measured = best.measured.value
            height = float(law.curve(best.schedule, np.array([measured]))[0])
            axis.plot(
                measured,
                height,
                "*",
                color=color,
                markersize=9,
                gid="best",
                markeredgecolor="white",
                markeredgewidth=0.6,
                zorder=5,
            )


def best_horizon_against_delay(
    laws: Sequence[ScheduleLaw], best: Sequence[BestHorizon]
) -> theme.Drawn:
    """Best horizon of each delay by threshold: measured with intervals, and by the law (lines)."""
    table = pd.DataFrame([_best_row(one) for one in best])
    colors = dict(zip((law.threshold for law in laws), theme.COLORS, strict=False))
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
            y, bars = rows["measured"], theme.bars(rows, "measured")
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
            keys.append(Line2D([], [], color=theme.GREY, label="at the end of the grid", **mark))
        theme.legend(figure, keys, "marks: measured, lines: the law", columns=3)
    return figure, table


def _best_row(best: BestHorizon) -> dict[str, Any]:
    low, high = best.measured.interval or (np.nan, np.nan)
    predicted_low, predicted_high = best.predicted.interval or (np.nan, np.nan)
    return {
        "threshold": best.threshold,
        "delay": float(best.schedule.period),
        "measured": best.measured.value,
        "low": low,
        "high": high,
        "edge": best.edge,
        "predicted": best.predicted.value,
        "predicted_low": predicted_low,
        "predicted_high": predicted_high,
    }


def collapse(laws: Sequence[ScheduleLaw]) -> theme.Drawn:
    """Interactions of all schedules and horizons against the law's B + B_noise.

    They lie on one line if the law holds. Schedules whose rewards do not add up, which are not part
    of the fit, are drawn too.
    """
    table = pd.concat(
        [cells(law).assign(s_min=law.quantities["s_min"].value) for law in laws], ignore_index=True
    )
    table = table.assign(batch_and_noise=table["predicted"] / table["s_min"])
    looks = kind_looks()
    with theme.style():
        figure, axes = theme.row(len(laws))
        for axis, law in zip(axes, laws, strict=True):
            here = table[table["threshold"] == law.threshold]
            axis.set_title(f"to a return of {law.threshold:g}")
            ends = np.array([here["batch_and_noise"].min(), here["batch_and_noise"].max()])
            line = law.quantities["s_min"].value * ends
            axis.plot(ends, line, "--", color=theme.GREY, linewidth=1, gid="law")
            for kind, rows in here.groupby("kind"):
                theme.draw_means(axis, rows, looks[str(kind)], x="batch_and_noise")
            theme.log_axis(axis, "x")
            theme.log_axis(axis, "y")
            axis.set_xlabel("B + B$_{noise}$ by the law (steps)")
        axes[0].set_ylabel("interactions (environment steps)")
        kinds = [kind for kind in looks if kind in set(table["kind"])]
        keys = [theme.key(looks[kind], kind, linestyle="none") for kind in kinds]
        look: dict[str, Any] = {"color": theme.GREY, "linestyle": "--"}
        keys.append(Line2D([], [], label="S$_{min}$ (B + B$_{noise}$)", **look))
        theme.legend(figure, keys, columns=len(keys))
    return figure, table


def departures(laws: Sequence[ScheduleLaw]) -> theme.Drawn:
    """Ratio of each schedule's interactions to those that the law of the others predicts."""
    table = pd.DataFrame(
        [
            {
                "threshold": law.threshold,
                "schedule": str(one.schedule),
                "ratio": one.ratio.value,
                "low": (one.ratio.interval or (np.nan,))[0],
                "high": (one.ratio.interval or (np.nan,))[-1],
                "runs": one.runs,
                "censored": one.censored,
            }
            for law in laws
            for one in law.departures
            if one.ratio is not None
        ]
    )
    names = list(dict.fromkeys(table["schedule"]))
    colors = dict(zip((law.threshold for law in laws), theme.COLORS, strict=False))
    with theme.style():
        figure, axis = theme.single(height=1.2 + 0.3 * len(names))
        for place, (threshold, rows) in enumerate(table.groupby("threshold")):
            shift = 0.18 * (place - (len(laws) - 1) / 2)
            y = [names.index(name) + shift for name in rows["schedule"]]
            bars = theme.bars(rows, "ratio")
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

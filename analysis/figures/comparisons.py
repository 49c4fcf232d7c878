"""Comparisons of horizon laws: by task and by optimiser.
Each function returns the figure and the table of the numbers that are drawn in it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import NullLocator

from analysis.data.crossings import means_over_seeds
from analysis.figures import theme
from analysis.laws.comparisons import by_label
from analysis.laws.horizon import HorizonLaw
from analysis.laws.horizon_forms import FormFit
from analysis.laws.knee_prediction import TaskLaw


def _form(law: HorizonLaw) -> FormFit | None:
    """The form that is drawn: the free power, or the affine law; None where neither holds."""
    return law.drawn.get("free", law.drawn.get("affine"))


def _multipliers(law: HorizonLaw) -> pd.DataFrame:
    """Multipliers over E(1) by horizon: means over seeds with intervals.

    E(1) is the fitted one, or without a form that holds the mean at the shortest horizon.
    """
    data, form = law.data, _form(law)
    if form is None:
        at_one = data.values.log_e[data.horizon == data.horizon.min()].mean()
    else:
        at_one = form.fit.theta[: len(data.widths)].mean()
    columns = {"horizon": data.horizon, "multiplier": np.exp(data.values.log_e - at_one)}
    table = pd.DataFrame({**columns, "censored": data.values.right})
    return means_over_seeds(table, ["horizon"], "multiplier")


def _draw_law(axis: Axes, law: HorizonLaw, look: theme.Look) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Points of a law's runs and the curve of a form that holds; their numbers."""
    points, form = _multipliers(law), _form(law)
    theme.draw_means(axis, points, look, y="multiplier")
    if form is None:
        return points, pd.DataFrame(columns=["horizon", "multiplier"])
    horizons = np.geomspace(*law.measured, 60)
    values = form.multiplier(horizons)
    axis.plot(horizons, values, color=look.color, linewidth=1.1, gid="law")
    return points, pd.DataFrame({"horizon": horizons, "multiplier": values})


def _several_laws(laws: Mapping[str, Sequence[HorizonLaw]]) -> theme.Drawn:
    """Multipliers by threshold, one colour per name, and the knees with their intervals."""
    looks = theme.kind_looks(laws)
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
        keys = [theme.key(look, name) for name, look in looks.items()]
        theme.legend(
            figure,
            keys,
            "marks: measured, lines: fitted law",
            columns=4 if max(map(len, laws)) < 20 else 2,
        )
    return figure, pd.concat(parts, ignore_index=True)


def _draw_knees(
    axis: Axes,
    laws: Mapping[str, Sequence[HorizonLaw]],
    looks: Mapping[str, theme.Look],
    thresholds: Sequence[float],
) -> pd.DataFrame:
    """Knees that are determined, by threshold with 95% intervals."""
    rows = []
    for place, (name, found) in enumerate(laws.items()):
        for law in found:
            knee = law.shown_knee
            if knee is None or knee.interval is None:
                continue
            low, high = knee.interval
            row = {"what": "knee", "name": name, "threshold": law.threshold, "knee": knee.value}
            rows.append({**row, "low": low, "high": high})
            x = thresholds.index(law.threshold) + 0.12 * (place - (len(laws) - 1) / 2)
            bars = theme.bars(pd.DataFrame(rows[-1:]), "knee")
            look: dict[str, Any] = {"color": looks[name].color, "fmt": looks[name].marker}
            axis.errorbar([x], [knee.value], bars, capsize=2, **look)
    axis.set_title("knee")
    theme.log_axis(axis, "y")
    axis.set_xticks(range(len(thresholds)), [f"{threshold:g}" for threshold in thresholds])
    axis.xaxis.set_minor_locator(NullLocator())
    axis.set_xlabel("return")
    axis.set_ylabel("horizon with E(h) = 2 E(1)")
    return pd.DataFrame(rows, columns=["what", "name", "threshold", "knee", "low", "high"])


def multiplier_by_task(laws: Sequence[HorizonLaw]) -> theme.Drawn:
    """The scaling multiplier of each task, with the forms that hold, and the knees."""
    return _several_laws({task: found for (task,), found in by_label(laws, "task").items()})


def multiplier_by_optimizer(laws: Sequence[HorizonLaw]) -> theme.Drawn:
    """The scaling multiplier of each optimiser, its rate chosen at each horizon and at h = 1."""
    groups = by_label(laws, "optimizer", "rates").items()
    return _several_laws({f"{name}, rate of {rates}": found for (name, rates), found in groups})


def knee_predicted_against_measured(laws: Sequence[TaskLaw]) -> theme.Drawn:
    """Each task's measured knee against the one that its gradient noise predicts, by return.

    The line is where both are equal.
    """
    table = _both_knees(laws)
    thresholds = sorted(table["threshold"].unique())
    tasks = sorted(table["task"].unique())
    looks = theme.kind_looks(tasks)
    ends = table[["predicted", "measured"]].to_numpy()
    ends = np.array([0.8 * ends.min(), 1.25 * ends.max()])
    with theme.style():
        figure, axes = theme.row(len(thresholds))
        for axis, threshold in zip(axes, thresholds, strict=True):
            axis.set_title(f"to a return of {threshold:g}")
            axis.plot(ends, ends, color=theme.GREY, linewidth=0.8, gid="equal")
            for row in table[table["threshold"] == threshold].to_dict("records"):
                _draw_knee(axis, row, looks[row["task"]])
            for which in "xy":
                theme.log_axis(axis, which)
            axis.set_xlabel("predicted knee (steps)")
        axes[0].set_ylabel("measured knee (steps)")
        keys = [theme.key(looks[task], task, linestyle="none") for task in tasks]
        theme.legend(figure, keys, "horizon with E(h) = 2 E(1); line: equal", columns=3)
    return figure, table


def _both_knees(laws: Sequence[TaskLaw]) -> pd.DataFrame:
    """Tasks with both knees, one row per task and return; ends are NaN where there are none."""
    rows = []
    for law in laws:
        if law.over_tasks is None or law.labels["task"] not in law.over_tasks.measured:
            continue
        knees = {"predicted": law.predicted["predicted_knee"], "measured": law.shown_knee}
        row = {"task": law.labels["task"], "threshold": law.threshold}
        for name, knee in knees.items():
            low, high = (knee and knee.interval) or (np.nan, np.nan)
            row |= {name: knee and knee.value, f"{name}_low": low, f"{name}_high": high}
        rows.append(row)
    return pd.DataFrame(rows)


def _draw_knee(axis: Axes, row: Mapping[str, Any], look: theme.Look) -> None:
    lengths = {
        name: np.nan_to_num(
            [[row[name] - row[f"{name}_low"]], [row[f"{name}_high"] - row[name]]], posinf=0.0
        )
        for name in ("predicted", "measured")
    }
    bars = {"xerr": lengths["predicted"], "yerr": lengths["measured"]}
    style: dict[str, Any] = {"color": look.color, "fmt": look.marker, "capsize": 1.5}
    axis.errorbar([row["predicted"]], [row["measured"]], **bars, **style, linewidth=0.8)

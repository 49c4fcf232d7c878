"""Figures of the horizon law: interactions and multipliers against the horizon.

Bars are 95% intervals, cut at the ends of the axes; open triangles are right-censored runs. A law
is drawn only where the runs lie on it and none of its numbers is at a bound of the search.
Each function returns the figure and the table of the numbers that are drawn in it.
"""

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis.data.crossings import means_over_seeds
from analysis.figures import theme
from analysis.laws.horizon import HorizonLaw

LAW_STYLES = {
    "affine": (theme.BLUE, "-", "affine"),
    "free": (theme.VERMILION, "--", "free power"),
    "proportional": (theme.GREEN, ":", "proportional"),
}


LAW_FORMULAS = {
    "affine": "a + b (h - 1)",
    "free": "a + b (h - 1)$^g$",
    "proportional": "b h",
}


REFERENCE_STYLES = {
    "supervised": (theme.PURPLE, "s", "supervised"),
    "exact": (theme.ORANGE, "D", "exact gradient"),
}
"""Colour, marker and name of what is compared with RL."""


def interactions_against_horizon(
    crossings: pd.DataFrame,
    laws: Sequence[HorizonLaw],
    unfinished: Collection[str] = (),
    references: pd.DataFrame | None = None,
) -> theme.Drawn:
    """Interactions needed against horizon at one width, with the laws that hold and the knee.

    Args:
        crossings: interactions to threshold of the runs of one width.
        laws: their horizon laws in h - 1, at most one per threshold.
        unfinished: ids of runs that are not done.
        references: the same of the references of these runs: means at the left, as h = 0.
    """
    points = points_of(crossings, unfinished)
    curves = [_law_curves(law) for law in laws]
    at_zero = _reference_points(references) if references is not None else points[:0]
    table = pd.concat([part for part in (points, at_zero, *curves) if len(part)], ignore_index=True)
    by_threshold = {law.threshold: law for law in laws}
    thresholds = sorted(crossings["threshold"].unique())
    with theme.style():
        figure, axes = theme.row(len(thresholds))
        for axis, threshold in zip(axes, thresholds, strict=True):
            axis.set_title(f"to a return of {threshold:g}")
            here = table[table["threshold"] == threshold]
            draw_points(axis, here[here["what"].isin(("run", "average"))])
            draw_references(axis, here, points["horizon"])
            for form, rows in here[here["what"].isin(tuple(LAW_STYLES))].groupby("what"):
                color, line, _ = LAW_STYLES[str(form)]
                axis.plot(rows["horizon"], rows["interactions"], line, color=color, gid=str(form))
            if threshold in by_threshold:
                _mark_knee(axis, by_threshold[threshold])
            theme.log_axis(axis, "y")
            theme.horizon_axis(axis, points["horizon"])
        axes[0].set_ylabel("interactions (environment steps)")
        theme.legend(figure, _law_keys(table), columns=3)
    return figure, table


def points_of(crossings: pd.DataFrame, unfinished: Collection[str]) -> pd.DataFrame:
    """Each run, and the mean over seeds with its interval if no run is censored or unfinished."""
    runs = crossings[["threshold", "horizon", "seed", "interactions", "censored", "run_id"]]
    runs = runs.assign(what="run", unfinished=runs["run_id"].isin(list(unfinished)))
    cells = [runs["threshold"], runs["horizon"]]
    whole = ~(runs["censored"] | runs["unfinished"]).groupby(cells).transform("any")
    means = means_over_seeds(runs[whole], ["threshold", "horizon"])
    averages = means.assign(what="average", unfinished=False)
    columns = ["what", "threshold", "horizon", "seed", "interactions", "low", "high"]
    table = pd.concat([part for part in (runs, averages) if len(part)], ignore_index=True)
    return table.reindex(columns=[*columns, "censored", "unfinished", "run_id"])


def _reference_points(references: pd.DataFrame) -> pd.DataFrame:
    """Means over seeds of each reference, at h = 0; without an interval where runs are censored."""
    means = means_over_seeds(references, ["algorithm", "threshold"]).drop(columns="seeds")
    return means.rename(columns={"algorithm": "what"}).assign(horizon=0.0, unfinished=False)


def draw_references(axis: Axes, points: pd.DataFrame, horizons: pd.Series) -> None:
    """References at the left of the horizons, which have no place on the logarithmic axis."""
    points = points[points["what"].isin(list(REFERENCE_STYLES))]
    low, high = float(horizons.min()), float(horizons.max())
    step = max(high / low, 2.0) ** 0.07
    for number, (name, (color, marker, _)) in enumerate(REFERENCE_STYLES.items()):
        rows = points[points["what"] == name]
        x = np.full(len(rows), low / step ** (len(REFERENCE_STYLES) - number + 0.6))
        censored = rows["censored"].to_numpy(bool)
        look: dict[str, Any] = {"color": color, "markersize": 4.5, "linestyle": "none", "gid": name}
        bars = theme.bars(rows, "interactions")[:, ~censored]
        ends = rows["interactions"][~censored]
        axis.errorbar(x[~censored], ends, bars, marker=marker, capsize=2, **look)
        axis.plot(x[censored], rows["interactions"][censored], "^", markerfacecolor="none", **look)
    if len(points):  # the limits that `draw_points` set are those of RL alone
        bottom, top = axis.get_ylim()
        axis.set_ylim(
            min(bottom, points["interactions"].min() / 1.6),
            max(top, points["interactions"].max() * 1.6),
        )


def _law_curves(law: HorizonLaw) -> pd.DataFrame:
    """The forms that hold, from the shortest to the longest horizon measured."""
    horizons = np.geomspace(*law.measured, 60)
    width = law.group.get("width")
    named = {"threshold": law.threshold, "horizon": horizons}
    forms = [
        pd.DataFrame({"what": form, **named, "interactions": fit.predict(horizons, width)})
        for form, fit in law.drawn.items()
    ]
    return pd.concat(forms) if forms else pd.DataFrame(columns=["what", *named, "interactions"])


def draw_points(axis: Axes, points: pd.DataFrame) -> None:
    """Runs as dots (faded: unfinished), censored ones as open triangles, averages with bars."""
    runs, averages = (points[points["what"] == what] for what in ("run", "average"))
    for (censored, unfinished), rows in runs.groupby(["censored", "unfinished"]):
        axis.plot(
            rows["horizon"].astype(float),
            rows["interactions"],
            linestyle="none",
            marker="^" if censored else "o",
            markersize=5 if censored else 2.6,
            markerfacecolor="none" if censored else theme.GREY,
            markeredgecolor=theme.GREY,
            alpha=theme.FADED if unfinished else 0.8,
            gid="censored" if censored else "run",
        )
    # An interval over two seeds may span decades: limits are those of what was measured.
    low, high = points["interactions"].min() / 1.6, points["interactions"].max() * 1.6
    axis.set_yscale("log")
    axis.set_ylim(low, high)
    shown = averages.assign(
        low=averages["low"].clip(lower=low), high=averages["high"].clip(upper=high)
    )
    axis.errorbar(
        averages["horizon"].astype(float),
        averages["interactions"],
        yerr=theme.bars(shown, "interactions"),
        fmt="o",
        color=theme.BLACK,
        capsize=2.5,
        linewidth=1,
        markersize=4,
    )


def _mark_knee(axis: Axes, law: HorizonLaw) -> None:
    """A knee that is determined: a vertical line, its interval a band, clipped to the panel."""
    low, high = law.measured
    knee = law.shown_knee
    if knee is None:
        return
    if knee.interval is not None:
        ends = np.clip(knee.interval, low, high)
        axis.axvspan(ends[0], ends[1], color=theme.SKY, alpha=0.25, linewidth=0, gid="knee_ci")
    if low < knee.value < high:
        axis.axvline(knee.value, color=theme.SKY, linewidth=1.2, gid="knee")
        right = np.log(knee.value / low) > 0.7 * np.log(high / low)
        axis.text(
            knee.value,
            0.02,
            f" knee {knee.value:.3g} ",
            transform=axis.get_xaxis_transform(),
            va="bottom",
            ha="right" if right else "left",
            fontsize=7,
            color=theme.BLUE,
        )


def _law_keys(table: pd.DataFrame) -> list[Line2D]:
    forms = set(table["what"])
    keys = [
        Line2D([], [], color=color, linestyle=line, label=f"{label}: {LAW_FORMULAS[form]}")
        for form, (color, line, label) in LAW_STYLES.items()
        if form in forms
    ]
    keys += [
        Line2D([], [], color=color, marker=marker, linestyle="none", label=f"{label}, as h = 0")
        for name, (color, marker, label) in REFERENCE_STYLES.items()
        if name in forms
    ]
    return keys + point_keys(table)


def point_keys(table: pd.DataFrame) -> list[Line2D]:
    """Legend entries of the kinds of points in a table of `points_of`."""
    keys = []
    runs = table[table["what"] == "run"]
    if runs["censored"].eq(False).any():
        settings: dict[str, Any] = {"color": theme.GREY, "linestyle": "none"}
        keys.append(Line2D([], [], marker="o", markersize=2.6, label="a run", **settings))
    if table["what"].eq("average").any():
        keys.append(
            Line2D([], [], marker="o", color=theme.BLACK, label="mean over seeds, 95% interval")
        )
    if runs["censored"].eq(True).any():
        keys.append(theme.censored_key("right-censored"))
    return keys


def multiplier_against_horizon(crossings: pd.DataFrame, laws: Sequence[HorizonLaw]) -> theme.Drawn:
    """Interactions over those at h = 1, all widths on the pooled law, one panel per threshold.

    Args:
        crossings: interactions to threshold of all widths of a family.
        laws: pooled horizon laws in h - 1, one per threshold.
    """
    parts = []
    for law in laws:
        rows = crossings[crossings["threshold"] == law.threshold]
        at_one = rows["width"].map(law.a_by_width)
        rows = rows.assign(multiplier=rows["interactions"] / at_one).dropna(subset=["multiplier"])
        means = means_over_seeds(rows, ["width", "horizon"], "multiplier")
        means = means.drop(columns=["low", "high", "seeds"]).assign(what="average")
        parts.append(means.assign(threshold=law.threshold))
        horizons = np.geomspace(*law.measured, 60)
        for form, fit in law.drawn.items():
            curve = {"what": form, "threshold": law.threshold, "horizon": horizons}
            parts.append(pd.DataFrame({**curve, "multiplier": fit.multiplier(horizons)}))
    table = pd.concat(parts, ignore_index=True)
    return _multiplier_panels(table), table


def _multiplier_panels(table: pd.DataFrame) -> Figure:
    looks = theme.size_looks(table["width"].dropna())
    with theme.style():
        thresholds = sorted(table["threshold"].unique())
        figure, axes = theme.row(len(thresholds))
        for axis, threshold in zip(axes, thresholds, strict=True):
            axis.set_title(f"to a return of {threshold:g}")
            here = table[table["threshold"] == threshold]
            for form, rows in here[here["what"] != "average"].groupby("what"):
                color, line, _ = LAW_STYLES[str(form)]
                axis.plot(rows["horizon"], rows["multiplier"], line, color=color, gid=str(form))
            points = here[here["what"] == "average"]
            for (width, censored), rows in points.groupby(["width", "censored"]):
                axis.plot(
                    rows["horizon"],
                    rows["multiplier"],
                    color=looks[width].color,
                    marker="^" if censored else looks[width].marker,
                    markerfacecolor="none" if censored else looks[width].color,
                    linestyle="none",
                    gid="censored" if censored else "average",
                )
            theme.log_axis(axis, "y")
            theme.horizon_axis(axis, points["horizon"])
        axes[0].set_ylabel("scaling multiplier E(h) / E(1)")
        keys = [theme.key(looks[width], f"width {width:g}", linestyle="none") for width in looks]
        for form, (color, line, label) in LAW_STYLES.items():
            if form in set(table["what"]):
                keys.append(Line2D([], [], color=color, linestyle=line, label=label))
        if table["censored"].eq(True).any():
            keys.append(theme.censored_key("some seeds right-censored"))
        theme.legend(figure, keys, columns=4)
    return figure

"""Figures of the power law: intrinsic performance, best sizes, exponents.
Each function returns the figure and the table of the numbers that are drawn in it.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis.figures import theme
from analysis.laws.equality import MARGIN, POWER, Equality
from analysis.laws.law import determines
from analysis.laws.power.best_sizes import BestSizes
from analysis.laws.power.single import PowerLawFit, intrinsic_performance_table
from mnist_horizon.algorithms import REFERENCES


def intrinsic_performance_against_compute(fits: Sequence[PowerLawFit]) -> theme.Drawn:
    """Measured intrinsic performance of all sizes and the frontier I = C, one panel per horizon."""
    table = _performance_table(fits)
    with theme.style():
        figure, axes = _performance_panels(table, "compute")
        for axis, (_, rows) in zip(axes, table.groupby("horizon"), strict=True):
            ends = [rows["compute"].min(), rows["compute"].max()]
            axis.plot(ends, ends, color=theme.BLACK, linestyle="--", linewidth=1, gid="frontier")
        line = Line2D([], [], color=theme.BLACK, linestyle="--", label="frontier I = C")
        _finish_performance(figure, axes, table, f"compute C = N$\\times$E ({_PRODUCT})", line)
    return figure, table


def intrinsic_performance_against_interactions(fits: Sequence[PowerLawFit]) -> theme.Drawn:
    """Measured intrinsic performance by size with the fitted law, one panel per horizon."""
    table = _performance_table(fits)
    looks = theme.size_looks(table["parameters"])
    with theme.style():
        figure, axes = _performance_panels(table, "interactions")
        for axis, (_, rows) in zip(axes, table.groupby("horizon"), strict=True):
            for size, part in rows.groupby("parameters"):
                color = looks[size].color
                axis.plot(part["interactions"], part["law"], color=color, linewidth=1, gid="law")
        line = Line2D([], [], color=theme.GREY, linestyle="-", label="fitted law")
        _finish_performance(figure, axes, table, "interactions (environment steps)", line)
    return figure, table


_PRODUCT = "parameters $\\times$ interactions"


def _performance_table(fits: Sequence[PowerLawFit]) -> pd.DataFrame:
    """Points of all fits, by horizon; those beyond the fitted link are left out."""
    tables = [
        intrinsic_performance_table(fit).assign(horizon=float(fit.group["horizon"])) for fit in fits
    ]
    table = pd.concat(tables).dropna(subset=["intrinsic_performance"])
    return table.sort_values(["horizon", "parameters", "interactions"], ignore_index=True)


def _performance_panels(table: pd.DataFrame, x: str) -> tuple[Figure, list[Axes]]:
    """Measured intrinsic performance against a column, one panel per horizon."""
    looks = theme.size_looks(table["parameters"])
    figure, axes = theme.panels(table["horizon"].nunique())
    for axis, (horizon, rows) in zip(axes, table.groupby("horizon"), strict=True):
        axis.set_title(f"h = {horizon:g}")
        for size, part in rows.groupby("parameters"):
            axis.vlines(
                part[x],
                part["intrinsic_low"],
                part["intrinsic_high"],
                color=looks[size].color,
                alpha=0.45,
                linewidth=0.9,
            )
            axis.plot(
                part[x],
                part["intrinsic_performance"],
                color=looks[size].color,
                marker=looks[size].marker,
                markersize=2.8,
                linestyle="none",
                gid="measured",
            )
    return figure, axes


def _finish_performance(
    figure: Figure, axes: Sequence[Axes], table: pd.DataFrame, x_label: str, line: Line2D
) -> None:
    for axis in axes:
        theme.log_axis(axis, "x")
        theme.log_axis(axis, "y")
    figure.supxlabel(x_label, fontsize=8.5)
    figure.supylabel("intrinsic performance I (N$\\times$E)", fontsize=8.5)
    looks = theme.size_looks(table["parameters"])
    keys = [theme.key(looks[n], f"N = {theme.compact(n)}", linestyle="none") for n in looks]
    theme.legend(figure, [*keys, line])


def optimal_size_against_compute(laws: Sequence[BestSizes]) -> theme.Drawn:
    """The measured size of least compute, a line for each horizon and reference, with its slope.

    Slopes that the runs do not determine are left out of the legend.
    """
    table = pd.concat([_best_sizes(law) for law in laws], ignore_index=True)
    conditions = table.drop_duplicates("condition").sort_values("horizon", na_position="last")
    looks = theme.horizon_looks(conditions["horizon"].dropna())
    references = theme.kind_looks(conditions.loc[conditions["horizon"].isna(), "condition"])
    keys = []
    with theme.style():
        figure, axis = theme.single(height=3.6)
        for row in conditions.itertuples():
            look = looks.get(row.horizon) or references[row.condition]
            line = {"linestyle": "-" if row.horizon in looks else "--"}
            rows = table[table["condition"] == row.condition]
            axis.plot(
                *(rows["compute"], rows["parameters"]),
                **{"color": look.color, "marker": look.marker, "markevery": 0.12},
                **{"gid": "measured", **line},
            )
            label = row.condition
            if row.slope_determined:
                label += f": slope {row.slope:.2f} ({row.slope_low:.2f} to {row.slope_high:.2f})"
            keys.append(theme.key(look, label, **line))
        theme.log_axis(axis, "x")
        theme.log_axis(axis, "y")
        axis.set_xlabel(f"least compute for a return ({_PRODUCT})")
        axis.set_ylabel("best size N* (parameters)")
        theme.legend(figure, keys, columns=2)
    return figure, table


def _best_sizes(law: BestSizes) -> pd.DataFrame:
    slope = law.quantities["optimal_size_exponent"]
    low, high = slope.interval or (np.nan, np.nan)
    horizon = np.nan if law.is_reference else float(law.group["horizon"])
    return law.table().assign(
        condition=law.group["algorithm"] if law.is_reference else f"h = {horizon:g}",
        horizon=horizon,
        slope=slope.value,
        slope_low=low,
        slope_high=high,
        slope_determined=slope.is_determined,
    )


def exponents_against_horizon(entries: Sequence[Mapping[str, Any]]) -> theme.Drawn:
    """alpha_N, alpha_E and E_c with their 95% intervals against horizon, each from its own fit.

    Numbers that the runs do not determine are hollow grey marks without intervals, at the edge of
    the panel where they lie beyond it; shared ones are left out. Algorithms without a horizon
    (`algorithms.REFERENCES`) stand at the left of the shortest one.

    Args:
        entries: of `fits.json`'s `power_law`, of one family, with its references, and kind of
            compute; the joint one (shared exponents) is drawn as a band.
    """
    rows = [row for entry in entries for row in _exponent_rows(entry)]
    table = pd.DataFrame(rows).astype({"value": float, "low": float, "high": float})
    places = _places(table["condition"].dropna())
    table["place"] = table["condition"].map(places)
    with theme.style():
        figure, axes = theme.row(len(_EXPONENTS), height=2.7)
        for axis, (name, label) in zip(axes, _EXPONENTS.items(), strict=True):
            _draw_exponents(axis, table[table["number"] == name], is_log=name == "e_c")
            _condition_axis(axis, places)
            axis.set_ylabel(label)
        keys = [Line2D([], [], marker="o", color=theme.BLUE, label="each horizon separately")]
        if (table["joint"] & table["determined"]).any():
            line = {"color": theme.ORANGE, "linestyle": "--", "marker": "s"}
            keys.append(Line2D([], [], label="all horizons, shared exponents", **line))
        if not table["determined"].all():
            keys.append(Line2D([], [], label="not determined", **_HOLLOW))
        theme.legend(figure, keys)
    return figure, table


_HOLLOW: dict[str, Any] = {
    "color": theme.GREY,
    "marker": "o",
    "markerfacecolor": "none",
    "linestyle": "none",
}


_FARTHEST = 4.0
"""Over the ends of what is determined, up to which marks of what is not widen a panel."""


def _draw_exponents(axis: Axes, table: pd.DataFrame, *, is_log: bool) -> None:
    """One number against horizon, inside of the panel's axes."""
    known, open_ = table[table["determined"]], table[~table["determined"] & ~table["joint"]]
    for joint, rows in known.dropna(subset=["place"]).groupby("joint"):
        bars = theme.bars(rows, "value")
        look = {"color": theme.ORANGE, "fmt": "s"} if joint else {"color": theme.BLUE, "fmt": "o"}
        axis.errorbar(rows["place"] * (1.08 if joint else 1.0), rows["value"], bars, **look)
    for shared in known[known["place"].isna()].itertuples():
        axis.axhspan(shared.low, shared.high, color=theme.ORANGE, alpha=0.25, linewidth=0)
        axis.axhline(shared.value, color=theme.ORANGE, linestyle="--", linewidth=1)
    low, high = known["low"].min(), known["high"].max()
    if known.empty:
        low = high = open_["value"].median()
    near = open_["value"][open_["value"].between(low / _FARTHEST, high * _FARTHEST)]
    low, high = np.nanmin([low, near.min()]), np.nanmax([high, near.max()])
    limits = (low / 2, high * 2) if is_log else (0.0, 1.15 * high)
    axis.set_ylim(*limits)
    if is_log:
        theme.log_axis(axis, "y")
    bottom, top = axis.get_ylim()
    edges = (bottom * 1.1, top / 1.1) if is_log else (0.02 * top, 0.98 * top)
    axis.plot(open_["place"], open_["value"].clip(*edges), gid="open", **_HOLLOW)


def _exponent_rows(entry: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Numbers of an entry with intervals; shared ones, and references, have no horizon."""
    joint = bool(entry.get("joint", False))
    algorithm = entry["group"].get("algorithm") if not joint else None
    reference = algorithm if algorithm in REFERENCES else None
    horizon = np.nan if joint or reference else entry["group"]["horizon"]
    rows = [(name, horizon, entry[name], entry.get(f"{name}_ci")) for name in _EXPONENTS]
    if joint:
        by_horizon = [("e_c", e["horizon"], e["e_c"], e["e_c_ci"]) for e in entry["e_c_by_horizon"]]
        rows = [*rows[:2], *by_horizon]
    return [
        {"number": name, "joint": joint, "horizon": h, "value": value}
        | {"condition": reference or (f"h = {h:g}" if np.isfinite(h) else None)}
        | dict(zip(("low", "high"), ci or (None, None), strict=True))
        | {"determined": bool(entry["determined"][name] and determines(ci))}
        for name, h, value, ci in rows
    ]


def residuals_by_size(fits: Sequence[PowerLawFit]) -> theme.Drawn:
    """How far each size lies off the law of the others: its interactions over theirs, by horizon.

    Bars are 95% intervals; rings mark a size that alone explains a misfit. A factor that the runs
    do not determine is a hollow grey mark without an interval.

    Args:
        fits: with at least one that has four sizes or more.
    """
    rows = [
        {"horizon": float(fit.group["horizon"]), **one.to_json(), "off": one in misfit.off_law}
        | {"low": one.interval[0], "high": one.interval[1], "determined": determines(one.interval)}
        for fit in fits
        if (misfit := fit.misfit) is not None
        for one in misfit.residuals
    ]
    table = pd.DataFrame(rows).drop(columns="ci")
    looks = theme.horizon_looks(table["horizon"])
    with theme.style():
        figure, axis = theme.single()
        for place, (horizon, of_horizon) in enumerate(table.groupby("horizon")):
            x = of_horizon["parameters"] * 1.05 ** (place - (len(looks) - 1) / 2)
            known = of_horizon["determined"]
            bars = theme.bars(of_horizon[known], "factor")
            look = {"color": looks[horizon].color, "fmt": looks[horizon].marker, "linewidth": 0.9}
            axis.errorbar(x[known], of_horizon["factor"][known], bars, **look)
            axis.plot(x[~known], of_horizon["factor"][~known], **_HOLLOW)
            ring = {**_HOLLOW, "color": theme.VERMILION, "markersize": 9, "gid": "off_law"}
            axis.plot(x[of_horizon["off"]], of_horizon["factor"][of_horizon["off"]], **ring)
        axis.axhline(1.0, color=theme.BLACK, linewidth=1)
        theme.log_axis(axis, "x")
        theme.log_axis(axis, "y")
        axis.set_xlabel("size N (parameters)")
        axis.set_ylabel("interactions over those\nof the law of the other sizes")
        keys = [theme.key(looks[h], f"h = {h:g}", linestyle="none") for h in looks]
        theme.legend(figure, keys, columns=min(len(keys), 6))
    return figure, table


def _places(names: Iterable[str]) -> dict[str, float]:
    """Where conditions stand on a logarithmic axis: horizons, and references at their left."""
    horizons = {name: float(name[4:]) for name in names if name.startswith("h = ")}
    shortest = min(horizons.values(), default=1.0)
    others = sorted(set(names) - horizons.keys(), key=REFERENCES.index)
    return {name: shortest / 3 ** (i + 1) for i, name in enumerate(others)} | horizons


def _condition_axis(axis: Axes, places: Mapping[str, float]) -> None:
    """The axis of horizons and references; a single one is shown between half and twice of it."""
    levels = sorted(place for name, place in places.items() if name not in REFERENCES)
    if len(places) == 1:
        (place,) = places.values()
        levels = [place / 2, place, place * 2] if levels else []
        axis.set_xlim(place / 2, place * 2)
    theme.horizon_axis(axis, levels)
    names = [name for name in places if name in REFERENCES]
    if names:
        shown = [
            (place, text.get_text())
            for place, text in zip(axis.get_xticks(), axis.get_xticklabels(), strict=True)
        ]
        shown += [(places[name], name) for name in names]
        axis.set_xticks([place for place, _ in shown], [text for _, text in shown])
        for (_, text), label in zip(shown, axis.get_xticklabels(), strict=True):
            if text in names:
                label.set(rotation=35, ha="right", rotation_mode="anchor")


def exponent_changes(found: Equality) -> theme.Drawn:
    """Exponents less those of the first condition, with 95% intervals, and what the test can see.

    The shaded band is the upper limit of the largest difference, where there is one; dotted lines
    are at `equality.MARGIN`, within which exponents can be called equal; dashed lines are at the
    smallest change that the test finds. Marks are hollow where residuals refuse a law.
    """
    rows = [
        {"number": name, "condition": one.name, "change": value}
        | dict(zip(("low", "high"), ends or (np.nan, np.nan), strict=True))
        | {"within": found.within[name], "smallest_change": found.smallest_change.get(name)}
        for one, changes in zip(found.conditions[1:], found.changes, strict=True)
        for name, (value, ends) in changes.items()
    ]
    table = pd.DataFrame(rows).astype({"smallest_change": float})
    places = _places([one.name for one in found.conditions])
    with theme.style():
        figure, axes = theme.row(len(_CHANGES), height=2.7)
        for axis, (name, label) in zip(axes, _CHANGES.items(), strict=True):
            _draw_changes(axis, table[table["number"] == name], places, bool(found.refused))
            _condition_axis(axis, places)
            axis.set_ylabel(label)
        theme.legend(figure, _change_keys(found))
    return figure, table


def _draw_changes(
    axis: Axes, table: pd.DataFrame, places: Mapping[str, float], refused: bool
) -> None:
    """The changes of one exponent, inside of the panel's axes."""
    first = table.iloc[0]
    x = table["condition"].map(places)
    axis.axhline(0.0, color=theme.BLACK, linewidth=1)
    if refused:
        axis.plot(x, table["change"], gid="open", **_HOLLOW)
        largest = table["change"].abs().max()
    else:
        axis.axhspan(-first["within"], first["within"], color=theme.SKY, alpha=0.2, linewidth=0)
        for sign in (-1, 1):
            axis.axhline(sign * first["smallest_change"], **_SMALLEST)
        bars = theme.bars(table, "change")
        axis.errorbar(x, table["change"], bars, color=theme.BLUE, fmt="o", capsize=2)
        largest = np.nanmax([first["within"], first["smallest_change"]])
    for sign in (-1, 1):
        axis.axhline(sign * MARGIN, **_MARGIN)
    reach = 1.15 * max(largest, MARGIN)
    axis.set_ylim(-reach, reach)


def _change_keys(found: Equality) -> list[Line2D]:
    keys = [Line2D([], [], label=f"can be called equal (±{MARGIN:g})", **_MARGIN)]
    if found.refused:
        return [Line2D([], [], label="the law is refused", **_HOLLOW), *keys]
    band = Line2D([], [], color=theme.SKY, alpha=0.4, linewidth=6, label="equal within (95%)")
    smallest = Line2D([], [], label=f"found with probability {POWER:g}", **_SMALLEST)
    mark = Line2D([], [], color=theme.BLUE, marker="o", linestyle="none")
    mark.set_label(f"change from {found.conditions[0].name}")
    return [mark, band, smallest, *keys]


_SMALLEST: dict[str, Any] = {"color": theme.VERMILION, "linestyle": "--", "linewidth": 1}
_MARGIN: dict[str, Any] = {"color": theme.GREY, "linestyle": ":", "linewidth": 1}

_CHANGES = {
    "alpha_n": "change of $\\alpha_N$",
    "alpha_e": "change of $\\alpha_E$",
    "optimal_size_exponent": "change of the exponent\nof the best size",
}

_EXPONENTS = {
    "alpha_n": "exponent of size, $\\alpha_N$",
    "alpha_e": "exponent of interactions, $\\alpha_E$",
    "e_c": "E$_c$ (environment steps)",
}

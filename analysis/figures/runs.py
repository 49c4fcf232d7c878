"""The figures, one function each, named after what it shows.

Each takes tidy results or fits of one family of runs (one task, schedule, batch and so on) and
returns the figure and the table of the numbers that are drawn in it; `theme.save` keeps both.
Bands reach from the lowest to the highest seed; bars are 95% intervals; open triangles are runs
that had not reached the threshold; faded lines are runs that are not done.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator

from analysis.data.curves import learning_rate_scores, seed_averages
from analysis.data.noise import scale_along_training, variance_by_horizon
from analysis.figures import theme
from analysis.laws.horizon import HorizonLaw
from analysis.laws.power.single import PowerLawFit, intrinsic_performance_table
from analysis.stats.intervals import t_factor

Drawn = tuple[Figure, pd.DataFrame]

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
PART_STYLES = {
    "total": (theme.BLACK, "o", "-"),
    "future": (theme.BLUE, "s", "--"),
    "action": (theme.ORANGE, "D", "-."),
    "state": (theme.GREEN, "^", ":"),
}
_BESIDE = {"total": 0.93, "future": 1.07, "action": 1.0, "state": 1.0}
"""How far marks of one horizon are moved apart, as a factor."""


def return_against_interactions(frame: pd.DataFrame, unfinished: Collection[str] = ()) -> Drawn:
    """Learning curves by size, one panel a horizon."""
    table = seed_averages(frame, ["return_mean"], unfinished)
    figure = _curve_panels(table, "interactions", "interactions (environment steps)", "horizon")
    return figure, table


def return_by_horizon(frame: pd.DataFrame, unfinished: Collection[str] = ()) -> Drawn:
    """Learning curves by horizon, one panel a size."""
    table = seed_averages(frame, ["return_mean"], unfinished)
    figure = _curve_panels(table, "interactions", "interactions (environment steps)", "width")
    return figure, table


def return_against_compute(frame: pd.DataFrame, unfinished: Collection[str] = ()) -> Drawn:
    """Return against counted training FLOPs, by size, one panel a horizon."""
    table = seed_averages(frame, ["return_mean"], unfinished)
    flops = frame.groupby("width")["flops_per_interaction"].first()
    table.insert(4, "flops", table["interactions"] * table["width"].map(flops))
    return _curve_panels(table, "flops", "training compute (FLOP)", "horizon"), table


def _curve_panels(table: pd.DataFrame, x: str, x_label: str, panel: str) -> Figure:
    """Averages with the band of seeds; panels by horizon or width, colours by the other."""
    color = "width" if panel == "horizon" else "horizon"
    make = theme.size_looks if color == "width" else theme.horizon_looks
    looks = make(table[color])
    title = _size_title(table) if panel == "width" else (lambda value: f"h = {value:g}")
    levels = sorted(table[panel].unique())
    with theme.style():
        figure, axes = theme.panels(len(levels))
        for axis, level in zip(axes, levels, strict=True):
            axis.set_title(title(level))
            here = table[table[panel] == level]
            for (value, run), rows in here.groupby([color, "run_id"]):
                _draw_curve(axis, rows, x, looks[value], bool(run))
        for axis in axes:
            theme.log_axis(axis, "x")
        figure.supxlabel(x_label, fontsize=8.5)
        figure.supylabel("return (share of right answers)", fontsize=8.5)
        label = _size_title(table) if color == "width" else (lambda value: f"h = {value:g}")
        theme.legend(figure, [_key(looks[value], label(value)) for value in looks])
    return figure


def _draw_curve(axis: Axes, rows: pd.DataFrame, x: str, look: theme.Look, faded: bool) -> None:
    alpha = theme.FADED if faded else 1.0
    axis.plot(
        rows[x],
        rows["return_mean"],
        color=look.color,
        alpha=alpha,
        linestyle="--" if faded else "-",
        marker="" if faded else look.marker,
        markevery=max(len(rows) // 5, 1),
        markersize=3,
        gid="unfinished" if faded else None,
    )
    if not faded:
        lowest, highest = rows["return_mean_lowest"], rows["return_mean_highest"]
        axis.fill_between(rows[x], lowest, highest, color=look.color, alpha=0.22, linewidth=0)


def _size_title(table: pd.DataFrame) -> Callable[[float], str]:
    """Names of widths, with their parameters."""
    parameters = table.groupby("width")["parameters"].first()
    return lambda width: f"width {width:g} (N = {theme.compact(parameters[width])})"


def _key(look: theme.Look, label: str, **settings: Any) -> Line2D:
    return Line2D([], [], color=look.color, marker=look.marker, label=label, **settings)


def intrinsic_performance_against_compute(fits: Sequence[PowerLawFit]) -> Drawn:
    """Measured intrinsic performance of all sizes under the frontier I = C, one panel a horizon."""
    table = _performance_table(fits)
    with theme.style():
        figure, axes = _performance_panels(table, "compute")
        for axis, (_, rows) in zip(axes, table.groupby("horizon"), strict=True):
            ends = [rows["compute"].min(), rows["compute"].max()]
            axis.plot(ends, ends, color=theme.BLACK, linestyle="--", linewidth=1, gid="frontier")
        line = Line2D([], [], color=theme.BLACK, linestyle="--", label="frontier I = C")
        _finish_performance(figure, axes, table, f"compute C = N$\\times$E ({_PRODUCT})", line)
    return figure, table


def intrinsic_performance_against_interactions(fits: Sequence[PowerLawFit]) -> Drawn:
    """Measured intrinsic performance by size with the fitted law, one panel a horizon."""
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
    """Measured intrinsic performance against a column, one panel a horizon."""
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
    keys = [_key(looks[n], f"N = {theme.compact(n)}", linestyle="none") for n in looks]
    theme.legend(figure, [*keys, line])


def optimal_size_against_compute(fits: Sequence[PowerLawFit]) -> Drawn:
    """The size that needs least compute, a line for each horizon, with the slopes.

    A line covers the compute of its runs; it is dashed where the best size was not among those
    that were trained.
    """
    tables = [_optimal_sizes(fit) for fit in fits]
    table = pd.concat(tables, ignore_index=True).sort_values(["horizon", "compute"])
    looks = theme.horizon_looks(table["horizon"])
    with theme.style():
        figure, axis = theme.single()
        for horizon, rows in table.groupby("horizon"):
            inside = rows["optimal_parameters"].where(rows["trained"])
            settings: dict[str, Any] = {"color": looks[horizon].color}
            axis.plot(rows["compute"], rows["optimal_parameters"], linestyle=":", **settings)
            axis.plot(
                rows["compute"], inside, marker=looks[horizon].marker, markevery=6, **settings
            )
        theme.log_axis(axis, "x")
        theme.log_axis(axis, "y")
        axis.set_xlabel(f"compute C ({_PRODUCT})")
        axis.set_ylabel("best size N* (parameters)")
        keys = []
        for horizon, rows in table.groupby("horizon"):
            slope, low, high = rows[["slope", "slope_low", "slope_high"]].iloc[0]
            label = f"h = {horizon:g}: slope {slope:.2f} [{low:.2f}, {high:.2f}]"
            keys.append(_key(looks[horizon], label))
        theme.legend(figure, keys, columns=2)
    return figure, table


def _optimal_sizes(fit: PowerLawFit) -> pd.DataFrame:
    """The best size over the compute of a fit's runs."""
    points = _performance_table([fit])
    compute = np.geomspace(points["compute"].min(), points["compute"].max(), 41)
    sizes = fit.optimal_size(compute)
    smallest, largest = points["parameters"].min(), points["parameters"].max()
    low, high = fit.intervals["optimal_size_exponent"]
    return pd.DataFrame(
        {
            "horizon": points["horizon"].iloc[0],
            "compute": compute,
            "optimal_parameters": sizes,
            "trained": (sizes >= smallest) & (sizes <= largest),
            "slope": fit.numbers["optimal_size_exponent"],
            "slope_low": low,
            "slope_high": high,
        }
    )


def interactions_against_horizon(
    crossings: pd.DataFrame, laws: Sequence[HorizonLaw], unfinished: Collection[str] = ()
) -> Drawn:
    """Interactions needed against horizon at one width, with the three laws and the knee.

    Args:
        crossings: interactions to threshold of the runs of one width.
        laws: their horizon laws in h - 1, one a threshold; a threshold may be without.
        unfinished: ids of runs that are not done.
    """
    points = _points(crossings, unfinished)
    curves = [_law_curves(law) for law in laws]
    table = pd.concat([points, *curves], ignore_index=True)
    by_threshold = {law.threshold: law for law in laws}
    thresholds = sorted(crossings["threshold"].unique())
    with theme.style():
        figure, axes = theme.row(len(thresholds))
        for axis, threshold in zip(axes, thresholds, strict=True):
            axis.set_title(f"to a return of {threshold:g}")
            here = table[table["threshold"] == threshold]
            _draw_points(axis, here[here["what"].isin(("run", "average"))])
            for form, rows in here[here["what"].isin(tuple(LAW_STYLES))].groupby("what"):
                color, line, _ = LAW_STYLES[str(form)]
                axis.plot(rows["horizon"], rows["interactions"], line, color=color, gid=str(form))
            if threshold in by_threshold:
                _mark_knee(axis, by_threshold[threshold])
            axis.set_yscale("log")
            theme.log_axis(axis, "y")
            theme.horizon_axis(axis, points["horizon"])
        axes[0].set_ylabel("interactions (environment steps)")
        theme.legend(figure, _law_keys(table), columns=3)
    return figure, table


def _points(crossings: pd.DataFrame, unfinished: Collection[str]) -> pd.DataFrame:
    """Each run, and the geometric mean over seeds with its t interval where all got there."""
    runs = crossings[["threshold", "horizon", "seed", "interactions", "censored", "run_id"]]
    runs = runs.assign(what="run", unfinished=runs["run_id"].isin(list(unfinished)))
    averages = []
    for (threshold, horizon), rows in crossings.groupby(["threshold", "horizon"]):
        if rows["censored"].any() or rows["run_id"].isin(list(unfinished)).any():
            continue
        log_e = np.log(rows["interactions"].to_numpy(float))
        average = {"what": "average", "threshold": threshold, "horizon": horizon}
        average |= {"interactions": np.exp(log_e.mean()), "censored": False, "unfinished": False}
        if len(log_e) > 1:
            reach = t_factor(len(log_e)) * log_e.std(ddof=1) / np.sqrt(len(log_e))
            average |= {"low": np.exp(log_e.mean() - reach), "high": np.exp(log_e.mean() + reach)}
        averages.append(average)
    columns = ["what", "threshold", "horizon", "seed", "interactions", "low", "high"]
    table = pd.concat([runs, pd.DataFrame(averages)], ignore_index=True)
    return table.reindex(columns=[*columns, "censored", "unfinished", "run_id"])


def _law_curves(law: HorizonLaw) -> pd.DataFrame:
    """The fitted forms from the shortest to the longest horizon measured."""
    horizons = np.geomspace(*law.measured, 60)
    width = law.group.get("width")
    forms = {form: fit.predict(horizons, width) for form, fit in law.laws.items()}
    return pd.concat(
        pd.DataFrame(
            {"what": form, "threshold": law.threshold, "horizon": horizons, "interactions": values}
        )
        for form, values in forms.items()
    )


def _draw_points(axis: Axes, points: pd.DataFrame) -> None:
    """Runs as dots, faded where not done; censored ones as open triangles; averages with bars."""
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
    below = averages["interactions"] - averages["low"]
    above = averages["high"] - averages["interactions"]
    axis.errorbar(
        averages["horizon"].astype(float),
        averages["interactions"],
        yerr=np.array([below.fillna(0), above.fillna(0)]),
        fmt="o",
        color=theme.BLACK,
        capsize=2.5,
        linewidth=1,
        markersize=4,
    )


def _mark_knee(axis: Axes, law: HorizonLaw) -> None:
    """The knee as a vertical line, its interval as a band; only as far as it lies in the panel."""
    low, high = law.measured
    if law.knee_ci is not None:
        ends = np.clip(law.knee_ci, low, high)
        axis.axvspan(ends[0], ends[1], color=theme.SKY, alpha=0.25, linewidth=0, gid="knee_ci")
    if low < law.knee < high:
        axis.axvline(law.knee, color=theme.SKY, linewidth=1.2, gid="knee")
        right = np.log(law.knee / low) > 0.7 * np.log(high / low)
        axis.text(
            law.knee,
            0.02,
            f" knee {law.knee:.3g} ",
            transform=axis.get_xaxis_transform(),
            va="bottom",
            ha="right" if right else "left",
            fontsize=7,
            color=theme.BLUE,
        )


def _law_keys(table: pd.DataFrame) -> list[Line2D]:
    forms = set(table["what"])
    settings: dict[str, Any] = {"color": theme.GREY, "linestyle": "none"}
    keys = [
        Line2D([], [], color=color, linestyle=line, label=f"{label}: {LAW_FORMULAS[form]}")
        for form, (color, line, label) in LAW_STYLES.items()
        if form in forms
    ]
    keys.append(Line2D([], [], marker="o", markersize=2.6, label="a run", **settings))
    if "average" in forms:
        keys.append(
            Line2D([], [], marker="o", color=theme.BLACK, label="mean over seeds, 95% interval")
        )
    if table["censored"].eq(True).any():
        keys.append(_censored_key("not there yet (censored)"))
    return keys


def _censored_key(label: str) -> Line2D:
    settings: dict[str, Any] = {"color": theme.GREY, "linestyle": "none", "label": label}
    return Line2D([], [], marker="^", markerfacecolor="none", **settings)


def multiplier_against_horizon(crossings: pd.DataFrame, laws: Sequence[HorizonLaw]) -> Drawn:
    """Interactions over those at h = 1, all widths on the pooled law, one panel a threshold.

    Args:
        crossings: interactions to threshold of all widths of a family.
        laws: pooled horizon laws in h - 1, one a threshold.
    """
    parts = []
    for law in laws:
        rows = crossings[crossings["threshold"] == law.threshold]
        at_one = rows["width"].map(law.a_by_width)
        found = pd.DataFrame({"log": np.log(rows["interactions"] / at_one)}).join(
            rows[["width", "horizon", "censored"]]
        )
        for (width, horizon), cell in found.dropna().groupby(["width", "horizon"]):
            point = {"what": "average", "threshold": law.threshold, "width": width}
            point |= {"horizon": horizon, "multiplier": float(np.exp(cell["log"].mean()))}
            parts.append(pd.DataFrame([{**point, "censored": bool(cell["censored"].any())}]))
        horizons = np.geomspace(*law.measured, 60)
        for form, fit in law.laws.items():
            values = fit.multiplier(horizons, fit.fit.theta)
            curve = {"what": form, "threshold": law.threshold, "horizon": horizons}
            parts.append(pd.DataFrame({**curve, "multiplier": values}))
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
        keys = [_key(looks[width], f"width {width:g}", linestyle="none") for width in looks]
        for form, (color, line, label) in LAW_STYLES.items():
            if form in set(table["what"]):
                keys.append(Line2D([], [], color=color, linestyle=line, label=label))
        if table["censored"].eq(True).any():
            keys.append(_censored_key("some seeds not there yet"))
        theme.legend(figure, keys, columns=4)
    return figure


def exponents_against_horizon(entries: Sequence[Mapping[str, Any]]) -> Drawn:
    """alpha_N, alpha_E and E_c with their 95% intervals against horizon, each from its own fit.

    Panels end at a few times the largest estimate; an interval that goes on runs out of them.

    Args:
        entries: of `fits.json`'s `power_law`, of one family and kind of compute; the joint one
            (shared exponents) is drawn as a band.
    """
    rows = [row for entry in entries for row in _exponent_rows(entry)]
    table = pd.DataFrame(rows).astype({"value": float, "low": float, "high": float})
    with theme.style():
        figure, axes = theme.row(len(_EXPONENTS), height=2.7)
        for axis, (name, label) in zip(axes, _EXPONENTS.items(), strict=True):
            here = table[table["number"] == name]
            for joint, rows in here.dropna(subset=["horizon"]).groupby("joint"):
                bars = [rows["value"] - rows["low"], rows["high"] - rows["value"]]
                look = {"color": theme.ORANGE, "fmt": "s"} if joint else {"color": theme.BLUE}
                place = rows["horizon"] * (1.08 if joint else 1.0)
                axis.errorbar(place, rows["value"], bars, **{"fmt": "o", "capsize": 3, **look})
            for shared in here[here["horizon"].isna()].itertuples():
                axis.axhspan(shared.low, shared.high, color=theme.ORANGE, alpha=0.25, linewidth=0)
                axis.axhline(shared.value, color=theme.ORANGE, linestyle="--", linewidth=1)
            # An interval that says nothing would hide all others: it runs out of the panel.
            value, ends = here["value"], (here["low"].min(), here["high"].max())
            if name == "e_c":
                bottom = np.nanmax([ends[0] / 2, value.min() / _FARTHEST**2])
                axis.set_ylim(bottom, np.nanmin([ends[1] * 2, value.max() * _FARTHEST**2]))
                theme.log_axis(axis, "y")
            else:
                axis.set_ylim(0, np.nanmin([1.05 * ends[1], value.max() * _FARTHEST]))
            theme.horizon_axis(axis, table["horizon"].dropna())
            axis.set_ylabel(label)
        keys = [Line2D([], [], marker="o", color=theme.BLUE, label="each horizon alone")]
        if table["joint"].any():
            line = {"color": theme.ORANGE, "linestyle": "--", "marker": "s"}
            keys.append(Line2D([], [], label="all horizons, shared exponents", **line))
        theme.legend(figure, keys)
    return figure, table


def _exponent_rows(entry: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Numbers of an entry with intervals; shared ones have no horizon."""
    joint = bool(entry.get("joint", False))
    horizon = np.nan if joint else entry["group"]["horizon"]
    found = [(name, horizon, entry[name], entry[f"{name}_ci"]) for name in _EXPONENTS]
    if joint:
        by_horizon = [("e_c", e["horizon"], e["e_c"], e["e_c_ci"]) for e in entry["e_c_by_horizon"]]
        found = [*found[:2], *by_horizon]
    return [
        {"number": name, "joint": joint, "horizon": h, "value": value, "low": ci[0], "high": ci[1]}
        for name, h, value, ci in found
    ]


_FARTHEST = 4.0
"""Of an exponent's axis, from the largest estimate; E_c's goes as far as its square each way."""

_EXPONENTS = {
    "alpha_n": "exponent of size, $\\alpha_N$",
    "alpha_e": "exponent of interactions, $\\alpha_E$",
    "e_c": "E$_c$ (environment steps)",
}


def gradient_variance(noise: pd.DataFrame) -> Drawn:
    """Measured (marks) against predicted (lines) gradient variance by horizon, along training.

    Marks of one horizon stand a little beside each other; bars that reach below 2% of what was
    measured, 0 among it, end there.

    Args:
        noise: rows of the noise tables of one family and width.
    """
    table = variance_by_horizon(noise)
    ends = np.sort(table["interactions"].unique())
    shown = dict.fromkeys(ends[[0, (len(ends) - 1) // 2, -1]])
    table = table[table["interactions"].isin(list(shown))].reset_index(drop=True)
    with theme.style():
        figure, axes = theme.row(len(shown))
        for axis, (interactions, here) in zip(axes, table.groupby("interactions"), strict=True):
            axis.set_title(f"after {theme.compact(interactions)} interactions")
            for part, rows in here[here["measured"] > 0].groupby("part"):
                color, marker, _ = PART_STYLES[str(part)]
                low = np.maximum(rows["low"], 0.02 * rows["measured"])
                bars = np.nan_to_num([rows["measured"] - low, rows["high"] - rows["measured"]])
                look = {"color": color, "capsize": 2, "markersize": 4, "fmt": marker}
                place = rows["horizon"] * _BESIDE[str(part)]
                axis.errorbar(place, rows["measured"], bars, **look)
            for part, rows in here[here["predicted"] > 0].groupby("part"):
                color, _, line = PART_STYLES[str(part)]
                axis.plot(rows["horizon"], rows["predicted"], line, color=color, gid=str(part))
            axis.set_yscale("log")
            theme.log_axis(axis, "y")
            theme.horizon_axis(axis, table["horizon"])
        axes[0].set_ylabel("variance of a step's gradient, tr Cov")
        keys = [
            Line2D([], [], color=color, marker=marker, linestyle=line, label=part)
            for part, (color, marker, line) in PART_STYLES.items()
        ]
        theme.legend(figure, keys, "marks: measured, lines: predicted", columns=4)
    return figure, table


def gradient_noise_scale(noise: pd.DataFrame) -> Drawn:
    """Gradient noise scale along training by horizon, with 95% intervals over seeds.

    Horizons of one evaluation stand a little beside each other.

    Args:
        noise: rows of the noise tables of one family and width, with a signal above 0 somewhere.
    """
    table, _ = scale_along_training(noise)
    looks = theme.horizon_looks(table["horizon"])
    with theme.style():
        figure, axis = theme.single()
        for number, (horizon, rows) in enumerate(table.groupby("horizon")):
            look = looks[horizon]
            x = rows["interactions"] * 1.06 ** (number - (len(looks) - 1) / 2)
            ends = rows["noise_scale"] - rows["low"], rows["high"] - rows["noise_scale"]
            bars = np.nan_to_num(np.array(ends))
            style = {"color": look.color, "marker": look.marker, "elinewidth": 0.8, "capsize": 1.5}
            axis.errorbar(x, rows["noise_scale"], bars, **style)
        theme.log_axis(axis, "x")
        axis.set_yscale("log")
        theme.log_axis(axis, "y")
        axis.set_xlabel("interactions (environment steps)")
        axis.set_ylabel("gradient noise scale (environment steps)")
        theme.legend(figure, [_key(looks[h], f"h = {h:g}") for h in looks], columns=4)
    return figure, table


def entropy_and_divergence(frame: pd.DataFrame, unfinished: Collection[str] = ()) -> Drawn:
    """Entropy of the policy and KL from the initial policy along training, by horizon.

    Args:
        frame: tidy results of one width.
        unfinished: ids of runs that are not done.
    """
    table = seed_averages(frame, ["entropy", "kl_initial"], unfinished)
    looks = theme.horizon_looks(table["horizon"])
    labels = {"entropy": "entropy (nats a step)", "kl_initial": "KL from start (nats a step)"}
    with theme.style():
        figure, axes = theme.row(2, width=3.3)
        for axis, (name, label) in zip(axes, labels.items(), strict=True):
            for (horizon, run), rows in table.groupby(["horizon", "run_id"]):
                look, x = looks[horizon], rows["interactions"]
                if run:
                    style = {"linestyle": "--", "alpha": theme.FADED, "gid": "unfinished"}
                    axis.plot(x, rows[name], color=look.color, **style)
                    continue
                every = max(len(rows) // 5, 1)
                axis.plot(
                    x, rows[name], color=look.color, marker=look.marker, markevery=every, ms=3.5
                )
                ends = rows[f"{name}_lowest"], rows[f"{name}_highest"]
                axis.fill_between(x, *ends, color=look.color, alpha=0.2, linewidth=0)
            theme.log_axis(axis, "x")
            axis.set_ylim(0, None)
            axis.set_xlabel("interactions (environment steps)")
            axis.set_ylabel(label)
        theme.legend(figure, [_key(looks[h], f"h = {h:g}") for h in looks], columns=7)
    return figure, table


def learning_rate_rule(frame: pd.DataFrame, unfinished: Collection[str] = ()) -> Drawn:
    """Return averaged over log E against learning rate by size, at the end horizons; best marked.

    Where one learning rate is best at all sizes the rule over widths holds.

    Args:
        frame: tidy results of a family with several learning rates at a size and horizon.
        unfinished: ids of runs that are not done; they are left out.
    """
    table = _learning_rate_table(frame[~frame["run_id"].isin(list(unfinished))])
    horizons = sorted(table["horizon"].unique())
    looks = theme.size_looks(table["width"])
    with theme.style():
        figure, axes = theme.row(len(horizons), width=3.1)
        for axis, horizon in zip(axes, horizons, strict=True):
            axis.set_title(f"h = {horizon:g}")
            for width, rows in table[table["horizon"] == horizon].groupby("width"):
                look = looks[width]
                bars = [rows["score"] - rows["low"], rows["high"] - rows["score"]]
                axis.errorbar(
                    rows["learning_rate"],
                    rows["score"],
                    bars,
                    color=look.color,
                    marker=look.marker,
                    capsize=2,
                )
                best = rows[rows["best"]]
                axis.plot(
                    best["learning_rate"],
                    best["score"],
                    color=look.color,
                    marker="o",
                    markerfacecolor="none",
                    markersize=10,
                    gid="best",
                )
            rates = sorted(table.loc[table["horizon"] == horizon, "learning_rate"].unique())
            axis.set_xscale("log")
            axis.set_xticks(rates, [f"{rate:.2g}" for rate in rates])
            axis.xaxis.set_minor_locator(NullLocator())
            low, high = axis.get_ylim()
            axis.set_ylim(max(low, 0.0), min(high, 1.0))
            axis.set_xlabel("learning rate (before the rule over widths)")
        axes[0].set_ylabel("return, mean over log interactions")
        keys = [_key(looks[width], f"width {width:g}") for width in looks]
        ring = {"marker": "o", "markerfacecolor": "none", "markersize": 9, "linestyle": "none"}
        theme.legend(figure, [*keys, Line2D([], [], color=theme.GREY, label="best", **ring)])
    return figure, table


def _learning_rate_table(frame: pd.DataFrame) -> pd.DataFrame:
    """Scores at the shortest and longest horizon that have several rates, with t intervals."""
    rates = frame.groupby("horizon")["learning_rate"].transform("nunique")
    horizons = frame.loc[rates > 1, "horizon"]
    frame = frame[frame["horizon"].isin((horizons.min(), horizons.max()))]
    table = learning_rate_scores(frame)
    factors = {count: t_factor(count) for count in set(table["seeds"]) if count > 1}
    reach = table["seeds"].map(factors).fillna(0.0) * table["error"].fillna(0.0)
    best = table.groupby(["horizon", "width"])["score"].transform("max") == table["score"]
    return table.assign(low=table["score"] - reach, high=table["score"] + reach, best=best)

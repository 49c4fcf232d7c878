"""Figures of the power law hold the numbers of the fits."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from analysis.figures import power
from analysis.laws.equality import Condition, Equality
from analysis.laws.power.best_sizes import fit_best_sizes
from analysis.laws.power.exponents import EXPONENTS
from analysis.laws.power.single import PowerLawFit, fit_power_law, fit_power_laws
from tests.analysis.drawings import drawn, lines, tabled
from tests.analysis.power_runs import WIDTHS, with_a_wrong_width
from tests.analysis.report_sweeps import DESIGN, sweep_frame

BEST_WIDTHS = (4, 6, 9, 14, 20, 30, 45, 65, 100)


@pytest.fixture(scope="module")
def laws():
    """Of two horizons, and shared."""
    design = replace(DESIGN, horizons=(1, 7))
    return fit_power_laws(sweep_frame(design), np.random.default_rng(0)).entries


def test_power_law_figures(laws):
    single = [fit for fit in laws if isinstance(fit, PowerLawFit) and fit.compute == "NE"]
    assert len(single) == 2
    figure, table = power.intrinsic_performance_against_compute(single)
    points = tabled(table, "compute", "intrinsic_performance")
    np.testing.assert_allclose(drawn(figure, "measured"), points)
    for line in lines(figure, "frontier"):
        np.testing.assert_allclose(line.get_xdata(), line.get_ydata())
    figure, table = power.intrinsic_performance_against_interactions(single)
    np.testing.assert_allclose(drawn(figure, "law"), tabled(table, "interactions", "law"))


def test_best_sizes_are_drawn_as_measured_with_the_slopes_that_are_determined():
    found = fit_best_sizes(
        sweep_frame(replace(DESIGN, horizons=(1, 7), widths=BEST_WIDTHS))
    ).entries
    assert len(found) == 2
    known = replace(found[0], group={**found[0].group, "algorithm": "supervised"})
    short = replace(found[1], of_seeds=(0,), log_interactions=found[1].log_interactions[:, :1])
    figure, table = power.optimal_size_against_compute([known, short])
    np.testing.assert_allclose(
        np.sort(drawn(figure, "measured"), axis=0),
        np.sort(tabled(table, "compute", "parameters"), axis=0),
    )
    of_seven, of_supervised = legend_of(figure)
    assert of_seven == "h = 7"
    assert of_supervised.startswith(f"supervised: slope {known.slope():.2f} (")


def legend_of(figure) -> list[str]:
    return [text.get_text() for legend in figure.legends for text in legend.get_texts()]


def inside(figure) -> None:
    """Every bar and mark lies in its axes, which have two labels or more."""
    figure.canvas.draw()
    for axis in figure.axes:
        low, high = axis.get_ylim()
        for container in axis.containers:
            for bars in container.lines[2]:
                for segment in bars.get_segments():
                    assert low <= segment[:, 1].min() <= segment[:, 1].max() <= high
        for line in axis.get_lines():
            if line.get_gid() == "open" and len(line.get_ydata()):
                assert low <= np.min(line.get_ydata()) <= np.max(line.get_ydata()) <= high
        for ticks, (first, last) in (
            (axis.xaxis, axis.get_xlim()),
            (axis.yaxis, axis.get_ylim()),
        ):
            shown = [tick for tick in ticks.get_major_ticks() if tick.label1.get_text()]
            places = [tick.get_loc() for tick in shown]
            assert sum(first <= place <= last for place in places) >= 2


def entry(horizon: float, ends: list[float | None], *, known: bool = True) -> dict[str, Any]:
    """An entry with all intervals alike."""
    names = ("alpha_n", "alpha_e", "e_c")
    numbers = dict.fromkeys(names, 0.5) | {f"{name}_ci": ends for name in names}
    return {"group": {"horizon": horizon}, **numbers, "determined": dict.fromkeys(names, known)}


def test_numbers_that_are_not_determined_are_hollow_marks_without_bars():
    entries = [entry(1.0, [0.4, 0.6]), entry(7.0, [1e-6, 50.0], known=False)]
    figure, table = power.exponents_against_horizon(entries)
    inside(figure)
    for axis in figure.axes:
        (bars,) = axis.containers
        assert bars.lines[0].get_xdata().tolist() == [1.0]
        assert axis.get_ylim()[1] < 5
    assert drawn(figure, "open")[:, 0].tolist() == [7.0] * 3
    assert table.set_index("horizon").loc[7.0, "high"].max() == 50.0


@pytest.mark.parametrize(
    "entries",
    [
        [entry(15.0, [0.4, 0.6])],
        [entry(15.0, [0.1, 0.9])],
        [entry(15.0, [None, 0.6], known=False)],
        [entry(1.0, [0.4, 0.6]), {**entry(7.0, [30.0, 70.0]), "alpha_n": 50.0, "e_c": 50.0}],
    ],
)
def test_bars_stay_in_axes_that_have_labels(entries):
    for one in entries:
        if one["group"]["horizon"] == 7.0:
            one["alpha_e_ci"] = [0.4, 0.6]
    inside(power.exponents_against_horizon(entries)[0])


def test_residuals_by_size_hold_the_factors_and_ring_the_size_that_is_off():
    fit = fit_power_law(with_a_wrong_width(2000, 2.0), generator=np.random.default_rng(0))
    figure, table = power.residuals_by_size([fit])
    assert table["factor"].tolist() == [one.factor for one in fit.misfit.residuals]
    assert table.loc[table["off"], "width"].tolist() == [max(WIDTHS)]
    assert drawn(figure, "off_law")[0, 1] == fit.misfit.off_law[0].factor
    inside(figure)


def test_exponents_figure_holds_every_number_of_the_fits(laws):
    entries = [law.to_json() for law in laws if law.compute == "NE"]
    figure, table = power.exponents_against_horizon(entries)
    alone = table[~table["joint"]]
    for entry in entries:
        if not entry.get("joint"):
            rows = alone[alone["horizon"] == entry["group"]["horizon"]].set_index("number")
            assert rows.loc["alpha_n", "value"] == entry["alpha_n"]
            assert [*rows.loc["e_c", ["low", "high"]]] == entry["e_c_ci"]
    shared = table[table["joint"]].dropna(subset=["horizon"])
    assert shared["horizon"].tolist() == [1, 7]
    assert len(figure.axes) == 3


def reference(name: str, ends: list[float | None]) -> dict[str, Any]:
    """An entry of an algorithm without a horizon."""
    return {**entry(1.0, ends), "group": {"horizon": 1.0, "algorithm": name}}


def test_references_stand_at_the_left_of_the_shortest_horizon_by_name():
    entries = [entry(1.0, [0.4, 0.6]), entry(7.0, [0.4, 0.6])]
    entries += [reference(name, [0.45, 0.55]) for name in ("supervised", "exact")]
    figure, table = power.exponents_against_horizon(entries)
    inside(figure)
    assert set(table["condition"]) == {"h = 1", "h = 7", "supervised", "exact"}
    assert table.loc[table["condition"] == "exact", "horizon"].isna().all()
    for axis in figure.axes:
        (bars,) = axis.containers
        assert sorted(bars.lines[0].get_xdata()) == sorted(set(table["place"]))
        labels = [text.get_text() for text in axis.get_xticklabels()]
        at = dict(zip(labels, axis.get_xticks(), strict=True))
        assert at["exact"] < at["supervised"] < at["1"] == 1.0 < at["7"]


def test_references_alone_have_an_axis_too():
    figure, _ = power.exponents_against_horizon([reference("supervised", [0.45, 0.55])])
    for axis in figure.axes:
        assert "supervised" in [text.get_text() for text in axis.get_xticklabels()]


def equality(refused: tuple[str, ...] = ()) -> Equality:
    """Two horizons and a reference, of four seeds."""
    generator = np.random.default_rng(0)
    found = []
    for algorithm, horizon in (("vpg", 1.0), ("vpg", 7.0), ("supervised", None)):
        values = np.log([0.5, 0.4]) + 0.02 * generator.standard_normal(2)
        left_out = {s: values + 0.01 * generator.standard_normal(2) for s in range(4)}
        found.append(Condition(algorithm, horizon, values, left_out))
    return Equality({}, "all", EXPONENTS, tuple(found), refused)


def test_changes_are_drawn_with_their_limit_and_what_the_test_finds():
    found = equality()
    figure, table = power.exponent_changes(found)
    inside(figure)
    assert table["condition"].tolist() == ["h = 7"] * 3 + ["supervised"] * 3
    for axis, name in zip(figure.axes, EXPONENTS.names, strict=True):
        (bars,) = axis.containers
        rows = table[table["number"] == name]
        np.testing.assert_allclose(sorted(bars.lines[0].get_ydata()), sorted(rows["change"]))
        heights = {round(float(line.get_ydata()[0]), 9) for line in axis.get_lines()}
        assert round(found.smallest_change[name], 9) in heights
        assert {0.1, -0.1} <= heights
        assert rows["within"].iloc[0] == found.within[name]


def test_changes_of_a_law_that_is_refused_are_hollow_marks_without_bars():
    figure, table = power.exponent_changes(equality(("h = 1",)))
    inside(figure)
    assert not any(axis.containers for axis in figure.axes)
    assert len(drawn(figure, "open")) == len(table) == 6

"""Figures of the power law hold the numbers of the fits."""

from dataclasses import replace

import numpy as np
import pytest

from analysis.figures import power
from analysis.laws.law import Quantity
from analysis.laws.power.single import PowerLawFit, fit_power_laws
from tests.analysis.drawings import drawn, lines, tabled
from tests.analysis.report_sweeps import DESIGN, sweep_frame


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
    figure, table = power.optimal_size_against_compute(single)
    for fit in single:
        rows = table[table["horizon"] == fit.group["horizon"]]
        slope = np.polyfit(np.log(rows["compute"]), np.log(rows["optimal_parameters"]), 1)[0]
        assert slope == pytest.approx(rows["slope"].iloc[0])


def labels(fits: list[PowerLawFit]) -> list[str]:
    figure, _ = power.optimal_size_against_compute(fits)
    return [text.get_text() for legend in figure.legends for text in legend.get_texts()]


def test_a_slope_that_is_not_determined_is_not_in_the_legend(laws):
    fit = next(law for law in laws if isinstance(law, PowerLawFit) and law.compute == "NE")

    def with_slope(low: float, high: float) -> PowerLawFit:
        slope = Quantity(0.38, (low, high), within=(0.0, 1.0))
        quantities = fit.constants.quantities | {"optimal_size_exponent": slope}
        return replace(fit, constants=replace(fit.constants, quantities=quantities))

    assert labels([with_slope(0.3, 0.46)]) == ["h = 1: slope 0.38 (0.30 to 0.46)"]
    assert labels([with_slope(-0.853, 1.61)]) == ["h = 1: slope not determined by these runs"]


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

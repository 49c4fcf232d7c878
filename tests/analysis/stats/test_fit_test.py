"""A test of fit refuses what does not fit, and a true law no more often than it says."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import f as f_distribution

from analysis.laws.horizon_forms import fit_form
from analysis.laws.synthetic import HorizonTruth
from analysis.stats.censored import Values, fit
from analysis.stats.fit_test import REFUSED, CellMeans, Saturated
from tests.analysis.horizon_runs import data_of, table_of

FLAT = HorizonTruth(knee=1e6)


class Line:
    """A straight line through the cells."""

    bounds = ((-50.0, 50.0), (-50.0, 50.0))

    def __init__(self, x: np.ndarray) -> None:
        self.x = x

    def __call__(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return theta[0] + theta[1] * self.x, np.stack([np.ones_like(self.x), self.x], axis=1)

    def take(self, keep: np.ndarray) -> "Line":
        return Line(self.x[keep])


def test_with_equal_spreads_it_is_the_f_test_of_an_analysis_of_variance():
    rng = np.random.default_rng(0)
    cells, seeds = 5, 6
    cell, seed = np.tile(np.arange(cells), seeds), np.repeat(np.arange(seeds), cells)
    log_e = 0.3 * cell + 0.1 * (cell == 2) + 0.2 * rng.standard_normal(seeds)[seed]
    log_e = log_e + 0.1 * rng.standard_normal(len(cell))
    none = np.zeros(len(cell), dtype=bool)
    values = Values(log_e, none, none, seed, np.zeros(len(cell)))
    line = fit(Line(cell.astype(float)), values, [np.array([0.0, 0.3])])
    found = Saturated.of(values, cell, groups=1).p_value(line)

    table = pd.DataFrame({"y": log_e, "cell": cell, "seed": seed})
    within = table["y"] - table.groupby("seed")["y"].transform("mean")
    around_cells = within - within.groupby(table["cell"]).transform("mean")
    slope = np.polyfit(cell - 2.0, within, 1)[0]
    around_line = within - slope * (cell - 2.0)
    lack = (around_line**2).sum() - (around_cells**2).sum()
    residual = (seeds - 1) * (cells - 1)
    ratio = (lack / (cells - 2)) / ((around_cells**2).sum() / residual)
    assert found == pytest.approx(f_distribution.sf(ratio, cells - 2, residual), rel=0.02)


def p_values(table: pd.DataFrame) -> dict[str, float | None]:
    data = data_of(table)
    forms = ("affine", "free")
    return {form: fit_form(data, form, leave_out=False).fit_test for form in forms}


def test_one_seed_or_a_law_with_a_number_for_each_cell_is_not_tested():
    one = p_values(table_of(np.random.default_rng(0), HorizonTruth(), seeds=1))
    assert one == {"affine": None, "free": None}
    two = table_of(np.random.default_rng(0), HorizonTruth(), horizons=np.array([1.0, 31.0]))
    assert p_values(two)["affine"] == pytest.approx(1)
    assert p_values(two)["free"] is None


def test_three_horizons_that_turn_back_are_refused():
    table = table_of(np.random.default_rng(0), FLAT, horizons=np.array([1.0, 7.0, 63.0]))
    table["interactions"] *= np.where(table["horizon"] == 7, 0.4, 1.0)
    found = p_values(table)["free"]
    assert found is not None
    assert found < REFUSED


def shaped(rng: np.random.Generator, logs: list[float]) -> pd.DataFrame:
    """Runs with these logs of the multiplier at the seven horizons."""
    table = table_of(rng, FLAT)
    horizons = np.unique(table["horizon"])
    table["interactions"] *= np.exp(np.interp(table["horizon"], horizons, logs))
    return table


SHAPES = {
    "a U": [0.6, 0.3, 0.1, 0.0, 0.1, 0.4, 0.9],
    "a step": [0.0, 0.0, 0.0, 0.7, 0.7, 0.7, 0.7],
    "a plateau, then a rise": [0.0, 0.5, 0.5, 0.5, 0.6, 1.0, 1.6],
}


@pytest.mark.slow
@pytest.mark.parametrize("name", [*SHAPES])
def test_what_is_none_of_the_laws_is_refused(name):
    rng = np.random.default_rng(1)
    found = [p_values(shaped(rng, SHAPES[name]))["free"] for _ in range(20)]
    assert np.mean([p is not None and p < REFUSED for p in found]) >= 0.9


@pytest.mark.slow
@pytest.mark.parametrize(("seeds", "budget"), [(2, np.inf), (3, np.inf), (4, np.inf), (4, 1.2e5)])
def test_a_true_law_is_seldom_refused(seeds, budget):
    rng = np.random.default_rng(2)
    truth = HorizonTruth(knee=30.0)
    tables = [table_of(rng, truth, seeds=seeds, budget=budget) for _ in range(100)]
    for form in ("affine", "free"):
        found = [p_values(table)[form] for table in tables]
        assert np.mean([p is not None and p < REFUSED for p in found]) <= 0.03


def test_cell_means_are_the_means_of_their_cells():
    mean = CellMeans(np.array([0, 1, 1]), 2)
    values, derivatives = mean(np.array([3.0, 5.0]))
    assert values.tolist() == [3, 5, 5]
    assert derivatives.tolist() == [[1, 0], [0, 1], [0, 1]]
    assert mean.take(np.array([False, True, True])).cell.tolist() == [1, 1]

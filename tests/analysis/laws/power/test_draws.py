"""Data sets drawn from a fitted power law."""

import numpy as np
import pytest

from analysis.laws.power.draws import draw_curves, redraw
from analysis.laws.power.level_estimate import constants
from analysis.laws.power.single import fit_power_law
from tests.analysis.power_runs import simulate


def test_data_drawn_from_a_fit_have_its_shape_and_are_refitted_to_it() -> None:
    generator = np.random.default_rng(15)
    frame = simulate(generator)
    frame = frame[(frame["parameters"] > 1000) | (frame["seed"] != 3)]
    estimate = fit_power_law(frame, generator=generator).estimate
    drawn = draw_curves(estimate, generator)
    curves = estimate.curves[0]
    np.testing.assert_array_equal(np.isnan(drawn.returns), np.isnan(curves.returns))
    assert np.nanmax(np.abs(drawn.returns - curves.returns)) < 0.1
    assert drawn.noise.shift == pytest.approx(curves.noise.shift, rel=0.6)
    redrawn = [redraw(estimate, "NE", np.random.default_rng(draw)) for draw in range(8)]
    truth = constants(estimate, "NE").quantities
    for name in ("alpha_n", "alpha_e", "optimal_size_exponent"):
        mean = np.mean([one.quantities[name].value for one in redrawn])
        assert mean == pytest.approx(truth[name].value, rel=0.05)
        ends = [one.quantities[name].interval for one in redrawn]
        assert sum(low <= truth[name].value <= high for low, high in ends) >= 5

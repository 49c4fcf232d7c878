"""Data sets drawn from a fitted power law."""

import numpy as np
import pytest

from analysis.laws.power.draws import (
    HorizonLevels,
    draw_curves,
    draw_returns,
    redraw,
    shift_correlation,
)
from analysis.laws.power.level_estimate import constants
from analysis.laws.power.single import estimate_each, fit_power_law, power_law_groups
from tests.analysis.power_runs import over_horizons, simulate


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


@pytest.mark.parametrize("correlation", [0.0, 0.8])
def test_a_seed_is_ahead_at_several_horizons_as_often_as_it_was(correlation: float) -> None:
    generator = np.random.default_rng(3)
    frame = over_horizons(generator, (1.0, 7.0, 31.0))
    (group,) = power_law_groups(frame)
    alone, _ = estimate_each(group, generator)
    laws = [HorizonLevels(one.problem, one.fit.arguments, one.fit.link) for one in alone]
    curves = [one.curves[0] for one in alone]
    found = [
        shift_correlation(draw_returns(laws, curves, correlation, generator)) for _ in range(10)
    ]
    assert np.mean(found) == pytest.approx(correlation, abs=0.2)
    assert shift_correlation(curves) < 0.4  # runs of different horizons were drawn independently

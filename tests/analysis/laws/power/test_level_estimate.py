"""From level sets to the constants of a law, with intervals over seeds."""

from dataclasses import replace

import numpy as np
import pytest

from analysis.laws.power.curves import learning_curves
from analysis.laws.power.level_estimate import (
    LevelEstimate,
    constants,
    estimate_levels,
    exponent_profiles,
    product_law_at,
    quantity,
)
from analysis.laws.power.level_fit import pinned_loss
from analysis.laws.power.single import fit_power_law
from tests.analysis.power_runs import simulate


def test_profiles_agree_with_the_jackknife_where_the_likelihood_is_even() -> None:
    generator = np.random.default_rng(16)
    frame = simulate(generator, sizes=6, noise=1e-3, shift=0.02)
    fit = fit_power_law(frame, generator=generator)
    by_seeds = constants(fit.estimate, "NE").quantities  # without the fits that are in doubt
    for index, name in enumerate(("alpha_n", "alpha_e")):
        low, high = fit.profiles[name]
        number = by_seeds[name]
        assert low < number.value < high
        assert (low, high) == pytest.approx(number.interval, rel=0.02)
        estimate = fit.estimate
        top, end = (
            pinned_loss(estimate.problem, estimate.fit, index, np.log(value))
            for value in (number.value, high)
        )
        assert top == pytest.approx(estimate.fit.loss, rel=1e-6)
        assert end > top


@pytest.fixture(scope="module", name="estimate")
def _estimate() -> LevelEstimate:
    curves = learning_curves(simulate(np.random.default_rng(0), sizes=4, seeds=3))
    return estimate_levels([curves], np.random.default_rng(0))


def test_an_interval_without_bounds_is_open() -> None:
    scattered = np.array([1e-300, 1e300])
    assert quantity("n_c", 1.0, scattered).interval == (0.0, np.inf)
    assert quantity("n_c", 1.0, scattered).ends == [None, None]
    slope = quantity("optimal_size_exponent", -0.5, np.array([-0.4, -0.6]))
    assert slope.interval[0] < -0.5 < slope.interval[1]
    wide = quantity("optimal_size_exponent", 0.38, np.array([0.2, 0.3, 0.6, 0.5]))
    assert 0 < wide.interval[0] < 0.38 < wide.interval[1] < 1


def test_an_estimate_without_a_seed_is_that_of_the_others(estimate) -> None:
    other = estimate.leaving_out(1)
    np.testing.assert_array_equal(other.fit.arguments, estimate.without_seed[1])
    found = constants(other, "NE").quantities
    assert {one.interval for one in found.values()} == {None}
    alone = estimate_levels([estimate.curves[0].without_seed(1)], np.random.default_rng(0))
    for name, one in constants(alone, "NE").quantities.items():
        assert found[name].value == pytest.approx(one.value, rel=1e-3)


def test_returns_go_through_the_levels_and_the_link(estimate) -> None:
    curves = estimate.curves[0]
    returns = estimate.returns(curves.parameters, curves.interactions)
    levels = estimate.problem.levels(estimate.fit.arguments)[0]
    np.testing.assert_allclose(returns, estimate.fit.link.returns(levels), atol=1e-9)
    assert np.abs(returns - curves.mean).max() < 0.05


def test_the_constants_place_the_levels_of_the_problem(estimate) -> None:
    """Levels of the law and of the problem differ by a constant."""
    curves = estimate.curves[0]
    law = product_law_at(estimate.fit.arguments, estimate.problem)
    levels = law.level(curves.parameters, curves.interactions)
    gap = levels - estimate.problem.levels(estimate.fit.arguments)[0]
    np.testing.assert_allclose(gap, gap[0], atol=1e-9)
    assert constants(estimate, "NE").law == law


def test_profiles_end_at_the_search_as_open_ends(estimate) -> None:
    scattered = estimate.without_seed + 40.0 * np.array([[-1.0], [0.0], [1.0]])
    wide = replace(estimate, without_seed=scattered)
    assert set(exponent_profiles(wide).values()) == {(0.0, np.inf)}


def test_intervals_reach_as_far_about_the_numbers_of_rival_fits() -> None:
    generator = np.random.default_rng(16)
    estimate = estimate_levels([learning_curves(simulate(generator))], generator)
    alone = constants(estimate, "NE").quantities
    rival = estimate.fit.arguments + np.array([0.3, 0.0, 0.0])
    found = constants(estimate, "NE", [rival]).quantities
    low, high = alone["alpha_n"].interval
    assert found["alpha_n"].interval == pytest.approx((low, high * np.exp(0.3)))
    assert found["alpha_n"].value == alone["alpha_n"].value
    assert found["alpha_e"].interval == pytest.approx(alone["alpha_e"].interval)
    slope, before = (one["optimal_size_exponent"] for one in (found, alone))
    assert slope.interval[0] < before.interval[0]
    assert slope.interval[1] == pytest.approx(before.interval[1])
    assert slope.interval[0] > 0

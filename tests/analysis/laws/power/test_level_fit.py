"""Least squares for the level sets of the power law."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize
from sklearn.isotonic import isotonic_regression

from analysis.laws.power.curves import FitError, learning_curves
from analysis.laws.power.level_estimate import product_law_at
from analysis.laws.power.level_fit import (
    SEARCHES,
    LevelProblem,
    PinnedProblem,
    descend,
    pinned_loss,
    require_identified,
    search,
    sobol_starts,
)
from analysis.laws.power.single import fit_power_law
from tests.analysis.power_runs import TRUTH, over_horizons, simulate


@pytest.mark.parametrize("own_links", [False, True])
def test_gradient_is_exact(own_links: bool) -> None:
    frame = over_horizons(np.random.default_rng(0), (1.0, 7.0, 31.0))
    curves = [learning_curves(runs) for _, runs in frame.groupby("horizon")]
    problem = replace(LevelProblem.of(curves), own_links=own_links)
    arguments = np.array([-0.5, -0.9, 0.3, 0.1, 0.8])

    def half_loss(at: np.ndarray) -> float:
        return 0.5 * float(np.sum(problem.linked(at).residuals ** 2))

    linked = problem.linked(arguments)
    for i, step in enumerate(1e-5 * np.eye(5)):
        slope = (half_loss(arguments + step) - half_loss(arguments - step)) / 2e-5
        assert linked.jacobian[:, i] @ linked.residuals == pytest.approx(slope, rel=1e-4)


@pytest.mark.parametrize("early", [{"transient": 0.5, "fading": 1.6}, {"asleep": 0.4}])
@pytest.mark.slow
def test_long_early_transients_do_not_bias_the_exponents(early: dict[str, float]) -> None:
    """Transients far longer than 1/64 of training, that the rule on the rise leaves out."""
    found = []
    for draw in range(24):
        curves = learning_curves(simulate(np.random.default_rng(draw), **early))
        problem = LevelProblem.of([curves])
        balance = np.log(TRUTH.n_c) * TRUTH.alpha_n - TRUTH.alpha_e * np.log(TRUTH.e_c)
        crossing = (balance + TRUTH.alpha_e * problem.centre_e) / TRUTH.alpha_n - problem.centre_n
        start = np.array([[np.log(TRUTH.alpha_n), np.log(TRUTH.alpha_e), crossing]])
        found.append(np.exp(search(problem, start).arguments[:2]))
    bias = np.mean(found, axis=0) / (TRUTH.alpha_n, TRUTH.alpha_e) - 1
    assert np.abs(bias).max() < 0.03, bias


def test_levels_on_returns_would_be_biased_where_the_return_hardly_moves() -> None:
    """The converse regression, unweighted, on the same points: why returns are regressed."""
    estimates, converse = [], []
    for draw in range(4):
        generator = np.random.default_rng(draw)
        frame = simulate(generator, sizes=6, seeds=6, shift=1e-3)
        fit = fit_power_law(frame, generator=generator)
        problem = fit.estimate.problem
        order = np.argsort(problem.returns)

        def loss(
            arguments: np.ndarray, problem: LevelProblem = problem, order: np.ndarray = order
        ) -> float:
            beta = product_law_at(arguments, problem).beta
            log_i = problem.levels(arguments)[0][order] / beta
            return float(np.sum((log_i - isotonic_regression(log_i)) ** 2))

        best = minimize(loss, fit.estimate.fit.arguments, method="Nelder-Mead")
        converse.append(np.exp(best.x[0]))
        estimates.append(fit.law.alpha_n)
    bias, converse_bias = np.mean(estimates) / 0.55 - 1, np.mean(converse) / 0.55 - 1
    assert abs(bias) < 0.03
    assert abs(converse_bias) > 2 * abs(bias)


@pytest.fixture(scope="module", name="problem")
def _problem() -> LevelProblem:
    frame = over_horizons(np.random.default_rng(0), (1.0, 7.0, 31.0))
    return LevelProblem.of([learning_curves(runs) for _, runs in frame.groupby("horizon")])


def test_starts_are_within_the_bounds_and_know_how_far_horizons_are_apart(problem) -> None:
    starts = sobol_starts(problem, np.random.default_rng(0))
    assert starts.shape == (SEARCHES, 5)
    losses = [np.sum(problem.linked(start).residuals ** 2) for start in starts]
    assert losses == sorted(losses)
    lower, upper = problem.bounds()
    assert ((starts > lower) & (starts < upper)).all()
    growth = np.exp(starts[0, 3:])  # E_c grows by 1/30 per step of the horizon
    np.testing.assert_allclose(growth, [1 + 6 / 30, 1 + 30 / 30], rtol=0.15)


def test_a_pinned_argument_stays_and_costs_no_less_than_the_best(problem) -> None:
    fit = search(problem, sobol_starts(problem, np.random.default_rng(0))[:4])
    assert fit.starts == 4
    assert 1 <= fit.agreeing <= 4
    best = float(fit.arguments[0])
    assert pinned_loss(problem, fit, 0, best) == pytest.approx(fit.loss, rel=1e-6)
    assert pinned_loss(problem, fit, 0, best + 0.5) > fit.loss * 1.001
    pinned = PinnedProblem(problem, 0, best)
    assert [len(ends) for ends in pinned.bounds()] == [4, 4]
    others = np.delete(fit.arguments, 0)
    np.testing.assert_allclose(
        pinned.linked(others).residuals, problem.linked(fit.arguments).residuals
    )


def test_a_fit_at_a_bound_is_refused_by_name(problem) -> None:
    fit = search(problem, sobol_starts(problem, np.random.default_rng(0))[:1])
    require_identified(problem, fit)
    lower, _ = problem.bounds()
    for place, name in enumerate(("alpha_N", "alpha_E", "N_c", "E_c")):
        arguments = fit.arguments.copy()
        arguments[place] = lower[place]
        with pytest.raises(FitError, match=f"do not determine {name}"):
            require_identified(problem, replace(fit, arguments=arguments))


def test_a_search_finds_what_a_general_minimiser_finds(problem) -> None:
    start = sobol_starts(problem, np.random.default_rng(0))[0]

    def loss(arguments: np.ndarray) -> float:
        return float(np.sum(problem.linked(arguments).residuals ** 2))

    found, least = descend(problem, start)
    general = minimize(loss, found + 0.01, method="Nelder-Mead", options={"xatol": 1e-7})
    assert least == pytest.approx(loss(found))
    assert least <= general.fun * (1 + 1e-6)
    np.testing.assert_allclose(found, general.x, atol=0.02)


def test_a_search_stays_within_its_bounds(problem) -> None:
    lower, upper = problem.bounds()
    for start in (lower - 1.0, upper + 1.0):
        end, _ = descend(problem, start)
        assert ((end >= lower) & (end <= upper)).all()


def test_points_of_one_horizon_have_the_same_levels_and_links(problem) -> None:
    arguments = np.array([-0.5, -0.9, 0.3, 0.1, 0.8])
    own = replace(problem, own_links=True)
    links = own.links(arguments)
    assert len(links) == 3
    for i, shift in enumerate((0.0, 0.1, 0.8)):
        here = problem.horizon == i
        part = problem.of_horizon(i, shift)
        levels = problem.levels(arguments)[0][here]
        np.testing.assert_allclose(part.levels(arguments[:3])[0], levels)
        linked = part.linked(arguments[:3])
        np.testing.assert_allclose(linked.link.returns(levels), links[i].returns(levels))
        np.testing.assert_allclose(linked.residuals, own.linked(arguments).residuals[here])

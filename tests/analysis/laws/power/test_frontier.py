"""The compute frontier: the constraint, the optimal size, and counted compute."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from analysis.laws.power.frontier import (
    PowerLaw,
    counted_law,
    interpolated_flops,
    numerical_frontier,
    product_law,
)

exponents = st.floats(0.15, 2.0)


def optimal_size(law: PowerLaw, compute: np.ndarray) -> np.ndarray:
    """`N* = N_c (1 + alpha_N/alpha_E)^(1/alpha_N) C^(1/(1 + alpha_N/alpha_E))`, for C = N * E."""
    ratio = law.alpha_n / law.alpha_e
    return law.n_c * (1 + ratio) ** (1 / law.alpha_n) * np.asarray(compute) ** (1 / (1 + ratio))


@settings(max_examples=25, deadline=None)
@given(alpha_n=exponents, alpha_e=exponents, balance=st.floats(-5, 5), log_i=st.floats(15, 40))
def test_on_the_frontier_intrinsic_performance_is_compute(
    alpha_n: float, alpha_e: float, balance: float, log_i: float
) -> None:
    law = product_law(alpha_n, alpha_e, balance)

    def log_compute(log_n: float) -> float:
        """log(N E) of the policy of size N that reaches I, solved for E."""
        left = np.exp(-law.beta * log_i) - np.exp(alpha_n * (np.log(law.n_c) - log_n))
        return log_n + np.log(law.e_c) - np.log(left) / alpha_e

    edge = np.log(law.n_c) + law.beta * log_i / alpha_n  # smaller sizes never reach I
    best = minimize_scalar(log_compute, bounds=(edge + 1e-4, edge + 30), method="bounded")
    assert best.fun == pytest.approx(log_i, abs=1e-5)
    assert optimal_size(law, np.exp(log_i)) == pytest.approx(np.exp(best.x), rel=1e-2)
    reached = law.intrinsic_performance(np.exp(best.x), np.exp(best.fun - best.x))
    assert np.log(reached) == pytest.approx(log_i, abs=1e-8)


def test_no_policy_beats_the_frontier() -> None:
    law = product_law(0.55, 0.42, 1.0)
    sizes, interactions = np.meshgrid(np.logspace(1, 8, 50), np.logspace(2, 9, 50))
    performance = law.intrinsic_performance(sizes, interactions)
    assert np.all(performance <= sizes * interactions * (1 + 1e-9))
    assert np.max(performance / (sizes * interactions)) > 0.99


def test_numerical_frontier_of_the_product_is_the_closed_form() -> None:
    law = product_law(0.7, 0.35, -2.0)
    frontier = numerical_frontier(law, np.linspace(2.0, 5.0, 30), lambda sizes: sizes)
    np.testing.assert_allclose(np.log(frontier.compute), frontier.level / law.beta, atol=1e-6)
    expected = optimal_size(law, frontier.compute)
    np.testing.assert_allclose(frontier.parameters, expected, rtol=1e-4)
    assert frontier.size_exponent() == pytest.approx(1 / (1 + 0.7 / 0.35), abs=1e-6)
    again = counted_law(law, frontier)
    assert again.beta == pytest.approx(law.beta, rel=1e-6)
    assert again.n_c == pytest.approx(law.n_c, rel=1e-4)


@pytest.mark.parametrize("power", [0.6, 1.3])
def test_frontier_of_compute_that_is_a_power_of_size(power: float) -> None:
    # With phi(N) = 6 N^q the sizes can be counted as M = 6 N^q, whose exponent is alpha_N / q.
    law = product_law(0.55, 0.42, 1.0)
    frontier = numerical_frontier(law, np.linspace(2.0, 5.0, 40), lambda n: 6 * n**power)
    counted = counted_law(law, frontier)
    alpha_m = law.alpha_n / power
    assert counted.beta == pytest.approx(1 / (1 / alpha_m + 1 / law.alpha_e), rel=1e-5)
    assert frontier.size_exponent() == pytest.approx(
        law.alpha_e / (alpha_m + law.alpha_e) / power, rel=1e-4
    )
    reached = counted.intrinsic_performance(
        frontier.parameters, frontier.compute / (6 * frontier.parameters**power)
    )
    np.testing.assert_allclose(np.log(reached), np.log(frontier.compute), atol=1e-5)


def test_frontier_looks_up_performance_between_its_levels_and_not_beyond() -> None:
    law = product_law(0.55, 0.42, 1.0)
    frontier = numerical_frontier(law, np.linspace(2.0, 5.0, 64), lambda sizes: sizes)
    assert frontier.intrinsic_performance(3.3) == pytest.approx(np.exp(3.3 / law.beta), rel=1e-4)
    assert np.isnan(frontier.intrinsic_performance(1.9))


def test_flops_between_and_beyond_the_measured_sizes() -> None:
    sizes = np.array([1e5, 1e3, 1e4])
    flops = interpolated_flops(sizes, 6 * sizes**0.9)
    probe = np.array([1e2, 3e3, 1e4, 5e4, 1e7])
    np.testing.assert_allclose(flops(probe), 6 * probe**0.9, rtol=1e-10)

"""Damped Newton steps find minima inside and at bounds."""

import numpy as np
import pytest

from analysis.stats.newton import Evaluated, minimise

WIDE = [(-10.0, 10.0), (-10.0, 10.0)]


def rosenbrock(point: np.ndarray) -> Evaluated:
    """A curved valley with its least value, 0, at (1, 1)."""
    x, y = point
    value = 100 * (y - x**2) ** 2 + (1 - x) ** 2
    gradient = np.array([-400 * x * (y - x**2) - 2 * (1 - x), 200 * (y - x**2)])
    curvature = np.array([[1200 * x**2 - 400 * y + 2, -400 * x], [-400 * x, 200.0]])
    return float(value), gradient, curvature


@pytest.mark.parametrize("start", [(-1.2, 1.0), (3.0, -4.0), (0.0, 0.0)])
def test_a_curved_valley_is_followed_to_its_end(start):
    point, value = minimise(rosenbrock, np.array(start), WIDE)
    np.testing.assert_allclose(point, [1, 1], atol=1e-3)
    assert value == pytest.approx(0, abs=1e-6)


def test_a_minimum_beyond_a_bound_is_found_at_it():
    point, _ = minimise(rosenbrock, np.array([-1.2, 1.0]), [(-2.0, 0.5), (-10.0, 10.0)])
    np.testing.assert_allclose(point, [0.5, 0.25], atol=1e-3)


def test_a_parameter_with_equal_bounds_stays_and_a_start_outside_is_moved_in():
    point, _ = minimise(rosenbrock, np.array([50.0, 50.0]), [(2.0, 2.0), (-10.0, 10.0)])
    np.testing.assert_allclose(point, [2, 4], atol=1e-3)


def test_the_value_is_that_of_the_last_step():
    def parabola(point: np.ndarray) -> Evaluated:
        return float(point[0] ** 2), 2 * point, np.array([[2.0]])

    point, value = minimise(parabola, np.array([3e-4]), [(-1.0, 1.0)])
    assert abs(point[0]) < 1e-7
    assert value == pytest.approx(0, abs=1e-9)


def test_negative_curvature_is_left_behind():
    def well(point: np.ndarray) -> Evaluated:
        x = point[0]
        return float(x**4 - x**2), np.array([4 * x**3 - 2 * x]), np.array([[12 * x**2 - 2]])

    point, _ = minimise(well, np.array([0.1]), [(-3.0, 3.0)])
    assert abs(point[0]) == pytest.approx(np.sqrt(0.5), abs=1e-3)

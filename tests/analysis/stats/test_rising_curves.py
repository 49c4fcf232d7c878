"""Rising curves are recovered, and no other search finds a better fit."""

import numpy as np
import pytest
from scipy.optimize import least_squares

from analysis.stats.rising_curves import POWER, SIGMOID, Rise, fit_rising

X = np.log(np.geomspace(1e3, 1e6, 40))


def sigmoid(start: float, end: float, middle: float, slope: float) -> np.ndarray:
    return start + (end - start) / (1 + (middle / np.exp(X)) ** slope)


def power(end: float, scale: float, exponent: float) -> np.ndarray:
    return end - (scale / np.exp(X)) ** exponent


def test_a_sigmoid_is_recovered():
    curves = np.array([sigmoid(0.1, 0.95, 3e4, 1.2), sigmoid(0.2, 0.6, 1e4, 0.7)])
    found = fit_rising(SIGMOID, X, curves)
    np.testing.assert_allclose(found.start, [0.1, 0.2], atol=1e-3)
    np.testing.assert_allclose(found.end, [0.95, 0.6], atol=1e-3)
    np.testing.assert_allclose(np.exp(found.bends), [[3e4, 1.2], [1e4, 0.7]], rtol=0.005)
    np.testing.assert_allclose(found.at(X), curves, atol=2e-4)
    assert not found.at_bound.any()


def test_a_power_of_the_gap_is_recovered():
    curves = np.array([power(0.95, 200.0, 0.4), power(0.8, 500.0, 1.1)])
    found = fit_rising(POWER, X, curves)
    np.testing.assert_allclose(found.end, [0.95, 0.8], atol=1e-4)
    np.testing.assert_allclose(np.exp(found.bends[:, 0]), [0.4, 1.1], rtol=1e-3)
    later = X[-1] + np.log(4)
    np.testing.assert_allclose(
        found.at(np.array([later]))[:, 0],
        [0.95 - (200 / np.exp(later)) ** 0.4, 0.8 - (500 / np.exp(later)) ** 1.1],
        atol=1e-4,
    )


def misfit(rise: Rise, numbers: np.ndarray, curve: np.ndarray) -> np.ndarray:
    share = rise.share(numbers[2:], X, float(X[0]))
    return numbers[0] + (numbers[1] - numbers[0]) * share - curve


@pytest.mark.parametrize("rise", [SIGMOID, POWER])
def test_no_other_search_finds_a_better_fit(rise):
    rng = np.random.default_rng(1)
    lower, upper = rise.bounds(X)
    for _ in range(6):
        curve = sigmoid(0.1, rng.uniform(0.5, 1.0), rng.uniform(1e3, 1e5), rng.uniform(0.4, 2))
        curve = curve + 0.01 * rng.standard_normal(len(X))
        found = fit_rising(rise, X, curve[None])
        loss = np.sum((found.at(X)[0] - curve) ** 2)
        bounds = (np.array([0, 0, *lower]), np.array([1, 1, *upper]))
        others = [
            2
            * least_squares(
                lambda numbers, curve=curve: misfit(rise, numbers, curve),
                [0.2, 0.8, *rng.uniform(lower, upper)],
                bounds=bounds,
            ).cost
            for _ in range(8)
        ]
        assert loss <= min(others) * (1 + 1e-4)


@pytest.mark.parametrize("rise", [SIGMOID, POWER])
@pytest.mark.parametrize("level", [0.0, 0.1, 1.0])
def test_flat_curves_are_fitted_without_warnings(rise, level):
    found = fit_rising(rise, X, np.full((2, len(X)), level))
    np.testing.assert_allclose(found.at(X), level, atol=1e-7)


@pytest.mark.parametrize("rise", [SIGMOID, POWER])
def test_curves_keep_within_what_a_return_can_be(rise):
    rng = np.random.default_rng(0)
    falling = np.linspace(1.1, -0.1, len(X)) + 0.05 * rng.standard_normal((3, len(X)))
    rising = falling[:, ::-1]
    far = np.array([X[0] - 5, X[-1] + 5])
    for curves in (falling, rising):
        found = fit_rising(rise, X, curves)
        assert ((found.start >= 0) & (found.start <= found.end) & (found.end <= 1)).all()
        assert np.isfinite(found.at(far)).all()
        assert ((found.at(far) >= 0) & (found.at(far) <= 1)).all()
    np.testing.assert_allclose(fit_rising(rise, X, falling).at(X), 0.5, atol=0.05)


def test_a_level_or_bend_at_its_bound_is_named():
    found = fit_rising(POWER, X, np.array([power(1.3, 4.0, 0.2)]))  # no end below 1 in sight
    assert found.at_bound[0, 0]
    found = fit_rising(SIGMOID, X, np.array([sigmoid(0.1, 0.9, 3e4, 40.0)]))
    assert found.at_bound[0, 3]

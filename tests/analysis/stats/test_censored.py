import numpy as np
import pytest
from scipy.stats import norm

from analysis.stats.censored import Values, fit, log_likelihood


@pytest.fixture(name="values")
def _values() -> Values:
    rng = np.random.default_rng(0)
    kind = np.array([0, 1, 0, 2, 0, 0, 1, 0, 0, 0, 0, 0])  # 1 right-, 2 left-censored
    return Values(
        rng.standard_normal(12),
        kind == 1,
        kind == 2,
        np.repeat([0, 1, 2], 4),
        np.tile(np.linspace(0, 1, 4), 3),
    )


SPREAD = np.array([-0.5, 0.3, -0.7])
MEANS = np.linspace(-0.4, 0.5, 12)


def test_likelihood_is_the_integral_over_the_effect_of_each_block(values):
    effects = np.linspace(-8, 8, 20_001)
    sigma = np.exp(SPREAD[0] + SPREAD[1] * values.spread)
    total = 0.0
    for block in range(3):
        density = norm.pdf(effects, 0, np.exp(SPREAD[2]))
        for i in np.flatnonzero(values.block == block):
            gap = (values.log_e[i] - MEANS[i] - effects) / sigma[i]
            if values.right[i]:
                density = density * norm.sf(gap)
            elif values.left[i]:
                density = density * norm.cdf(gap)
            else:
                density = density * norm.pdf(gap) / sigma[i]
        total += np.log(density.sum() * (effects[1] - effects[0]))
    assert log_likelihood(MEANS, SPREAD, values)[0] == pytest.approx(total, abs=1e-8)


def test_gradient_is_the_derivative(values):
    _, by_mean, by_spread = log_likelihood(MEANS, SPREAD, values)
    step = 1e-5
    for i, change in enumerate(step * np.eye(12)):
        up, down = (log_likelihood(MEANS + s * change, SPREAD, values)[0] for s in (1, -1))
        assert by_mean[i] == pytest.approx((up - down) / (2 * step), abs=1e-7)
    for i, change in enumerate(step * np.eye(3)):
        up, down = (log_likelihood(MEANS, SPREAD + s * change, values)[0] for s in (1, -1))
        assert by_spread[i] == pytest.approx((up - down) / (2 * step), abs=1e-7)


class Constant:
    """One level for all runs."""

    bounds = ((-10.0, 10.0),)

    def __init__(self, runs: int) -> None:
        self.runs = runs

    def __call__(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.full(self.runs, theta[0]), np.ones((self.runs, 1))


def test_level_of_uncensored_runs_is_their_mean():
    log_e = np.array([1.0, 2.0, 4.0])
    none = np.zeros(3, dtype=bool)
    found = fit(Constant(3), Values(log_e, none, none, np.zeros(3, int), np.zeros(3)), [np.ones(1)])
    assert found.theta[0] == pytest.approx(7 / 3, abs=1e-4)
    assert np.exp(found.spread[0]) == pytest.approx(np.std(log_e), rel=1e-2)


def test_a_held_parameter_stays():
    none = np.zeros(3, dtype=bool)
    values = Values(np.arange(3.0), none, none, np.zeros(3, int), np.zeros(3))
    assert fit(Constant(3), values, [np.ones(1)], fixed={0: 0.25}).theta[0] == 0.25


def test_censored_runs_leave_the_level_unbiased_where_dropping_them_does_not():
    rng = np.random.default_rng(1)
    block = np.repeat(np.arange(20), 10)
    log_e = 3 + 0.3 * rng.standard_normal(20)[block] + 0.5 * rng.standard_normal(200)
    right = log_e > 3.2
    values = Values(np.minimum(log_e, 3.2), right, np.zeros(200, bool), block, np.zeros(200))
    found = fit(Constant(200), values, [np.ones(1)])
    assert found.theta[0] == pytest.approx(log_e.mean(), abs=0.06)
    assert log_e[~right].mean() < log_e.mean() - 0.2

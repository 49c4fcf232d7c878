"""The theory of schedules whose rewards add up, against the code and the textbook forms."""

import numpy as np
import pytest

from mnist_horizon.baselines import BASELINES
from mnist_horizon.horizon import discount_from_horizon
from mnist_horizon.schedules import additive, make, parse
from tests.mnist_horizon.schedules import listed_policy
from tests.mnist_horizon.schedules.listed_policy import estimator, exact_moments

QUICK = [
    ("dense", 0.8, 1.0, 0, "expected_reward"),
    ("dense", 0.8, 0.6, 0, "state"),
    ("revealed:0.25", 0.7, 1.0, 0, "expected_reward"),
    ("periodic:4", 0.8, 1.0, 2, "expected_reward"),
    ("periodic:4", 0.8, 1.0, 2, "state"),
    ("periodic:4", 0.8, 1.0, 2, "running_mean"),
    ("periodic:4", 0.8, 0.6, 3, "expected_reward"),
]
SLOW = [
    *[("dense", 0.8, 1.0, 0, baseline) for baseline in BASELINES if baseline != "expected_reward"],
    *[("dense", 0.8, 0.6, 0, baseline) for baseline in ("expected_reward", "value_net")],
    *[("periodic:4", 0.8, 1.0, 2, baseline) for baseline in ("none", "batch_mean", "value_net")],
    ("revealed:0.25", 0.7, 1.0, 0, "state"),
    ("periodic:4", 0.8, 0.6, 3, "state"),
]
CASES = [*QUICK, *(pytest.param(*case, marks=pytest.mark.slow) for case in SLOW)]


@pytest.mark.parametrize(("text", "discount", "gae_lambda", "phase", "baseline"), CASES)
def test_window_covariance_is_that_of_the_code(text, discount, gae_lambda, phase, baseline):
    one = estimator(baseline, discount, gae_lambda, phase)
    listed_policy.assert_total_is_that_of_the_code(text, one)


@pytest.mark.parametrize(("text", "discount", "gae_lambda", "phase", "baseline"), CASES)
def test_parts_are_those_of_the_code(text, discount, gae_lambda, phase, baseline):
    one = estimator(baseline, discount, gae_lambda, phase)
    listed_policy.assert_parts_are_those_of_the_code(text, one)


@pytest.mark.parametrize("text", ["dense", "revealed:0.25", "periodic:4"])
@pytest.mark.parametrize("baseline", BASELINES)
def test_long_windows_become_endless(text, baseline):
    listed_policy.assert_long_rollouts_become_endless(text, baseline)


def test_endless_forms_are_the_textbook_ones():
    moments = exact_moments("expected_reward")
    mu, v, gamma, k = moments.accuracy, moments.answer_variance, 0.7, 4
    horizon_noise = moments.fisher * gamma**2 / (1 - gamma**2)
    dense = make("dense").covariance(gamma, moments)
    np.testing.assert_allclose(dense.total, moments.centred - moments.signal + v * horizon_noise)
    np.testing.assert_allclose(dense.future, v * horizon_noise)
    revealed = make("revealed", 0.25).covariance(gamma, moments)
    own = moments.correct * (4 - 2 * mu) + mu**2 * moments.fisher
    np.testing.assert_allclose(
        revealed.total, own - moments.signal + (4 * mu - mu**2) * horizon_noise
    )
    periodic = parse("periodic:4").covariance(gamma, moments)
    second = (1 - gamma ** (2 * k)) / (k * (1 - gamma**2))
    np.testing.assert_allclose(
        periodic.total,
        second * (moments.centred - moments.signal)
        + v * (1 / (1 - gamma**2) - second) * moments.fisher,
    )


def test_a_constant_baseline_costs_what_the_formula_says():
    """Subtracted from returns in place of rewards centred by phase, in units of F mu^2."""
    moments, schedule, gamma = exact_moments("running_mean"), parse("periodic:4"), 0.8

    def cost(k, gamma):
        paid = 1 - gamma**k
        return k * (2 - paid) / ((1 - gamma**2) * paid) - 1 / (1 - gamma) ** 2

    centred = schedule.covariance(gamma, moments, "expected_reward")
    constant = schedule.covariance(gamma, moments, "running_mean")
    weights = additive.endless_weights(4, gamma, moments, "running_mean")
    assert weights.constant == pytest.approx(cost(4, gamma) * moments.accuracy**2)
    cross = 2 * weights.own_constant * (moments.correct - moments.accuracy * moments.fisher)
    np.testing.assert_allclose(
        constant.total - centred.total, weights.constant * moments.fisher + cross
    )
    far = discount_from_horizon(100_000.0)
    weights = additive.endless_weights(12, far, moments, "running_mean")
    assert weights.constant / moments.accuracy**2 == pytest.approx((12**2 - 1) / 12, rel=1e-3)
    weights = additive.endless_weights(1, gamma, moments, "running_mean")
    assert weights.constant == pytest.approx(0, abs=1e-12)


def test_an_unknown_baseline_is_refused():
    moments = exact_moments("expected_reward")
    with pytest.raises(ValueError, match="unknown baseline"):
        make("dense").covariance(0.5, moments, "mystery")
    with pytest.raises(ValueError, match="unknown baseline"):
        make("dense").window_covariance(estimator("mystery", 0.5), moments)

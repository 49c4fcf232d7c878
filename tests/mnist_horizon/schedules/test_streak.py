import jax.numpy as jnp
import numpy as np
import pytest

from mnist_horizon.baselines import BASELINES
from mnist_horizon.schedules import parse
from tests.mnist_horizon.schedules import listed_policy
from tests.mnist_horizon.schedules.listed_policy import estimator, exact_moments
from tests.mnist_horizon.schedules.windows import (
    assert_centring_is_that_of_a_simulation,
    payments,
    state_value,
)

KNOWN = ("expected_reward", "state")


def test_a_window_pays_only_if_all_its_answers_are_right():
    assert payments("streak:2", [1, 1, 0, 1, 1, 1]).rewards[:, 0].tolist() == [0, 2, 0, 0, 0, 2]
    assert payments("streak:3", [1, 1, 1, 1, 1, 0]).rewards[:, 0].tolist() == [0, 0, 3, 0, 0, 0]


@pytest.mark.parametrize("text", ["streak:1", "streak:3"])
@pytest.mark.parametrize("accuracy", [0.1, 0.7])
def test_centring(text, accuracy):
    assert_centring_is_that_of_a_simulation(text, accuracy)


def test_centring_by_hand():
    found = parse("streak:3").expected_reward(jnp.arange(3), jnp.float32(0.5))
    assert found.tolist() == [0, 0, 0.375]
    assert parse("streak:3").mean_reward(0.5) == 0.125


def test_a_state_is_worth_what_its_window_may_still_pay():
    """Phase 1 of 3, so one step to the payment."""
    right, wrong = (state_value("streak:3", 1, count, 0.75, 0.5, 0.5) for count in (1.0, 0.0))
    assert right == pytest.approx(0.5 * 3 * (0.75 * 0.5 - 0.125))
    assert wrong == pytest.approx(0.5 * 3 * -0.125)


@pytest.mark.parametrize("baseline", KNOWN)
def test_window_covariance_is_that_of_the_code(baseline):
    one = estimator(baseline, 0.8, phase=1)
    listed_policy.assert_total_is_that_of_the_code("streak:3", one)


@pytest.mark.parametrize("baseline", KNOWN)
def test_parts_are_those_of_the_code(baseline):
    one = estimator(baseline, 0.8, phase=1)
    listed_policy.assert_parts_are_those_of_the_code("streak:3", one)


@pytest.mark.parametrize("baseline", KNOWN)
def test_long_windows_become_endless(baseline):
    listed_policy.assert_long_rollouts_become_endless("streak:3", baseline)


def test_the_endless_form_is_that_of_the_docstring():
    moments, gamma, k = exact_moments("expected_reward"), 0.7, 3
    mu, fisher = moments.accuracy, moments.fisher
    square = (1 - gamma ** (2 * k)) / (k * (1 - gamma**2))
    own = moments.correct * mu ** (k - 1) * (1 - 2 * mu**k) + fisher * mu ** (2 * k)
    later = mu**k * (1 - mu**k) * square * gamma ** (2 * k) / (1 - gamma ** (2 * k))
    total = k**2 * (square * (own - mu ** (2 * k - 2) * moments.signal) + fisher * later)
    np.testing.assert_allclose(parse("streak:3").covariance(gamma, moments).total, total)


@pytest.mark.parametrize("baseline", sorted(set(BASELINES) - set(KNOWN)))
def test_other_baselines_have_no_known_form(baseline):
    schedule, moments = parse("streak:3"), exact_moments(baseline)
    with pytest.raises(ValueError, match="streak"):
        schedule.covariance(0.7, moments, baseline)
    found = schedule.window_covariance(estimator(baseline, 0.7), moments)
    assert np.isnan(found.action).all()


def test_a_lambda_below_1_has_no_known_form():
    found = parse("streak:3").window_covariance(
        estimator("state", 0.7, 0.5), exact_moments("state")
    )
    assert np.isnan(found.total).all()

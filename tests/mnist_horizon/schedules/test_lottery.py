"""`lottery:p`: one draw per window of 16 steps, and what it does to the noise."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from mnist_horizon.baselines import BASELINES
from mnist_horizon.schedules import make, parse
from tests.mnist_horizon.schedules import listed_policy
from tests.mnist_horizon.schedules.listed_policy import estimator, exact_moments
from tests.mnist_horizon.schedules.windows import (
    assert_centring_is_that_of_a_simulation,
    state_value,
)

QUICK = [
    (0.8, 1.0, 12, "expected_reward"),  # the draw is known for four steps, then made anew
    (0.8, 0.6, 12, "state"),
    (0.8, 0.6, 3, "expected_reward"),  # the open window is bootstrapped
]
SLOW = [
    (0.8, 1.0, 0, "state"),
    *[(0.8, 1.0, 12, baseline) for baseline in ("none", "batch_mean", "running_mean")],
    *[(0.8, gae_lambda, 12, "value_net") for gae_lambda in (1.0, 0.6)],
]
CASES = [*QUICK, *(pytest.param(*case, marks=pytest.mark.slow) for case in SLOW)]


def paid(correct, uniform, phase=0, carried=0.0, level=0.25):
    """Payments of one environment."""
    columns = (jnp.asarray(one, jnp.float32)[:, None] for one in (correct, uniform))
    return parse(f"lottery:{level}").rewards(
        *columns, jnp.int32(phase), jnp.full(1, carried, jnp.float32)
    )


def test_a_windows_first_uniform_decides_for_all_its_steps():
    correct = np.arange(32) % 2
    uniform = np.full(32, 0.9)
    uniform[[0, 20]] = 0.1  # the first window wins; step 20 draws nothing
    found = paid(correct, uniform)
    assert found.rewards[:, 0].tolist() == [*(4.0 * correct[:16]), *[0.0] * 16]
    assert found.phase.tolist() == [*range(16), *range(16), 0]
    known = np.float32([0, *[0.1] * 15, 0, *[0.9] * 15, 0])
    np.testing.assert_array_equal(found.carried[:, 0], known)


def test_a_draw_is_carried_into_the_next_rollout():
    for carried, factor in ((0.1, 4.0), (0.9, 0.0)):
        found = paid(np.ones(6), np.full(6, 0.5), phase=13, carried=carried)
        assert found.rewards[:, 0].tolist() == [factor] * 3 + [0.0] * 3
        assert found.carried[3, 0] == 0
        assert found.carried[6, 0] == 0.5


def test_windows_win_with_probability_p_and_independently():
    uniform = jax.random.uniform(jax.random.key(0), (16 * 4000, 1))
    ones = jnp.ones_like(uniform)
    found = make("lottery", 0.25).rewards(ones, uniform, jnp.int32(0), jnp.zeros(1))
    wins = np.asarray(found.rewards).reshape(4000, 16)
    assert set(np.unique(wins)) == {0.0, 4.0}
    assert (wins == wins[:, :1]).all()
    won = wins[:, 0] > 0
    assert stats.binomtest(int(won.sum()), 4000, 0.25).pvalue > 0.01
    assert abs(np.corrcoef(won[1:], won[:-1])[0, 1]) < 4 / np.sqrt(4000)


@pytest.mark.parametrize("accuracy", [0.1, 0.7])
def test_centring(accuracy):
    assert_centring_is_that_of_a_simulation("lottery:0.2", accuracy)


def test_a_state_is_worth_the_rest_of_its_window_once_drawn():
    """Phase 14: this answer and one more, paid 1 / p or 0, against their mean."""
    before = state_value("lottery:0.25", 0, 0.0, 0.75, 0.5, 0.5)
    won, lost = (state_value("lottery:0.25", 14, draw, 0.75, 0.5, 0.5) for draw in (0.1, 0.9))
    assert before == 0.25
    assert won == pytest.approx((4 * 0.75 - 0.5) + 0.5 * (4 * 0.5 - 0.5))
    assert lost == pytest.approx(-0.5 - 0.5 * 0.5)


@pytest.mark.parametrize(("discount", "gae_lambda", "phase", "baseline"), CASES)
def test_window_covariance_is_that_of_the_code(discount, gae_lambda, phase, baseline):
    one = estimator(baseline, discount, gae_lambda, phase)
    listed_policy.assert_total_is_that_of_the_code("lottery:0.5", one, environments=60_000)


@pytest.mark.parametrize(("discount", "gae_lambda", "phase", "baseline"), CASES)
def test_parts_are_those_of_the_code(discount, gae_lambda, phase, baseline):
    one = estimator(baseline, discount, gae_lambda, phase)
    listed_policy.assert_parts_are_those_of_the_code("lottery:0.5", one, environments=12_000)


@pytest.mark.parametrize("text", ["lottery:0.25", "lottery:1"])
@pytest.mark.parametrize("baseline", BASELINES)
def test_long_windows_become_endless(text, baseline):
    listed_policy.assert_long_rollouts_become_endless(text, baseline)


@pytest.mark.parametrize("baseline", sorted({*BASELINES} - {"batch_mean"}))  # it holds the answers
def test_expected_advantages_are_the_means_over_draws_to_come(baseline):
    """Of the real advantages, given the state and the action of one step in each environment."""
    one = estimator(baseline, 0.8, phase=12, steps=9)
    schedule, count = listed_policy.traced("lottery:0.5"), 60_000
    keys = jax.random.split(jax.random.key(3))
    index, _, correct, uniform = listed_policy.draw(keys[0], (9, count))
    paid = listed_policy.player(keys[1], schedule, one, count)(index, correct, uniform)
    before = listed_policy.carried_in(keys[1], schedule, one, count)
    states, value, mean = listed_policy.states(schedule, one, index, correct, uniform, before)
    wrong, right = schedule.expected_advantages(one, states, value, mean)
    gap = paid - jnp.where(correct > 0, right, wrong)
    for chosen in (correct > 0, correct == 0, states.carried < 0.5, states.carried >= 0.5):
        total = jnp.maximum(chosen.sum(axis=1), 1)
        by_step = jnp.sum(gap * chosen, axis=1) / total
        error = jnp.sqrt(jnp.sum(chosen * gap**2, axis=1)) / total
        assert jnp.all(jnp.abs(by_step) < 4.5 * error + 2e-3)
    assert float(jnp.abs(right - wrong).max()) > 1.5  # f = 2 where a window has won


def test_a_long_rollout_is_that_of_the_code():
    """Three windows, where most of the noise is that of later draws."""
    one = estimator("expected_reward", 0.9, phase=5, steps=40)
    listed_policy.assert_total_is_that_of_the_code("lottery:0.5", one, environments=40_000)


def test_the_endless_form_is_that_of_the_docstring():
    moments, p, gamma = exact_moments("expected_reward"), 0.25, 0.9
    mu, fisher, q = moments.accuracy, moments.fisher, (1 - p) / p
    total = moments.correct / p - 2 * mu * moments.correct + mu**2 * fisher - moments.signal
    whole = sum(gamma**i for i in range(1, 17))
    for rest in range(16):
        part = sum(gamma**i for i in range(1, rest + 1))
        later = gamma ** (2 * rest) * whole**2 / (1 - gamma**32)
        variance = moments.answer_variance / p * gamma**2 / (1 - gamma**2)
        variance += mu**2 * q * (part**2 + later)
        total = total + (2 * moments.correct * q * mu * part + fisher * variance) / 16
    found = make("lottery", p).covariance(gamma, moments)
    np.testing.assert_allclose(found.total, total, rtol=1e-10)
    np.testing.assert_allclose(found.within, 15 * q * moments.signal)
    assert found.signal_factor == 1


@pytest.mark.parametrize("baseline", BASELINES)
def test_a_lottery_that_always_wins_is_dense(baseline):
    moments = exact_moments(baseline)
    sure, dense = (make(kind).covariance(0.8, moments, baseline) for kind in ("lottery", "dense"))
    jax.tree.map(np.testing.assert_allclose, sure, dense)


def test_at_no_horizon_the_lottery_is_as_noisy_as_masks_drawn_every_step():
    moments = exact_moments("expected_reward")
    lottery, revealed = (make(kind, 0.25) for kind in ("lottery", "revealed"))
    at_once = [one.covariance(0.0, moments).total for one in (lottery, revealed)]
    np.testing.assert_allclose(*at_once)
    later = [np.trace(one.covariance(0.9, moments).total) for one in (lottery, revealed)]
    assert later[0] > 2 * later[1]


@pytest.mark.parametrize("level", ["0", "1.5", "nan", "1e-50"])
def test_impossible_levels_are_refused(level):
    with pytest.raises(ValueError, match="lottery:p"):
        parse(f"lottery:{level}")

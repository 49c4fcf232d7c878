import jax.numpy as jnp
import pytest

from mnist_horizon.schedules import parse
from tests.mnist_horizon.schedules.windows import (
    assert_centring_is_that_of_a_simulation,
    payments,
    state_value,
)


def test_a_window_pays_for_its_right_answers_at_its_end():
    found = payments("periodic:3", [1, 0, 1, 1, 1, 1, 0])
    assert found.rewards[:, 0].tolist() == [0, 0, 2, 0, 0, 3, 0]
    assert payments("periodic:1", [1, 0]).rewards[:, 0].tolist() == [1, 0]


@pytest.mark.parametrize("accuracy", [0.1, 0.7])
def test_centring(accuracy):
    assert_centring_is_that_of_a_simulation("periodic:3", accuracy)


def test_centring_by_hand():
    found = parse("periodic:3").expected_reward(jnp.arange(3), jnp.float32(0.5))
    assert found.tolist() == [0, 0, 1.5]


def test_a_state_is_worth_what_its_window_will_pay():
    """Phase 1 of 3 with one right answer: one step to the payment of 1 + 3/4 + 1/2 - 3/2."""
    assert state_value("periodic:3", 1, 1.0, 0.75, 0.5, 0.5) == pytest.approx(0.5 * 0.75)


def test_the_signal_shrinks_by_the_mean_discount_to_the_payment():
    assert parse("periodic:4").signal_factor(0.5) == (1 + 1 / 2 + 1 / 4 + 1 / 8) / 4
    assert parse("periodic:4").signal_factor(0.0) == 1 / 4

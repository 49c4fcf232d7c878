import pytest

from tests.mnist_horizon.schedules.windows import (
    assert_centring_is_that_of_a_simulation,
    payments,
    state_value,
)


def test_every_right_answer_is_paid_at_once():
    found = payments("dense", [1, 0, 1])
    assert found.rewards[:, 0].tolist() == [1, 0, 1]
    assert found.phase.tolist() == [0, 0, 0, 0]
    assert not found.carried.any()
    assert found.carried.shape == (4, 1)


@pytest.mark.parametrize("accuracy", [0.1, 0.7])
def test_centring(accuracy):
    assert_centring_is_that_of_a_simulation("dense", accuracy)


def test_a_state_is_worth_its_own_answer_alone():
    assert state_value("dense", 0, 0.0, 0.75, 0.5, 0.9) == 0.25

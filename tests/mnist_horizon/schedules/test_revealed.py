import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from mnist_horizon.schedules import make
from tests.mnist_horizon.schedules.windows import assert_centring_is_that_of_a_simulation


def test_right_answers_are_paid_at_random_and_keep_the_mean():
    uniform = jax.random.uniform(jax.random.key(0), (20_000, 1))
    schedule, zero = make("revealed", 0.25), (jnp.int32(0), jnp.zeros(1))
    paid = schedule.rewards(jnp.ones((20_000, 1)), uniform, *zero).rewards
    assert set(np.unique(paid)) == {0.0, 4.0}
    assert jnp.array_equal(paid[:, 0] > 0, uniform[:, 0] < 0.25)
    assert stats.binomtest(int((paid > 0).sum()), 20_000, 0.25).pvalue > 0.01
    assert not schedule.rewards(jnp.zeros((20_000, 1)), uniform, *zero).rewards.any()


@pytest.mark.parametrize("accuracy", [0.1, 0.7])
def test_centring(accuracy):
    assert_centring_is_that_of_a_simulation("revealed:0.2", accuracy)


def test_the_noise_of_the_future_grows_as_a_mask_makes_it():
    """By `(1/p - mu) / (1 - mu)`, against dense rewards."""
    from mnist_horizon.theory import moments_from_ratio

    moments = moments_from_ratio(1.5, 0.3, 0.01)
    masked, dense = (one.covariance(0.9, moments) for one in (make("revealed", 0.2), make("dense")))
    own = moments.correct * (1 / 0.2 - 1)
    assert (masked.future - own) / dense.future == pytest.approx((1 / 0.2 - 0.3) / (1 - 0.3))

import numpy as np
import pytest

from mnist_horizon.horizon import discount_from_horizon, horizon_from_discount, variance_horizon


@pytest.mark.parametrize(
    ("horizon", "discount"), [(1, 0.0), (3, 0.5), (7, 0.75), (31, 0.9375), (127, 0.984375)]
)
def test_hand_values_and_inverse(horizon, discount):
    assert discount_from_horizon(float(horizon)) == discount
    assert horizon_from_discount(discount) == horizon


def test_inverse_over_the_range():
    horizons = np.geomspace(1, 1e4, 50)
    assert np.allclose(horizon_from_discount(discount_from_horizon(horizons)), horizons)


@pytest.mark.parametrize("horizon", [1.0, 2.0, 5.5, 64.0])
def test_horizon_is_the_effective_number_of_timesteps(horizon):
    weights = discount_from_horizon(horizon) ** np.arange(10_000)
    assert weights.sum() ** 2 / (weights**2).sum() == pytest.approx(horizon, rel=1e-9)


@pytest.mark.parametrize("horizon", [1.0, 2.0, 5.5, 64.0])
def test_variance_horizon_sums_the_squared_weights_of_the_future(horizon):
    discount = discount_from_horizon(horizon)
    assert variance_horizon(horizon) == pytest.approx(discount**2 / (1 - discount**2), abs=1e-12)
    weights = discount ** np.arange(1, 10_000)
    assert variance_horizon(horizon) == pytest.approx((weights**2).sum(), abs=1e-12)


def test_variance_of_the_future_of_unit_noise():
    generator = np.random.default_rng(0)
    discount = discount_from_horizon(7.0)
    noise = generator.normal(size=(20_000, 80))
    future = noise @ discount ** np.arange(1, 81)
    assert future.var() == pytest.approx(variance_horizon(7.0), rel=0.05)

import re
from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mnist_horizon.advantages import discounted_sums
from mnist_horizon.horizon import (
    discount_from_horizon,
    horizon_from_discount,
    single_precision_fault,
    single_precision_horizon,
    variance_horizon,
)
from mnist_horizon.moments import Moments
from mnist_horizon.schedules import parse

RUN = {
    1.0: (0.0, ""),
    1e1: (0.0, ""),
    1e2: (0.0, ""),
    1e3: (-0.000003, ""),
    1e4: (0.000032, ""),
    1e5: (-0.001366, ""),
    1e6: (-0.013106, "986894.059"),
    1e7: (0.118481, "11184809.7"),
}
"""By power of ten, the error of the horizon that single precision runs, and what to run instead."""


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


# Single precision


@pytest.mark.parametrize("horizon", RUN)
def test_a_horizon_is_run_to_one_percent_or_refused_with_the_nearest(horizon):
    error, instead = RUN[horizon]
    assert single_precision_horizon(horizon) / horizon - 1 == pytest.approx(error, abs=1e-6)
    fault = single_precision_fault(horizon)
    assert bool(fault) == bool(instead) == (abs(error) > 0.01)
    assert instead in fault
    named = float(instead or horizon)
    assert single_precision_fault(named) == ""
    assert single_precision_horizon(named) == pytest.approx(named, rel=1e-8 if instead else 2e-3)


def test_every_horizon_up_to_the_one_that_is_named_is_run_to_one_percent():
    bound = float(re.search(r"any up to (\d+)$", single_precision_fault(1e6))[1])
    # The worst lie half-way between two discounts of single precision, 2^-24 apart.
    steps = np.arange(2 / (bound + 1) // 2.0**-24, 200) + 0.5
    horizons = horizon_from_discount(1 - steps * 2.0**-24)
    horizons = np.append(horizons[horizons <= bound], bound)
    assert not any(single_precision_fault(horizon) for horizon in horizons)
    assert single_precision_fault(1.2 * bound) == ""  # not every one above is refused
    for horizon in (1e8, 1e20, np.inf):
        assert "choose 33554431" in single_precision_fault(horizon)


LENGTH = 1 << 17
weights = jax.jit(discounted_sums)


@pytest.mark.parametrize("horizon", [float(other or named) for named, (_, other) in RUN.items()])
def test_advantages_weigh_later_rewards_by_the_horizon_that_is_recorded(horizon):
    """From the weight of one reward that is paid many steps later, by the sums of training."""
    lag = int(np.clip(2 * horizon, 2, LENGTH - 1)) if horizon > 1 else 1
    paid = (jnp.arange(LENGTH) == lag).astype(jnp.float32)
    weight = float(weights(paid, jnp.float32(discount_from_horizon(horizon)))[0])
    assert horizon_from_discount(weight ** (1 / lag)) == pytest.approx(horizon, rel=2e-3)


MU, FISHER, CORRECT, STATE, SIGNAL = (Fraction(x) for x in ("1/3", "7", "3/2", "1/100", "1/200"))


def exact_closed_form(text, gamma, baseline):
    """Covariance and signal factor of the docstrings, for exact numbers (moments as traces)."""
    kind, _, level = text.partition(":")
    k = int(level) if kind in ("periodic", "streak") else 1
    s1 = (1 - gamma**k) / (k * (1 - gamma))
    s2 = (1 - gamma ** (2 * k)) / (k * (1 - gamma**2))
    if kind == "streak":
        own = CORRECT * MU ** (k - 1) * (1 - 2 * MU**k) + FISHER * MU ** (2 * k)
        own -= MU ** (2 * k - 2) * SIGNAL
        later = MU**k * (1 - MU**k) * gamma ** (2 * k) / (1 - gamma ** (2 * k))
        return k**2 * s2 * (own + FISHER * later), k * MU ** (k - 1) * s1
    paid = 1 / Fraction(level) if kind == "revealed" else 1
    own = (paid - 2 * MU) * CORRECT + MU**2 * FISHER - SIGNAL
    total = s2 * own + FISHER * (paid * MU - MU**2) * (1 / (1 - gamma**2) - s2)
    if baseline == "batch_mean":
        left = k * (1 + gamma**k) / ((1 - gamma**2) * (1 - gamma**k)) - 1 / (1 - gamma) ** 2
        cross = k * s2 / (1 - gamma**k) - s1 / (1 - gamma)
        total += FISHER * MU**2 * left + 2 * MU * cross * (CORRECT - MU * FISHER)
    return total, s1


@pytest.mark.parametrize("horizon", RUN)
@pytest.mark.parametrize(
    "text", ["dense", "revealed:0.25", "periodic:4", "periodic:64", "streak:4"]
)
def test_closed_forms_hold_at_every_horizon(text, horizon):
    schedule, gamma = parse(text), discount_from_horizon(horizon)
    moments = Moments(*map(float, (MU, FISHER, CORRECT, STATE, SIGNAL)))
    for baseline in ["expected_reward", "batch_mean"] if schedule.adds_up else ["expected_reward"]:
        total, factor = exact_closed_form(text, 1 - 2 / (Fraction(horizon) + 1), baseline)
        found = schedule.covariance(gamma, moments, baseline)
        assert found.total == pytest.approx(float(total), rel=1e-3)
        assert found.signal_factor == pytest.approx(float(factor), rel=1e-6)

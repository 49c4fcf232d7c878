"""What follows from the noise of a gradient: noise scale, multiplier, knee, best horizon."""

import math

import jax
import numpy as np
import pytest
from scipy.optimize import brentq

from mnist_horizon import theory
from mnist_horizon.schedules import make, parse
from tests.mnist_horizon.schedules.listed_policy import estimator, exact_moments, simulate


@pytest.mark.parametrize("period", [8, 64])
def test_best_horizon_of_a_delay(period):
    schedule = parse(f"periodic:{period}")
    best = theory.best_horizon(schedule, 1.0)
    y = brentq(lambda y: math.exp(y) - 1 - 2 * y, 0.5, 3)
    assert best == pytest.approx(2 / y * period, rel=0.01)
    assert theory.best_horizon(schedule, 9.0) > 1.01 * best
    moments = theory.moments_from_ratio(1.0, 0.3, 1e-9)
    least = theory.noise_over_signal(schedule, best, moments)
    for factor in (0.9, 1.1):
        assert theory.noise_over_signal(schedule, factor * best, moments) > least
    # With no horizon at all the delay costs k to k^2: k^2 for A = F v, near k for A >> F v.
    costs = [
        theory.noise_over_signal(schedule, 1.0, moments)
        / theory.noise_over_signal(make("dense"), 1.0, moments)
        for moments in (moments, theory.moments_from_ratio(9.0, 0.1, 1e-9))
    ]
    assert costs[0] == pytest.approx(period**2)
    assert period < costs[1] < period**2 / 4


def test_best_horizon_elsewhere():
    assert theory.best_horizon(make("dense"), 2.0) == 1
    assert theory.best_horizon(parse("revealed:0.1"), 2.0) == 1
    assert theory.best_horizon(parse("streak:4"), 1.0, accuracy=0.6) > 2
    with pytest.raises(ValueError, match="accuracy"):
        theory.best_horizon(parse("streak:4"), 1.0)
    with pytest.raises(ValueError, match="ratio 3"):
        theory.moments_from_ratio(3.0, 0.5)


def test_equivalent_horizon_has_the_same_noise_over_signal():
    assert theory.equivalent_horizon(make("dense"), 9.0) == pytest.approx(9)
    moments = theory.moments_from_ratio(1.0, 0.5, 1e-9)
    for text in ("revealed:0.25", "periodic:8"):
        horizon = theory.equivalent_horizon(parse(text), 7.0)
        assert theory.noise_over_signal(make("dense"), horizon, moments) == pytest.approx(
            theory.noise_over_signal(parse(text), 7.0, moments), rel=1e-6
        )


def test_multiplier_and_knee_agree():
    dense, moments = make("dense"), theory.moments_from_ratio(2.0, 0.2, 0.01)
    knee = theory.knee(moments, 256)
    assert theory.scaling_multiplier(dense, knee, moments, 256) == pytest.approx(2)
    assert theory.scaling_multiplier(dense, 1.0, moments, 256) == pytest.approx(1)
    base = 256 + (2.0 - 0.01) / 0.01
    assert 256 + theory.noise_over_signal(dense, 1.0, moments) == pytest.approx(base)
    with pytest.raises(ValueError, match="none"):
        theory.knee(moments, 256, "none")


def test_noise_scale_is_that_of_a_batch_of_the_code():
    """At B = B_noise the squared noise of a batch mean is the squared mean gradient."""
    schedule, gamma = parse("periodic:3"), 0.6
    moments = exact_moments("expected_reward")
    traces = jax.tree.map(lambda leaf: np.trace(leaf) if np.ndim(leaf) else leaf, moments)
    steps = 30  # long against the horizon of 4, so that the window is as good as endless
    one = estimator("expected_reward", gamma, steps=steps)
    found = simulate(jax.random.key(3), schedule, one)
    measured = np.trace(found["batch"]) / np.sum(np.asarray(found["mean"]) ** 2)
    assert theory.noise_over_signal(schedule, 4.0, traces) == pytest.approx(measured, rel=0.04)


def test_what_has_no_closed_form_is_refused():
    moments = theory.moments_from_ratio(1.0, 0.3)
    with pytest.raises(ValueError, match="unknown baseline"):
        theory.noise_over_signal(make("dense"), 3.0, moments, "mystery")
    with pytest.raises(ValueError, match="known for 'expected_reward', not 'state'"):
        theory.noise_over_signal(parse("streak:3"), 3.0, moments, "state")

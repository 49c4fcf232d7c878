"""What the tests of the schedules share: rewards from the table of definitions, and centring."""

import jax.numpy as jnp
import numpy as np

from mnist_horizon.schedules import parse


def payments(text, correct, uniform=0.0, phase=0, carried=0.0):
    """Payments of one environment that answers like this."""
    correct = jnp.asarray(correct, jnp.float32)[:, None]
    uniform = jnp.broadcast_to(jnp.float32(uniform), correct.shape[:1])[:, None]
    return parse(text).rewards(
        correct, uniform, jnp.int32(phase), jnp.full(1, carried, jnp.float32)
    )


def state_value(text, phase, carried, probability, accuracy, discount):
    """Value of one state."""
    numbers = map(jnp.float32, (carried, probability, accuracy, discount))
    return float(parse(text).state_value(jnp.int32(phase), *numbers))


def simulate(text, accuracy, windows=60_000):
    """Rewards [window, step] of right answers drawn independently, written down anew."""
    kind, _, level = text.partition(":")
    level, generator = float(level or 1), np.random.default_rng(1)
    steps = {"dense": 1, "revealed": 1, "lottery": 16}.get(kind, int(level))
    right = generator.random((windows, steps)) < accuracy
    rewards = np.zeros((windows, steps))
    if kind in ("dense", "revealed", "lottery"):
        drawn = generator.random((windows, 1)) < level
        rewards = right * drawn / level
    elif kind == "periodic":
        rewards[:, -1] = right.sum(axis=1)
    else:
        rewards[:, -1] = steps * right.all(axis=1)
    return rewards


def assert_centring_is_that_of_a_simulation(text, accuracy):
    """`expected_reward` by phase, `mean_reward` and, as its slope, `marginal_reward`."""
    schedule, rewards = parse(text), simulate(text, accuracy)
    error = 4 * rewards.std(axis=0) / np.sqrt(len(rewards)) + 1e-6
    by_phase = schedule.expected_reward(jnp.arange(rewards.shape[1]), jnp.float32(accuracy))
    assert np.all(np.abs(rewards.mean(axis=0) - by_phase) <= error)
    assert abs(rewards.mean() - schedule.mean_reward(accuracy)) <= error.mean()
    assert schedule.mean_reward(1.0) == 1.0
    rise = schedule.mean_reward(accuracy + 1e-3) - schedule.mean_reward(accuracy - 1e-3)
    np.testing.assert_allclose(schedule.marginal_reward(accuracy), rise / 2e-3, rtol=1e-4)

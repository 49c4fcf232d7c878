"""What normalising does to an action-dependent baseline: exact means over examples and actions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mnist_horizon.action_baselines import action_dependent_loss
from mnist_horizon.losses import policy_gradient_loss

RNG = np.random.default_rng(3)
EXAMPLES, ACTIONS = 6, 3
LOGITS = jnp.asarray(RNG.normal(size=(EXAMPLES, ACTIONS)), jnp.float32)
ADVANTAGES = jnp.asarray(RNG.normal(size=(EXAMPLES, ACTIONS)), jnp.float32)
BASELINE = jnp.asarray(RNG.normal(size=(EXAMPLES, ACTIONS)), jnp.float32)


def mean_gradient(**settings: float) -> np.ndarray:
    """E[g] in the logits, exact: every action with its probability as weight."""
    policy = jax.nn.softmax(LOGITS)

    def loss(action, advantages):
        gradient = jax.grad(action_dependent_loss)(
            LOGITS, jnp.full(EXAMPLES, action), advantages, BASELINE, **settings
        )
        return policy[:, action, None] * gradient

    return -EXAMPLES * np.asarray(sum(loss(a, ADVANTAGES[:, a]) for a in range(ACTIONS)))


def policy_gradient(table: jax.Array) -> np.ndarray:
    """Gradient of sum_a pi(a|x) table(x, a)."""
    return np.asarray(jax.grad(lambda z: jnp.sum(jax.nn.softmax(z) * table))(LOGITS))


def test_the_correction_keeps_the_mean():
    np.testing.assert_allclose(mean_gradient(), policy_gradient(ADVANTAGES), atol=1e-5)
    both = mean_gradient(scale=0.25, correction_scale=0.25)
    np.testing.assert_allclose(both, 0.25 * policy_gradient(ADVANTAGES), atol=1e-5)


def test_no_baseline_is_the_plain_loss():
    actions = jnp.array([0, 1, 2, 0, 1, 2])
    advantages = ADVANTAGES[:, 0]
    plain = jax.grad(policy_gradient_loss)(LOGITS, actions, advantages)
    other = jax.grad(action_dependent_loss)(LOGITS, actions, advantages, 0 * BASELINE)
    np.testing.assert_allclose(other, plain, atol=1e-7)


@pytest.mark.parametrize("sigma", [0.5, 4.0])
def test_normalising_without_the_correction_is_biased(sigma):
    true, of_baseline = policy_gradient(ADVANTAGES), policy_gradient(BASELINE)
    found = mean_gradient(scale=1 / sigma, correction_scale=1.0)
    np.testing.assert_allclose(found, (true - of_baseline) / sigma + of_baseline, atol=1e-5)

    def cosine(first: np.ndarray, second: np.ndarray) -> float:
        return float(np.sum(first * second) / np.linalg.norm(first) / np.linalg.norm(second))

    assert cosine(found, true) < 0.95
    towards = np.sum((found * sigma - true) * of_baseline)
    assert (towards > 0) == (sigma > 1)

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import rlax
from scipy import special, stats

from mnist_horizon import losses

LOGITS = jnp.array([[0.0, jnp.log(3.0)], [jnp.log(4.0), 0.0]])  # policies (1/4, 3/4), (4/5, 1/5)
ACTIONS = jnp.array([0, 1])
ADVANTAGES = jnp.array([2.0, -1.0])


@pytest.fixture(scope="module")
def batch():
    generator = np.random.default_rng(0)
    logits, old = (generator.normal(size=(50, 6)).astype(np.float32) for _ in range(2))
    actions = generator.integers(6, size=50).astype(np.int32)
    advantages = generator.normal(size=50).astype(np.float32)
    return tuple(map(jnp.asarray, (logits, old, actions, advantages)))


def test_pick_takes_the_entry_of_each_action(batch):
    logits, _, actions, _ = batch
    assert jnp.array_equal(losses.pick(logits, actions), logits[jnp.arange(50), actions])
    grid = logits.reshape(5, 10, 6)
    assert jnp.array_equal(
        losses.pick(grid, actions.reshape(5, 10)).ravel(), logits[jnp.arange(50), actions]
    )
    gradient = jax.grad(lambda table: losses.pick(table, ACTIONS).sum())(LOGITS)
    assert gradient.tolist() == [[1, 0], [0, 1]]


def test_policy_gradient_loss_and_its_gradient_by_hand():
    loss, gradient = jax.value_and_grad(losses.policy_gradient_loss)(LOGITS, ACTIONS, ADVANTAGES)
    # -(2 log(1/4) - log(1/5)) / 2; the gradient is -A (onehot(a) - pi) / B.
    assert float(loss) == pytest.approx(-(2 * np.log(1 / 4) - np.log(1 / 5)) / 2)
    expected = [[-2 * 0.75 / 2, 2 * 0.75 / 2], [-0.8 / 2, 0.8 / 2]]
    assert np.allclose(gradient, expected, atol=1e-6)


def test_policy_gradient_loss_against_rlax_and_advantages_are_constants(batch):
    logits, _, actions, advantages = batch
    theirs = rlax.policy_gradient_loss(logits, actions, advantages, jnp.ones(50))
    assert float(losses.policy_gradient_loss(logits, actions, advantages)) == pytest.approx(
        float(theirs), rel=1e-5
    )
    through = jax.grad(losses.policy_gradient_loss, argnums=2)(logits, actions, advantages)
    assert not through.any()


@pytest.mark.parametrize(
    ("advantage", "ratio", "value", "moves"),
    [
        (1.0, 1.1, -1.1, True),
        (1.0, 1.5, -1.2, False),  # clipped: nothing more to gain
        (1.0, 0.5, -0.5, True),  # a bad step is felt in full
        (-1.0, 0.5, 0.8, False),
        (-1.0, 1.5, 1.5, True),
    ],
)
def test_clipped_loss_by_hand(advantage, ratio, value, moves):
    old = jnp.log(jnp.array([0.25 / ratio]))
    loss, gradient = jax.value_and_grad(losses.clipped_loss)(
        LOGITS[:1], ACTIONS[:1], jnp.array([advantage]), old, 0.2
    )
    assert float(loss) == pytest.approx(value, rel=1e-5)
    assert bool(jnp.any(gradient != 0)) is moves


def test_clipped_loss_against_rlax(batch):
    logits, old_logits, actions, advantages = batch
    old = losses.log_probability(old_logits, actions)
    ratio = jnp.exp(losses.log_probability(logits, actions) - old)
    theirs = rlax.clipped_surrogate_pg_loss(ratio, advantages, 0.2)
    ours = losses.clipped_loss(logits, actions, advantages, old, 0.2)
    assert float(ours) == pytest.approx(float(theirs), rel=1e-5)


def test_clipped_loss_starts_with_the_policy_gradient(batch):
    logits, _, actions, advantages = batch
    old = losses.log_probability(logits, actions)
    clipped = jax.grad(losses.clipped_loss)(logits, actions, advantages, old, 0.2)
    plain = jax.grad(losses.policy_gradient_loss)(logits, actions, advantages)
    assert jnp.allclose(clipped, plain, atol=1e-6)


def test_objectives_over_all_actions_by_hand():
    labels = jnp.array([[0.0, 1.0], [1.0, 0.0]])
    assert jnp.allclose(losses.expected_score(LOGITS, labels), jnp.array([3 / 4, 4 / 5]))
    assert losses.cross_entropy(LOGITS, labels) == pytest.approx(-np.log(3 / 4 * 4 / 5) / 2)
    gradient = jax.grad(losses.cross_entropy)(LOGITS, labels)
    assert jnp.allclose(gradient, (jnp.array([[1 / 4, 3 / 4], [4 / 5, 1 / 5]]) - labels) / 2)


def test_objectives_of_graded_scores_and_of_none():
    """Cross-entropy weighs answers by their scores; what has no right answer adds nothing."""
    graded = jnp.array([[0.5, 1.0], [0.0, 0.0]])
    assert jnp.allclose(losses.expected_score(LOGITS, graded), jnp.array([7 / 8, 0.0]))
    expected = -(np.log(1 / 4) / 3 + np.log(3 / 4) * 2 / 3) / 2
    assert losses.cross_entropy(LOGITS, graded) == pytest.approx(expected, rel=1e-6)
    assert jnp.array_equal(jax.grad(losses.cross_entropy)(LOGITS, graded)[1], jnp.zeros(2))


def test_entropy_and_kl_against_scipy(batch):
    logits, reference, actions, _ = batch
    policy, other = special.softmax(logits, axis=-1), special.softmax(reference, axis=-1)
    assert np.allclose(losses.entropy(logits), stats.entropy(policy, axis=-1), atol=1e-5)
    kl = losses.kl_divergence(logits, reference)
    assert np.allclose(kl, stats.entropy(policy, other, axis=-1), atol=1e-5)
    assert np.allclose(losses.kl_divergence(logits, logits + 3.0), 0, atol=1e-6)
    log_policy = np.log(policy)[np.arange(50), actions]
    assert np.allclose(losses.log_probability(logits, actions), log_policy, atol=1e-5)


def test_entropy_of_a_certain_policy_is_zero_and_its_gradient_finite():
    value, gradient = jax.value_and_grad(lambda x: losses.entropy(x))(
        jnp.array([200.0, 0.0, -50.0])
    )
    assert float(value) == pytest.approx(0, abs=1e-6)
    assert jnp.isfinite(gradient).all()


def test_value_loss_by_hand_and_targets_are_constants():
    values, targets = jnp.array([1.0, 2.0]), jnp.array([0.0, 4.0])
    loss, gradient = jax.value_and_grad(losses.value_loss, argnums=(0, 1))(values, targets)
    assert float(loss) == (1 + 4) / 2 / 2
    assert gradient[0].tolist() == [0.5, -1.0]
    assert gradient[1].tolist() == [0, 0]

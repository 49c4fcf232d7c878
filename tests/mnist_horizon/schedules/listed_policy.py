"""The closed forms against the real rewards, advantages and loss, on a policy that can be listed.

A linear softmax policy on five examples: every moment is an exact sum. Environments are
independent, so the spread over thousands of them measures each covariance; the parts come from
playing every step again with two futures and every action.
"""

import dataclasses
import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mnist_horizon import advantages as adv
from mnist_horizon import losses
from mnist_horizon.moments import Moments, ValueMoments
from mnist_horizon.schedules import Estimator, parse
from mnist_horizon.training import sample_actions

STEPS, LONGEST_WINDOW = 9, 16
RNG = np.random.default_rng(7)
EXAMPLES = jnp.asarray(RNG.normal(size=(5, 3)), jnp.float32)
LABELS = jnp.array([0, 1, 2, 1, 0])
LOGITS = EXAMPLES @ jnp.asarray(RNG.normal(size=(3, 3)), jnp.float32)
POLICY = jax.nn.softmax(LOGITS)
NET_VALUES = jnp.asarray(RNG.normal(size=5) * 0.3 + 0.2, jnp.float32)
RUNNING_MEAN = jnp.float32(0.3)


def exact_moments(baseline: str) -> Moments:
    """Moments as matrices, by summing over examples and actions."""
    policy, labels = np.asarray(POLICY, float), np.asarray(LABELS)
    right = labels[:, None] == np.arange(3)
    scores = np.einsum("xi,xab->xaib", np.asarray(EXAMPLES, float), np.eye(3) - policy[:, None])
    scores = scores.reshape(5, 3, -1)
    weight = policy / 5
    accuracy = float((weight * right).sum())
    value = np.zeros(5)
    mean = 0.0
    if baseline == "state":
        value = policy[np.arange(5), labels] - accuracy
    if baseline == "value_net":
        mean = float(NET_VALUES.mean())
        value = np.asarray(NET_VALUES, float) - mean

    def second(factor: np.ndarray) -> np.ndarray:
        return np.einsum("xa,xai,xaj->ij", weight * factor, scores, scores)

    of_example = np.einsum("xa,xai->xi", policy * right, scores)
    gradient = of_example.mean(axis=0)
    z = value[:, None] + np.zeros((5, 3))
    return Moments(
        accuracy=accuracy,
        fisher=second(np.ones((5, 3))),
        correct=second(right),
        state_signal=np.einsum("xi,xj->ij", of_example, of_example) / 5,
        signal=np.outer(gradient, gradient),
        values=ValueMoments(
            fisher=second(z),
            correct=second(right * z),
            square=second(z**2),
            variance=float((value**2).mean()),
            covariance=float((weight * right * z).sum()),
            mean=mean,
        ),
    )


def draw(key, shape):
    """Examples, actions, answers and the schedule's uniforms."""
    keys = jax.random.split(key, 3)
    index = jax.random.randint(keys[0], shape, 0, 5)
    uniform = jax.random.uniform(keys[1], shape).reshape(-1)
    actions = sample_actions(POLICY[index.reshape(-1)], uniform).reshape(shape)
    correct = (actions == LABELS[index]).astype(jnp.float32)
    return index, actions, correct, jax.random.uniform(keys[2], shape)


def player(key, schedule, estimator, environments):
    """The code's advantages for given answers, after `phase` steps of an open window."""
    before = draw(key, (LONGEST_WINDOW, environments))
    opened = schedule.rewards(before[2], before[3], jnp.int32(0), jnp.zeros(environments))
    carried = opened.carried[estimator.phase]

    def play(index, correct, uniform):
        paid = schedule.rewards(correct, uniform, jnp.int32(estimator.phase), carried)
        window = adv.Window(*paid, correct, losses.pick(POLICY[index], LABELS[index]))
        return adv.advantages(
            window,
            estimator.baseline,
            jnp.float32(estimator.discount),
            jnp.float32(estimator.gae_lambda),
            schedule,
            RUNNING_MEAN,
            NET_VALUES[index],
        )

    return play


def gradients(index, actions, advantages):
    """Each step's gradient in the policy's weights, through the real loss."""
    flat = index.reshape(-1)
    loss = jax.grad(losses.policy_gradient_loss)
    direction = -flat.size * loss(LOGITS[flat], actions.reshape(-1), advantages.reshape(-1))
    outer = EXAMPLES[flat][:, :, None] * direction[:, None, :]
    return outer.reshape(*index.shape, -1)


@functools.partial(jax.jit, static_argnames=("estimator", "environments"))
def simulate(key, schedule, estimator, environments=16_000):
    """Covariance over environments of a step's gradient (mean over steps), and of their mean."""
    keys = jax.random.split(key)
    steps = estimator.rollout_length
    index, actions, correct, uniform = draw(keys[0], (steps, environments))
    play = player(keys[1], schedule, estimator, environments)
    g = gradients(index, actions, play(index, correct, uniform))
    mean = g.mean(axis=1)
    deviation = g - mean[:, None]
    flat, batch = deviation.reshape(steps * environments, -1), deviation.mean(axis=0)
    return {
        "total": flat.T @ flat / len(flat),
        "batch": steps * batch.T @ batch / environments,
        "mean": mean.mean(axis=0),
        "mean_square": jnp.sum(mean**2) / steps,
    }


@functools.partial(jax.jit, static_argnames=("estimator", "environments"))
def simulate_parts(key, schedule, estimator, environments=4000):
    """Parts of the second moment, by two independent futures of every step and all its actions."""
    keys = jax.random.split(key, 4)
    shape = (estimator.rollout_length, environments)
    past, *futures = (draw(one, shape) for one in keys[:3])
    play = player(keys[3], schedule, estimator, environments)
    time = jnp.arange(estimator.rollout_length)[:, None]

    def of_step(t):
        def answered(future, answer):
            index, _, correct, uniform = (
                jnp.where(time <= t, old, new) for old, new in zip(past, future, strict=True)
            )
            # Whether step t is paid is its future.
            uniform = jnp.where(time < t, uniform, future[3])
            return play(index, jnp.where(time == t, answer, correct), uniform)[t]

        index = past[0][t]
        right = LABELS[index][:, None] == jnp.arange(3)
        first, second = (
            jnp.where(right, answered(future, 1.0)[:, None], answered(future, 0.0)[:, None])
            for future in futures
        )
        every = jnp.broadcast_to(jnp.arange(3), right.shape)
        examples = jnp.broadcast_to(index[:, None], right.shape)
        policy = POLICY[index][..., None]
        one, other = (gradients(examples, every, found) for found in (first, second))
        mean_square = jnp.sum((policy * one).sum(axis=1) * (policy * other).sum(axis=1), axis=-1)
        return {
            "future": jnp.sum(policy * (one - other) ** 2, axis=(1, 2)).mean() / 2,
            "action": (jnp.sum(policy * one * other, axis=(1, 2)) - mean_square).mean(),
            "state": mean_square.mean(),
        }

    return jax.tree.map(jnp.mean, jax.lax.map(of_step, jnp.arange(estimator.rollout_length)))


def exact_gradient(moments: Moments) -> np.ndarray:
    values, vectors = np.linalg.eigh(moments.signal)
    gradient = vectors[:, -1] * math.sqrt(values[-1])
    right = np.asarray(POLICY)[np.arange(5), np.asarray(LABELS)]
    slope = jax.grad(
        lambda w: jnp.mean(losses.pick(jax.nn.softmax(LOGITS + EXAMPLES @ w), LABELS))
    )(jnp.zeros((3, 3)))
    assert right.mean() == pytest.approx(moments.accuracy, rel=1e-5)
    exact = np.asarray(slope).reshape(-1)
    assert abs(exact @ gradient) == pytest.approx(exact @ exact, rel=1e-4)
    return exact


def estimator(
    baseline: str, discount: float, gae_lambda: float = 1.0, phase: int = 0, steps: int = STEPS
) -> Estimator:
    return Estimator(baseline, steps, discount, gae_lambda, phase, float(RUNNING_MEAN))


def assert_total_is_that_of_the_code(text, one, environments=16_000):
    """Covariance of a step's gradient and of a batch mean, and the mean gradient."""
    moments = exact_moments(one.baseline)
    found = simulate(jax.random.key(11), parse(text), one, environments)
    expected = parse(text).window_covariance(one, moments)
    scale = float(np.trace(expected.total))
    assert np.trace(found["total"]) == pytest.approx(scale, rel=0.025)
    error = np.linalg.norm(found["total"] - expected.total) / np.linalg.norm(expected.total)
    assert error < 0.04
    if np.isfinite(expected.within).all():  # a streak's under the state baseline is not known
        wanted = float(np.trace(expected.total + expected.within))
        assert np.trace(found["batch"]) == pytest.approx(wanted, rel=0.03)
    gradient = exact_gradient(moments)
    assert found["mean_square"] == pytest.approx(
        float(expected.signal_square) * gradient @ gradient, rel=0.1
    )
    assert found["mean"] @ gradient == pytest.approx(
        float(expected.signal_factor) * gradient @ gradient, rel=0.06
    )


def assert_parts_are_those_of_the_code(text, one, environments=4000):
    """Future, action and state parts of the covariance's trace."""
    if one.baseline == "batch_mean":
        # To set an answer in all environments at once would move the batch mean.
        one = dataclasses.replace(one, baseline="none")
    moments = exact_moments(one.baseline)
    found = simulate_parts(jax.random.key(5), parse(text), one, environments)
    expected = parse(text).window_covariance(one, moments)
    scale = float(np.trace(expected.total))
    mean_square = float(expected.signal_square * np.trace(moments.signal))
    for part, slack in (("future", 0.01), ("action", 0.025), ("state", 0.003)):
        wanted = float(np.trace(getattr(expected, part)))
        wanted += mean_square if part == "state" else 0
        assert float(found[part]) == pytest.approx(wanted, rel=0.04, abs=slack * scale), part


def assert_long_rollouts_become_endless(text, baseline):
    schedule, moments = parse(text), exact_moments(baseline)
    endless = schedule.covariance(0.7, moments, baseline)
    long = schedule.window_covariance(estimator(baseline, 0.7, steps=1200), moments)
    if baseline == "running_mean":  # endless forms are for one that has found mu
        one = Estimator(baseline, 1200, 0.7)
        long = schedule.window_covariance(one, moments)
    scale = np.abs(endless.total).max()
    for part in ("future", "action", "state", "within"):  # NaN equals NaN here
        np.testing.assert_allclose(
            getattr(long, part), getattr(endless, part), rtol=0.02, atol=0.01 * scale
        )
    assert long.signal_factor == pytest.approx(endless.signal_factor, rel=0.01)
    assert long.signal_square == pytest.approx(endless.signal_square, rel=0.01)
    assert schedule.signal_factor(0.7, moments.accuracy) == pytest.approx(endless.signal_factor)

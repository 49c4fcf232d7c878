"""The closed forms against the real payments, advantages and loss, on a task small enough to list.

A linear softmax policy on five examples: every moment is an exact sum. Environments are
independent, so the spread over 16,000 of them measures each covariance; the parts come from
playing every step again with two futures and every action.
"""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import brentq

from mnist_horizon import advantages as adv
from mnist_horizon import losses, theory
from mnist_horizon.environment import payments
from mnist_horizon.horizon import discount_from_horizon
from mnist_horizon.schedules import Schedule, parse
from mnist_horizon.training import sample_actions

STEPS, LONGEST_PERIOD = 9, 8
RNG = np.random.default_rng(7)
EXAMPLES = jnp.asarray(RNG.normal(size=(5, 3)), jnp.float32)
LABELS = jnp.array([0, 1, 2, 1, 0])
LOGITS = EXAMPLES @ jnp.asarray(RNG.normal(size=(3, 3)), jnp.float32)
POLICY = jax.nn.softmax(LOGITS)
NET_VALUES = jnp.asarray(RNG.normal(size=5) * 0.3 + 0.2, jnp.float32)
RUNNING_MEAN = jnp.float32(0.3)


def exact_moments(baseline: str) -> theory.Moments:
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
    return theory.Moments(
        accuracy=accuracy,
        fisher=second(np.ones((5, 3))),
        correct=second(right),
        state_signal=np.einsum("xi,xj->ij", of_example, of_example) / 5,
        signal=np.outer(gradient, gradient),
        values=theory.ValueMoments(
            fisher=second(z),
            correct=second(right * z),
            square=second(z**2),
            variance=float((value**2).mean()),
            covariance=float((weight * right * z).sum()),
            mean=mean,
        ),
    )


def draw(key, shape):
    """Examples, actions, answers and mask uniforms."""
    keys = jax.random.split(key, 3)
    index = jax.random.randint(keys[0], shape, 0, 5)
    uniform = jax.random.uniform(keys[1], shape).reshape(-1)
    actions = sample_actions(POLICY[index.reshape(-1)], uniform).reshape(shape)
    correct = (actions == LABELS[index]).astype(jnp.float32)
    return index, actions, correct, jax.random.uniform(keys[2], shape)


def player(key, params, discount, gae_lambda, phase, baseline, environments):
    """The code's advantages for given answers, after an open window of `phase` answers."""
    before = draw(key, (LONGEST_PERIOD, environments))[2]
    accumulated = jnp.sum(before * (jnp.arange(LONGEST_PERIOD) < phase)[:, None], axis=0)

    def play(index, correct, mask):
        rewards, phases, counts = payments(correct, mask, phase, accumulated, params)
        right = losses.pick(POLICY[index], LABELS[index])
        window = adv.Window(rewards, phases, counts, correct, right)
        return adv.advantages(
            window, baseline, discount, gae_lambda, params, RUNNING_MEAN, NET_VALUES[index]
        )

    return play


def gradients(index, actions, advantages):
    """Each step's gradient in the policy's weights, through the real loss."""
    flat = index.reshape(-1)
    loss = jax.grad(losses.policy_gradient_loss)
    direction = -flat.size * loss(LOGITS[flat], actions.reshape(-1), advantages.reshape(-1))
    outer = EXAMPLES[flat][:, :, None] * direction[:, None, :]
    return outer.reshape(*index.shape, -1)


@functools.partial(jax.jit, static_argnames=("baseline", "steps", "environments"))
def simulate(key, params, discount, gae_lambda, phase, baseline, steps=STEPS, environments=16_000):
    """Covariance over environments of a step's gradient (mean over steps), and of their mean."""
    keys = jax.random.split(key)
    index, actions, correct, mask = draw(keys[0], (steps, environments))
    play = player(keys[1], params, discount, gae_lambda, phase, baseline, environments)
    g = gradients(index, actions, play(index, correct, mask))
    mean = g.mean(axis=1)
    deviation = g - mean[:, None]
    flat, batch = deviation.reshape(steps * environments, -1), deviation.mean(axis=0)
    return {
        "total": flat.T @ flat / len(flat),
        "batch": steps * batch.T @ batch / environments,
        "mean": mean.mean(axis=0),
        "mean_square": jnp.sum(mean**2) / steps,
    }


@functools.partial(jax.jit, static_argnames=("baseline", "environments"))
def simulate_parts(key, params, discount, gae_lambda, phase, baseline, environments=4000):
    """Parts of the second moment, by two independent futures of every step and all its actions."""
    keys = jax.random.split(key, 4)
    shape = (STEPS, environments)
    past, *futures = (draw(one, shape) for one in keys[:3])
    play = player(keys[3], params, discount, gae_lambda, phase, baseline, environments)
    time = jnp.arange(STEPS)[:, None]

    def of_step(t):
        def answered(future, answer):
            index, _, correct, mask = (
                jnp.where(time <= t, old, new) for old, new in zip(past, future, strict=True)
            )
            mask = jnp.where(time < t, mask, future[3])  # whether step t is paid is its future
            return play(index, jnp.where(time == t, answer, correct), mask)[t]

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

    return jax.tree.map(jnp.mean, jax.lax.map(of_step, jnp.arange(STEPS)))


QUICK = [
    ("dense", 0.8, 1.0, 0, "expected_reward"),
    ("dense", 0.8, 0.6, 0, "state"),
    ("revealed:0.25", 0.7, 1.0, 0, "expected_reward"),
    ("periodic:4", 0.8, 1.0, 2, "expected_reward"),
    ("periodic:4", 0.8, 1.0, 2, "state"),
    ("periodic:4", 0.8, 1.0, 2, "running_mean"),
    ("periodic:4", 0.8, 0.6, 3, "expected_reward"),
    ("streak:3", 0.8, 1.0, 1, "expected_reward"),
    ("streak:3", 0.8, 1.0, 1, "state"),
]
SLOW = [
    *[
        ("dense", 0.8, 1.0, 0, baseline)
        for baseline in adv.BASELINES
        if baseline != "expected_reward"
    ],
    *[("dense", 0.8, 0.6, 0, baseline) for baseline in ("expected_reward", "value_net")],
    *[("periodic:4", 0.8, 1.0, 2, baseline) for baseline in ("none", "batch_mean", "value_net")],
    ("revealed:0.25", 0.7, 1.0, 0, "state"),
    ("periodic:4", 0.8, 0.6, 3, "state"),
]
CASES = [*QUICK, *(pytest.param(*case, marks=pytest.mark.slow) for case in SLOW)]


@pytest.mark.parametrize(("text", "discount", "gae_lambda", "phase", "baseline"), CASES)
def test_window_covariance_is_that_of_the_code(text, discount, gae_lambda, phase, baseline):
    params, moments = parse(text).params(), exact_moments(baseline)
    found = simulate(jax.random.key(11), params, discount, gae_lambda, phase, baseline)
    arguments = (params, discount, gae_lambda, moments, baseline, STEPS, phase, RUNNING_MEAN)
    expected = theory.window_covariance(*arguments)

    scale = float(np.trace(expected.total))
    assert np.trace(found["total"]) == pytest.approx(scale, rel=0.025)
    error = np.linalg.norm(found["total"] - expected.total) / np.linalg.norm(expected.total)
    assert error < 0.04
    if np.isfinite(expected.within).all():  # a streak's under the state baseline is not known
        wanted = float(np.trace(expected.total + expected.within))
        assert np.trace(found["batch"]) == pytest.approx(wanted, rel=0.03)
    gradient = theory_gradient(moments)
    assert found["mean_square"] == pytest.approx(
        float(expected.signal_square) * gradient @ gradient, rel=0.1
    )
    assert found["mean"] @ gradient == pytest.approx(
        float(expected.signal_factor) * gradient @ gradient, rel=0.06
    )


@pytest.mark.parametrize(("text", "discount", "gae_lambda", "phase", "baseline"), CASES)
def test_parts_are_those_of_the_code(text, discount, gae_lambda, phase, baseline):
    if baseline == "batch_mean":
        baseline = "none"  # to set an answer in all environments at once would move the batch mean
    params, moments = parse(text).params(), exact_moments(baseline)
    found = simulate_parts(jax.random.key(5), params, discount, gae_lambda, phase, baseline)
    arguments = (params, discount, gae_lambda, moments, baseline, STEPS, phase, RUNNING_MEAN)
    expected = theory.window_covariance(*arguments)
    scale = float(np.trace(expected.total))
    mean_square = float(expected.signal_square * np.trace(moments.signal))
    for part, slack in (("future", 0.01), ("action", 0.025), ("state", 0.003)):
        wanted = float(np.trace(getattr(expected, part)))
        wanted += mean_square if part == "state" else 0
        assert float(found[part]) == pytest.approx(wanted, rel=0.04, abs=slack * scale), part


def theory_gradient(moments: theory.Moments) -> np.ndarray:
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


@pytest.mark.parametrize("text", ["dense", "revealed:0.25", "periodic:4", "streak:3"])
@pytest.mark.parametrize("baseline", adv.BASELINES)
def test_long_windows_become_endless(text, baseline):
    schedule, moments = parse(text), exact_moments(baseline)
    if schedule.is_streak and baseline not in ("expected_reward", "state"):
        with pytest.raises(ValueError, match="streak"):
            theory.covariance(schedule, 0.7, moments, baseline)
        window = theory.window_covariance(schedule.params(), 0.7, 1.0, moments, baseline, 12)
        assert np.isnan(window.action).all()
        return
    endless = theory.covariance(schedule, 0.7, moments, baseline)
    window = theory.window_covariance(schedule.params(), 0.7, 1.0, moments, baseline, 1200)
    scale = np.abs(endless.total).max()
    for part in ("future", "action", "state", "within"):  # NaN equals NaN here
        np.testing.assert_allclose(
            getattr(window, part), getattr(endless, part), rtol=0.02, atol=0.01 * scale
        )
    assert window.signal_factor == pytest.approx(endless.signal_factor, rel=0.01)
    assert theory.signal_factor(schedule, 0.7, moments.accuracy) == pytest.approx(
        endless.signal_factor
    )


def test_endless_forms_are_the_textbook_ones():
    moments = exact_moments("expected_reward")
    mu, v, gamma, k = moments.accuracy, moments.answer_variance, 0.7, 4
    horizon_noise = moments.fisher * gamma**2 / (1 - gamma**2)
    dense = theory.covariance(Schedule("dense"), gamma, moments)
    np.testing.assert_allclose(dense.total, moments.centred - moments.signal + v * horizon_noise)
    revealed = theory.covariance(Schedule("revealed", 0.25), gamma, moments)
    own = moments.correct * (4 - 2 * mu) + mu**2 * moments.fisher
    np.testing.assert_allclose(
        revealed.total, own - moments.signal + (4 * mu - mu**2) * horizon_noise
    )
    growth = theory.horizon_noise_factor(Schedule("revealed", 0.25), mu)
    assert growth == pytest.approx((4 * mu - mu**2) / v)
    periodic = theory.covariance(parse("periodic:4"), gamma, moments)
    second = (1 - gamma ** (2 * k)) / (k * (1 - gamma**2))
    np.testing.assert_allclose(
        periodic.total,
        second * (moments.centred - moments.signal)
        + v * (1 / (1 - gamma**2) - second) * moments.fisher,
    )
    horizon = (1 + gamma) / (1 - gamma)
    np.testing.assert_allclose(theory.future_noise(horizon, moments), dense.future, rtol=1e-12)


def test_a_constant_baseline_costs_what_the_formula_says():
    moments, schedule, gamma = exact_moments("running_mean"), parse("periodic:4"), 0.8
    centred = theory.covariance(schedule, gamma, moments, "expected_reward")
    constant = theory.covariance(schedule, gamma, moments, "running_mean")
    weights = theory.endless_weights(schedule, gamma, moments, "running_mean")
    cost = theory.constant_baseline_cost(schedule, gamma) * moments.accuracy**2
    assert weights.constant == pytest.approx(cost)
    cross = 2 * weights.own_constant * (moments.correct - moments.accuracy * moments.fisher)
    np.testing.assert_allclose(constant.total - centred.total, cost * moments.fisher + cross)
    far = discount_from_horizon(100_000.0)
    assert theory.constant_baseline_cost(parse("periodic:12"), far) == pytest.approx(
        (12**2 - 1) / 12, rel=1e-3
    )
    assert theory.constant_baseline_cost(Schedule("dense"), gamma) == pytest.approx(0, abs=1e-12)


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
        / theory.noise_over_signal(Schedule("dense"), 1.0, moments)
        for moments in (moments, theory.moments_from_ratio(9.0, 0.1, 1e-9))
    ]
    assert costs[0] == pytest.approx(period**2)
    assert period < costs[1] < period**2 / 4


def test_best_horizon_elsewhere():
    assert theory.best_horizon(Schedule("dense"), 2.0) == 1
    assert theory.best_horizon(Schedule("revealed", 0.1), 2.0) == 1
    assert theory.best_horizon(parse("streak:4"), 1.0, accuracy=0.6) > 2
    with pytest.raises(ValueError, match="accuracy"):
        theory.best_horizon(parse("streak:4"), 1.0)
    with pytest.raises(ValueError, match="ratio 3"):
        theory.moments_from_ratio(3.0, 0.5)


def test_equivalent_horizon_has_the_same_noise_over_signal():
    assert theory.equivalent_horizon(Schedule("dense"), 9.0) == pytest.approx(9)
    moments = theory.moments_from_ratio(1.0, 0.5, 1e-9)
    for text in ("revealed:0.25", "periodic:8"):
        horizon = theory.equivalent_horizon(parse(text), 7.0)
        assert theory.noise_over_signal(Schedule("dense"), horizon, moments) == pytest.approx(
            theory.noise_over_signal(parse(text), 7.0, moments), rel=1e-6
        )


def test_interactions_multiplier_and_knee_agree():
    dense, moments = Schedule("dense"), theory.moments_from_ratio(2.0, 0.2, 0.01)
    knee = theory.knee(moments, 256)
    assert theory.scaling_multiplier(dense, knee, moments, 256) == pytest.approx(2)
    assert theory.scaling_multiplier(dense, 1.0, moments, 256) == pytest.approx(1)
    steps = 40
    needed = theory.predicted_interactions(dense, knee, moments, 256, steps)
    base = theory.predicted_interactions(dense, 1.0, moments, 256, steps)
    assert needed == pytest.approx(2 * base)
    assert base == pytest.approx(steps * (256 + (2.0 - 0.01) / 0.01))
    with pytest.raises(ValueError, match="none"):
        theory.knee(moments, 256, "none")


def test_noise_scale_is_that_of_a_batch_of_the_code():
    """At B = B_noise the squared noise of a batch mean is the squared mean gradient."""
    schedule, gamma = parse("periodic:3"), 0.6
    moments = exact_moments("expected_reward")
    traces = jax.tree.map(lambda leaf: np.trace(leaf) if np.ndim(leaf) else leaf, moments)
    steps = 30  # long against the horizon of 4, so that the window is as good as endless
    found = simulate(
        jax.random.key(3), schedule.params(), gamma, 1.0, 0, "expected_reward", steps=steps
    )
    measured = np.trace(found["batch"]) / np.sum(np.asarray(found["mean"]) ** 2)
    assert theory.noise_over_signal(schedule, 4.0, traces) == pytest.approx(measured, rel=0.04)


def test_regularised_optimum_is_the_best_policy():
    reference, rewards = np.array([0.5, 0.3, 0.2]), np.array([0.0, 1.0, 0.3])
    policy, value = theory.regularised_optimum(reference, rewards, 0.4)

    def objective(policy: np.ndarray) -> float:
        return float(policy @ rewards - 0.4 * policy @ np.log(policy / reference))

    assert policy.sum() == pytest.approx(1)
    assert objective(policy) == pytest.approx(float(value))
    for other in np.random.default_rng(0).dirichlet([3, 3, 3], size=50):
        assert objective(other) < value
    with pytest.raises(ValueError, match="temperature"):
        theory.regularised_optimum(reference, rewards, 0.0)


def test_unknown_baseline_is_refused():
    moments = theory.moments_from_ratio(1.0, 0.3)
    with pytest.raises(ValueError, match="unknown baseline"):
        theory.covariance(Schedule("dense"), 0.5, moments, "mystery")
    with pytest.raises(ValueError, match="unknown baseline"):
        theory.window_covariance(Schedule("dense").params(), 0.5, 1.0, moments, "mystery", 4)

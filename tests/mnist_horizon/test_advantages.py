import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import rlax

from mnist_horizon import advantages as adv
from mnist_horizon import losses
from mnist_horizon.baselines import BASELINES, CENTRED
from mnist_horizon.environment import EnvState, make_params, step
from mnist_horizon.schedules import parse
from mnist_horizon.tasks import Task, make_examples
from mnist_horizon.training import sample_actions

DISCOUNT = 0.7
SCHEDULES = ["dense", "revealed:0.5", "periodic:3", "streak:3", "lottery:0.5"]
LABELS = jnp.arange(3)
TABLE = jnp.array([[1.0, 0.0, -0.5], [0.3, 0.8, 0.0], [-0.2, 0.0, 0.4]])
"""Logits of a policy over 3 actions for each of 3 images; the label of image i is i."""
RIGHT = jax.nn.softmax(TABLE)[LABELS, LABELS]
MU = RIGHT.mean()


@pytest.fixture(scope="module")
def task():
    examples = make_examples(np.arange(3, dtype=np.uint8).reshape(3, 1, 1), np.arange(3))
    return Task(examples, examples, 3)


@pytest.fixture(scope="module")
def arrays():
    generator = np.random.default_rng(0)
    rewards, values = (
        jnp.asarray(generator.normal(size=(12, 5)).astype(np.float32)) for _ in range(2)
    )
    bootstrap = jnp.asarray(generator.normal(size=5).astype(np.float32))
    terminated = jnp.asarray((generator.random((12, 5)) < 0.2).astype(np.float32))
    return rewards, values, bootstrap, terminated


# Estimators


def discounted_returns(rewards, bootstrap=0.0, terminated=0.0):
    """`G_t = r_t + gamma (1 - terminated_t) G_{t+1}`, G_T = `bootstrap`, one step after another."""
    following, returns = jnp.broadcast_to(bootstrap, rewards.shape[1:]), []
    ends = jnp.broadcast_to(jnp.asarray(terminated), rewards.shape)
    for reward, end in zip(rewards[::-1], ends[::-1], strict=True):
        following = reward + DISCOUNT * (1 - end) * following
        returns.append(following)
    return jnp.stack(returns[::-1])


def test_returns_by_hand():
    rewards, nothing = jnp.array([1.0, 0.0, 2.0]), jnp.zeros(3)

    def returns(bootstrap, terminated=0.0):
        ends = jnp.broadcast_to(jnp.asarray(terminated), 3)
        return adv.gae(rewards, nothing, jnp.float32(bootstrap), 0.5, 1.0, ends).tolist()

    assert returns(0.0) == [1.5, 1.0, 2.0]
    # A truncated window has a future, worth 8 here.
    assert returns(8.0) == [2.5, 3.0, 6.0]
    # A termination at step 1 has none: nothing after it counts, the bootstrap does for step 2.
    assert returns(8.0, [0.0, 1.0, 0.0]) == [1.0, 0.0, 6.0]
    # A termination at the last step leaves the bootstrap unused.
    assert returns(8.0, [0.0, 0.0, 1.0]) == [1.5, 1.0, 2.0]


def test_gae_by_hand():
    rewards, values = jnp.array([1.0, 2.0]), jnp.array([0.5, 1.0])
    # delta = (1 + 0.5 - 0.5, 2 + 0.5 * 4 - 1) = (1, 3); A = (1 + 0.5 * 0.5 * 3, 3).
    assert adv.gae(rewards, values, jnp.float32(4.0), 0.5, 0.5).tolist() == [1.75, 3.0]
    # Terminated at the end: delta_1 = 2 - 1, A = (1 + 0.25, 1).
    ended = adv.gae(rewards, values, jnp.float32(4.0), 0.5, 0.5, jnp.array([0.0, 1.0]))
    assert ended.tolist() == [1.25, 1.0]


def test_gae_against_rlax(arrays):
    rewards, values, bootstrap, terminated = arrays
    decay = DISCOUNT * (1 - terminated)
    following = jnp.concatenate([values[1:], bootstrap[None]])
    over_environments = functools.partial(jax.vmap, in_axes=1, out_axes=1)
    for gae_lambda in (0.0, 0.6, 1.0):
        ours = adv.gae(rewards, values, bootstrap, DISCOUNT, gae_lambda, terminated)
        theirs = over_environments(
            lambda r, d, v, gae_lambda=gae_lambda: rlax.truncated_generalized_advantage_estimation(
                r, d, gae_lambda, v
            )
        )(rewards, decay, jnp.concatenate([values, bootstrap[None]]))
        assert jnp.allclose(ours, theirs, atol=1e-5)
        returns = over_environments(
            lambda r, d, v, gae_lambda=gae_lambda: rlax.lambda_returns(r, d, v, gae_lambda)
        )(rewards, decay, following)
        assert jnp.allclose(ours + values, returns, atol=1e-5)


def test_gae_reduces_to_returns_and_to_temporal_differences(arrays):
    rewards, values, bootstrap, terminated = arrays
    returns = discounted_returns(rewards, bootstrap, terminated)
    whole = adv.gae(rewards, values, bootstrap, DISCOUNT, 1.0, terminated)
    assert jnp.allclose(whole, returns - values, atol=1e-5)
    following = jnp.concatenate([values[1:], bootstrap[None]])
    one_step = rewards + DISCOUNT * (1 - terminated) * following - values
    assert jnp.allclose(
        adv.gae(rewards, values, bootstrap, DISCOUNT, 0.0, terminated), one_step, atol=1e-6
    )
    assert jnp.allclose(adv.gae(rewards, values, bootstrap, 0.0, 0.9), rewards - values, atol=1e-6)


# Baselines


@pytest.fixture(scope="module")
def window():
    """Two environments for five steps of periodic:2, the last window cut after one answer."""
    correct = jnp.array([[1, 0], [1, 0], [0, 1], [1, 1], [1, 0]], jnp.float32)
    schedule = parse("periodic:2")
    paid = schedule.rewards(correct, jnp.zeros((5, 2)), jnp.int32(0), jnp.zeros(2))
    probability = jnp.array([[0.5, 0.25], [0.75, 0.5], [0.5, 0.5], [0.25, 0.75], [0.5, 0.5]])
    return adv.Window(*paid, correct, probability), schedule


def estimate(window_and_schedule, baseline, **settings):
    window, schedule = window_and_schedule
    chosen = {"running_mean": jnp.float32(0.25), "gae_lambda": jnp.float32(1.0), **settings}
    return adv.advantages(
        window,
        baseline,
        jnp.float32(0.5),
        chosen["gae_lambda"],
        schedule,
        chosen["running_mean"],
        chosen.get("net_values"),
    )


def by_definition(rewards, last):
    """`sum_l 0.5^l r_{t+l} + 0.5^(T-t) last`, by direct sums."""
    steps = len(rewards)
    sums = [sum(0.5 ** (s - t) * rewards[s] for s in range(t, steps)) for t in range(steps)]
    return np.array([total + 0.5 ** (steps - t) * last for t, total in enumerate(sums)])


def test_baselines_by_direct_sums(window):
    given, _ = window
    rewards = np.asarray(given.rewards)
    assert rewards.tolist() == [[0, 0], [2, 0], [0, 0], [1, 2], [0, 0]]
    returns = by_definition(rewards, 0.0)
    assert np.allclose(estimate(window, "none"), returns)
    assert np.allclose(estimate(window, "batch_mean"), returns - returns.mean())
    assert np.allclose(estimate(window, "running_mean"), by_definition(rewards - 0.25, 0.0))
    # mu = 1/2: a payment is worth 1 on average. One answer of the open window is given, one more
    # is to come: 1 or 0 given + 1/2 - 1, paid at the next step.
    centred = rewards - np.array([0, 1, 0, 1, 0])[:, None]
    last = np.array([1.0, 0.0]) - 0.5
    assert np.allclose(estimate(window, "expected_reward"), by_definition(centred, last))
    # d steps to the payment: 0.5^d (n + pi(label|x) - (j + 1) / 2).
    before = np.array([[0, 0], [1, 0], [0, 0], [0, 1], [0, 0]])
    phase = np.array([0, 1, 0, 1, 0])[:, None]
    values = 0.5 ** (1 - phase) * (before + given.success_probability - (phase + 1) / 2)
    advantages = by_definition(centred, last) - values
    assert np.allclose(estimate(window, "state"), advantages)
    net = jnp.arange(10.0).reshape(5, 2)
    expected = by_definition(centred, last + 4.5) - net
    assert np.allclose(estimate(window, "value_net", net_values=net), expected)


def test_state_baseline_with_lambda_0_is_what_the_action_changed(window):
    """delta = discount^d (c - pi(label|x)) + what the next example's probability changes."""
    given, _ = window
    delta = np.asarray(estimate(window, "state", gae_lambda=jnp.float32(0.0)))
    own = np.asarray(given.correct - given.success_probability)
    following = np.asarray(given.success_probability[1:]) - 0.5
    opens = np.array([0, 1, 0, 1])[:, None]  # a payment, then a new window's first example
    ahead = np.where(opens, 1.0, 0.5)
    expected = ahead * own[:-1] + 0.5 * np.where(opens, 0.5, 1.0) * following
    assert np.allclose(delta[:-1], expected, atol=1e-6)


def test_unknown_baseline_is_refused(window):
    with pytest.raises(ValueError, match="unknown baseline 'mean': choose from none, batch_mean"):
        estimate(window, "mean")


# Against the real environment


def simulate_value(task, params, state, key, samples, steps=30):
    """Monte Carlo mean and standard error of the discounted centred rewards from a state on."""

    def one(key):
        def one_step(carry, key):
            state, weight = carry
            action_key, step_key = jax.random.split(key)
            action = jax.random.categorical(action_key, TABLE[state.index])
            _, after, reward, *_ = step(step_key, state, action, task, params)
            centred = reward - params.reward.expected_reward(state.phase, MU)
            return (after, weight * params.discount), weight * centred

        keys = jax.random.split(key, steps)
        return jax.lax.scan(one_step, (state, jnp.float32(1.0)), keys)[1].sum()

    sums = jax.vmap(one)(jax.random.split(key, samples))
    return sums.mean(), sums.std() / jnp.sqrt(samples)


def open_windows(schedule):
    """Phases and what may be carried into them."""
    if schedule.kind == "lottery":  # not drawn; or won and lost
        return [(0, 0.0), *((phase, draw) for phase in (1, 8, 15) for draw in (0.2, 0.9))]
    return [(phase, count) for phase in range(schedule.window) for count in range(phase + 1)]


@pytest.mark.parametrize("text", SCHEDULES)
def test_state_values_against_simulation(task, text):
    params = make_params(parse(text), DISCOUNT)
    states = open_windows(parse(text))
    phases = jnp.array([*(phase for phase, _ in states), 0])
    carried = jnp.array([[one] * 3 for _, one in states] + [[0] * 3], jnp.float32)
    zeros = jnp.zeros_like(carried[1:])
    window = adv.Window(zeros, phases, carried, zeros, jnp.broadcast_to(RIGHT, zeros.shape))
    values, bootstrap = adv.state_values(window, jnp.float32(DISCOUNT), params.reward)

    grid = [(image, phase, one) for phase, one in states for image in range(3)]
    index, phase, one = (jnp.array(column) for column in zip(*grid, strict=True))
    starts = EnvState(index, phase, one.astype(jnp.float32), jnp.zeros_like(index))
    keys = jax.random.split(jax.random.key(0), len(grid))
    simulate = functools.partial(simulate_value, samples=6000)
    means, errors = jax.jit(jax.vmap(simulate, (None, None, 0, 0)))(task, params, starts, keys)
    assert jnp.all(jnp.abs(values.reshape(-1) - means) < 4 * errors + 1e-6)
    assert float(errors.max()) < 0.05

    # After the last row's step no window is open.
    assert jnp.allclose(bootstrap, 0, atol=1e-6)
    for number, (phase, one) in enumerate(states):
        if phase == 0:
            continue
        both = jnp.array([phase - 1, phase])
        last = adv.Window(
            zeros[:1], both, jnp.full((2, 3), one, jnp.float32), zeros[:1], RIGHT[None]
        )
        _, bootstrap = adv.state_values(last, jnp.float32(DISCOUNT), params.reward)
        over_examples = means.reshape(-1, 3)[number].mean()
        error = jnp.sqrt((errors.reshape(-1, 3)[number] ** 2).sum()) / 3
        assert jnp.all(jnp.abs(bootstrap - over_examples) < 4 * error)


def traced(text):
    """The schedule with its level as an array, as the trainer and the environment hold it."""
    return jax.tree.map(jnp.float32, parse(text))


def rollout(key, schedule, rollout_length, environments, first_phase):
    """Window, examples and actions of the table's policy, from a window carried in."""
    keys = jax.random.split(key, 5)
    shape = (rollout_length, environments)
    examples = jax.random.randint(keys[0], shape, 0, 3)
    policy = jax.nn.softmax(TABLE)[examples]
    uniform = jax.random.uniform(keys[1], shape)
    actions = sample_actions(policy.reshape(-1, 3), uniform.reshape(-1)).reshape(shape)
    correct = (actions == examples).astype(jnp.float32)
    before = jax.random.bernoulli(keys[2], MU, (16, environments)).astype(jnp.float32)
    drawn = jax.random.uniform(keys[4], before.shape)
    opened = schedule.rewards(before, drawn, jnp.int32(0), jnp.zeros(environments))
    paid = schedule.rewards(
        correct, jax.random.uniform(keys[3], shape), first_phase, opened.carried[first_phase]
    )
    return adv.Window(*paid, correct, RIGHT[examples]), examples, actions


@functools.partial(jax.jit, static_argnames=("baseline", "rollout_length", "repeats"))
def mean_gradient(key, baseline, schedule, gae_lambda, first_phase, rollout_length, repeats):
    """Mean and standard error of the estimated gradient [image, action], and of A_t by step."""

    def one(key):
        window, examples, actions = rollout(key, schedule, rollout_length, 2, first_phase)
        advantages = adv.advantages(
            window,
            baseline,
            jnp.float32(DISCOUNT),
            gae_lambda,
            schedule,
            jnp.float32(0.3),
            jnp.array([0.5, -1.0, 2.0])[examples],
        )
        loss = lambda table: losses.policy_gradient_loss(table[examples], actions, advantages)  # noqa: E731
        return -jax.grad(loss)(TABLE), advantages.mean(axis=1)

    estimates = jax.vmap(one)(jax.random.split(key, repeats))
    scale = repeats**-0.5
    return jax.tree.map(lambda leaf: (leaf.mean(0), leaf.std(0) * scale), estimates)


CUT = (6, 1, 4)
WHOLE = (6, 0, 3)
DRAWN = (6, 13, 1)
CASES = [
    (baseline, schedule, shape)
    for baseline in BASELINES
    for schedule, shape in [
        ("dense", CUT),
        ("revealed:0.5", CUT),
        ("periodic:4", CUT),
        ("streak:3", WHOLE),
        ("lottery:0.5", DRAWN),
    ]
]


@pytest.mark.parametrize(("baseline", "text", "shape"), CASES)
def test_gradients_are_unbiased(baseline, text, shape):
    """`CUT`: six steps of a window of four from phase 1, so that the last window stays open.

    Centred baselines bootstrap its value, and no answer goes unpaid. The others see what was paid
    within the rollout; a batch's mean return holds its own answers, which costs O(1 / B).
    """
    length, first_phase, _ = shape
    schedule = parse(text)
    period = schedule.period
    phases = (first_phase + np.arange(length)) % period if period > 1 else np.zeros(length, int)
    closes = np.arange(length) + period - 1 - phases
    weight = DISCOUNT ** (closes - np.arange(length))
    if baseline not in CENTRED:
        weight = weight * (closes < length)
    if baseline == "batch_mean":
        earlier = [sum(DISCOUNT**lag for lag in range(close + 1)) for close in closes]
        weight = weight - np.where(closes < length, earlier, 0) / (length * 2)
    if not schedule.adds_up:
        weight = weight * period * float(MU) ** (period - 1)
    policy = jax.nn.softmax(TABLE)
    signal = np.asarray(RIGHT[:, None] * (jnp.eye(3) - policy) / 3)
    expected = weight.mean() * signal

    phase = jnp.int32(first_phase if schedule.window > 1 else 0)
    (mean, error), (by_step, step_error) = mean_gradient(
        jax.random.key(1), baseline, traced(text), jnp.float32(1.0), phase, length, 30_000
    )
    assert np.all(np.abs(mean - expected) < 4 * error + 1e-7)
    assert float(error.max()) < 0.1 * np.abs(expected).max()
    if baseline in ("expected_reward", "state"):
        # Centred rewards: nothing is left of the mean at any step, the window's end included.
        assert np.all(np.abs(by_step) < 4 * step_error + 1e-6)


@pytest.mark.parametrize("gae_lambda", [0.0, 0.5])
def test_exact_values_leave_no_bias_at_any_lambda(gae_lambda):
    length, first_phase, period = CUT
    schedule = traced("periodic:4")
    phases = (first_phase + np.arange(length)) % period
    weight = DISCOUNT ** (period - 1 - phases)
    signal = np.asarray(RIGHT[:, None] * (jnp.eye(3) - jax.nn.softmax(TABLE)) / 3)
    (mean, error), _ = mean_gradient(
        jax.random.key(2), "state", schedule, jnp.float32(gae_lambda), jnp.int32(1), length, 30_000
    )
    assert np.all(np.abs(mean - weight.mean() * signal) < 4 * error + 1e-7)
    assert float(error.max()) < 0.1 * np.abs(signal).max()


def test_a_constant_baseline_leaves_a_mean_that_depends_on_the_step():
    """What centring by phase is for: the same rewards under `batch_mean` keep a mean by step."""
    schedule = traced("periodic:4")
    _, (by_step, error) = mean_gradient(
        jax.random.key(3), "batch_mean", schedule, jnp.float32(1.0), jnp.int32(1), 6, 30_000
    )
    assert np.any(np.abs(by_step) > 20 * error)

import dataclasses
import functools
import re

import flax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from mnist_horizon import losses, networks, tasks, training
from mnist_horizon.algorithms import REFERENCES
from mnist_horizon.baselines import BASELINES
from mnist_horizon.errors import InputError
from mnist_horizon.horizon import discount_from_horizon
from mnist_horizon.networks import NetworkSpec
from mnist_horizon.schedules import Choice, parse
from mnist_horizon.tasks import Task, make_examples
from mnist_horizon.training import RunParams, TrainSpec, make_train

TINY = TrainSpec(NetworkSpec("mlp", 1, 8), environments=4, rollout_length=8)
PLAIN = dataclasses.replace(TINY, optimizer="sgd")
"""Without Adam, which turns a gradient's rounding into a step where the gradient is nearly 0."""
SEEDS = jax.vmap(jax.random.key)(jnp.arange(2))


@pytest.fixture(scope="module")
def task():
    return tasks.load("digits", {}).task


def run_params(
    schedule="dense", horizon=1.0, rate=1e-2, entropy_coef=0.0, kl_coef=0.0, lam=1.0, decay=0.0
):
    """One run's numbers."""
    numbers = [discount_from_horizon(horizon), lam, rate, entropy_coef, kl_coef, decay]
    return RunParams(jax.tree.map(jnp.float32, parse(schedule)), *map(jnp.float32, numbers))


def stack(runs):
    """Runs, of any schedules, as [run]."""
    numbers = [dataclasses.replace(run, reward=None) for run in runs]
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *numbers)
    reward = jax.tree.map(jnp.asarray, Choice.of([run.reward for run in runs]))
    return dataclasses.replace(stacked, reward=reward)


def group(*runs, seeds=1):
    """Runs stacked as [group, run], the same for each seed."""
    stacked = stack(runs)
    return jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (seeds, *leaf.shape)), stacked)


@functools.cache
def program(spec):
    """The functions of a program, compiled once for all tests that use the spec."""
    made = make_train(spec)
    return jax.jit(made.init), jax.jit(made.update), jax.jit(made.evaluate)


def train(spec, task, runs, updates, keys=SEEDS[:1], first=0, state=None):
    init, update, _ = program(spec)
    state = init(keys, task, runs) if state is None else state
    return update(state, runs, task, keys, jnp.int32(first), jnp.int32(updates))[0]


def select(tree, index):
    """What one run of a [group, run] state carries."""

    def take(leaf, axis):
        return jnp.take(leaf[0], index, axis=axis)

    return jax.tree.map(take, tree, training.run_axes(jax.tree.map(lambda leaf: leaf[0], tree)))


def assert_close(first, second, **tolerance):
    for one, other in zip(jax.tree.leaves(first), jax.tree.leaves(second), strict=True):
        np.testing.assert_allclose(np.asarray(one), np.asarray(other), **tolerance)


@pytest.mark.parametrize(
    ("field", "value", "choices"),
    [
        ("algorithm", "a2c", "vpg, ppo, supervised, exact"),
        ("baseline", "value", "none, batch_mean, running_mean, expected_reward, state, value_net"),
        ("optimizer", "lions", "adam.*, sgd.*"),
        ("rule", "mupp", "constant, sqrt_width, capped_sqrt_width, mup"),
    ],
)
def test_an_unknown_name_is_refused_with_the_choices(field, value, choices):
    """In a line, where the spec is made: nothing else trains in its place."""
    with pytest.raises(InputError, match=f"^{field} must be one of {choices}, not '{value}'$"):
        dataclasses.replace(TINY, **{field: value})


# The regularised optimum


@pytest.fixture(scope="module")
def one_state():
    """One image, whose label is 0 of four."""
    examples = make_examples(np.full((1, 2, 2), 255, np.uint8), np.zeros(1, int))
    return Task(examples, examples, 4)


def converge(spec, task, runs, initial):
    """Policies [run, action] of the one state, averaged over the last half of 1600 updates."""
    start = training.init_run(spec, SEEDS[0], task)
    count = runs.discount.shape[0]
    states = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (count, *leaf.shape)), start)
    inputs = networks.first_inputs(spec.network, task.train.images)

    def update(states, number):
        draws = training.draw(spec, SEEDS[0], number, task)

        def one(state, run):
            return training.update_run(spec, state, run, task, draws, initial, number)

        states = jax.vmap(one)(states, runs)
        logits = jax.vmap(lambda params: networks.apply(spec.network, 4, params, inputs)[0])
        return states, jax.nn.softmax(logits(states.params))

    _, policies = jax.jit(lambda s: jax.lax.scan(update, s, jnp.arange(1600)))(states)
    return np.asarray(policies[800:].mean(axis=0))


@pytest.mark.parametrize("kl_penalty", [False, True])
def test_regularised_runs_converge_to_the_closed_form(one_state, kl_penalty):
    """`ref(a) exp(r(a) / tau) / Z`: ref uniform for the entropy bonus, the initial policy for KL.

    Under `periodic:4` the signal shrinks by `s1 = (1 - gamma^k) / (k (1 - gamma))`, so that tau
    acts like tau / s1. So it does under `streak:3`, as it follows the rest of that signal.
    """
    spec = TrainSpec(NetworkSpec("mlp", 1, 4), 32, 8, optimizer="sgd", kl_penalty=kl_penalty)
    tau = 0.5
    coefficient = {"kl_coef" if kl_penalty else "entropy_coef": tau}
    shrunk = {k: (1 - 0.5**k) / (k * (1 - 0.5)) for k in (3, 4)}
    cases = {("dense", 1.0): 1.0, ("dense", 3.0): 1.0}
    cases |= {("periodic:4", 3.0): shrunk[4], ("streak:3", 3.0): shrunk[3]}
    runs = [run_params(name, horizon, rate=0.2, **coefficient) for name, horizon in cases]
    runs = stack(runs)
    initial = training.init_run(spec, SEEDS[0], one_state).params
    tilt = jnp.array([-0.5, 1.0, 0.0, -1.0])
    initial = {**initial, "last": {**initial["last"], "bias": tilt}}
    inputs = networks.first_inputs(spec.network, one_state.train.images)
    reference = np.full(4, 0.25)
    if kl_penalty:
        reference = np.asarray(jax.nn.softmax(networks.apply(spec.network, 4, initial, inputs)[0]))
        assert reference.max() > 0.5
    policies = converge(spec, one_state, runs, initial)
    for policy, scale in zip(policies, cases.values(), strict=True):
        expected = reference * np.exp(np.array([1, 0, 0, 0]) * scale / tau)
        assert np.abs(policy - expected / expected.sum()).max() < 0.015


# Learning


LEARNER = TrainSpec(NetworkSpec("mlp", 1, 32), environments=16, rollout_length=32)


@pytest.mark.parametrize(
    "spec",
    [LEARNER, dataclasses.replace(LEARNER, algorithm="ppo", epochs=2, minibatches=2)],
    ids=["vpg", "ppo"],
)
def test_digits_are_learned_at_a_short_and_a_longer_horizon(task, spec):
    runs = group(run_params(horizon=1.0), run_params(horizon=7.0))
    state = train(spec, task, runs, 400)
    scores = program(spec)[2](state, task, SEEDS[:1])
    assert float(scores["test_accuracy"].min()) > 0.8
    assert float(scores["kl_initial"].min()) > 1.0
    # Over the last fifty updates, of which the mean return says the same.
    state = train(spec, task, runs, 50, first=400, state=state)
    assert float(state.metrics.means["return_mean"].min()) > 0.75
    assert state.diverged_at.tolist() == [[-1, -1]]


@pytest.mark.parametrize("baseline", BASELINES)
def test_every_baseline_learns(task, baseline):
    spec = dataclasses.replace(LEARNER, baseline=baseline)
    runs = group(run_params(horizon=3.0), run_params("periodic:2", horizon=3.0))
    state = train(spec, task, runs, 250)
    accuracy = program(spec)[2](state, task, SEEDS[:1])["test_accuracy"]
    assert float(accuracy.min()) > 0.5
    assert bool(state.value_params) is (baseline == "value_net")


@pytest.mark.slow
def test_a_visible_phase_and_a_cnn_learn(task):
    spec = TrainSpec(NetworkSpec("cnn", 1, 8, phase_visible=True), 16, 32)
    state = train(spec, task, group(run_params("periodic:2", horizon=3.0)), 250)
    assert float(program(spec)[2](state, task, SEEDS[:1])["test_accuracy"].min()) > 0.5


@pytest.mark.slow
def test_the_value_net_learns_the_value_of_centred_rewards(one_state):
    """On one state every value is 0 once rewards are centred; the net must not drift away."""
    spec = TrainSpec(NetworkSpec("mlp", 1, 8), 16, 8, baseline="value_net")
    state = train(spec, one_state, group(run_params(horizon=7.0, rate=3e-3)), 300)
    inputs = networks.first_inputs(spec.network, one_state.train.images)
    params = select(state, 0).value_params
    assert abs(float(networks.apply(spec.network, 1, params, inputs)[0, 0])) < 0.2


# Common random numbers


def test_runs_of_a_seed_share_examples_and_uniforms_and_seeds_do_not(task):
    """At learning rate 0 the same examples and uniforms give the same answers and payments."""
    runs = group(
        run_params("periodic:1000", 1.0, rate=0.0),
        run_params("periodic:1000", 31.0, rate=0.0),
        run_params("revealed:0.5", 1.0, rate=0.0),
        run_params("revealed:0.5", 7.0, rate=0.0),
        seeds=2,
    )
    state = train(TINY, task, runs, 3, keys=SEEDS)
    means = state.metrics.means
    answers, paid = np.asarray(state.carried), np.asarray(means["reward_mean"])
    assert answers[:, :2].any()
    assert np.array_equal(answers[:, 0], answers[:, 1])
    assert np.array_equal(paid[:, 2], paid[:, 3])
    assert np.ptp(np.asarray(means["return_mean"]), axis=1).max() < 1e-6
    assert not np.array_equal(answers[0, 0], answers[1, 0])
    assert paid[0, 2] != paid[1, 2]
    assert abs(means["return_mean"][0, 0] - means["return_mean"][1, 0]) > 1e-6
    kernels = state.params["first"]["kernel"]  # [group, input, run, width]
    assert jnp.array_equal(kernels[:, :, 0], kernels[:, :, 1])
    assert not jnp.allclose(kernels[0], kernels[1])


def test_draws_differ_from_update_to_update_and_from_seed_to_seed(task):
    draws = [training.draw(TINY, key, jnp.int32(number), task) for key, number in
             [(SEEDS[0], 0), (SEEDS[0], 0), (SEEDS[0], 1), (SEEDS[1], 0)]]  # fmt: skip
    for name in ("labels", "action_uniform", "reward_uniform"):
        first, again, later, other = (np.asarray(getattr(drawn, name)) for drawn in draws)
        assert np.array_equal(first, again)
        assert not np.array_equal(first, later)
        assert not np.array_equal(first, other)
    assert not np.array_equal(draws[0].action_uniform, draws[0].reward_uniform)
    images = task.train.images.reshape(-1, 64) / 255
    shown = draws[0].inputs[0]
    label = draws[0].labels.reshape(-1)[0]
    assert bool(((images == shown).all(axis=1) & (task.train.labels == label)).any())


def test_a_run_does_not_depend_on_its_company(task):
    run = run_params("periodic:3", 7.0, rate=0.3)
    alone = train(PLAIN, task, group(run), 5)
    others = [run_params(rate=0.1), run, run_params("revealed:0.1", 31.0, entropy_coef=0.1)]
    together = train(PLAIN, task, group(*others), 5)
    assert_close(select(alone, 0), select(together, 1), rtol=1e-4, atol=1e-5)


# Programs


def test_chunks_of_any_length_share_one_trace_and_change_no_bit(task):
    traces = []
    made = make_train(TINY)

    def counted(*args):
        traces.append(1)
        return made.update(*args)

    update = jax.jit(counted)
    runs = group(run_params("periodic:3", 3.0), run_params("dense", 7.0), seeds=2)
    start = program(TINY)[0](SEEDS, task, runs)

    def go(state, runs, first, updates, continues=False):
        numbers = (jnp.int32(first), jnp.int32(updates), jnp.bool_(continues))
        return update(state, runs, task, SEEDS, *numbers)[0]

    whole = go(start, runs, 0, 12)
    assert whole.metrics.updates.tolist() == [[12, 12]] * 2
    state, done = start, 0
    for part in (1, 4, 7):
        state, done = go(state, runs, done, part, continues=done > 0), done + part
    assert_close(state, whole, rtol=0, atol=0)
    assert go(state, runs, 12, 2).metrics.updates.tolist() == [[2, 2]] * 2
    other = group(run_params("periodic:2", 31.0, 0.5, 0.1), run_params("dense"), seeds=2)
    go(start, other, 0, 2)
    assert len(traces) == 1


def test_the_data_are_no_constant_of_the_program(task):
    made = make_train(TINY)
    runs = group(run_params())
    state = program(TINY)[0](SEEDS[:1], task, runs)
    arguments = (state, runs, task, SEEDS[:1], jnp.int32(0), jnp.int32(1))
    constants = jax.make_jaxpr(made.update)(*arguments).consts
    assert max((np.size(constant) for constant in constants), default=0) < task.train.images.size


def test_divergence_is_noted_for_that_run_alone(task):
    runs = group(run_params(rate=1e-2), run_params(rate=1e30), run_params(rate=1e-3))
    state = train(TINY, task, runs, 6)
    # Update 0 leaves parameters whose logits overflow; update 1 is the first that acts with them.
    assert state.diverged_at.tolist() == [[-1, 1, -1]]
    for healthy in (0, 2):
        leaves = jax.tree.leaves(select(state, healthy))
        assert all(bool(jnp.isfinite(leaf).all()) for leaf in leaves)


@pytest.mark.slow
def test_plain_and_vmapped_updates_agree(task):
    """A value net, a KL penalty and a visible phase: every input that an update can have."""
    network = NetworkSpec("mlp", 2, 8, phase_visible=True)
    spec = TrainSpec(network, 4, 8, baseline="value_net", optimizer="sgd", kl_penalty=True)
    cases = [
        run_params("periodic:3", 7.0, 0.3, 0.01, 0.1, 0.9),
        run_params("streak:2", 3.0, 0.1, 0.0, 0.5),
    ]
    together = train(spec, task, group(*cases), 3)

    @jax.jit
    def plain(state, run, number):
        draws = training.draw(spec, SEEDS[0], number, task)
        initial = training.init_run(spec, SEEDS[0], task).params
        return training.update_run(spec, state, run, task, draws, initial, number)

    for number, run in enumerate(cases):
        state = training.init_run(spec, SEEDS[0], task)
        for update in range(3):
            state = plain(state, run, jnp.int32(update))
        assert_close(state, select(together, number), rtol=1e-4, atol=1e-5)


def test_first_kernels_stand_side_by_side(task):
    spec = dataclasses.replace(TINY, baseline="value_net")
    state = program(spec)[0](SEEDS, task, group(*[run_params()] * 3, seeds=2))
    assert state.params["first"]["kernel"].shape == (2, 64, 3, 8)
    assert state.value_params["first"]["kernel"].shape == (2, 64, 3, 8)
    assert state.params["first"]["bias"].shape == (2, 3, 8)
    assert state.params["last"]["kernel"].shape == (2, 3, 8, 10)
    shapes = [leaf.shape for leaf in jax.tree.leaves(state.optimizer)]
    assert shapes.count((2, 64, 3, 8)) == 4  # both moments of both networks
    one = jax.tree.map(lambda leaf: leaf[0], state)
    axes = training.run_axes(one)
    assert axes.params == {"first": {"bias": 0, "kernel": 1}, "last": {"bias": 0, "kernel": 0}}
    assert axes.carried == 0


@pytest.mark.slow
def test_ppo_in_one_piece_is_the_policy_gradient(task):
    """At ratio 1 nothing is clipped, so one epoch of one minibatch takes the same step."""
    runs = group(run_params(horizon=3.0, rate=0.3, entropy_coef=0.01), run_params("periodic:2"))
    spec = dataclasses.replace(PLAIN, baseline="value_net")
    vpg = train(spec, task, runs, 3)
    ppo = train(dataclasses.replace(spec, algorithm="ppo"), task, runs, 3)
    assert_close(vpg, ppo, rtol=1e-4, atol=1e-5)


def test_ppo_takes_a_step_for_each_minibatch_of_each_epoch(task):
    spec = dataclasses.replace(TINY, algorithm="ppo", epochs=3, minibatches=4)
    state = train(spec, task, group(run_params()), 2)
    assert int(select(state, 0).optimizer.count) == 2 * 3 * 4


def gradient_step(task, run, **changes):
    """What the first update of plain SGD adds to the parameters."""
    spec = dataclasses.replace(PLAIN, **changes)
    start = training.init_run(spec, SEEDS[0], task)
    draws = training.draw(spec, SEEDS[0], jnp.int32(0), task)
    update = jax.jit(functools.partial(training.update_run, spec))
    state = update(start, run, task, draws, start.params, jnp.int32(0))
    return jax.tree.map(jnp.subtract, state.params, start.params), start.params, draws


@pytest.mark.parametrize("algorithm", REFERENCES)
def test_a_reference_follows_the_gradient_of_its_objective(task, algorithm):
    """Written here from log_softmax; whatever the horizon and the schedule are."""
    run = run_params("streak:3", horizon=15.0, rate=0.5)
    step, params, draws = gradient_step(task, run, algorithm=algorithm, baseline="none")

    def objective(params):
        logits = networks.apply(PLAIN.network, task.classes, params, draws.inputs)
        labels = draws.labels.reshape(-1)
        right = jax.nn.log_softmax(logits)[jnp.arange(len(labels)), labels]
        return (right if algorithm == "supervised" else jnp.exp(right)).mean()

    expected = jax.tree.map(lambda leaf: 0.5 * leaf, jax.grad(objective)(params))
    assert_close(step, expected, rtol=1e-4, atol=1e-6)


def test_only_cross_entropy_is_without_bonus_and_penalty(task):
    plain, more = run_params(rate=0.5), run_params(rate=0.5, entropy_coef=0.3)
    for algorithm, is_same in (("supervised", True), ("exact", False)):
        steps = [gradient_step(task, run, algorithm=algorithm)[0] for run in (plain, more)]
        same = jax.tree.map(lambda one, other: bool((one == other).all()), *steps)
        assert all(jax.tree.leaves(same)) == is_same


def test_the_exact_gradient_is_the_mean_of_the_sampled_one(task):
    """At h = 1, over many draws of actions for the same examples."""
    count = 4000
    spec = dataclasses.replace(PLAIN, environments=1)
    state = training.init_run(spec, SEEDS[0], task)
    draws = training.draw(spec, SEEDS[0], jnp.int32(0), task)
    shape = (count, *draws.action_uniform.shape)
    uniforms = jax.random.uniform(jax.random.key(3), shape)
    run = run_params(rate=1.0)

    def step(algorithm, uniform):
        now = dataclasses.replace(spec, algorithm=algorithm)
        each = draws._replace(action_uniform=uniform)
        done = training.update_run(now, state, run, task, each, state.params, jnp.int32(0))
        return jax.tree.map(jnp.subtract, done.params, state.params)

    exact = jax.jit(functools.partial(step, "exact"))(uniforms[0])
    sampled = jax.jit(jax.vmap(functools.partial(step, "vpg")))(uniforms)
    for one, many in zip(jax.tree.leaves(exact), jax.tree.leaves(sampled), strict=True):
        error = (many.mean(axis=0) - one) / (many.std(axis=0) / count**0.5 + 1e-7)
        assert float(jnp.abs(error).max()) < 5
        assert float(jnp.sqrt((error**2).mean())) < 1.5


def test_learning_rate_decays_with_interactions(task):
    factor = training.learning_rate_factor
    assert float(factor(jnp.float32(1 / 3), jnp.int32(0))) == 1.0
    assert float(factor(jnp.float32(1 / 3), jnp.int32(9))) == pytest.approx(0.5)
    assert float(factor(jnp.float32(0), jnp.int32(9))) == 1.0
    spec, run = PLAIN, run_params(decay=1 / 3)
    start = training.init_run(spec, SEEDS[0], task)
    draws = training.draw(spec, SEEDS[0], jnp.int32(0), task)

    @jax.jit
    def move(number, scale):
        state = training.update_run(spec, start, run, task, draws, start.params, number)
        return jax.tree.map(lambda new, old: (new - old) / scale, state.params, start.params)

    early, late = move(jnp.int32(0), 2.0), move(jnp.int32(9), 1.0)
    assert_close(early, late, rtol=1e-3, atol=1e-7)
    assert any(bool(leaf.any()) for leaf in jax.tree.leaves(late))


# Metrics


def test_metrics_by_hand(task):
    runs = group(run_params(rate=0.0), run_params("periodic:4", rate=0.0))
    state = train(TINY, task, runs, 1)
    params = training.init_run(TINY, SEEDS[0], task).params
    draws = training.draw(TINY, SEEDS[0], jnp.int32(0), task)
    logits = np.asarray(networks.apply(TINY.network, 10, params, draws.inputs), np.float64)
    policy = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels, uniform = np.asarray(draws.labels).ravel(), np.asarray(draws.action_uniform).ravel()
    actions = (policy.cumsum(axis=1) <= uniform[:, None]).sum(axis=1)
    right = (actions == labels).reshape(8, 4)
    expected = {
        "return_mean": policy[np.arange(32), labels].mean(),
        "train_accuracy": (policy.argmax(axis=1) == labels).mean(),
        "entropy": stats.entropy(policy, axis=1).mean(),
    }
    means = state.metrics.means
    for name, value in expected.items():
        np.testing.assert_allclose(means[name][0], [value] * 2, rtol=1e-5)
    # Eight steps are two windows of four: what was right is paid, and the mean is the same.
    np.testing.assert_allclose(means["reward_mean"][0], [right.mean()] * 2, rtol=1e-6)
    assert state.running_mean[0].tolist() == pytest.approx(
        [training.RUNNING_MEAN_RATE * right.mean()] * 2
    )


@flax.struct.dataclass
class Neighbours(Task):
    """The label and the class after it are both right."""

    def score(self, labels, actions):
        return ((actions - labels) % self.classes < 2).astype(jnp.float32)


def test_a_task_of_its_own_rule_has_the_returns_of_that_rule(task):
    rule = Neighbours(task.train, task.test, task.classes)
    runs = group(run_params(rate=0.0))
    state = train(TINY, rule, runs, 1)
    params = training.init_run(TINY, SEEDS[0], task).params
    draws = training.draw(TINY, SEEDS[0], jnp.int32(0), task)
    policy = jax.nn.softmax(networks.apply(TINY.network, 10, params, draws.inputs))
    labels = draws.labels.ravel()
    right = policy[np.arange(32), labels] + policy[np.arange(32), (labels + 1) % 10]
    np.testing.assert_allclose(state.metrics.means["return_mean"][0], [right.mean()], rtol=1e-5)


def test_accuracy_is_the_share_of_right_answers_whatever_the_scores_are(task):
    rule = Neighbours(task.train, task.test, task.classes)
    state = train(TINY, rule, group(run_params(rate=0.0)), 1)
    params = training.init_run(TINY, SEEDS[0], task).params
    draws = training.draw(TINY, SEEDS[0], jnp.int32(0), task)
    greedy = networks.apply(TINY.network, 10, params, draws.inputs).argmax(axis=1)
    right = np.asarray(greedy == draws.labels.ravel())
    assert 0 < right.mean() < 1
    np.testing.assert_allclose(state.metrics.means["train_accuracy"][0], [right.mean()], rtol=1e-6)

    scores = program(TINY)[2](state, rule, SEEDS[:1])
    inputs = networks.first_inputs(TINY.network, task.test.images)
    ahead = networks.apply(TINY.network, 10, params, inputs).argmax(axis=1) - task.test.labels
    expected = {"test_accuracy": ahead == 0, "test_score": ahead % 10 < 2}
    for name, right in expected.items():
        np.testing.assert_allclose(scores[name][0], [right.mean()], rtol=1e-6)
    assert float(scores["test_score"][0, 0]) > float(scores["test_accuracy"][0, 0])
    plain = jax.eval_shape(make_train(TINY).evaluate, state, task, SEEDS[:1])
    assert "test_score" not in plain, "it is the accuracy"


def test_sums_add_up_over_updates(task):
    runs = group(run_params(rate=0.0))
    one = [train(TINY, task, runs, 1, first=number) for number in range(3)]
    whole = train(TINY, task, runs, 3)
    total = jax.tree.map(lambda *sums: sum(sums), *(state.metrics for state in one))
    assert_close(whole.metrics, total, rtol=1e-5)


def test_evaluation_by_hand_whatever_its_parts(task, monkeypatch):
    runs = group(run_params(), run_params(rate=0.1))
    state = train(TINY, task, runs, 20)
    inputs = networks.first_inputs(TINY.network, task.test.images)
    initial = training.init_run(TINY, SEEDS[0], task).params
    expected = {"test_accuracy": [], "kl_initial": []}
    for number in range(2):
        params = select(state, number).params
        logits = networks.apply(TINY.network, 10, params, inputs)
        reference = networks.apply(TINY.network, 10, initial, inputs)
        right = logits.argmax(axis=1) == task.test.labels
        expected["test_accuracy"].append(float(right.mean()))
        expected["kl_initial"].append(float(losses.kl_divergence(logits, reference).mean()))
    for part in (training.EVALUATION_PART, 100):  # 360 examples: in one, and in four parts
        monkeypatch.setattr(training, "EVALUATION_PART", part)
        scores = jax.jit(make_train(TINY).evaluate)(state, task, SEEDS[:1])
        for name, values in expected.items():
            assert scores[name][0].tolist() == pytest.approx(values, rel=1e-4)


@pytest.mark.parametrize("count", [1, 100, 130, 360])
def test_evaluation_on_the_first_examples(task, monkeypatch, count):
    """In parts of 90 of 360: within a part, or up to the middle of one, or the end of the split."""
    monkeypatch.setattr(training, "EVALUATION_PART", 100)
    runs = group(run_params(), run_params(rate=0.1))
    state = train(TINY, task, runs, 20)
    evaluate = jax.jit(make_train(TINY).evaluate)
    found = evaluate(state, task, SEEDS[:1], jnp.int32(count))
    first = jax.tree.map(lambda leaf: leaf[:count], task.test)
    alone = evaluate(state, dataclasses.replace(task, test=first), SEEDS[:1])
    for name, values in alone.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-4)


def evaluation(groups, runs, width=32):
    """The compiled evaluation of a program on a test split of one part, and its spec."""
    split = make_examples(np.zeros((1000, 28, 28), np.uint8), np.zeros(1000, int))
    spec = TrainSpec(NetworkSpec("mlp", 1, width), environments=1, rollout_length=8)
    made, keys = make_train(spec), jax.vmap(jax.random.key)(jnp.arange(groups))
    task = Task(split, split, 10)
    params = group(*[run_params()] * runs, seeds=groups)
    state = jax.eval_shape(made.init, keys, task, params)
    number = jax.ShapeDtypeStruct((), jnp.int32)
    return spec, jax.jit(made.evaluate).lower(state, task, keys, number).compile()


def test_the_initial_policy_is_evaluated_once_a_group():
    groups, runs = 2, 3
    spec, compiled = evaluation(groups, runs)
    forward = 1000 * networks.forward_flops(spec.network, 10, (28, 28))
    passes = compiled.cost_analysis()["flops"] / (groups * forward)
    assert passes == pytest.approx(runs + 1, abs=0.3)


def test_the_evaluation_copies_no_split():
    """Its images are only handed on: what is gathered is one part, converted as it is read."""
    text = evaluation(2, 3)[1].as_text()
    makers = re.findall(r"= u8\[1000,28,28\]\S* ([\w-]+)\(", text)
    assert set(makers) <= {"parameter", "get-tuple-element"}
    assert makers.count("parameter") >= 1


def test_windows_and_their_answers_are_carried_across_updates(task):
    """A period that does not divide the rollout: what is paid is what was right, late."""
    runs = group(run_params("dense", rate=0.0), run_params("periodic:5", rate=0.0))
    state = train(TINY, task, runs, 5)  # 40 steps: eight whole windows
    assert select(state, 1).phase == 0
    assert not select(state, 1).carried.any()
    rewards = state.metrics.means["reward_mean"][0]
    assert float(rewards[0]) == pytest.approx(float(rewards[1]), rel=1e-6)
    assert int(select(train(TINY, task, runs, 2), 1).phase) == 16 % 5


# Sampling


def test_actions_are_drawn_with_the_policy_s_probabilities():
    policy = np.array([0.05, 0.0, 0.4, 0.3, 0.25])
    uniform = jax.random.uniform(jax.random.key(0), (50_000,))
    table = jnp.broadcast_to(jnp.asarray(policy, jnp.float32), (50_000, 5))
    counts = np.bincount(np.asarray(training.sample_actions(table, uniform)), minlength=5)
    assert counts[1] == 0
    kept = policy > 0
    assert stats.chisquare(counts[kept], 50_000 * policy[kept]).pvalue > 0.01


def test_sampling_at_the_ends_of_the_uniform():
    policy = jnp.array([[0.0, 0.5, 0.5, 0.0]] * 3)
    uniform = jnp.array([0.0, 0.5, np.nextafter(np.float32(1), np.float32(0))])
    assert training.sample_actions(policy[:2], uniform[:2]).tolist() == [1, 2]
    assert int(training.sample_actions(policy, uniform)[2]) < 4


# Rotations of hidden units


def turned(params, first, second):
    """Parameters of a network of two linear hidden layers that computes the same, in other bases.

    Args:
        params: with leading axes [group, run], of the first kernel [group, input, run, width].
        first: orthogonal matrix by which the units of the first hidden layer are turned.
        second: the same of the second one.
    """
    kernel = {name: params[name]["kernel"] for name in params}
    bias = {name: params[name]["bias"] for name in params}
    return {
        "first": {"kernel": kernel["first"] @ first, "bias": bias["first"] @ first},
        "hidden1": {
            "kernel": first.T @ kernel["hidden1"] @ second,
            "bias": bias["hidden1"] @ second,
        },
        "last": {"kernel": second.T @ kernel["last"], "bias": bias["last"]},
    }


@pytest.mark.parametrize(
    ("activation", "optimizer", "rate", "commutes"),
    [
        ("linear", "sgd", 1.0, True),
        ("linear", "adam", 0.02, False),
        ("leaky_relu", "sgd", 1.0, False),
    ],
)
def test_training_commutes_with_rotations_of_units_of_a_linear_network_but_not_with_adam(
    activation, optimizer, rate, commutes, task
):
    network = NetworkSpec("mlp", 2, 8, activation=activation)
    spec = dataclasses.replace(TINY, network=network, optimizer=optimizer)
    runs = group(run_params(rate=rate))
    turns = [np.linalg.qr(np.random.default_rng(i).normal(size=(8, 8)))[0] for i in range(2)]
    turns = [jnp.asarray(turn, jnp.float32) for turn in turns]
    state = program(spec)[0](SEEDS[:1], task, runs)
    other = dataclasses.replace(state, params=turned(state.params, *turns))
    after, other = (train(spec, task, runs, 30, state=each) for each in (state, other))
    before = state.params["first"]["kernel"]
    assert float(jnp.abs(after.params["first"]["kernel"] - before).max()) > 0.01, "nothing learnt"
    expected = jax.tree.leaves(turned(after.params, *turns))
    off = [
        float(jnp.abs(one - two).max())
        for one, two in zip(jax.tree.leaves(other.params), expected, strict=True)
    ]
    assert max(off) < 1e-4 if commutes else max(off) > 1e-2, off

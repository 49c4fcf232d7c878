import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from mnist_horizon import environment, tasks
from mnist_horizon.environment import make_params, reset, step
from mnist_horizon.errors import InputError
from mnist_horizon.schedules import Choice, parse
from mnist_horizon.tasks import Task, make_examples

NEVER = environment.NEVER
SCHEDULES = ["dense", "revealed:0.5", "periodic:3", "streak:2", "lottery:0.5"]


@pytest.fixture(scope="module")
def task():
    return tasks.load("digits", {}).task


@pytest.fixture(scope="module")
def jitted():
    """`reset` and `step`, compiled once for the module: every schedule goes through them."""
    return jax.jit(reset), jax.jit(step)


def play(task, params, right, key, functions=(reset, step)):
    """Rewards, ends, infos and states of one environment that answers as `right` says."""
    first, again = functions
    _, state = first(key, task, params)
    steps = []
    for time, is_right in enumerate(right):
        label = task.train.labels[state.index]
        action = label if is_right else (label + 1) % task.classes
        _, state, *outcome = again(jax.random.fold_in(key, time), state, action, task, params)
        steps.append((*outcome, state))
    rewards, terminated, truncated, infos, states = zip(*steps, strict=True)
    return np.array(rewards), np.array(terminated), np.array(truncated), infos, states


def test_plain_jit_and_vmap_agree_and_levels_share_one_trace(task):
    traces = []

    def counted(*args):
        traces.append(1)
        return step(*args)

    counted = jax.jit(counted)
    keys = jax.random.split(jax.random.key(0), 3)
    for schedule in [*SCHEDULES, "revealed:0.25", "periodic:4"]:
        params = make_params(parse(schedule), 0.5, time_limit=7)
        observations, states = jax.vmap(reset, (0, None, None))(keys, task, params)
        actions = task.train.labels[states.index]
        together = jax.vmap(step, (0, 0, 0, None, None))(keys, states, actions, task, params)
        alone, state = reset(keys[2], task, params)
        assert jnp.array_equal(alone.image, observations.image[2])
        arguments = (keys[2], state, actions[2], task, params)
        expected = jax.tree.map(lambda leaf: leaf[2], together)
        for outcome in (step(*arguments), counted(*arguments)):
            assert jax.tree.all(jax.tree.map(jnp.array_equal, outcome, expected))
    assert len(traces) == len(SCHEDULES)


def test_an_environment_may_choose_among_schedules(task):
    """A choice is traced: environments of several schedules are stepped as one."""
    schedules = [parse(text) for text in SCHEDULES]
    keys = jax.random.split(jax.random.key(0), len(schedules))
    params = make_params(schedules[0], 0.5)
    mixed = params.replace(reward=jax.tree.map(jnp.asarray, Choice.of(schedules)))
    axes = jax.tree.map(lambda _: None, params).replace(
        reward=jax.tree.map(lambda _: 0, mixed.reward)
    )
    _, states = jax.vmap(reset, (0, None, axes))(keys, task, mixed)
    labels = task.train.labels[states.index]
    together = jax.vmap(step, (0, 0, 0, None, axes))(keys, states, labels, task, mixed)
    for number, schedule in enumerate(schedules):
        state = jax.tree.map(lambda leaf: leaf[number], states)  # noqa: B023
        alone = step(keys[number], state, labels[number], task, make_params(schedule, 0.5))
        expected = jax.tree.map(lambda leaf: leaf[number], together)  # noqa: B023
        assert jax.tree.all(jax.tree.map(jnp.array_equal, alone, expected))


@pytest.mark.parametrize(
    ("schedule", "right", "rewards"),
    [
        ("dense", [1, 0, 1, 1], [1, 0, 1, 1]),
        ("periodic:3", [1, 0, 1, 1, 1, 1, 0], [0, 0, 2, 0, 0, 3, 0]),
        ("streak:2", [1, 1, 0, 1, 1, 0, 1, 1], [0, 2, 0, 0, 0, 0, 0, 2]),
        ("streak:3", [1, 1, 1, 1, 1, 0], [0, 0, 3, 0, 0, 0]),
        ("periodic:1", [1, 0], [1, 0]),
    ],
)
def test_rewards_by_hand(task, jitted, schedule, right, rewards):
    paid, *_ = play(task, make_params(parse(schedule)), right, jax.random.key(1), jitted)
    assert paid.tolist() == rewards


def test_step_draws_uniforms_that_are_independent_of_the_next_example(task):
    params = make_params(parse("revealed:0.5"))
    keys = jax.random.split(jax.random.key(5), 4000)
    _, state = reset(keys[0], task, params)
    label = task.train.labels[state.index]
    _, states, rewards, *_ = jax.jit(jax.vmap(step, (0, None, None, None, None)))(
        keys, state, label, task, params
    )
    table = np.zeros((2, 10))
    np.add.at(table, (np.asarray(rewards > 0, int), task.train.labels[states.index]), 1)
    assert stats.chi2_contingency(table).pvalue > 0.01
    assert stats.binomtest(int(table[1].sum()), 4000, 0.5).pvalue > 0.01


def test_observations_are_uniform_and_independent_of_the_past():
    images = np.arange(20, dtype=np.uint8).reshape(20, 1, 1)
    small = make_examples(images, np.arange(20) % 4)
    task, params = Task(small, small, 4), make_params(parse("dense"))

    def one_step(state, key):
        observation, state, *_ = step(key, state, state.index % 4, task, params)
        return state, observation.image[0, 0]

    _, state = reset(jax.random.key(2), task, params)
    keys = jax.random.split(jax.random.key(3), 20_000)
    _, seen = jax.jit(lambda s, k: jax.lax.scan(one_step, s, k))(state, keys)
    seen = np.asarray(seen)
    assert stats.chisquare(np.bincount(seen, minlength=20)).pvalue > 0.01
    pairs = np.zeros((20, 20))
    np.add.at(pairs, (seen[:-1], seen[1:]), 1)
    assert stats.chi2_contingency(pairs).pvalue > 0.01
    starts = jax.vmap(lambda key: reset(key, task, params)[1].index)(keys)
    assert stats.chisquare(np.bincount(np.asarray(starts), minlength=20)).pvalue > 0.01


def test_termination_has_no_future(task, jitted):
    params = make_params(parse("dense"), 0.75, episode_length=3)
    _, terminated, truncated, infos, states = play(task, params, [1] * 7, jax.random.key(0), jitted)
    assert terminated.tolist() == [False, False, True, False, False, True, False]
    assert not truncated.any()
    assert [float(info["discount"]) for info in infos] == [0.75, 0.75, 0, 0.75, 0.75, 0, 0.75]
    assert [int(state.time) for state in states] == [1, 2, 0, 1, 2, 0, 1]


def test_truncation_stops_but_the_future_exists(task, jitted):
    params = make_params(parse("periodic:4"), 0.75, time_limit=3)
    rewards, terminated, truncated, infos, states = play(
        task, params, [1] * 6, jax.random.key(0), jitted
    )
    assert truncated.tolist() == [False, False, True, False, False, True]
    assert not terminated.any()
    assert [float(info["discount"]) for info in infos] == [0.75] * 6
    # A new episode starts with an empty window, so that the fourth answer is never reached.
    assert rewards.tolist() == [0] * 6
    assert [int(state.phase) for state in states] == [1, 2, 0, 1, 2, 0]


def test_discount_ends_nothing_and_changes_no_reward(task, jitted):
    key = jax.random.key(0)
    steps = [
        play(task, make_params(parse("dense"), discount), [1, 0, 1] * 4, key, jitted)
        for discount in (0.0, 0.9)
    ]
    assert steps[0][0].tolist() == steps[1][0].tolist() == [1, 0, 1] * 4
    for _, terminated, truncated, infos, _ in steps:
        assert not terminated.any()
        assert not truncated.any()
        assert len({float(info["discount"]) for info in infos}) == 1
    assert float(steps[1][3][0]["discount"]) == pytest.approx(0.9)


def test_termination_wins_where_both_limits_are_met(task, jitted):
    params = make_params(parse("dense"), 0.5, episode_length=2, time_limit=2)
    _, terminated, truncated, _, _ = play(task, params, [1, 1], jax.random.key(0), jitted)
    assert terminated.tolist() == [False, True]
    assert not truncated.any()


def test_phase_is_seen_only_where_it_is_visible(task):
    key = jax.random.key(0)
    hidden, _ = reset(key, task, make_params(parse("periodic:4")))
    assert hidden.phase is None
    params = make_params(parse("periodic:4"), time_limit=3, phase_visible=True)
    observation, state = reset(key, task, params)
    seen = [observation.phase]
    for time in range(3):
        label = task.train.labels[state.index]
        observation, state, *_, info = step(
            jax.random.fold_in(key, time), state, label, task, params
        )
        seen.append(observation.phase)
    assert np.allclose(seen, [[1, 0], [0, 1], [-1, 0], [1, 0]], atol=1e-6)
    # What was seen before starting over is kept for the bootstrap.
    assert np.allclose(info["final_observation"].phase, [0, -1], atol=1e-6)
    assert jnp.array_equal(info["final_observation"].image, observation.image)


@pytest.mark.parametrize(
    "schedule", ["dense", "revealed:0.5", "periodic:3", "periodic:7", "streak:3", "lottery:0.5"]
)
def test_scanned_steps_equal_rewards_of_whole_rollouts(task, schedule):
    """Rollouts of 5 steps, which 3, 7 and 16 do not divide: windows are carried over."""
    params = make_params(parse(schedule))
    rollout, environments, rollouts = 5, 6, 5
    key = jax.random.key(11)
    keys = jax.random.split(key, (rollout * rollouts, environments))
    generator = np.random.default_rng(0)
    right = jnp.asarray(generator.random((rollout * rollouts, environments)) < 0.8)

    def one_step(states, inputs):
        keys, right = inputs
        labels = task.train.labels[states.index]
        actions = jnp.where(right, labels, (labels + 1) % 10)
        stepping = jax.vmap(step, (0, 0, 0, None, None))
        _, states, rewards, *_ = stepping(keys, states, actions, task, params)
        return states, rewards

    _, states = jax.vmap(reset, (0, None, None))(keys[0], task, params)
    states, stepped = jax.lax.scan(one_step, states, (keys, right))
    reward_keys = jax.vmap(jax.vmap(lambda key: jax.random.split(key)[1]))(keys)
    uniforms = jax.vmap(jax.vmap(lambda key: jax.random.uniform(key, (1,))[0]))(reward_keys)

    phase, carried, whole = jnp.int32(0), jnp.zeros(environments), []
    for start in range(0, rollout * rollouts, rollout):
        part = slice(start, start + rollout)
        answers = right[part].astype(jnp.float32)
        paid = params.reward.rewards(answers, uniforms[part], phase, carried)
        phase, carried = paid.phase[-1], paid.carried[-1]
        whole.append(paid.rewards)
    assert jnp.array_equal(jnp.concatenate(whole), stepped)
    assert jnp.array_equal(carried, states.carried)
    assert (phase == states.phase).all()
    assert stepped.any()


def test_the_data_are_an_argument(task, jitted):
    params = make_params(parse("dense"))
    key = jax.random.key(0)
    first, _ = jitted
    inverted = task.replace(train=task.train.replace(images=255 - task.train.images))
    shown, _ = first(key, task, params)
    shown_inverted, _ = first(key, inverted, params)
    assert jnp.array_equal(shown_inverted.image, 255 - shown.image)
    assert environment.observe(first(key, task, params)[1], task, params).image.dtype == jnp.uint8


@pytest.mark.parametrize(
    ("given", "words"),
    [
        *[({"discount": value}, "from 0 to 1") for value in (1.5, -0.1, np.nan, np.inf)],
        ({"discount": jnp.array([0.5, 1.5])}, "from 0 to 1, not 1.5"),
        ({"discount": 0.999999}, "1973789.12 in single precision"),
        ({"discount": 1 - 1e-9}, "choose 33554431"),
        *[({"time_limit": value}, f"from 1 to {NEVER}") for value in (0, -1, 2**31)],
        *[({"episode_length": value}, f"from 1 to {NEVER}") for value in (0, -1, 2**31)],
        ({"time_limit": jnp.float32(2.7)}, "whole number of steps from 1 to"),
        ({"time_limit": jnp.array([3, 0])}, "not 0"),
        ({"episode_length": jnp.array(True)}, "must be a number"),
    ],
)
def test_make_params_refuses_what_is_out_of_range(given, words):
    with pytest.raises(InputError) as error:
        make_params(parse("dense"), **given)
    assert next(iter(given)) in str(error.value)
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_make_params_takes_the_ends_of_each_range_and_what_is_traced():
    params = make_params(parse("dense"), 1.0, episode_length=1, time_limit=NEVER)
    assert (params.discount, params.episode_length, params.time_limit) == (1, 1, NEVER)
    assert make_params(parse("dense"), 1 - 2.0**-24).discount < 1
    traced = jax.jit(lambda discount, limit: make_params(parse("dense"), discount, limit))
    assert traced(1.5, 0).discount == 1.5

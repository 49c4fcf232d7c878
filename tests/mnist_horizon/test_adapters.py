import copy
import importlib.metadata
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mnist_horizon import adapters, environment, tasks
from mnist_horizon.schedules import parse


def gymnax_major():
    try:
        return int(importlib.metadata.version("gymnax").split(".")[0])
    except importlib.metadata.PackageNotFoundError:
        return 0


needs_gymnax = pytest.mark.skipif(gymnax_major() < 1, reason="gymnax 1.x is not installed")


@pytest.fixture(scope="module")
def task():
    return tasks.load("digits", {}).task


@pytest.mark.parametrize("library", ["gymnax", "gymnasium"])
def test_a_missing_library_is_named_in_one_line(library, task, monkeypatch):
    adapters._gymnax_class.cache_clear()
    adapters._gymnasium_class.cache_clear()
    for module in list(sys.modules):
        if module.split(".")[0] == library:
            monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setitem(sys.modules, library, None)
    make = {
        "gymnax": lambda params: adapters.make_gymnax(task, params),
        "gymnasium": lambda params: adapters.make_gymnasium(task, params, 2),
    }[library]
    with pytest.raises(ImportError, match=rf"^{library} 1\.x is needed.*pip install [^\n]*$"):
        make(environment.make_params(parse("dense")))


# gymnax


@needs_gymnax
def test_gymnax_step_under_jit_and_vmap_pays_what_the_environment_pays(task):
    env, params = adapters.make_gymnax(task, environment.make_params(parse("periodic:3"), 0.5))
    keys = jax.random.split(jax.random.key(0), 5)
    observations, states = jax.vmap(env.reset, (0, None))(keys, params)
    assert observations.shape == (5, 8, 8)
    assert observations.dtype == jnp.float32
    assert jnp.array_equal(observations, task.train.images[states.index] / 255)
    step = jax.jit(jax.vmap(env.step, (0, 0, 0, None)))
    paid = []
    for time in range(6):
        labels = task.train.labels[states.index]
        actions = jnp.where(jnp.arange(5) <= time, labels, (labels + 1) % 10)
        observations, states, rewards, terminated, truncated, info = step(
            keys, states, actions, params
        )
        assert not terminated.any()
        assert not truncated.any()
        assert jnp.array_equal(info["discount"], jnp.full(5, 0.5))
        keys = jax.vmap(jax.random.fold_in, (0, None))(keys, time)
        paid.append(rewards)
    # Environment i is right from step i on, and is paid at steps 2 and 5 for the last three.
    assert np.stack(paid).tolist() == [
        [0] * 5, [0] * 5, [3, 2, 1, 0, 0], [0] * 5, [0] * 5, [3, 3, 3, 3, 2]
    ]  # fmt: skip


@needs_gymnax
@pytest.mark.parametrize(
    ("limits", "ends", "discount"),
    [
        ({"episode_length": 2}, (True, False), 0.0),
        ({"time_limit": 2}, (False, True), 0.5),
        ({"episode_length": 2, "time_limit": 2}, (True, False), 0.0),
    ],
)
def test_gymnax_resets_by_itself_and_keeps_termination_and_truncation_apart(
    task, limits, ends, discount
):
    given = environment.make_params(parse("periodic:4"), 0.5, phase_visible=True, **limits)
    env, params = adapters.make_gymnax(task, given)
    key = jax.random.key(3)
    _, state = env.reset(key, params)
    results = []
    for _ in range(2):
        key, step_key = jax.random.split(key)
        label = task.train.labels[state.index]
        observation, state, *results, info = env.step(step_key, state, label, params)
    assert tuple(map(bool, results[1:])) == ends
    assert float(info["discount"]) == discount
    assert (int(state.time), int(state.phase), float(state.carried)) == (0, 0, 0)
    assert np.allclose(observation[-2:], [1, 0])  # phase 0 again
    assert np.allclose(info["final_observation"][-2:], [-1, 0], atol=1e-6)  # phase 2 of 4


@needs_gymnax
def test_gymnax_takes_the_data_as_an_argument(task):
    env, params = adapters.make_gymnax(task, environment.make_params(parse("dense")))
    step = jax.jit(env.step)
    key, (_, state) = jax.random.key(0), env.reset(jax.random.key(0), params)
    shown, *_ = step(key, state, 0, params)
    inverted = task.replace(train=task.train.replace(images=255 - task.train.images))
    shown_inverted, *_ = step(key, state, 0, params.replace(task=inverted))
    assert step._cache_size() == 1
    assert jnp.allclose(shown_inverted, 1 - shown, atol=1e-6)
    constants = jax.make_jaxpr(env.step)(key, state, 0, params).consts
    assert max((np.size(constant) for constant in constants), default=0) < 10


@needs_gymnax
def test_gymnax_spaces_hold_observations_states_and_legacy_keys_work(task):
    for visible in (False, True):
        given = environment.make_params(parse("periodic:4"), phase_visible=visible, time_limit=9)
        env, params = adapters.make_gymnax(task, given)
        assert env.num_actions == 10
        assert int(params.max_steps_in_episode) == 9
        observation, state = env.reset(jax.random.PRNGKey(0))
        for number in range(5):
            space = env.observation_space(params)
            assert observation.shape == space.shape
            assert space.contains(observation)
            assert env.state_space(params).contains(state)
            action = env.action_space(params).sample(jax.random.key(number))
            observation, state, *_ = env.step(jax.random.PRNGKey(number), state, action)
            seen = env.observe(jax.random.PRNGKey(9), state, action, params)
            np.testing.assert_array_equal(seen, observation)


@needs_gymnax
def test_gymnax_wrapper_for_gymnasium_accepts_the_environment(task):
    from gymnax.wrappers.gym import GymnaxToGymWrapper

    env, params = adapters.make_gymnax(task, environment.make_params(parse("dense"), time_limit=3))
    wrapped = GymnaxToGymWrapper(copy.deepcopy(env), params, seed=1)
    observation, _ = wrapped.reset(seed=1)
    assert wrapped.observation_space.contains(np.asarray(observation))
    ends = [wrapped.step(wrapped.action_space.sample())[2:4] for _ in range(3)]
    assert [tuple(map(bool, end)) for end in ends] == [(False, False)] * 2 + [(False, True)]


# Gymnasium


@pytest.mark.parametrize("visible", [False, True])
def test_gymnasium_spaces_contain_what_is_returned(task, visible):
    params = environment.make_params(parse("periodic:3"), phase_visible=visible)
    env = adapters.make_gymnasium(task, params, 4)
    assert env.metadata["autoreset_mode"].value == "NextStep"
    observations, infos = env.reset(seed=0)
    assert infos == {}
    env.action_space.seed(0)
    for _ in range(4):
        assert env.observation_space.contains(observations)
        first = jax.tree.map(lambda leaf: leaf[0], observations)
        assert env.single_observation_space.contains(first)
        observations, rewards, terminated, truncated, infos = env.step(env.action_space.sample())
        assert rewards.shape == terminated.shape == truncated.shape == (4,)
        assert (rewards.dtype, terminated.dtype, truncated.dtype) == (np.float64, bool, bool)
        assert infos["_correct"].all()
    env.close()


def test_gymnasium_seed_decides_everything_and_later_resets_differ(task):
    params = environment.make_params(parse("revealed:0.5"))
    environments = [adapters.make_gymnasium(task, params, 8) for _ in range(2)]
    runs = []
    for env in environments:
        observations, _ = env.reset(seed=7)
        steps = [env.step(np.zeros(8, int))[:2] for _ in range(3)]
        runs.append([observations, *(leaf for step in steps for leaf in step)])
    assert all(map(np.array_equal, *runs))
    assert not np.array_equal(environments[0].reset()[0], runs[0][0])
    assert not np.array_equal(environments[1].reset(seed=8)[0], runs[0][0])


def test_gymnasium_right_answers_are_paid_and_the_ended_are_reset_by_the_next_step(task):
    params = environment.make_params(parse("periodic:2"), 0.5, time_limit=3)
    env = adapters.make_gymnasium(task, params, 3)
    env.reset(seed=0)
    rewards, ends, discounts, known, phases = [], [], [], [], []
    for _ in range(6):
        labels = np.asarray(task.train.labels[env._states.index])
        _, reward, terminated, truncated, infos = env.step(labels)
        assert not terminated.any()
        rewards.append(reward[0])
        ends.append(bool(truncated[0]))
        discounts.append(float(infos["discount"][0]))
        known.append(bool(infos["_correct"][0]))
        phases.append(int(env._states.phase[0]))
    # Step 3 starts over: it ignores the action, pays nothing and empties the window.
    assert ends == [False, False, True, False, False, False]
    assert rewards == [0, 2, 0, 0, 0, 2]
    assert known == [True, True, True, False, True, True]
    assert phases == [1, 0, 1, 0, 1, 0]
    assert discounts == [0.5] * 6


def test_gymnasium_terminates_with_no_future(task):
    params = environment.make_params(parse("dense"), 0.5, episode_length=1)
    env = adapters.make_gymnasium(task, params, 2)
    env.reset(seed=0)
    _, _, terminated, truncated, infos = env.step(np.zeros(2, int))
    assert terminated.all()
    assert not truncated.any()
    assert infos["discount"].tolist() == [0, 0]


def test_gymnasium_wrappers_run_over_it(task):
    from gymnasium.wrappers.vector import FlattenObservation, RecordEpisodeStatistics

    params = environment.make_params(parse("dense"), time_limit=4)
    env = RecordEpisodeStatistics(FlattenObservation(adapters.make_gymnasium(task, params, 2)))
    observations, _ = env.reset(seed=0)
    assert observations.shape == (2, 64)
    for _ in range(4):
        labels = np.asarray(task.train.labels[env.unwrapped._states.index])
        observations, *_, infos = env.step(labels)
    assert infos["episode"]["r"].tolist() == [4, 4]
    assert infos["episode"]["l"].tolist() == [4, 4]


def test_gymnasium_refuses_misuse_in_one_line(task):
    params = environment.make_params(parse("dense"))
    with pytest.raises(ValueError, match="at least 1 environment, not 0"):
        adapters.make_gymnasium(task, params, 0)
    with pytest.raises(RuntimeError, match="reset"):
        adapters.make_gymnasium(task, params, 2).step(np.zeros(2, int))


def two_floats():
    floats = np.array([[-2.0, 300.0], [0.5, 7.0]])
    split = tasks.make_examples(floats, np.array([0, 1]))
    return tasks.Task(split, split, classes=2)


@needs_gymnax
@pytest.mark.parametrize("visible", [False, True])
def test_gymnax_spaces_hold_float_observations(visible):
    given = environment.make_params(parse("periodic:4"), phase_visible=visible)
    env, params = adapters.make_gymnax(two_floats(), given)
    observation, _ = env.reset(jax.random.key(0), params)
    space = env.observation_space(params)
    assert observation[:2].tolist() in ([-2.0, 300.0], [0.5, 7.0]), "as they are"
    assert space.contains(observation)
    assert space.contains(space.sample(jax.random.key(0)))
    assert space.shape == observation.shape
    ends = [[-2.0, -2.0, -1.0, -1.0], [300.0, 300.0, 1.0, 1.0]] if visible else [-2.0, 300.0]
    assert [space.low.tolist(), space.high.tolist()] == ends


def test_float_observations_reach_gymnasium_unscaled():
    gymnasium = pytest.importorskip("gymnasium")
    own = two_floats()
    env = adapters.make_gymnasium(own, environment.make_params(parse("dense")), 3)
    assert env.single_observation_space == gymnasium.spaces.Box(-np.inf, np.inf, (2,), np.float32)
    seen, _ = env.reset(seed=0)
    assert env.observation_space.contains(np.asarray(seen))
    assert {tuple(row) for row in np.asarray(seen).tolist()} <= {(-2.0, 300.0), (0.5, 7.0)}

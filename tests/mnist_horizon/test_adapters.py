import copy
import functools
import importlib.metadata
import pickle
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mnist_horizon import adapters, environment, tasks
from mnist_horizon.errors import InputError
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
def test_gymnax_refuses_actions_that_are_no_classes(task):
    env, params = adapters.make_gymnax(task, environment.make_params(parse("dense")))
    key = jax.random.key(0)
    _, state = env.reset(key, params)
    for action in (10, -1, 99, 2.7, 3.0, True, None, "3", [3], np.int64(10), jnp.int32(-1)):
        refused(
            functools.partial(env.step, key, state, action, params), "0 to 9", "vmap", repr(action)
        )
    paid = env.step(key, state, np.int64(3), params)[2]
    for action in (3, np.uint8(3), jnp.int32(3)):
        assert env.step(key, state, action, params)[2] == paid
    traced = jax.jit(env.step)
    wrong = [jnp.zeros((4,), int), jnp.zeros((1,), int), jnp.float32(2.7), jnp.bool_(True)]
    for action in wrong:  # what is traced has a type and a shape, but no value
        call = functools.partial(traced, key, state, action, params)
        refused(call, action.dtype.name, str(action.shape))
    assert traced(key, state, jnp.int32(99), params)[2] == 0


@needs_gymnax
def test_gymnax_time_limit_is_replaced_as_in_gymnax(task):
    given = environment.make_params(parse("dense"), time_limit=9)
    env, params = adapters.make_gymnax(task, given)
    shorter = params.replace(max_steps_in_episode=1)
    assert (int(params.max_steps_in_episode), int(shorter.max_steps_in_episode)) == (9, 1)
    assert shorter.task is task
    _, state = env.reset(jax.random.key(0), shorter)
    assert not env.step(jax.random.key(0), state, 0, params)[4]
    assert env.step(jax.random.key(0), state, 0, shorter)[4]
    refused(lambda: params.replace(max_steps_in_episode=0), "max_steps_in_episode", "not 0")


@needs_gymnax
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda env: pickle.loads(pickle.dumps(env))])
def test_gymnax_copies_are_the_same_environment(task, copied):
    env, params = adapters.make_gymnax(task, environment.make_params(parse("dense")))
    twin, twin_params = copied((env, params))
    assert type(twin) is type(env)
    key = jax.random.key(0)
    assert same(env.reset(key, params)[0], twin.reset(key, twin_params)[0])
    assert same(env.default_params, twin.default_params)


@needs_gymnax
def test_gymnax_wrappers_run_over_it(task):
    """Those that gymnax's tests drive, on one environment that is truncated after two steps."""
    from gymnax.experimental.rollout import RolloutWrapper
    from gymnax.wrappers import FlattenObservationWrapper, LogWrapper, StickyActionWrapper

    given = environment.make_params(parse("dense"), 0.5, time_limit=2)
    env, params = adapters.make_gymnax(task, given)
    wrapped = LogWrapper(FlattenObservationWrapper(StickyActionWrapper(env)))
    key = jax.random.key(0)
    observation, state = wrapped.reset(key, params)
    assert observation.shape == (64,)
    for _ in range(2):
        label = task.train.labels[state.env_state.env_state.index]
        *_, terminated, truncated, info = (result := wrapped.step(key, state, label, params))
        state = result[1]
    assert (bool(terminated), bool(truncated)) == (False, True)
    assert info["final_observation"].shape == (64,)
    assert (info["returned_episode_returns"], info["returned_episode_lengths"]) == (2, 2)
    manager = RolloutWrapper(
        lambda policy, observation, key: policy, env=env, env_params=params, num_env_steps=4
    )
    observations, actions, rewards, *_ = manager.single_rollout(key, jnp.int32(3))
    assert observations.shape == (4, 8, 8)
    assert set(actions.tolist()) == {3}
    assert set(rewards.tolist()) <= {0, 1}


@needs_gymnax
@pytest.mark.filterwarnings("ignore:.*WARN.*:UserWarning")
def test_gymnasiums_own_checker_accepts_the_gymnax_environment(task):
    from gymnasium.utils.env_checker import check_env
    from gymnax.wrappers.gym import GymnaxToGymWrapper

    env, params = adapters.make_gymnax(task, environment.make_params(parse("dense"), time_limit=3))

    class Gym(GymnaxToGymWrapper):
        """gymnax's wrapper gives JAX's arrays, and does not seed `np_random`."""

        def reset(self, *, seed=None, options=None):
            super(GymnaxToGymWrapper, self).reset(seed=seed)
            observation, info = super().reset(seed=seed, options=options)
            return np.asarray(observation), info

        def step(self, action):
            observation, reward, *ends, info = super().step(action)
            info = jax.tree.map(np.asarray, info)
            return np.asarray(observation), float(reward), *map(bool, ends), info

    wrapped = Gym(env, params, seed=1)
    check_env(wrapped, skip_render_check=True, skip_close_check=True)
    wrapped.reset(seed=1)
    ends = [wrapped.step(wrapped.action_space.sample())[2:4] for _ in range(3)]
    assert ends == [(False, False)] * 2 + [(False, True)]


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


@pytest.fixture
def four(task):
    """Four environments that have been reset; all fixtures share one compiled step."""
    params = environment.make_params(parse("periodic:2"), 0.5, time_limit=3)
    env = adapters.make_gymnasium(task, params, 4)
    env.reset(seed=0)
    return env


def same(one, other):
    return all(jax.tree.leaves(jax.tree.map(np.array_equal, one, other)))


def refused(call, *words):
    """The call is refused in one line that holds the words."""
    with pytest.raises(InputError) as error:
        call()
    assert "\n" not in str(error.value)
    assert all(word in str(error.value) for word in words), str(error.value)


@pytest.mark.parametrize(
    ("actions", "words"),
    [
        (np.zeros((4, 1), int), ["shape (4,)", "(4, 1)"]),
        (np.zeros((4, 10), int), ["(4, 10)"]),
        (np.zeros((1, 4), int), ["(1, 4)"]),
        (np.zeros(3, int), ["shape (4,)", "(3,)"]),
        ([0, 0, 0, 0, 0], ["(5,)"]),
        (0, ["of shape ()"]),
        (None, ["object"]),
        ([[0], [1, 2], [3], [4]], ["object"]),
        ([0, 0, 10, 99], ["actions[2]", "0 to 9", "not 10"]),
        ([0, 99, 0, 0], ["actions[1]", "not 99"]),
        ([-1, 0, 0, 0], ["actions[0]", "not -1"]),
        ([2**40, 0, 0, 0], ["not 1099511627776"]),
        (np.array([0, 2.7, 0, 0]), ["whole numbers", "float64"]),
        (np.array([1.0, 2.0, 3.0, 4.0]), ["float64"]),
        ([True, False, True, False], ["bool"]),
        (["1", "2", "3", "4"], ["<U1"]),
    ],
)
def test_gymnasium_refuses_actions_that_are_no_classes(four, actions, words):
    twin = copy.deepcopy(four)
    refused(lambda: four.step(actions), *words)
    assert same(four.step([1, 2, 3, 4]), twin.step([1, 2, 3, 4]))  # nothing was drawn or stepped


def test_gymnasium_takes_whole_numbers_of_any_kind_and_ignores_those_of_the_ended(four):
    twin = copy.deepcopy(four)
    kinds = [list, tuple, np.uint8, np.int16, np.int64, jnp.array]
    for number, kind in enumerate(kinds):
        actions = np.array([number, 9, 0, 3])
        given = kind(actions.tolist()) if kind in (list, tuple) else kind(actions)
        result = four.step(given)
        assert same(result, twin.step(actions))
        if result[3].all():  # the time limit: the next step resets
            assert same(four.step([-1, 99, 10, 2**40]), twin.step([0, 0, 0, 0]))
    assert result[1].shape == (4,)


def test_gymnasium_seeds_are_those_of_single_environments(four, task):
    def look(seed, env=four):
        return env.reset(seed=seed)[0], env.step([1, 2, 3, 4])[:2]

    each = look([7, 8, 9, 10])
    for seed in (7, np.int64(7), np.uint8(7), np.array(7)):
        assert same(look(seed), each)
    assert same(look(np.array([7, 8, 9, 10])), each)
    assert same(look((10, 9, 8, 7))[0], each[0][::-1])
    assert not same(look(2**32 + 7), each)  # seeds of any size differ
    look([1, 2, 3, 4])
    goes_on = copy.deepcopy(four)
    mixed, alone = look([7, None, None, 10]), look(None, goes_on)
    assert same(mixed[0], np.stack([each[0][0], *alone[0][1:3], each[0][3]]))
    four.reset(seed=5)
    assert four.np_random_seed == 5
    fresh = [adapters.make_gymnasium(task, four._params, 4).reset()[0] for _ in range(2)]
    assert not same(*fresh)  # without a seed


@pytest.mark.parametrize(
    ("seed", "words"),
    [
        (-1, ["from 0 on", "-1"]),
        (1.5, ["1.5"]),
        ("7", ["'7'"]),
        (True, ["True"]),
        ([1, 2, 3], ["each of 4", "not 3"]),
        ([1, 2, 3, -4], ["-4"]),
        ([1, 2, 3, 4.0], ["4.0"]),
    ],
)
def test_gymnasium_refuses_what_is_no_seed(four, seed, words):
    refused(lambda: four.reset(seed=seed), "seed", *words)


def test_gymnasium_resets_the_environments_of_a_mask(four):
    for _ in range(3):
        before, *_, truncated, _ = four.step([0, 1, 2, 3])
    assert truncated.all()
    options = {"reset_mask": np.array([False, True, False, True])}
    after, infos = four.reset(seed=11, options=options)
    assert list(options) == ["reset_mask"]
    assert infos == {}
    times = np.asarray(four._states.time).tolist()
    assert (times, four._ended.tolist()) == ([3, 0, 3, 0], [True, False, True, False])
    assert same(after[[0, 2]], before[[0, 2]])
    others = copy.deepcopy(four)
    assert same(after[[1, 3]], others.reset(seed=11)[0][[1, 3]])
    *_, truncated, infos = four.step([0, 0, 0, 0])
    assert infos["_correct"].tolist() == [False, True, False, True]
    assert same(four.reset(options={})[0].shape, (4, 8, 8))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"digit": 3}, ["'reset_mask'", "digit"]),
        ("reset_mask", ["'reset_mask'"]),
        ([], ["[]"]),
        ({"reset_mask": [True] * 4}, ["4 booleans"]),
        ({"reset_mask": np.ones(3, bool)}, ["4 booleans"]),
        ({"reset_mask": np.ones(4, int)}, ["4 booleans"]),
        ({"reset_mask": np.zeros(4, bool)}, ["one is true"]),
    ],
)
def test_gymnasium_refuses_options_that_it_does_not_have(four, options, words):
    refused(lambda: four.reset(options=options), "options", *words)


def test_gymnasium_refuses_calls_out_of_order(four, task):
    from gymnasium.error import ClosedEnvironmentError, ResetNeeded

    env = adapters.make_gymnasium(task, four._params, 4)
    with pytest.raises(ResetNeeded, match=r"^call reset\(\) before step\(\)$"):
        env.step([0, 0, 0, 0])
    with pytest.raises(ResetNeeded, match="once before some"):
        env.reset(options={"reset_mask": np.array([True, False, False, False])})
    four.close()
    four.close()
    for call in (four.reset, lambda: four.step([0, 0, 0, 0])):
        with pytest.raises(ClosedEnvironmentError, match=r"after close\(\)$"):
            call()


def test_gymnasium_needs_at_least_one_environment(task):
    params = environment.make_params(parse("dense"))
    for number in (0, -1, True):
        call = functools.partial(adapters.make_gymnasium, task, params, number)
        refused(call, "from 1 on", repr(number))


def test_gymnasium_results_are_the_users_own(four):
    observations, rewards, terminated, truncated, infos = four.step([1, 2, 3, 4])
    twin = copy.deepcopy(four)
    for array in (observations, rewards, terminated, truncated, *infos.values()):
        array[...] = 1
    assert same(four.step([1, 2, 3, 4]), twin.step([1, 2, 3, 4]))


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda env: pickle.loads(pickle.dumps(env))])
def test_gymnasium_copies_go_on_as_the_original(four, copied):
    four.step([1, 2, 3, 4])
    twin = copied(four)
    assert type(twin) is type(four)
    for _ in range(5):  # past the time limit
        assert same(four.step([1, 2, 3, 4]), twin.step([1, 2, 3, 4]))
    assert same(four.reset(), twin.reset())


def single_class():
    """A `gymnasium.Env` that is one environment of the adapter, for Gymnasium's own checks."""
    import gymnasium

    class Single(gymnasium.Env):
        def __init__(self, task, params):
            self.vector = adapters.make_gymnasium(task, params, 1)
            self.observation_space = self.vector.single_observation_space
            self.action_space = self.vector.single_action_space

        def reset(self, *, seed=None, options=None):
            super().reset(seed=seed)
            observations, _ = self.vector.reset(seed=seed)
            return jax.tree.map(lambda leaf: leaf[0], observations), {}

        def step(self, action):
            observations, *rest, infos = self.vector.step([action])
            info = {name: value[0] for name, value in infos.items() if name[0] != "_"}
            result = jax.tree.map(lambda leaf: leaf[0], observations)
            return result, *(part[0].item() for part in rest), info

    return Single


@pytest.mark.parametrize("limit", ["time_limit", "episode_length"])
def test_gymnasium_gives_what_its_vectors_of_single_environments_give(task, limit):
    from gymnasium.vector import SyncVectorEnv

    params = environment.make_params(parse("periodic:2"), 0.5, **{limit: 3})
    ours, single = adapters.make_gymnasium(task, params, 4), single_class()
    theirs = SyncVectorEnv([lambda: single(task, params)] * 4)
    assert ours.observation_space == theirs.observation_space
    assert ours.action_space == theirs.action_space
    assert ours.metadata["autoreset_mode"] == theirs.metadata["autoreset_mode"]
    mask = np.array([True, False, True, True])
    resets = {0: {"seed": 3}, 5: {"seed": [1, None, 2, None]}, 9: {}, 14: {"seed": 8, "mask": 1}}
    generator, ends = np.random.default_rng(0), 0
    for step in range(20):
        if step in resets:
            given = dict(resets[step])
            masked = given.pop("mask", False)
            both = [
                env.reset(**given, options={"reset_mask": mask} if masked else None)
                for env in (ours, theirs)
            ]
            assert same(both[0], both[1])
        actions = np.where(generator.random(4) < 0.5, task.train.labels[ours._states.index], 0)
        (*mine, info), (*expected, known) = ours.step(actions), theirs.step(actions)
        assert same(mine, expected)
        assert [leaf.dtype for leaf in mine] == [leaf.dtype for leaf in expected]
        for name in known:
            valid = info[f"_{name}"] if name[0] != "_" else slice(None)
            assert same(info[name][valid], known[name][valid])
        ends += mine[2].sum() + mine[3].sum()
    assert ends > 12


@pytest.mark.filterwarnings("ignore:.*WARN.*:UserWarning")
def test_gymnasiums_own_checker_accepts_one_environment(task):
    from gymnasium.utils.env_checker import check_env
    from gymnasium.utils.passive_env_checker import env_reset_passive_checker as reset
    from gymnasium.utils.passive_env_checker import env_step_passive_checker as step

    env = single_class()(task, environment.make_params(parse("periodic:2"), 0.5, time_limit=3))
    check_env(env, skip_render_check=True, skip_close_check=True)
    reset(env, seed=1)
    for action in range(5):
        step(env, action)


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

"""PPO of other libraries learns to read digits through the adapters (extra `clients`)."""

import functools

import jax
import numpy as np
import pytest

from mnist_horizon import adapters, environment, tasks
from mnist_horizon.horizon import discount_from_horizon
from mnist_horizon.schedules import parse
from tests.mnist_horizon.test_adapters import needs_gymnax, single_class

INTERACTIONS = 65_536
ENVIRONMENTS, STEPS = 64, 16


@pytest.fixture(scope="module")
def task():
    return tasks.load("digits", {}).task


def dense(horizon, **limits):
    return environment.make_params(parse("dense"), discount_from_horizon(horizon), **limits)


def first_above(curve, threshold):
    """The place of the first value above the threshold; the curve's length if there is none."""
    above = np.flatnonzero(np.asarray(curve) > threshold)
    return above[0] if above.size else len(curve)


@pytest.mark.slow
@needs_gymnax
def test_ppo_of_rejax_learns_digits_and_needs_more_at_a_longer_horizon(task):
    ppo = pytest.importorskip("rejax", reason="rejax is not installed (extra: clients)").PPO
    from gymnax.wrappers import LegacyStepAPIWrapper

    class FiveValues(LegacyStepAPIWrapper):
        """rejax reads the five values of gymnax 0.x's step, and copies its environment."""

        def __deepcopy__(self, memo):
            return self

    env, params = adapters.make_gymnax(task, dense(1.0, time_limit=STEPS))
    agent = ppo.create(
        env=FiveValues(env),
        env_params=params,
        total_timesteps=INTERACTIONS,
        eval_freq=INTERACTIONS // 8,
        num_envs=ENVIRONMENTS,
        num_steps=STEPS,
        num_minibatches=4,
        num_epochs=4,
        learning_rate=1e-3,
        gae_lambda=1.0,
        agent_kwargs={"hidden_layer_sizes": (64,), "activation": "relu"},
    )
    curves = {}
    for horizon in (1.0, 31.0):
        of_horizon = agent.replace(gamma=discount_from_horizon(horizon))
        _, (lengths, returns) = jax.jit(ppo.train)(of_horizon, jax.random.key(0))
        assert (lengths == STEPS).all()
        curves[horizon] = np.asarray(returns).mean(axis=1) / STEPS
    assert curves[1.0][0] < 0.2
    assert curves[1.0][-1] > 0.9
    assert first_above(curves[1.0], 0.7) < first_above(curves[31.0], 0.7)
    assert curves[1.0][-1] > curves[31.0][-1]


def vec_env_class():
    """Stable-baselines3's `VecEnv` of an environment whose episodes do not end."""
    from stable_baselines3.common.vec_env import VecEnv

    class Endless(VecEnv):
        def __init__(self, vector):
            self.vector, self.rewards = vector, []
            super().__init__(
                vector.num_envs, vector.single_observation_space, vector.single_action_space
            )

        def reset(self):
            return self.vector.reset(seed=self._seeds)[0]

        def step_async(self, actions):
            self.actions = actions

        def step_wait(self):
            observations, rewards, terminated, truncated, _ = self.vector.step(self.actions)
            self.rewards.append(rewards.mean())
            return observations, rewards, terminated | truncated, [{} for _ in rewards]

        def close(self):
            self.vector.close()

        def env_is_wrapped(self, wrapper_class, indices=None):
            return [False] * self.num_envs

        def get_attr(self, attr_name, indices=None):
            return [getattr(self.vector, attr_name)] * self.num_envs

        def set_attr(self, attr_name, value, indices=None):
            raise NotImplementedError

        def env_method(self, method_name, *arguments, indices=None, **settings):
            raise NotImplementedError

    return Endless


@pytest.mark.slow
def test_ppo_of_stable_baselines3_learns_digits_and_needs_more_at_a_longer_horizon(task):
    sb3 = pytest.importorskip(
        "stable_baselines3", reason="stable-baselines3 is not installed (extra: clients)"
    )
    from stable_baselines3.common.env_checker import check_env

    check_env(single_class()(task, dense(1.0, time_limit=3)))
    agent = functools.partial(
        sb3.PPO,
        "MlpPolicy",
        n_steps=STEPS,
        batch_size=ENVIRONMENTS * STEPS // 4,
        n_epochs=4,
        gae_lambda=1.0,
        learning_rate=1e-3,
        policy_kwargs={"net_arch": [64]},
        seed=0,
        device="cpu",
    )
    curves, accuracy = {}, {}
    for horizon in (1.0, 31.0):
        vector = vec_env_class()(adapters.make_gymnasium(task, dense(horizon), ENVIRONMENTS))
        model = agent(env=vector, gamma=discount_from_horizon(horizon)).learn(INTERACTIONS)
        curves[horizon] = np.array(vector.rewards).reshape(16, -1).mean(axis=1)
        labels, _ = model.predict(np.asarray(task.test.images), deterministic=True)
        accuracy[horizon] = np.mean(labels == np.asarray(task.test.labels))
    assert curves[1.0][0] < 0.3
    assert curves[1.0][-1] > 0.9
    assert accuracy[1.0] > 0.9
    assert first_above(curves[1.0], 0.7) < first_above(curves[31.0], 0.7)
    assert curves[1.0][-1] > curves[31.0][-1]

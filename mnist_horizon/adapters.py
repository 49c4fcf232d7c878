"""The environment for users of gymnax (1.x) and of Gymnasium's vector API (1.x).

Both libraries are imported when an adapter is made, so that neither is needed otherwise. The data
set stays an argument of every compiled function: gymnax's API passes `params` to `reset` and
`step`, so the task travels in them; the vector environment passes the task itself.
"""

import functools
import importlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jax import Array
from jaxtyping import Bool, Float, Int, Key, Shaped

from mnist_horizon import environment, networks
from mnist_horizon.environment import EnvParams, EnvState, Observation
from mnist_horizon.tasks import Task


@struct.dataclass
class GymnaxParams:
    """What gymnax calls `env_params`: the data set and the environment's own parameters."""

    task: Task
    env: EnvParams

    @property
    def max_steps_in_episode(self) -> Int[Array, ""]:
        """gymnax's name for the time limit."""
        return self.env.time_limit


def make_gymnax(task: Task, params: EnvParams) -> tuple[Any, GymnaxParams]:
    """A gymnax environment and its parameters, as `gymnax.make` returns them.

    Observations are images scaled to [0, 1], or a task's floats as they are; where the phase is
    visible, the flattened pixels followed by the phase's two features. `params` may be left out in
    calls outside of `jax.jit`; inside a jitted function pass them as an argument, or the data set
    becomes a constant of the compiled program.

    Raises:
        ImportError: gymnax 1.x is not installed.
    """
    env = _gymnax_class()(GymnaxParams(task, params))
    return env, env.default_params


def make_gymnasium(task: Task, params: EnvParams, environments: int) -> Any:
    """A `gymnasium.vector.VectorEnv` of this many environments, stepped as one compiled function.

    Observations are images as bytes, or a task's floats, or a dict of `image` and `phase` where the
    phase is visible.
    An environment that ended is reset by the next step, which ignores its action and gives reward 0
    (`AutoresetMode.NEXT_STEP`, Gymnasium's default).

    Raises:
        ImportError: gymnasium 1.x is not installed.
    """
    return _gymnasium_class()(task, params, environments)


def _import(name: str, package: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ImportError(
            f"{package} 1.x is needed for this adapter: pip install '{package}>=1,<2' ({error})"
        ) from error


def _typed_key(key: Shaped[Array, "..."]) -> Key[Array, ""]:
    """A typed key, as the environment needs it, from a typed or a raw key."""
    if jnp.issubdtype(key.dtype, jax.dtypes.prng_key):
        return key
    return jax.random.wrap_key_data(key)


def _as_array(observation: Observation) -> Float[Array, "..."]:
    """An observation as the one array that gymnax's users feed to their networks."""
    image = networks.scaled(observation.image)
    if observation.phase is None:
        return image
    return jnp.concatenate([image.reshape(-1), observation.phase])


class _GymnaxMethods:
    """The methods that gymnax's `Environment` requires; `_gymnax_class` adds that base."""

    def __init__(self, params: GymnaxParams) -> None:
        self._params = params

    @property
    def default_params(self) -> GymnaxParams:
        """The parameters that the environment was made with."""
        return self._params

    @property
    def name(self) -> str:
        """Environment name."""
        return "mnist_horizon"

    @property
    def num_actions(self) -> int:
        """Number of classes."""
        return self._params.task.classes

    # gymnax fills in missing params inside its own jit, which would make the data a constant.
    def reset(self, key: Array, params: GymnaxParams | None = None) -> tuple[Array, EnvState]:
        """`(observation, state)` of a fresh environment."""
        base: Any = super()
        return base.reset(key, self._params if params is None else params)

    def step(
        self,
        key: Array,
        state: EnvState,
        action: int | np.integer | Array,
        params: GymnaxParams | None = None,
    ) -> tuple[Array, EnvState, Array, Array, Array, dict[str, Any]]:
        """`(observation, state, reward, terminated, truncated, info)`, reset where it ended."""
        base: Any = super()
        return base.step(key, state, action, self._params if params is None else params)

    def observe(
        self,
        key: Array,
        state: EnvState,
        action: int | np.integer | Array | None,
        params: GymnaxParams,
    ) -> Float[Array, "..."]:
        """What a policy sees of a state; `key` and `action` are not used."""
        del key, action
        return _as_array(environment.observe(state, params.task, params.env))

    def reset_env(self, key: Array, params: GymnaxParams) -> tuple[Array, EnvState]:
        """`(observation, state)` of a fresh environment."""
        _, state = environment.reset(_typed_key(key), params.task, params.env)
        return self.observe(key, state, None, params), state

    def step_env(
        self, key: Array, state: EnvState, action: int | np.integer | Array, params: GymnaxParams
    ) -> tuple[Array, EnvState, Array, Array, dict[str, Any]]:
        """`(observation, state, reward, terminated, info)`, not reset."""
        following, reward, terminated, _, info = environment.transition(
            _typed_key(key), state, jnp.asarray(action), params.task, params.env
        )
        return self.observe(key, following, action, params), following, reward, terminated, info

    def is_terminated(self, state: EnvState, params: GymnaxParams) -> Bool[Array, ""]:
        """Whether the episode has terminated: there is no future."""
        return state.time >= params.env.episode_length

    def is_truncated(self, state: EnvState, params: GymnaxParams) -> Bool[Array, ""]:
        """Whether the episode was truncated: there is a future."""
        return ~self.is_terminated(state, params) & (state.time >= params.env.time_limit)

    def discount(self, state: EnvState, params: GymnaxParams) -> Float[Array, ""]:
        """What multiplies the value of this state: gamma, or 0 after a termination."""
        return jnp.where(self.is_terminated(state, params), 0.0, params.env.discount)

    def action_space(self, params: GymnaxParams | None = None) -> Any:
        """One of the classes."""
        return _import("gymnax.environments.spaces", "gymnax").Discrete(self.num_actions)

    def observation_space(self, params: GymnaxParams) -> Any:
        """Pixels in [0, 1], or floats in the range of the task's, and the phase in [-1, 1]."""
        box = _import("gymnax.environments.spaces", "gymnax").Box
        images = params.task.train.images
        is_float = jnp.issubdtype(images.dtype, jnp.floating)
        low, high = (images.min(), images.max()) if is_float else (0.0, 1.0)
        if not params.env.phase_visible:
            return box(low, high, images.shape[1:])
        size = int(np.prod(images.shape[1:])) + 2
        lows, highs = (
            jnp.full(size, end).at[-2:].set(phase) for end, phase in ((low, -1), (high, 1))
        )
        return box(lows, highs, (size,))

    def state_space(self, params: GymnaxParams) -> Any:
        """The example shown, the phase, what the reward window carries, the time."""
        spaces = _import("gymnax.environments.spaces", "gymnax")
        reward: Any = params.env.reward
        return spaces.Dict(
            {
                "index": spaces.Discrete(params.task.train.labels.shape[0]),
                "phase": spaces.Discrete(reward.window),
                "carried": spaces.Box(0.0, reward.largest_carried, ()),
                "time": spaces.Discrete(environment.NEVER),
            }
        )


@functools.cache
def _gymnax_class() -> Any:
    base = _import("gymnax.environments.environment", "gymnax").Environment
    if not hasattr(base, "is_truncated"):
        raise ImportError("gymnax 1.x is needed for this adapter, an older one is installed")
    return type("GymnaxEnvironment", (_GymnaxMethods, base), {"__doc__": make_gymnax.__doc__})


@functools.partial(jax.jit, static_argnames="environments")
def _reset_all(
    key: Key[Array, ""], task: Task, params: EnvParams, environments: int
) -> tuple[Observation, EnvState]:
    keys = jax.random.split(key, environments)
    return jax.vmap(environment.reset, (0, None, None))(keys, task, params)


@jax.jit
def _step_all(
    key: Key[Array, ""],
    states: EnvState,
    ended: Bool[Array, "env"],
    actions: Int[Array, "env"],
    task: Task,
    params: EnvParams,
) -> tuple[Observation, EnvState, Array, Array, Array, dict[str, Array]]:
    def step_one(
        key: Array, state: EnvState, ended: Array, action: Array
    ) -> tuple[Observation, EnvState, Array, Array, Array, dict[str, Array]]:
        _, fresh = environment.reset(key, task, params)
        following, reward, terminated, truncated, info = environment.transition(
            key, state, action, task, params
        )
        state = jax.tree.map(lambda new, old: jnp.where(ended, new, old), fresh, following)
        seen = environment.observe(state, task, params)
        reward = jnp.where(ended, 0.0, reward)
        info["discount"] = jnp.where(ended, params.discount, info["discount"])
        info["correct"] = jnp.where(ended, 0.0, info["correct"])
        return seen, state, reward, terminated & ~ended, truncated & ~ended, info

    keys = jax.random.split(key, ended.shape[0])
    return jax.vmap(step_one)(keys, states, ended, actions)


class _GymnasiumMethods:
    """The methods that `gymnasium.vector.VectorEnv` requires; `_gymnasium_class` adds that base."""

    def __init__(self, task: Task, params: EnvParams, environments: int) -> None:
        spaces = _import("gymnasium.spaces", "gymnasium")
        vector = _import("gymnasium.vector", "gymnasium")
        batch_space = _import("gymnasium.vector.utils", "gymnasium").batch_space
        if environments < 1:
            raise ValueError(
                f"a vector environment needs at least 1 environment, not {environments}"
            )
        shape, dtype = task.train.images.shape[1:], np.dtype(task.train.images.dtype)
        low, high = (0, 255) if dtype == np.uint8 else (-np.inf, np.inf)
        image = spaces.Box(low, high, shape, dtype.type)
        phase = spaces.Box(-1, 1, (2,), np.float32)
        visible = params.phase_visible
        self.num_envs = environments
        self.single_observation_space = (
            spaces.Dict({"image": image, "phase": phase}) if visible else image
        )
        self.single_action_space = spaces.Discrete(task.classes)
        self.observation_space = batch_space(self.single_observation_space, environments)
        self.action_space = batch_space(self.single_action_space, environments)
        self.metadata = {"autoreset_mode": vector.AutoresetMode.NEXT_STEP}
        self._task, self._params = task, params
        self._states: EnvState | None = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Fresh environments; the same seed gives the same examples and masks."""
        base: Any = super()
        base.reset(seed=seed, options=options)
        observations, self._states = _reset_all(
            self._next_key(), self._task, self._params, self.num_envs
        )
        self._ended = np.zeros(self.num_envs, bool)
        return _as_numpy(observations), {}

    def step(
        self, actions: Int[np.ndarray, "env"]
    ) -> tuple[Any, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """`(observations, rewards, terminations, truncations, infos)`."""
        if self._states is None:
            raise RuntimeError("call reset() before step()")
        observations, self._states, rewards, terminated, truncated, info = _step_all(
            self._next_key(),
            self._states,
            jnp.asarray(self._ended),
            jnp.asarray(actions),
            self._task,
            self._params,
        )
        valid, terminated, truncated = ~self._ended, np.asarray(terminated), np.asarray(truncated)
        self._ended = terminated | truncated
        infos = {name: np.asarray(values) for name, values in info.items()}
        infos |= {f"_{name}": valid for name in info}
        rewards = np.asarray(rewards, np.float64)
        return _as_numpy(observations), rewards, terminated, truncated, infos

    def _next_key(self) -> Key[Array, ""]:
        generator: np.random.Generator = self.np_random  # type: ignore[attr-defined]
        return jax.random.key(generator.integers(2**32, dtype=np.uint32))


def _as_numpy(observations: Observation) -> Any:
    image = np.asarray(observations.image)
    if observations.phase is None:
        return image
    return {"image": image, "phase": np.asarray(observations.phase)}


@functools.cache
def _gymnasium_class() -> Any:
    vector = _import("gymnasium.vector", "gymnasium")
    if not hasattr(vector, "AutoresetMode"):
        raise ImportError("gymnasium 1.x is needed for this adapter, an older one is installed")
    return type(
        "GymnasiumVectorEnv",
        (_GymnasiumMethods, vector.VectorEnv),
        {"__doc__": make_gymnasium.__doc__},
    )

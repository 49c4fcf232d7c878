"""The environment for users of gymnax (1.x) and of Gymnasium's vector API (1.x).

Both libraries are imported when an adapter is made, so that neither is needed otherwise. The data
set stays an argument of every compiled function: gymnax's API passes `params` to `reset` and
`step`, so the task travels in them; the vector environment passes the task itself.
"""

import dataclasses
import functools
import importlib
import operator
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jax import Array
from jaxtyping import Bool, Float, Int, Key, Shaped

from mnist_horizon import environment, networks
from mnist_horizon.environment import EnvParams, EnvState, Observation
from mnist_horizon.errors import InputError
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


def _replace(params: GymnaxParams, **updates: Any) -> GymnaxParams:
    """As `replace` of a Flax dataclass, with `max_steps_in_episode` for the time limit."""
    if "max_steps_in_episode" in updates:
        limit = updates.pop("max_steps_in_episode")
        environment.check_steps("max_steps_in_episode", limit)
        env = updates.get("env", params.env)
        updates["env"] = env.replace(time_limit=jnp.int32(limit))
    return dataclasses.replace(params, **updates)


GymnaxParams.replace = _replace  # type: ignore[attr-defined]


def make_gymnax(task: Task, params: EnvParams) -> tuple[Any, GymnaxParams]:
    """A gymnax environment and its parameters, as `gymnax.make` returns them.

    Observations are images scaled to [0, 1], or a task's floats as they are; where the phase is
    visible, the flattened pixels followed by the phase's two features. `params` may be left out in
    calls outside of `jax.jit`; inside a jitted function pass them as an argument, or the data set
    becomes a constant of the compiled program.

    A step takes one whole number below the number of classes; `jax.vmap` it for several
    environments. Its type and shape are checked always, its value where it has one: a traced action
    that is no class is scored as the task's `score` says, which for most tasks is 0.

    `step` gives the six values of gymnax 1.x. For libraries that read the five of 0.x (rejax 0.1)
    there is `gymnax.wrappers.LegacyStepAPIWrapper`.

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

    Seeds, options and actions are those of Gymnasium's `SyncVectorEnv`, and the results those that
    it would give of as many single environments: environment i of `reset(seed=s)` is environment 0
    of `reset(seed=s + i)`. Copies and pickles go on as the original does.

    Raises:
        ImportError: gymnasium 1.x is not installed.
        InputError: the number of environments is not a whole number from 1 on.
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


def _check_action(action: Any, classes: int) -> None:
    """Refuse an action that is no class; of a traced one, a wrong type or shape.

    Raises:
        InputError: one line says what is accepted.
    """
    traced = isinstance(action, jax.core.Tracer)
    array = action if traced else np.asarray(action)
    one_class = not array.shape and jnp.issubdtype(array.dtype, np.integer)
    if not one_class or not (traced or 0 <= array < classes):
        given = f"{array.dtype} of shape {array.shape}" if traced else repr(action)
        raise InputError(
            f"an action is one whole number from 0 to {classes - 1}, not {given}; "
            "jax.vmap the step for several environments"
        )


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
        action: Any,
        params: GymnaxParams | None = None,
    ) -> tuple[Array, EnvState, Array, Array, Array, dict[str, Any]]:
        """`(observation, state, reward, terminated, truncated, info)`, reset where it ended.

        Raises:
            InputError: the action is not one whole number; or, where it has a value, no class.
        """
        params = self._params if params is None else params
        _check_action(action, params.task.classes)
        base: Any = super()
        return base.step(key, state, action, params)

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
            _typed_key(key), state, jnp.asarray(action, jnp.int32), params.task, params.env
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


@jax.jit
def _reset_some(
    keys: Key[Array, "env"],
    states: EnvState,
    chosen: Bool[Array, "env"],
    task: Task,
    params: EnvParams,
) -> tuple[Key[Array, "env"], Observation, EnvState]:
    """The chosen environments afresh, the others as they are, their keys too."""

    def reset_one(
        key: Array, state: EnvState, chosen: Array
    ) -> tuple[Array, Observation, EnvState]:
        following, used = jax.random.split(key)
        _, fresh = environment.reset(used, task, params)
        key = jnp.where(chosen, following, key)
        state = jax.tree.map(lambda new, old: jnp.where(chosen, new, old), fresh, state)
        return key, environment.observe(state, task, params), state

    return jax.vmap(reset_one)(keys, states, chosen)


@jax.jit
def _step_all(
    keys: Key[Array, "env"],
    states: EnvState,
    ended: Bool[Array, "env"],
    actions: Int[Array, "env"],
    task: Task,
    params: EnvParams,
) -> tuple[Key[Array, "env"], Observation, EnvState, Array, Array, Array, dict[str, Array]]:
    def step_one(
        key: Array, state: EnvState, ended: Array, action: Array
    ) -> tuple[Array, Observation, EnvState, Array, Array, Array, dict[str, Array]]:
        key, used = jax.random.split(key)
        _, fresh = environment.reset(used, task, params)
        following, reward, terminated, truncated, info = environment.transition(
            used, state, action, task, params
        )
        state = jax.tree.map(lambda new, old: jnp.where(ended, new, old), fresh, following)
        seen = environment.observe(state, task, params)
        info = {
            name: jnp.where(ended, jnp.zeros_like(value), value) for name, value in info.items()
        }
        info["discount"] = jnp.where(ended, params.discount, info["discount"])
        reward = jnp.where(ended, 0.0, reward)
        return key, seen, state, reward, terminated & ~ended, truncated & ~ended, info

    return jax.vmap(step_one)(keys, states, ended, actions)


class _GymnasiumMethods:
    """The methods that `gymnasium.vector.VectorEnv` requires; `_gymnasium_class` adds that base."""

    def __init__(self, task: Task, params: EnvParams, environments: int) -> None:
        spaces = _import("gymnasium.spaces", "gymnasium")
        vector = _import("gymnasium.vector", "gymnasium")
        batch_space = _import("gymnasium.vector.utils", "gymnasium").batch_space
        environments = _whole_number("the number of environments", environments, least=1)
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
        self._keys: Array | None = None
        self._states: EnvState | None = None
        self._ended = np.zeros(environments, bool)

    def reset(self, *, seed: Any = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        """Fresh environments; the same seed gives the same examples and masks.

        Args:
            seed: a whole number, that of environment 0, with i more for environment i; or a list
                with one for each. Where it is None an environment goes on with its random numbers.
            options: None, or `{"reset_mask": mask}`, which resets only the environments where the
                array of booleans [env] is true; the others stay as they are.

        Raises:
            InputError: the seed or the options are something else.
            gymnasium.error.ClosedEnvironmentError: after `close`.
            gymnasium.error.ResetNeeded: a mask before the first reset of all.
        """
        self._check_open("reset")
        chosen = self._reset_mask(options)
        if self._states is None and not chosen.all():
            raise self._error("ResetNeeded")(
                "reset all environments once before some: no reset_mask"
            )
        self._seed(seed, chosen)
        if self._states is None:
            none = jnp.zeros(self.num_envs, jnp.int32)
            self._states = EnvState(none, none, none.astype(jnp.float32), none)
        self._keys, observations, self._states = _reset_some(
            self._keys, self._states, chosen, self._task, self._params
        )
        self._ended = self._ended & ~chosen
        return _as_numpy(observations), {}

    def step(self, actions: Any) -> tuple[Any, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """`(observations, rewards, terminations, truncations, infos)`.

        Args:
            actions: whole numbers [env], one class for each environment; that of an environment
                that ended is ignored.

        Raises:
            InputError: the actions have another type or shape, or one is no class.
            gymnasium.error.ClosedEnvironmentError: after `close`.
            gymnasium.error.ResetNeeded: before the first `reset`.
        """
        self._check_open("step")
        if self._states is None:
            raise self._error("ResetNeeded")("call reset() before step()")
        self._keys, observations, self._states, rewards, terminated, truncated, info = _step_all(
            self._keys,
            self._states,
            self._ended,
            self._checked_actions(actions),
            self._task,
            self._params,
        )
        valid, terminated, truncated = ~self._ended, np.array(terminated), np.array(truncated)
        self._ended = terminated | truncated
        infos = {name: np.array(values) for name, values in info.items()}
        infos |= {f"_{name}": valid.copy() for name in info}
        rewards = np.array(rewards, np.float64)
        return _as_numpy(observations), rewards, terminated, truncated, infos

    def _checked_actions(self, actions: Any) -> Int[np.ndarray, "env"]:
        """The actions, 0 for those that are ignored.

        Raises:
            InputError: one line says what is accepted.
        """
        classes, shape = self._task.classes, (self.num_envs,)
        try:
            array = np.asarray(actions)
        except ValueError:  # lists of different lengths
            array = np.empty(0, object)
        if array.shape != shape or not jnp.issubdtype(array.dtype, np.integer):
            raise InputError(
                f"actions are an array of whole numbers of shape {shape}, one for each "
                f"environment, not {array.dtype} of shape {array.shape}"
            )
        wrong = np.flatnonzero(~self._ended & ((array < 0) | (array >= classes)))
        if wrong.size:
            number = wrong[0]
            raise InputError(
                f"actions[{number}] must be from 0 to {classes - 1}, not {array[number]}"
            )
        return np.where(self._ended, 0, array).astype(np.int32)

    def _reset_mask(self, options: Any) -> Bool[np.ndarray, "env"]:
        """Which environments a reset with these options is of.

        Raises:
            InputError: one line says what is accepted.
        """
        if options is None or (isinstance(options, dict) and not options):
            return np.ones(self.num_envs, bool)
        if not isinstance(options, dict) or set(options) != {"reset_mask"}:
            raise InputError(f"options: the only one is 'reset_mask', not {options!r}")
        mask = options["reset_mask"]
        is_mask = isinstance(mask, np.ndarray) and mask.dtype == bool
        if not is_mask or mask.shape != (self.num_envs,) or not mask.any():
            raise InputError(
                f"options: 'reset_mask' must be an array of {self.num_envs} booleans, "
                f"of which one is true, not {mask!r}"
            )
        return mask

    def _seed(self, seed: Any, chosen: Bool[np.ndarray, "env"]) -> None:
        """Give the chosen the keys of their seeds; one without goes on, or draws its first.

        Raises:
            InputError: one line says what is accepted.
        """
        seeds: list[int | None] = [None] * self.num_envs
        if np.ndim(seed):
            seeds = [None if each is None else _whole_number("a seed", each, 0) for each in seed]
        elif seed is not None:
            first = _whole_number("a seed", seed, 0)
            seeds = list(range(first, first + self.num_envs))
            base: Any = super()
            base.reset(seed=first)
        if len(seeds) != self.num_envs:
            raise InputError(
                f"seed: a list holds one for each of {self.num_envs} environments, not {len(seeds)}"
            )
        if self._keys is None:
            generator: np.random.Generator = self.np_random  # type: ignore[attr-defined]
            drawn = generator.integers(2**32, size=self.num_envs).tolist()
            self._keys = _keys_of(drawn)
        given = {i: each for i, each in enumerate(seeds) if each is not None and chosen[i]}
        if given:
            self._keys = self._keys.at[np.array(list(given))].set(_keys_of(list(given.values())))

    def _check_open(self, method: str) -> None:
        if self.closed:  # type: ignore[attr-defined]
            raise self._error("ClosedEnvironmentError")(f"{method}() after close()")

    def _error(self, name: str) -> Any:
        """An exception's class of Gymnasium."""
        return getattr(_import("gymnasium.error", "gymnasium"), name)


def _whole_number(what: str, value: Any, least: int) -> int:
    """The value as an int, of Python's or NumPy's whole numbers.

    Raises:
        InputError: it is something else, or less than `least`.
    """
    try:
        number = operator.index(value)
    except TypeError:
        number = least - 1
    if number < least or isinstance(value, bool):
        raise InputError(f"{what} must be a whole number from {least} on, not {value!r}")
    return number


def _keys_of(seeds: Sequence[int]) -> Key[Array, "env"]:
    """A key for each seed, of any size."""
    words = [np.random.SeedSequence(seed).generate_state(1)[0] for seed in seeds]
    return jax.vmap(jax.random.key)(np.array(words, np.uint32))


def _as_numpy(observations: Observation) -> Any:
    """Observations as arrays of their own, which a user may write to."""
    image = np.array(observations.image)
    if observations.phase is None:
        return image
    return {"image": image, "phase": np.array(observations.phase)}


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


def __getattr__(name: str) -> Any:
    """The adapters' classes by name, by which pickles find them."""
    if name in _CLASSES:
        return _CLASSES[name]()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


_CLASSES = {"GymnaxEnvironment": _gymnax_class, "GymnasiumVectorEnv": _gymnasium_class}

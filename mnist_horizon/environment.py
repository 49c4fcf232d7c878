"""MNIST as a discounted task: label one example after another, each step independent of the last.

The example shown is drawn uniformly from the split at every step, whatever the policy did before;
only the reward's window (its phase and the right answers in it) is carried from step to step.
`reset` and `step` serve one environment at a time and are vmapped by their users. The trainer
computes the rewards of whole rollouts at once, since nothing else depends on time.
"""

from typing import Any, no_type_check

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jax import Array
from jaxtyping import Bool, Float, Float32, Int, Key, UInt8, UInt32

from mnist_horizon.errors import InputError
from mnist_horizon.horizon import horizon_from_discount, single_precision_fault
from mnist_horizon.schedules import Reward, Schedule
from mnist_horizon.tasks import Task

NEVER = jnp.iinfo(jnp.int32).max


@no_type_check  # JAX also fills pytrees with shapes and axes
@struct.dataclass
class EnvParams:
    """Parameters of the environment; all but `phase_visible` are traced.

    Three parameters limit the sum of rewards, each in its own way:
    `discount` weighs rewards k steps ahead by gamma^k and ends no episode;
    `episode_length` terminates: after that many steps there is no future, and no bootstrap;
    `time_limit` truncates: the episode is cut after that many steps, but has a future.
    """

    reward: Reward
    discount: Float[Array, "*runs"]
    episode_length: Int[Array, "*runs"]
    time_limit: Int[Array, "*runs"]
    phase_visible: bool = struct.field(pytree_node=False, default=False)


@no_type_check  # JAX also fills pytrees with shapes and axes
@struct.dataclass
class EnvState:
    """What an environment carries from step to step."""

    index: Int[Array, "*env"]
    """Which example of the training split is shown."""
    phase: Int[Array, "*env"]
    """Steps of the open reward window so far."""
    carried: Float[Array, "*env"]
    """What the open reward window carries: right answers so far, or its draw."""
    time: Int[Array, "*env"]
    """Steps since the reset."""


@no_type_check  # JAX also fills pytrees with shapes and axes
@struct.dataclass
class Observation:
    """What the policy sees."""

    image: UInt8[Array, "..."] | Float32[Array, "..."]
    phase: Float[Array, "*env 2"] | None
    """`phase_features`, or None where the phase is hidden."""


def make_params(
    schedule: Schedule,
    discount: float | Array = 0.0,
    episode_length: int | Array = NEVER,
    time_limit: int | Array = NEVER,
    phase_visible: bool = False,
) -> EnvParams:
    """Parameters of a task with this schedule and discount.

    What is traced (by `jax.jit`, `jax.vmap`, `jax.grad`) has no value yet and is taken unchecked.

    Args:
        schedule: which right answers are rewarded, and when.
        discount: gamma, from 0 to 1; below 1, one whose horizon single precision holds to 1%.
        episode_length: steps after which an episode terminates, from 1 on.
        time_limit: steps after which it is truncated, from 1 on.
        phase_visible: whether observations hold the phase of the reward window.

    Raises:
        InputError: a number is outside of its range, or not a number.
    """
    _check_discount(discount)
    check_steps("episode_length", episode_length)
    check_steps("time_limit", time_limit)
    return EnvParams(
        reward=jax.tree.map(jnp.float32, schedule),
        discount=jnp.float32(discount),
        episode_length=jnp.int32(episode_length),
        time_limit=jnp.int32(time_limit),
        phase_visible=phase_visible,
    )


def _check_discount(discount: float | Array) -> None:
    for value in _known_numbers("discount", discount):
        if not 0 <= value <= 1:
            raise InputError(f"discount must be from 0 to 1, not {value:g}")
        fault = single_precision_fault(horizon_from_discount(value)) if value < 1 else ""
        if fault:
            raise InputError(f"discount {value!r}: a horizon of {fault}")


def check_steps(name: str, steps: int | Array) -> None:
    """Refuse a number of steps that is no whole number from 1 on; a traced one is not checked.

    Raises:
        InputError: with its name.
    """
    for value in _known_numbers(name, steps):
        if not 1 <= value <= NEVER or value % 1:
            raise InputError(
                f"{name} must be a whole number of steps from 1 to {NEVER}, not {value:g}"
            )


def _known_numbers(name: str, value: Any) -> list[float]:
    """The numbers of a parameter, one or an array of them; none where they are traced."""
    if isinstance(value, jax.core.Tracer):
        return []
    array = np.asarray(value)
    if not any(jnp.issubdtype(array.dtype, kind) for kind in (np.integer, np.floating)):
        raise InputError(f"{name} must be a number, not {value!r}")
    return array.astype(float).ravel().tolist()


def phase_features(phase: Int[Array, "*n"], window: Int[Array, ""] | int) -> Float[Array, "*n 2"]:
    """The phase as a point of the unit circle, `(cos, sin)(2 pi phase / window)`."""
    angle = 2 * jnp.pi * phase / window
    return jnp.stack([jnp.cos(angle), jnp.sin(angle)], axis=-1)


def observe(state: EnvState, task: Task, params: EnvParams) -> Observation:
    """The example shown, with the phase where the task shows it."""
    visible = params.phase_visible
    return Observation(
        image=task.train.images[state.index],
        phase=phase_features(state.phase, params.reward.window) if visible else None,
    )


def draw_index(key: Key[Array, ""], task: Task) -> Int[Array, ""]:
    """An example drawn uniformly, with replacement, from the training split."""
    return index_of(jax.random.bits(key), task)


def index_of(bits: UInt32[Array, "*n"], task: Task) -> Int[Array, "*n"]:
    """Examples of the training split from random bits: the remainder by their number n.

    The probabilities of two examples differ by a factor of at most `1 + n / 2^32`.
    """
    return (bits % jnp.uint32(task.train.labels.shape[0])).astype(jnp.int32)


def reset(key: Key[Array, ""], task: Task, params: EnvParams) -> tuple[Observation, EnvState]:
    """A fresh environment: an example drawn uniformly, the window empty."""
    zero = jnp.int32(0)
    state = EnvState(draw_index(key, task), phase=zero, carried=jnp.float32(0), time=zero)
    return observe(state, task, params), state


def transition(
    key: Key[Array, ""],
    state: EnvState,
    action: Int[Array, ""],
    task: Task,
    params: EnvParams,
) -> tuple[EnvState, Float[Array, ""], Bool[Array, ""], Bool[Array, ""], dict[str, Any]]:
    """Score the action and reward it by the schedule; an episode that ends is not reset.

    Returns:
        State, reward, terminated, truncated, info. `info["discount"]` multiplies the value of what
        follows: gamma, or 0 after a termination; `info["correct"]` is c_t, which sparse rewards
        hide from the agent; `info["gold"]`, of a task that pays a proxy, is the score itself.
    """
    index_key, reward_key = jax.random.split(key)
    label, paid = task.train.labels[state.index], task.train.paid_at(state.index)
    correct = task.pay(label, paid, action).astype(jnp.float32)
    uniform = jax.random.uniform(reward_key, (1,))
    payments = params.reward.rewards(correct[None], uniform, state.phase, state.carried)
    time = state.time + 1
    terminated = time >= params.episode_length
    truncated = ~terminated & (time >= params.time_limit)
    following = EnvState(
        index=draw_index(index_key, task),
        phase=payments.phase[-1],
        carried=payments.carried[-1],
        time=time,
    )
    info = {"discount": jnp.where(terminated, 0.0, params.discount), "correct": correct}
    if task.has_gold:
        info["gold"] = task.score(label, action)
    return following, payments.rewards[0], terminated, truncated, info


def step(
    key: Key[Array, ""],
    state: EnvState,
    action: Int[Array, ""],
    task: Task,
    params: EnvParams,
) -> tuple[
    Observation, EnvState, Float[Array, ""], Bool[Array, ""], Bool[Array, ""], dict[str, Any]
]:
    """A `transition`, then a reset where the episode ended.

    The return convention is gymnax 1.x's: observation, state, reward, terminated, truncated,
    info. `info["final_observation"]` is the observation before the reset, from whose value a
    truncated episode bootstraps.
    """
    following, reward, terminated, truncated, info = transition(key, state, action, task, params)
    done = terminated | truncated
    fresh = EnvState(
        index=following.index,  # drawn at every step, so a new episode can use it
        phase=jnp.where(done, 0, following.phase),
        carried=jnp.where(done, 0.0, following.carried),
        time=jnp.where(done, 0, following.time),
    )
    info = {**info, "final_observation": observe(following, task, params)}
    return observe(fresh, task, params), fresh, reward, terminated, truncated, info

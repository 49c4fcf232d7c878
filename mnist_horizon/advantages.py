"""Discounted returns, generalised advantages, and the baselines that centre them.

Every baseline is a pair (rewards shifted by a constant, value estimate V) put through the same
GAE(gamma, lambda): see `shifted_rewards` and `state_values`.
"""

import jax
import jax.numpy as jnp
from flax import struct
from jax import Array
from jaxtyping import Float, Int

from mnist_horizon.schedules import RewardParams, expected_reward

BASELINES = ("none", "batch_mean", "running_mean", "expected_reward", "state", "value_net")
CENTRED = ("expected_reward", "state", "value_net")


@struct.dataclass
class Window:
    """What one rollout of T steps in E environments left behind."""

    rewards: Float[Array, "time env"]
    phase: Int[Array, "time"]
    counts: Float[Array, "time env"]
    """Right answers of the reward window, with this step."""
    correct: Float[Array, "time env"]
    success_probability: Float[Array, "time env"]
    """E[c | x], for most tasks pi(label | x): as it is before the action is drawn."""

    @property
    def accuracy(self) -> Float[Array, ""]:
        """mu, estimated without the noise of the actions."""
        return self.success_probability.mean()


def reverse_recurrence(
    inputs: Float[Array, "time *env"], decay: Float[Array, "time *env"]
) -> Float[Array, "time *env"]:
    """`y_t = inputs_t + decay_t y_{t+1}` with y_T = 0, in log2(T) vectorised sweeps."""

    def combine(later: tuple[Array, Array], earlier: tuple[Array, Array]) -> tuple[Array, Array]:
        return earlier[0] + earlier[1] * later[0], earlier[1] * later[1]

    return jax.lax.associative_scan(combine, (inputs, decay), reverse=True)[0]


def discounted_returns(
    rewards: Float[Array, "time *env"],
    discount: Float[Array, "..."] | float,
    bootstrap: Float[Array, "*env"] | float = 0.0,
    terminated: Float[Array, "time *env"] | float = 0.0,
) -> Float[Array, "time *env"]:
    """Discounted returns `G_t = r_t + gamma (1 - terminated_t) G_{t+1}`, G_T = `bootstrap`.

    A termination has no future; a truncated window has one, whose value is `bootstrap`.
    """
    decay = jnp.broadcast_to(discount * (1.0 - jnp.asarray(terminated)), rewards.shape)
    last = rewards[-1] + decay[-1] * bootstrap
    return reverse_recurrence(rewards.at[-1].set(last), decay)


def gae(
    rewards: Float[Array, "time *env"],
    values: Float[Array, "time *env"],
    bootstrap: Float[Array, "*env"],
    discount: Float[Array, "..."] | float,
    gae_lambda: Float[Array, "..."] | float,
    terminated: Float[Array, "time *env"] | float = 0.0,
) -> Float[Array, "time *env"]:
    """Generalised advantages (Schulman et al. 2016, arXiv 1506.02438, equation 16).

    `delta_t = r_t + gamma (1 - terminated_t) V_{t+1} - V_t`,
    `A_t = delta_t + gamma lambda (1 - terminated_t) A_{t+1}`, with V_T = `bootstrap`.
    lambda = 1 is the discounted return less V_t.
    """
    decay = jnp.broadcast_to(discount * (1.0 - jnp.asarray(terminated)), rewards.shape)
    following = jnp.concatenate([values[1:], bootstrap[None]])
    return reverse_recurrence(rewards + decay * following - values, decay * gae_lambda)


def state_values(
    window: Window,
    discount: Float[Array, ""],
    params: RewardParams,
) -> tuple[Float[Array, "time env"], Float[Array, "env"]]:
    """The exact value of centred rewards given the environment's state, before each action.

    With phase j, n right answers so far and d = k - 1 - j steps to the payment:
    `V = gamma^d (n - j mu + pi(label|x) - mu)`, or for a streak
    `gamma^d k ([n = j] pi(label|x) mu^d - mu^k)`; later windows are worth 0 once centred.

    Returns:
        V_t for each step, and V_T for the state after the last, averaged over its example: what a
        truncated window bootstraps from.
    """
    mu = window.accuracy
    period = params.period
    before = window.counts - window.correct
    probability, phase = window.success_probability, window.phase[:, None]
    after_phase = (window.phase[-1] + 1) % period
    after_count = jnp.where(after_phase == 0, 0.0, window.counts[-1])

    def value(phase: Array, count: Array, probability: Array) -> Array:
        ahead = (period - 1 - phase).astype(jnp.float32)
        k = period.astype(jnp.float32)
        linear = count - phase * mu + probability - mu
        streak = k * ((count == phase) * probability * mu**ahead - mu**k)
        return discount**ahead * jnp.where(params.streak, streak, linear)

    return value(phase, before, probability), value(after_phase, after_count, mu)


def advantages(
    window: Window,
    baseline: str,
    discount: Float[Array, ""],
    gae_lambda: Float[Array, ""],
    params: RewardParams,
    running_mean: Float[Array, ""],
    net_values: Float[Array, "time env"] | None = None,
) -> Float[Array, "time env"]:
    """Advantages of a rollout under one of `BASELINES`.

    | baseline | rewards | V |
    |---|---|---|
    | none | r | 0 |
    | batch_mean | r; the batch's mean return is subtracted from the returns | 0 |
    | running_mean | r - the running mean of r | 0 |
    | expected_reward | r - E[r given phase] | 0 |
    | state | r - E[r given phase] | `state_values` |
    | value_net | r - E[r given phase] | the value net |

    A window's end is a truncation. The future of the centred baselines is then worth
    `state_values`' V_T (the open reward window; 0 for dense rewards), so no answer goes unpaid; a
    value net's own mean is added, since the next example is independent of everything. The other
    three baselines know no values: there, answers of a reward window that is open at the end are
    paid for in the next rollout, to actions that come after them.

    Raises:
        ValueError: the baseline is unknown.
    """
    if baseline not in BASELINES:
        raise ValueError(f"unknown baseline {baseline!r}: choose from {', '.join(BASELINES)}")
    rewards, zero = window.rewards, jnp.zeros_like(window.rewards)
    if baseline not in CENTRED:
        shift = running_mean if baseline == "running_mean" else 0.0
        result = gae(rewards - shift, zero, zero[0], discount, gae_lambda)
        return result - result.mean() if baseline == "batch_mean" else result
    centred = rewards - expected_reward(params, window.phase, window.accuracy)[:, None]
    exact, bootstrap = state_values(window, discount, params)
    if baseline == "state":
        return gae(centred, exact, bootstrap, discount, gae_lambda)
    if baseline == "value_net":
        assert net_values is not None
        return gae(centred, net_values, bootstrap + net_values.mean(), discount, gae_lambda)
    return gae(centred, zero, bootstrap, discount, gae_lambda)

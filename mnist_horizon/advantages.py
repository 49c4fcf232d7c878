"""Generalised advantages, and the baselines that centre them.

Every baseline is a pair (rewards shifted by a constant, value estimate V) put through the same
GAE(gamma, lambda): see `advantages` and `state_values`.
"""

import math

import jax
import jax.numpy as jnp
from flax import struct
from jax import Array
from jaxtyping import Float, Int

from mnist_horizon import baselines
from mnist_horizon.baselines import CENTRED
from mnist_horizon.schedules import Reward


@struct.dataclass
class Window:
    """A rollout of T steps in E environments: its rewards, answers and reward windows."""

    rewards: Float[Array, "time env"]
    phase: Int[Array, "time+1"]
    """Steps of the open reward window so far, before each step and after the last."""
    carried: Float[Array, "time+1 env"]
    """What the open reward window carries (`schedules.Payments`), likewise."""
    correct: Float[Array, "time env"]
    success_probability: Float[Array, "time env"]
    """E[c | x], for most tasks pi(label | x), before the action is drawn."""

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


def discounted_sums(
    inputs: Float[Array, "time *env"], discount: Float[Array, ""] | float
) -> Float[Array, "time *env"]:
    """`y_t = sum_{k>=0} discount^k inputs_{t+k}`, by products with matrices of powers.

    With steps in blocks of n, about the root of T,

        y[b, i] = sum_{j>=i} d^(j-i) x[b, j] + d^(n-i) sum_{c>b} d^(n (c-b-1)) y'[c],

    y'[c] the sum within block c. Four operations, where `reverse_recurrence` needs 4 log2(T).
    """
    steps, *env = inputs.shape
    size = 2 ** math.ceil(math.log2(steps) / 2)
    blocks = -(-steps // size)
    padded = jnp.pad(inputs, [(0, blocks * size - steps), *[(0, 0)] * len(env)])
    within = _powers(discount, size, first=0)
    between = _powers(discount, blocks, first=-1, stride=size)
    exact = jax.lax.Precision.HIGHEST
    inside = jnp.einsum(
        "ij,bj...->bi...", within, padded.reshape(blocks, size, *env), precision=exact
    )
    after = jnp.einsum("bc,c...->b...", between, inside[:, 0], precision=exact)
    ahead = discount ** (size - jnp.arange(size))
    ahead = ahead.reshape(1, size, *[1] * len(env))
    return (inside + ahead * after[:, None]).reshape(blocks * size, *env)[:steps]


def _powers(
    discount: Float[Array, ""] | float, size: int, first: int, stride: int = 1
) -> Float[Array, "size size"]:
    """`discount^(stride (j - i + first))` where the exponent is not negative, else 0."""
    exponent = stride * (jnp.arange(size) - jnp.arange(size)[:, None] + first)
    return jnp.where(exponent >= 0, discount ** jnp.maximum(exponent, 0), 0.0)


def gae(
    rewards: Float[Array, "time *env"],
    values: Float[Array, "time *env"],
    bootstrap: Float[Array, "*env"],
    discount: Float[Array, ""] | float,
    gae_lambda: Float[Array, ""] | float,
    terminated: Float[Array, "time *env"] | None = None,
) -> Float[Array, "time *env"]:
    """Generalised advantages (Schulman et al. 2016, arXiv 1506.02438, equation 16).

    `delta_t = r_t + gamma (1 - terminated_t) V_{t+1} - V_t`,
    `A_t = delta_t + gamma lambda (1 - terminated_t) A_{t+1}`, with V_T = `bootstrap`.
    lambda = 1 is the discounted return less V_t. With `terminated` None no step ends an episode.
    """
    following = jnp.concatenate([values[1:], bootstrap[None]])
    if terminated is None:
        return discounted_sums(rewards + discount * following - values, discount * gae_lambda)
    decay = discount * (1.0 - terminated)
    return reverse_recurrence(rewards + decay * following - values, decay * gae_lambda)


def state_values(
    window: Window, discount: Float[Array, ""], reward: Reward
) -> tuple[Float[Array, "time env"], Float[Array, "env"]]:
    """The exact value of centred rewards given the environment's state, before each action.

    Returns:
        V_t for each step, and V_T for the state after the last, averaged over its example: what a
        truncated window bootstraps from.
    """
    mu = window.accuracy
    phase, carried, probability = window.phase, window.carried, window.success_probability
    values = reward.state_value(phase[:-1, None], carried[:-1], probability, mu, discount)
    last = reward.state_value(phase[-1], carried[-1], mu, mu, discount)
    return values, jnp.broadcast_to(last, carried.shape[1:])


def advantages(
    window: Window,
    baseline: str,
    discount: Float[Array, ""],
    gae_lambda: Float[Array, ""],
    reward: Reward,
    running_mean: Float[Array, ""],
    net_values: Float[Array, "time env"] | None = None,
) -> Float[Array, "time env"]:
    """Advantages of a rollout under one of `baselines.BASELINES`.

    | baseline | rewards | V |
    |---|---|---|
    | none | r | 0 |
    | batch_mean | r; the batch's mean return is subtracted from the returns | 0 |
    | running_mean | r - the running mean of r | 0 |
    | expected_reward | r - E[r given phase] | 0 |
    | state | r - E[r given phase] | `state_values` |
    | value_net | r - E[r given phase] | the value net |

    The end of a rollout is a truncation. The centred baselines bootstrap there from V_T of
    `state_values` (the open reward window; 0 for dense rewards), so every answer is rewarded; a
    value net's mean is added, since the next example is independent. The other three baselines have
    no values: answers of a reward window that is open at the end are rewarded in the next rollout,
    and credited to later actions.

    Raises:
        ValueError: the baseline is unknown.
    """
    baselines.check(baseline)
    rewards, zero = window.rewards, jnp.zeros_like(window.rewards)
    if baseline not in CENTRED:
        shift = running_mean if baseline == "running_mean" else 0.0
        result = gae(rewards - shift, zero, zero[0], discount, gae_lambda)
        return result - result.mean() if baseline == "batch_mean" else result
    centred = rewards - reward.expected_reward(window.phase[:-1], window.accuracy)[:, None]
    exact, bootstrap = state_values(window, discount, reward)
    if baseline == "state":
        return gae(centred, exact, bootstrap, discount, gae_lambda)
    if baseline == "value_net":
        assert net_values is not None
        return gae(centred, net_values, bootstrap + net_values.mean(), discount, gae_lambda)
    return gae(centred, zero, bootstrap, discount, gae_lambda)

"""The theory of schedules with additive rewards: `dense`, `revealed` and `periodic`.

Timesteps are independent, so all of it follows from a few moments of the score
`s = grad log pi(a|x)` and of the answer c in {0, 1} (`Moments`), and from how an advantage weighs
answers:

    A_t = sum_l W[t, l] (c_l - mu) + b_t - zeta_t z(x_t)

with W[t, l] the discount from step t to the payment of answer l (shared by all answers of a window,
including earlier ones), b_t what a baseline leaves of the mean return and z the state baseline. The
gradient of a step is g_t = s_t A_t. With w_t = W[t, t], its covariance is

    future = F v sum_{l>t} W[t, l]^2                                      what happens later
    action = E[s s^T (w_t (c - mu) - zeta_t z + b_t)^2] - w_t^2 E[m(x) m(x)^T]
             + F v sum_{l<t} W[t, l]^2                                    which action was drawn
    state  = w_t^2 (E[m(x) m(x)^T] - m m^T)                               which example came

by the law of total variance over trajectory, action and state, as Tucker et al. 2018
(arXiv 1802.10031) split it; the state holds example, phase and the right answers so far. Averages
are over the steps t (equally, over phases). The mean of B steps has the covariance (total + within)
/ B, where `within = sum_{t' != t} W[t, t'] W[t', t] m m^T` comes from steps that share a payment.

A mask that pays c / p with probability p adds to the future: the variance of later answers becomes
`mu/p - mu^2`, and the step's own answer gains `w^2 K (1/p - 1)`.

The code centres rewards by the batch's own mean of pi(label|x), which removes part of the examples'
noise from long sums: the future loses `F Var(pi) (sum_{l>t} W[t, l])^2 / B`, of the order h/B
(`batch` of `window_covariance`). Neglected are terms of order 1/B, the same loss under a streak,
and that of the `batch_mean` of returns.
"""

import math
from dataclasses import dataclass, replace
from typing import no_type_check

from jaxtyping import Float

from mnist_horizon import baselines
from mnist_horizon.baselines import CENTRED
from mnist_horizon.lazy_jax import Array, jnp, pytree
from mnist_horizon.moments import Covariance, Moments, Value
from mnist_horizon.schedules.schedule import Estimator, Schedule, States


@no_type_check  # JAX also fills pytrees with shapes and axes
@pytree
@dataclass(frozen=True)
class Weights:
    """How the advantage weighs answers, baseline and constants; each a mean over the steps t."""

    own: Value
    """w_t = W[t, t]."""
    own_square: Value
    """w_t^2."""
    past: Value
    """sum_{l<t} W[t, l]^2: answers of the same window that came before."""
    future: Value
    """sum_{l>t} W[t, l]^2."""
    within: Value
    """sum_{t' != t} W[t, t'] W[t', t]."""
    constant: Value = 0.0
    """b_t^2."""
    own_constant: Value = 0.0
    """w_t b_t."""
    value: Value = 0.0
    """zeta_t^2."""
    own_value: Value = 0.0
    """w_t zeta_t."""
    constant_value: Value = 0.0
    """b_t zeta_t."""
    future_value: Value = 0.0
    """sum_{l>t} U[t, l]^2: U weighs z(x_l) and is 0 for lambda = 1."""
    future_cross: Value = 0.0
    """sum_{l>t} W[t, l] U[t, l]."""
    future_sum_square: Value = 0.0
    """(sum_{l>t} W[t, l])^2, where rewards are centred."""


@no_type_check  # JAX also fills pytrees with shapes and axes
@pytree
@dataclass(frozen=True)
class StepWeights:
    """How the advantage at each step of a rollout weighs what is known at that step.

    Given state and action it has the mean
    `own (c - mu) + past (n - phase mu) + constant - zeta z(x)`, n the right answers before.
    """

    own: Float[Array, "time"]
    past: Float[Array, "time"]
    constant: Float[Array, "time"]
    zeta: Float[Array, "time"]


class Additive(Schedule):
    """A schedule whose rewards are linear in the answers, each paid at its window's end."""

    @property
    def reveal_probability(self) -> Value:
        """Probability p that a payment is made (divided by p)."""
        return 1.0

    def covariance(
        self, discount: Value, moments: Moments, baseline: str = "expected_reward"
    ) -> Covariance:
        """Covariance of a step's gradient in endless rollouts, lambda = 1, averaged over phases.

        With rewards centred by phase and `s2 = (1 - gamma^(2k)) / (k (1 - gamma^2))`:

        dense     `A - m m^T + F v gamma^2 / (1 - gamma^2)`
        revealed  `E[s s^T (c^2/p - 2 c mu + mu^2)] - m m^T + F (mu/p - mu^2) gamma^2/(1-gamma^2)`
        periodic  `s2 (A - m m^T) + F v (1 / (1 - gamma^2) - s2)`

        Raises:
            ValueError: the baseline is unknown.
        """
        weights = endless_weights(self.period, discount, moments, baseline)
        return assemble(weights, moments, self.reveal_probability)

    def window_covariance(
        self, estimator: Estimator, moments: Moments, batch: Value = math.inf
    ) -> Covariance:
        """As `Schedule.window_covariance`, for every baseline and lambda.

        For `dense` and a centred baseline the sum of the future is
        `q / (1 - q) [1 - (1 - q^T) / (T (1 - q))]` with q = (gamma lambda)^2.
        """
        weights = rollout_weights(self.period, estimator, moments)
        return assemble(weights, moments, self.reveal_probability, batch)

    def expected_advantages(
        self,
        estimator: Estimator,
        states: States,
        value: Float[Array, "time env"],
        value_mean: Float[Array, ""],
    ) -> tuple[Float[Array, "time env"], Float[Array, "time env"]]:
        """As `Schedule.expected_advantages`, from `StepWeights`."""
        mu, phase = states.accuracy, states.phase[:, None]
        steps = step_weights(self.period, estimator, mu, value_mean)
        column = lambda leaf: leaf[:, None]  # noqa: E731
        rest = column(steps.past) * (states.carried - phase * mu) + column(steps.constant)
        wrong = rest - column(steps.own) * mu - column(steps.zeta) * value
        return wrong, wrong + column(steps.own)


def endless_weights(period: Value, discount: Value, moments: Moments, baseline: str) -> Weights:
    """`Weights` of endless rollouts with lambda = 1.

    With q = gamma^2, `s1 = (1 - gamma^k) / (k (1 - gamma))` and `s2 = (1 - q^k) / (k (1 - q))`:
    own s1, own^2 s2, past (1 - s2) / (1 - q), past and future together 1 / (1 - q) - s2, within
    k s1^2 - s2. The state baseline knows the answers so far, so its past and within are 0.

    A constant subtracted from the returns, in place of rewards centred by phase, leaves
    `E[b^2] = mu^2 [k (1 + gamma^k) / ((1 - gamma^2) (1 - gamma^k)) - 1 / (1 - gamma)^2]`: near
    `mu^2 k^2 / 12` for h >> k, and 0 for k = 1.

    Raises:
        ValueError: the baseline is unknown.
    """
    baselines.check(baseline)
    k, mu = period, moments.accuracy
    first = (1 - discount**k) / (k * (1 - discount))
    second = (1 - discount ** (2 * k)) / (k * (1 - discount**2))
    past = (1 - second) / (1 - discount**2)
    future = 1 / (1 - discount**2) - second - past
    common = Weights(first, second, past, future, k * first**2 - second)
    if baseline == "expected_reward":
        return common
    if baseline == "state":
        return replace(common, past=0.0, within=0.0, value=second, own_value=second)
    if baseline == "value_net":
        b = -moments.values.mean
        return replace(
            common,
            constant=b**2,
            own_constant=first * b,
            value=1.0,
            own_value=first,
            constant_value=b,
        )
    mean_return = mu / (1 - discount)
    uncentred = mu * k / (1 - discount**k)  # b_t is this times gamma^(steps to the payment)
    square, cross = uncentred**2 * second, uncentred * second
    if baseline == "none":
        return replace(common, constant=square, own_constant=cross)
    return replace(
        common, constant=square - mean_return**2, own_constant=cross - first * mean_return
    )


def assemble(
    weights: Weights, moments: Moments, reveal_probability: Value = 1.0, batch: Value = math.inf
) -> Covariance:
    """The covariance that weights give (module docstring)."""
    mu, fisher, values = moments.accuracy, moments.fisher, moments.values
    noise = mu / reveal_probability - mu**2
    later = (
        weights.future * noise
        + 2 * weights.future_cross * values.covariance
        + weights.future_value * values.variance
        - weights.future_sum_square * moments.example_variance / batch
    )
    own_part = (
        weights.own_square * moments.centred
        + weights.value * values.square
        + weights.constant * fisher
        + 2 * weights.own_constant * (moments.correct - mu * fisher)
        - 2 * weights.own_value * (values.correct - mu * values.fisher)
        - 2 * weights.constant_value * values.fisher
    )
    masked = weights.own_square * moments.correct * (1 / reveal_probability - 1)
    past = weights.past * moments.answer_variance * fisher
    return Covariance(
        future=later * fisher + masked,
        action=own_part + past - weights.own_square * moments.state_signal,
        state=weights.own_square * (moments.state_signal - moments.signal),
        within=weights.within * moments.signal,
        signal_factor=weights.own,
        signal_square=weights.own_square,
    )


@no_type_check  # JAX also fills pytrees with shapes and axes
@pytree
@dataclass(frozen=True)
class RolloutSteps:
    """The steps of a rollout, and what the estimator's weights are powers of."""

    time: Float[Array, "time"]
    phase: Float[Array, "time"]
    payment: Float[Array, "time"]
    """The step at which each step's answer is paid."""
    discount: Value
    both: Value
    """gamma lambda."""


def rollout_steps(period: Value, estimator: Estimator) -> RolloutSteps:
    """The steps of an estimator's rollouts under a period.

    Raises:
        ValueError: the baseline is unknown.
    """
    baselines.check(estimator.baseline)
    time = jnp.arange(estimator.rollout_length)
    phase = jnp.asarray((estimator.phase + time) % period)
    discount = jnp.asarray(estimator.discount)
    both = discount * jnp.asarray(estimator.gae_lambda)
    return RolloutSteps(time, phase, time + period - 1 - phase, discount, both)


def answer_weights(rollout: RolloutSteps, estimator: Estimator) -> Float[Array, "time time"]:
    """W[t, l] for l >= t (0 elsewhere): the discount from step t to the payment of answer l.

    Centred baselines bootstrap the window that a rollout leaves open, whose answers are then worth
    gamma^(steps to the payment); the others leave them unrewarded. The state baseline telescopes:
    `gamma^(payment - t) lambda^(l - t)`.
    """
    time, payment, discount = rollout.time, rollout.payment, rollout.discount
    last = time[-1]
    later = time[None, :] >= time[:, None]
    if estimator.baseline == "state":
        lag, steps = payment - time[:, None], time - time[:, None]
        gae_lambda = jnp.asarray(estimator.gae_lambda)
        weight = discount ** jnp.maximum(lag, 0) * gae_lambda ** jnp.maximum(steps, 0)
        return jnp.where(later, weight, 0.0)
    inside = jnp.minimum(payment, last) - time[:, None]
    weight = rollout.both ** jnp.maximum(inside, 0)
    beyond = jnp.maximum(payment - last, 0)
    weight *= discount**beyond if estimator.baseline in CENTRED else beyond == 0
    return jnp.where(later, weight, 0.0)


def value_weights(rollout: RolloutSteps, estimator: Estimator) -> Float[Array, "time time"]:
    """U[t, l] for l > t (0 elsewhere): how the advantage of step t weighs z(x_l)."""
    time, gae_lambda = rollout.time, jnp.asarray(estimator.gae_lambda)
    lag = jnp.maximum(time - time[:, None] - 1, 0)
    if estimator.baseline == "state":
        steps = jnp.maximum(rollout.payment - time[:, None], 0)
        values = rollout.discount**steps * gae_lambda**lag * (1 - gae_lambda)
    elif estimator.baseline == "value_net":
        values = rollout.discount * rollout.both**lag * (1 - gae_lambda)
    else:
        values = jnp.zeros(lag.shape)
    return jnp.where(time[None, :] > time[:, None], values, 0.0)


def remaining_mean(
    period: Value, rollout: RolloutSteps, estimator: Estimator, accuracy: Value, value_mean: Value
) -> Float[Array, "time"]:
    """b_t: the mean of the advantage that the baseline leaves at each step."""
    time, baseline = rollout.time, estimator.baseline
    decay = rollout.both ** jnp.maximum(time - time[:, None], 0)
    decay = jnp.where(time[None, :] >= time[:, None], decay, 0.0)
    if baseline == "value_net":
        return -(1 - rollout.discount) * value_mean * decay.sum(axis=1)
    if baseline in CENTRED:
        return jnp.zeros(time.shape)
    paid = jnp.where(rollout.phase == period - 1, period * accuracy, 0.0)
    shift = accuracy if estimator.running_mean is None else estimator.running_mean
    left = (decay * (paid - (shift if baseline == "running_mean" else 0.0))).sum(axis=1)
    return left - left.mean() if baseline == "batch_mean" else left


def step_weights(
    period: Value, estimator: Estimator, accuracy: Value, value_mean: Value
) -> StepWeights:
    """How each step's advantage weighs its own state and action."""
    rollout = rollout_steps(period, estimator)
    own_weight = jnp.diagonal(answer_weights(rollout, estimator))
    zero, baseline = jnp.zeros(own_weight.shape), estimator.baseline
    return StepWeights(
        own=own_weight,
        past=zero if baseline == "state" else own_weight,
        constant=remaining_mean(period, rollout, estimator, accuracy, value_mean),
        zeta={"state": own_weight, "value_net": jnp.ones(own_weight.shape)}.get(baseline, zero),
    )


def rollout_weights(period: Value, estimator: Estimator, moments: Moments) -> Weights:
    """`Weights` of rollouts of T steps, truncated as in training."""
    steps = step_weights(period, estimator, moments.accuracy, moments.values.mean)
    rollout = rollout_steps(period, estimator)
    time = rollout.time
    later = answer_weights(rollout, estimator)
    later = jnp.where(time[None, :] > time[:, None], later, 0.0)
    values = value_weights(rollout, estimator)
    opened = time - rollout.phase
    shared = (opened[:, None] == opened[None, :]) & (time[:, None] != time[None, :])
    within = jnp.where(shared, steps.past[:, None] * steps.past[None, :], 0.0)
    centred = estimator.baseline in CENTRED
    return Weights(
        own=steps.own.mean(),
        own_square=(steps.own**2).mean(),
        past=(rollout.phase * steps.past**2).mean(),
        future=(later**2).sum(axis=1).mean(),
        within=within.sum(axis=1).mean(),
        constant=(steps.constant**2).mean(),
        own_constant=(steps.own * steps.constant).mean(),
        value=(steps.zeta**2).mean(),
        own_value=(steps.own * steps.zeta).mean(),
        constant_value=(steps.constant * steps.zeta).mean(),
        future_value=(values**2).sum(axis=1).mean(),
        future_cross=(later * values).sum(axis=1).mean(),
        future_sum_square=(later.sum(axis=1) ** 2).mean() if centred else 0.0,
    )

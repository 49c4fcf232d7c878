"""What policy-gradient noise must be: closed forms for every schedule, horizon and baseline.

Timesteps are independent, so all of it follows from a few moments of the score
`s = grad log pi(a|x)` and of the answer c in {0, 1} (`Moments`), and from how an advantage weighs
answers. Where the rewards add up (all schedules but the streak) the advantage of step t is

    A_t = sum_l W[t, l] (c_l - mu) + b_t - zeta_t z(x_t)

with W[t, l] the discount from step t to the payment of answer l (the payment that answers of one
window share, the earlier ones too), b_t what a baseline leaves of the mean return and z the state
baseline. The gradient of a step is g_t = s_t A_t. With w_t = W[t, t], its covariance is

    future = F v sum_{l>t} W[t, l]^2                                      what happens later
    action = E[s s^T (w_t (c - mu) - zeta_t z + b_t)^2] - w_t^2 E[m(x) m(x)^T]
             + F v sum_{l<t} W[t, l]^2                                    which action was drawn
    state  = w_t^2 (E[m(x) m(x)^T] - m m^T)                               which example came

by the law of total variance over trajectory, action and state, as Tucker et al. 2018
(arXiv 1802.10031) split it; the state holds example, phase and the right answers so far. Averages
are over the steps t (equally, over phases). The mean of B steps has the covariance (total + within)
/ B, where `within = sum_{t' != t} W[t, t'] W[t', t] m m^T` comes from steps that share a payment.

`covariance` is for endless rollouts, `window_covariance` for those of T steps. All terms are linear
in the moments, which may be matrices or their traces.

The code centres rewards by the batch's own mean of pi(label|x), which takes part of what the
examples add out of long sums: the future loses `F Var(pi) (sum_{l>t} W[t, l])^2 / B`, of the order
h/B (`batch` of `window_covariance`). Neglected is what is of order 1/B, a streak's loss of that
kind, and that of the `batch_mean` of returns.
"""

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias, no_type_check

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jax import Array
from jaxtyping import Float
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp

from mnist_horizon.advantages import BASELINES, CENTRED
from mnist_horizon.horizon import Number, discount_from_horizon, variance_horizon
from mnist_horizon.schedules import RewardParams, Schedule

if TYPE_CHECKING:  # mypy multiplies out the union's members: minutes for this file
    Value: TypeAlias = Any
else:
    Value: TypeAlias = int | float | np.ndarray | np.number | Array


@no_type_check  # JAX also fills pytrees with shapes and axes
@struct.dataclass
class ValueMoments:
    """Moments of a state baseline z(x), less its mean: what `state` and `value_net` subtract.

    For the exact baseline z = pi(label|x) - mu. All are 0 where the baseline is constant.
    """

    fisher: Value = 0.0
    """E[s s^T z]."""
    correct: Value = 0.0
    """E[s s^T c z]."""
    square: Value = 0.0
    """E[s s^T z^2]."""
    variance: Value = 0.0
    """E[z^2]."""
    covariance: Value = 0.0
    """E[c z]."""
    mean: Value = 0.0
    """The mean that z was freed of (a value net's error, since centred values average 0)."""


@no_type_check  # JAX also fills pytrees with shapes and axes
@struct.dataclass
class Moments:
    """Moments of score and answer at one policy, as matrices or as their traces."""

    accuracy: Value
    """mu = E[c]."""
    fisher: Value
    """F = E[s s^T]."""
    correct: Value
    """K = E[s s^T c]."""
    state_signal: Value
    """E[m(x) m(x)^T] with m(x) = E[s c | x], the gradient of pi(label|x)."""
    signal: Value
    """m m^T with m = E[s c], the true gradient."""
    values: ValueMoments = struct.field(default_factory=ValueMoments)
    example_variance: Value = 0.0
    """Var(pi(label|x)) over examples; only `batch` of `window_covariance` asks for it."""

    @property
    def answer_variance(self) -> Value:
        """v = mu (1 - mu)."""
        return self.accuracy * (1 - self.accuracy)

    @property
    def centred(self) -> Value:
        """A = E[s s^T (c - mu)^2] = (1 - 2 mu) K + mu^2 F, since c^2 = c."""
        return (1 - 2 * self.accuracy) * self.correct + self.accuracy**2 * self.fisher


@no_type_check  # JAX also fills pytrees with shapes and axes
@struct.dataclass
class Covariance:
    """Covariance of a step's gradient, averaged over steps, with its parts."""

    future: Value
    action: Value
    state: Value
    within: Value
    """What correlation between steps of one reward window adds to B times the covariance of a
    batch mean; no part of `total`."""
    signal_factor: Value
    """Mean gradient in units of m: E[g] = signal_factor m."""
    signal_square: Value
    """Mean over steps of |E[g_t]|^2, in units of |m|^2."""

    @property
    def total(self) -> Value:
        """Covariance of a single step's gradient."""
        return self.future + self.action + self.state


@no_type_check  # JAX also fills pytrees with shapes and axes
@struct.dataclass
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


def signal_factor(schedule: Schedule, discount: Value, accuracy: Value = 1.0) -> Value:
    """Mean gradient of a step in units of the true gradient m.

    `s1 = (1 - gamma^k) / (k (1 - gamma))`, the mean discount from an answer to its payment (1 for
    `dense` and `revealed`); for a streak `k mu^(k-1) s1`, as the k - 1 others must be right too.
    """
    k = schedule.period
    mean_discount = (1 - discount**k) / (k * (1 - discount))
    return k * accuracy ** (k - 1) * mean_discount if schedule.is_streak else mean_discount


def constant_baseline_cost(schedule: Schedule, discount: Value) -> Value:
    """What a constant baseline costs in place of rewards centred by phase, in units of F mu^2.

    `E[b^2] / mu^2 = k (1 + gamma^k) / ((1 - gamma^2) (1 - gamma^k)) - 1 / (1 - gamma)^2`, for a
    constant subtracted from returns that are discounted without end under `periodic:k`; near
    k^2 / 12 for h >> k, and 0 for k = 1. The covariance also gains the cross term
    `2 E[w b] (K - mu F)` (`covariance` has it), which vanishes for h >> k.
    """
    k, paid = schedule.period, 1 - discount**schedule.period
    return k * (2 - paid) / ((1 - discount**2) * paid) - 1 / (1 - discount) ** 2


def endless_weights(
    schedule: Schedule, discount: Value, moments: Moments, baseline: str
) -> Weights:
    """`Weights` of endless rollouts with lambda = 1, all schedules but the streak.

    With q = gamma^2, `s1 = (1 - gamma^k) / (k (1 - gamma))` and `s2 = (1 - q^k) / (k (1 - q))`:
    own s1, own^2 s2, past (1 - s2) / (1 - q), past and future together 1 / (1 - q) - s2, within
    k s1^2 - s2.
    The state baseline knows the answers so far, so that it has neither past nor within.

    Raises:
        ValueError: the baseline is unknown.
    """
    _check(baseline)
    k, mu = schedule.period, moments.accuracy
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


def covariance(
    schedule: Schedule, discount: Value, moments: Moments, baseline: str = "expected_reward"
) -> Covariance:
    """Covariance of a step's gradient in an endless rollout, lambda = 1, averaged over the phase.

    With rewards centred by phase:

    dense     `A - m m^T + F v gamma^2 / (1 - gamma^2)`
    revealed  `E[s s^T (c^2/p - 2 c mu + mu^2)] - m m^T + F (mu/p - mu^2) gamma^2 / (1 - gamma^2)`
    periodic  `s2 (A - m m^T) + F v (1 / (1 - gamma^2) - s2)`
    streak    `k^2 s2 [K mu^(k-1) (1 - 2 mu^k) + F mu^(2k) - mu^(2k-2) m m^T]
              + F k^2 mu^k (1 - mu^k) s2 gamma^(2k) / (1 - gamma^(2k))`

    Raises:
        ValueError: the baseline is unknown, or no form is known for it (a streak's with other
            baselines than `expected_reward` and `state`).
    """
    if schedule.is_streak:
        return _endless_streak(schedule, discount, moments, baseline)
    weights = endless_weights(schedule, discount, moments, baseline)
    return assemble(weights, moments, schedule.reveal_probability)


def assemble(
    weights: Weights, moments: Moments, reveal_probability: Value, batch: Value = math.inf
) -> Covariance:
    """The covariance that weights give where rewards add up (module docstring).

    A mask that pays c / p with probability p adds to the future: the answers' variance becomes
    `mu/p - mu^2`, and the step's own answer gains `w^2 K (1/p - 1)`.
    """
    mu, fisher, values = moments.accuracy, moments.fisher, moments.values
    noise = mu / reveal_probability - mu**2
    later = (
        weights.future * noise
        + 2 * weights.future_cross * values.covariance
        + weights.future_value * values.variance
        - weights.future_sum_square * moments.example_variance / batch
    )
    own = (
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
        action=own + past - weights.own_square * moments.state_signal,
        state=weights.own_square * (moments.state_signal - moments.signal),
        within=weights.within * moments.signal,
        signal_factor=weights.own,
        signal_square=weights.own_square,
    )


@no_type_check  # JAX also fills pytrees with shapes and axes
@struct.dataclass
class StepWeights:
    """How the advantage at each step of a window weighs what is known at that step.

    Given state and action the code's advantage has the mean
    `own (c - mu) + past (n - phase mu) + constant - zeta z(x)`, n the right answers before (for a
    streak see `streak_mean`).
    """

    own: Float[Array, "time"]
    past: Float[Array, "time"]
    constant: Float[Array, "time"]
    zeta: Float[Array, "time"]


def _answer_weights(
    params: RewardParams,
    discount: Array,
    gae_lambda: Array,
    baseline: str,
    time: Array,
    phase: Array,
) -> Float[Array, "time time"]:
    """W[t, l] for l >= t (0 elsewhere): the discount from step t to the payment of answer l.

    Centred baselines bootstrap the window that a rollout leaves open, whose answers are then worth
    gamma^(steps to the payment); the others leave them unpaid. The state baseline telescopes:
    `gamma^(payment - t) lambda^(l - t)`.
    """
    last = time[-1]
    payment = time + params.period - 1 - phase
    later = time[None, :] >= time[:, None]
    both = discount * gae_lambda
    if baseline == "state":
        lag, steps = payment - time[:, None], time - time[:, None]
        weight = discount ** jnp.maximum(lag, 0) * gae_lambda ** jnp.maximum(steps, 0)
        return jnp.where(later, weight, 0.0)
    inside = jnp.minimum(payment, last) - time[:, None]
    weight = both ** jnp.maximum(inside, 0)
    beyond = jnp.maximum(payment - last, 0)
    weight *= discount**beyond if baseline in CENTRED else beyond == 0
    return jnp.where(later, weight, 0.0)


def _left_over(
    params: RewardParams,
    both: Array,
    discount: Array,
    moments: Moments,
    baseline: str,
    time: Array,
    phase: Array,
    running_mean: Value,
) -> Float[Array, "time"]:
    """b_t: the mean of the advantage that the baseline leaves, `both` being gamma lambda."""
    decay = both ** jnp.maximum(time - time[:, None], 0)
    decay = jnp.where(time[None, :] >= time[:, None], decay, 0.0)
    if baseline == "value_net":
        return -(1 - discount) * moments.values.mean * decay.sum(axis=1)
    if baseline in CENTRED:
        return jnp.zeros(time.shape)
    paid = jnp.where(phase == params.period - 1, params.period * moments.accuracy, 0.0)
    shift = running_mean if baseline == "running_mean" else 0.0
    left = (decay * (paid - shift)).sum(axis=1)
    return left - left.mean() if baseline == "batch_mean" else left


def step_weights(
    params: RewardParams,
    discount: Value,
    gae_lambda: Value,
    moments: Moments,
    baseline: str,
    rollout_length: int,
    phase: Value = 0,
    running_mean: Value | None = None,
) -> StepWeights:
    """What each step's advantage owes to its own state and action; rewards that add up.

    `phase` is the phase of the first step, `running_mean` what that baseline subtracts (mu unless
    given).
    """
    _check(baseline)
    time = jnp.arange(rollout_length)
    phases = jnp.asarray((phase + time) % params.period)
    discount, gae_lambda = jnp.asarray(discount), jnp.asarray(gae_lambda)
    weights = _answer_weights(params, discount, gae_lambda, baseline, time, phases)
    own = jnp.diagonal(weights)
    shift = moments.accuracy if running_mean is None else running_mean
    constant = _left_over(
        params, discount * gae_lambda, discount, moments, baseline, time, phases, shift
    )
    zeta = {"state": own, "value_net": jnp.ones(own.shape)}.get(baseline, jnp.zeros(own.shape))
    past = jnp.zeros(own.shape) if baseline == "state" else own
    return StepWeights(own, past, constant, zeta)


def window_weights(
    params: RewardParams,
    discount: Value,
    gae_lambda: Value,
    moments: Moments,
    baseline: str,
    rollout_length: int,
    phase: Value = 0,
    running_mean: Value | None = None,
) -> Weights:
    """`Weights` of rollouts of T steps as the code cuts them; arguments as `step_weights`.

    For `dense` and a centred baseline the future is
    `q / (1 - q) [1 - (1 - q^T) / (T (1 - q))]` with q = (gamma lambda)^2.
    """
    steps = step_weights(
        params, discount, gae_lambda, moments, baseline, rollout_length, phase, running_mean
    )
    time = jnp.arange(rollout_length)
    phases = jnp.asarray((phase + time) % params.period)
    discount, gae_lambda = jnp.asarray(discount), jnp.asarray(gae_lambda)
    answers = _answer_weights(params, discount, gae_lambda, baseline, time, phases)
    later = jnp.where(time[None, :] > time[:, None], answers, 0.0)
    lag = jnp.maximum(time - time[:, None] - 1, 0)
    if baseline == "state":
        payment = jnp.maximum(time + params.period - 1 - phases - time[:, None], 0)
        values = discount**payment * gae_lambda**lag * (1 - gae_lambda)
    elif baseline == "value_net":
        values = discount * (discount * gae_lambda) ** lag * (1 - gae_lambda)
    else:
        values = jnp.zeros(later.shape)
    values = jnp.where(time[None, :] > time[:, None], values, 0.0)
    opened = time - phases
    shared = (opened[:, None] == opened[None, :]) & (time[:, None] != time[None, :])
    within = jnp.where(shared, steps.past[:, None] * steps.past[None, :], 0.0)
    return Weights(
        own=steps.own.mean(),
        own_square=(steps.own**2).mean(),
        past=(phases * steps.past**2).mean(),
        future=(later**2).sum(axis=1).mean(),
        within=within.sum(axis=1).mean(),
        constant=(steps.constant**2).mean(),
        own_constant=(steps.own * steps.constant).mean(),
        value=(steps.zeta**2).mean(),
        own_value=(steps.own * steps.zeta).mean(),
        constant_value=(steps.constant * steps.zeta).mean(),
        future_value=(values**2).sum(axis=1).mean(),
        future_cross=(later * values).sum(axis=1).mean(),
        future_sum_square=(later.sum(axis=1) ** 2).mean() if baseline in CENTRED else 0.0,
    )


def window_covariance(
    params: RewardParams,
    discount: Value,
    gae_lambda: Value,
    moments: Moments,
    baseline: str,
    rollout_length: int,
    phase: Value = 0,
    running_mean: Value | None = None,
    batch: Value = math.inf,
) -> Covariance:
    """Covariance of a step's gradient in rollouts of T steps, averaged over the steps.

    Traceable in all but `baseline` and T. A streak is known for the baselines `expected_reward`
    and `state` with lambda = 1, and is NaN for others.

    Args:
        params: the schedule (its p is 1 unless its period is).
        discount: gamma.
        gae_lambda: lambda.
        moments: matrices or traces; `values` for `state` and `value_net`.
        baseline: one of `BASELINES`.
        rollout_length: T.
        phase: phase of the first step.
        running_mean: what the baseline of that name subtracts; mu unless given.
        batch: interactions from which the code estimates the mu that centres rewards.

    Raises:
        ValueError: the baseline is unknown.
    """
    weights = window_weights(
        params, discount, gae_lambda, moments, baseline, rollout_length, phase, running_mean
    )
    additive = assemble(weights, moments, params.reveal_probability, batch)
    streak = _window_streak(params, discount, moments, baseline, rollout_length, phase)
    known = jnp.asarray(gae_lambda) == 1
    return jax.tree.map(
        lambda one, other: jnp.where(params.streak, jnp.where(known, one, jnp.nan), other),
        streak,
        additive,
    )


def _endless_streak(
    schedule: Schedule, discount: Value, moments: Moments, baseline: str
) -> Covariance:
    """A streak's covariance with its parts, averaged over j = 0 to k - 1 answers before a step.

    `within` is not known (NaN) under the state baseline: it takes further moments.
    """
    k, mu = schedule.period, moments.accuracy
    if baseline not in ("expected_reward", "state"):
        raise ValueError(
            f"baseline {baseline!r}: a streak's covariance is known for 'expected_reward', 'state'"
        )
    ahead = np.arange(k)
    weight = [k**2 * discount ** (2 * int(d)) / k for d in ahead]
    mean = (1 - discount**k) / (k * (1 - discount))
    square = (1 - discount ** (2 * k)) / (k * (1 - discount**2))
    right_so_far = sum(w * mu ** (k - 1 + int(d)) for w, d in zip(weight, ahead, strict=True))
    completes = k**2 * square * mu ** (k - 1)
    later = discount ** (2 * k) / (1 - discount ** (2 * k))
    later = k**2 * square * later * mu**k * (1 - mu**k)
    action, within = right_so_far * (_residual(moments) - moments.state_signal), math.nan * mu
    if baseline == "expected_reward":
        action = right_so_far * (moments.correct - moments.state_signal) + completes * mu**k * (
            mu * moments.fisher - 2 * moments.correct
        )
        pairs = k * mean**2 - square
        within = k**2 * pairs * (mu ** max(k - 2, 0) - 3 * mu ** (2 * k - 2))
    factor = signal_factor(schedule, discount, mu)
    mean_square = k**2 * square * mu ** (2 * k - 2)
    return Covariance(
        future=(completes - right_so_far) * moments.correct + later * moments.fisher,
        action=action,
        state=right_so_far * moments.state_signal - mean_square * moments.signal,
        within=within * moments.signal,
        signal_factor=factor,
        signal_square=mean_square,
    )


def _residual(moments: Moments) -> Value:
    """E[s s^T (c - pi)^2] from the moments of z = pi - mu."""
    values, mu = moments.values, moments.accuracy
    cross = values.correct - mu * values.fisher
    return moments.centred - 2 * cross + values.square


def _window_streak(
    params: RewardParams,
    discount: Value,
    moments: Moments,
    baseline: str,
    rollout_length: int,
    phase: Value,
) -> Covariance:
    """A streak's covariance in rollouts of T steps, lambda = 1.

    A window of which the rollout saw j answers is worth `k mu^(k-j)` if they were right, so its
    variance is `k^2 (mu^(2k-j) - mu^(2k))`.
    """
    time = jnp.arange(rollout_length)
    k = params.period
    phases = (phase + time) % k
    ahead = k - 1 - phases
    unseen = jnp.maximum(ahead - (rollout_length - 1 - time), 0)
    mu, discount = jnp.asarray(moments.accuracy), jnp.asarray(discount)
    weight = k**2 * discount ** (2 * ahead)
    right_so_far = (weight * mu ** (phases + 2 * ahead)).mean()
    completes = (weight * mu ** (phases + ahead + unseen)).mean()
    centring = (weight * mu ** (2 * k - 1)).mean()
    opened = time - phases
    ends = (phases == k - 1) | (time == rollout_length - 1)
    lag = jnp.maximum(time + ahead - time[:, None], 0)
    reward = k**2 * (mu ** (2 * k - 1 - phases) - mu ** (2 * k))
    follows = ends & (opened[None, :] > time[:, None])
    later = jnp.where(follows, discount ** (2 * lag) * reward, 0.0).sum(axis=1).mean()
    shared = (opened[:, None] == opened[None, :]) & (time[:, None] != time[None, :])
    pair = k**2 * discount ** (ahead[:, None] + ahead[None, :])
    pair *= mu ** (jnp.maximum(k - 2, 0) + unseen) - 3 * mu ** (2 * k - 2)
    within = jnp.where(shared, pair, 0.0).sum(axis=1).mean()
    spread = _residual(moments) if baseline == "state" else moments.correct
    action = right_so_far * (spread - moments.state_signal)
    if baseline == "expected_reward":
        action += centring * (mu * moments.fisher - 2 * moments.correct)
    elif baseline != "state":
        action = action * jnp.nan
    correlated = within if baseline == "expected_reward" else jnp.nan * within
    return Covariance(
        future=(completes - right_so_far) * moments.correct + later * moments.fisher,
        action=action,
        state=right_so_far * moments.state_signal - centring / mu * moments.signal,
        within=correlated * moments.signal,
        signal_factor=(k * discount**ahead * mu ** (k - 1)).mean(),
        signal_square=centring / mu,
    )


def _check(baseline: str) -> None:
    if baseline not in BASELINES:
        raise ValueError(f"unknown baseline {baseline!r}: choose from {', '.join(BASELINES)}")


def noise_over_signal(
    schedule: Schedule, horizon: Number, moments: Moments, baseline: str = "expected_reward"
) -> Value:
    """The noise scale `B_noise = (tr Cov + within) / |E[g]|^2`, in interactions.

    At a batch of B_noise interactions the noise of a gradient is as large as the gradient
    (McCandlish et al. 2018, arXiv 1812.06162). The moments are traces.

    Raises:
        ValueError: the baseline is unknown, or the schedule is a streak and the baseline another
            than `expected_reward`.
    """
    if schedule.is_streak and baseline != "expected_reward":
        raise ValueError(
            f"noise scale of {schedule}: known for 'expected_reward', not {baseline!r}"
        )
    noise = covariance(schedule, discount_from_horizon(horizon), moments, baseline)
    return (noise.total + noise.within) / (noise.signal_factor**2 * moments.signal)


def predicted_interactions(
    schedule: Schedule,
    horizon: Number,
    moments: Moments,
    batch: Value,
    minimum_steps: Value,
    baseline: str = "expected_reward",
) -> Value:
    """Interactions `E = S_min (B + B_noise(h, schedule))` by the joint law.

    Steps go as S_min (1 + B_noise / B): S_min updates are needed even without noise. It holds where
    the learning rate suits the noise and the shrunken signal, and for plain gradient steps.
    """
    return minimum_steps * (batch + noise_over_signal(schedule, horizon, moments, baseline))


def scaling_multiplier(
    schedule: Schedule,
    horizon: Number,
    moments: Moments,
    batch: Value,
    baseline: str = "expected_reward",
) -> Value:
    """Interactions over those at h = 1, dense: `(B + B_noise(h, schedule)) / (B + B_noise(1))`."""
    needed = batch + noise_over_signal(schedule, horizon, moments, baseline)
    return needed / (batch + noise_over_signal(Schedule("dense"), 1.0, moments, baseline))


def knee(moments: Moments, batch: Value, baseline: str = "expected_reward") -> Value:
    """The dense horizon whose scaling multiplier is 2.

    With `x = 4 (B + B_noise(1)) |m|^2 / tr(F v)`, `h - 2 + 1/h = x`, so
    `h = (2 + x + sqrt(x (x + 4))) / 2`: near x for a large batch.

    Raises:
        ValueError: the baseline's own part grows with the horizon (`none`).
    """
    if baseline == "none":
        raise ValueError("baseline 'none': its noise does not grow as the variance horizon")
    base = batch + noise_over_signal(Schedule("dense"), 1.0, moments, baseline)
    x = 4 * base * moments.signal / (moments.fisher * moments.answer_variance)
    return (2 + x + (x * (x + 4)) ** 0.5) / 2


def moments_from_ratio(ratio: float, accuracy: float, signal: float = 0.0) -> Moments:
    """Traces with tr(F v) = 1, from `ratio` = A / (F v) and `signal` = |m|^2 / (F v).

    Raises:
        ValueError: the ratio cannot be, at this accuracy: A lies between F min(mu, 1 - mu)^2 and
            F max(mu, 1 - mu)^2 (at mu = 1/2 the ratio is 1).
    """
    variance = accuracy * (1 - accuracy)
    low, high = sorted((accuracy / (1 - accuracy), (1 - accuracy) / accuracy))
    if not low - 1e-9 <= ratio <= high + 1e-9:
        raise ValueError(
            f"ratio {ratio:g}: at accuracy {accuracy:g} it lies in {low:.4g} to {high:.4g}"
        )
    fisher = 1 / variance
    at_half = abs(1 - 2 * accuracy) < 1e-9
    right = 0.5 if at_half else (ratio * variance - accuracy**2) / (1 - 2 * accuracy)
    return Moments(accuracy, fisher, right * fisher, signal, signal)


def best_horizon(
    schedule: Schedule, ratio: float, accuracy: float | None = None, signal: float = 0.0
) -> float:
    """The horizon that needs the fewest interactions: the least `noise_over_signal`.

    1 for `dense` and `revealed`. For `periodic:k` it is of the order of k: with ratio 1 and h >> 1,
    `2 k / y` with `e^y = 1 + 2 y`, so 1.59 k; longer where A >> F v, since averaging over answers
    of a window is then worth more than what the future adds.

    Args:
        schedule: the schedule.
        ratio: A / (F v), traces.
        accuracy: mu; needed for a streak alone (elsewhere ratio and signal say it all).
        signal: |m|^2 / tr(F v), which is small except early in training.

    Raises:
        ValueError: a streak without accuracy, or a ratio that cannot be.
    """
    if schedule.period == 1:
        return 1.0
    if schedule.is_streak and accuracy is None:
        raise ValueError(f"best_horizon of {schedule} needs the accuracy")
    if accuracy is None:  # any at which the ratio can be serves: it cancels
        accuracy = min(0.5, 1 / (1 + ratio)) if ratio > 1 else min(0.5, ratio / (1 + ratio))
    moments = moments_from_ratio(ratio, accuracy, signal or 1e-12)

    def log_noise(log_horizon: float) -> float:
        return math.log(noise_over_signal(schedule, math.exp(log_horizon), moments))

    bounds = (0.0, math.log(100 * schedule.period * max(1.0, ratio)))
    grid = np.linspace(*bounds, 200)
    best = int(np.argmin([log_noise(x) for x in grid]))
    around = (grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)])
    found = minimize_scalar(log_noise, bounds=around, method="bounded", options={"xatol": 1e-9})
    return math.exp(float(found.x))


def equivalent_horizon(schedule: Schedule, horizon: float) -> float:
    """The dense horizon with the same noise over signal^2, at mu = 1/2 and a small signal.

    There dense noise is `n = 1 + (h - 2 + 1/h) / 4 = (h + 1)^2 / (4 h)` in units of F v, so
    `h = 2 n - 1 + 2 sqrt(n (n - 1))` with n of the schedule at its own horizon.
    """
    signal = 1e-12
    moments = moments_from_ratio(1.0, 0.5, signal)
    noise = max(1.0, float(noise_over_signal(schedule, horizon, moments)) * signal)
    return 2 * noise - 1 + 2 * math.sqrt(noise * (noise - 1))


def horizon_noise_factor(schedule: Schedule, accuracy: Value) -> Value:
    """Growth of the future's noise under a mask: `(1/p - mu) / (1 - mu)`, 1 without one."""
    return (1 / schedule.reveal_probability - accuracy) / (1 - accuracy)


def future_noise(horizon: Number, moments: Moments) -> Value:
    """Noise of the future in an endless dense rollout, `F v (h - 2 + 1/h) / 4`."""
    return moments.fisher * moments.answer_variance * variance_horizon(horizon)


def regularised_optimum(
    reference: Float[np.ndarray, "*batch action"],
    rewards: Float[np.ndarray, "*batch action"],
    temperature: float,
) -> tuple[Float[np.ndarray, "*batch action"], Float[np.ndarray, "*batch"]]:
    """The policy that maximises `E_pi[r] - tau KL(pi || ref)`, and its value.

    `pi*(a) = ref(a) exp(r(a) / tau) / Z` and `tau log Z = tau log E_ref[exp(r / tau)]`. An entropy
    bonus tau H(pi) is the same with ref uniform, less the constant tau log(actions). Under
    `periodic:k` the gradient of the reward is s1 times as large (`signal_factor`), so a fixed
    coefficient tau acts like tau / s1.

    Raises:
        ValueError: tau is not positive.
    """
    if temperature <= 0:
        raise ValueError(f"the temperature must be positive, not {temperature:g}")
    logits = np.log(reference) + rewards / temperature
    log_partition = logsumexp(logits, axis=-1, keepdims=True)
    value = np.asarray(temperature * log_partition[..., 0])  # an array for a single state as well
    return np.exp(logits - log_partition), value

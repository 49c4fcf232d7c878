"""`streak:k`: every k-th step pays k if all of the last k answers were right, else 0."""

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from mnist_horizon import baselines
from mnist_horizon.information import binary_entropy
from mnist_horizon.lazy_jax import Array, jax, jnp
from mnist_horizon.moments import Covariance, Moments, Value
from mnist_horizon.schedules.delayed import Delayed
from mnist_horizon.schedules.registry import register
from mnist_horizon.schedules.schedule import Estimator, States

KNOWN = ("expected_reward", "state")
"""Baselines whose noise under a streak has a closed form."""


class Sums(NamedTuple):
    """Means over steps, w_t = k gamma^d with d steps to the payment, j answers seen before."""

    right_so_far: Value
    """`w^2 mu^(j + 2 d)`: the j answers before are right, and the d to come, counted twice."""
    completes: Value
    """`w^2 mu^(k - 1)`, with answers after the rollout's end replaced by their mean."""
    later: Value
    """Variance of the later windows, in units of F."""
    within: Value
    """What the steps of one window share, in units of m m^T."""
    signal_factor: Value
    """`w mu^(k - 1)`."""
    signal_square: Value
    """`w^2 mu^(2 k - 2)`."""


@register("streak")
class Streak(Delayed):
    """k right answers in a row: exploration is hard, and the mean reward is mu^k at best.

    The window carries its right answers so far, so it is known whether it may still pay.
    """

    adds_up = False

    def payment(self, right: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """k, where all answers were right."""
        return self.level * (right == self.level)

    def expected_payment(self, accuracy: Float[Array, ""]) -> Float[Array, ""]:
        """`k mu^k`."""
        return self.level * accuracy**self.level

    def state_value(
        self,
        phase: Int[Array, "..."],
        carried: Float[Array, "..."],
        probability: Float[Array, "..."],
        accuracy: Float[Array, ""],
        discount: Float[Array, ""],
    ) -> Float[Array, "..."]:
        """`gamma^d k ([n = j] pi(label|x) mu^d - mu^k)` at phase j with n right answers so far.

        d = k - 1 - j steps to the payment; later windows are worth 0 once centred.
        """
        ahead = self.steps_to_payment(phase)
        open_ = (carried == phase) * probability * accuracy**ahead
        return discount**ahead * (self.level * (open_ - accuracy**self.level))

    def bits(self, accuracy: Value) -> Value:
        """`H(mu^k) / k`: a payment says that all k answers were right, or that not all were."""
        return binary_entropy(np.asarray(accuracy) ** self.level) / self.level

    def marginal_reward(self, accuracy: Value) -> Value:
        """`k mu^(k-1)`: the mean reward is mu^k, as the k - 1 others must be right too."""
        return self.level * accuracy ** (self.level - 1)

    def covariance(
        self, discount: Value, moments: Moments, baseline: str = "expected_reward"
    ) -> Covariance:
        """Covariance of a step's gradient in endless rollouts, lambda = 1, averaged over phases.

        With rewards centred by phase and `s2 = (1 - gamma^(2k)) / (k (1 - gamma^2))`:
        `k^2 s2 [K mu^(k-1) (1 - 2 mu^k) + F mu^(2k) - mu^(2k-2) m m^T]
        + F k^2 mu^k (1 - mu^k) s2 gamma^(2k) / (1 - gamma^(2k))`, from j = 0 to k - 1 answers
        before a step. `within` is not known (NaN) under `state`: it needs further moments.

        Raises:
            ValueError: the baseline is not in `KNOWN`.
        """
        if baseline not in KNOWN:
            raise ValueError(
                f"baseline {baseline!r}: a streak's covariance is known for 'expected_reward', "
                "'state'"
            )
        k, mu = self.period, moments.accuracy
        mean, decay = self.mean_discount(discount), discount ** (2 * k)
        square = (1 - decay) / (k * (1 - discount**2))
        later = k**2 * square * decay / (1 - decay) * mu**k * (1 - mu**k)
        sums = Sums(
            right_so_far=sum(k * discount ** (2 * d) * mu ** (k - 1 + d) for d in range(k)),
            completes=k**2 * square * mu ** (k - 1),
            later=later,
            within=k**2 * (k * mean**2 - square) * (mu ** max(k - 2, 0) - 3 * mu ** (2 * k - 2)),
            signal_factor=self.signal_factor(discount, mu),
            signal_square=k**2 * square * mu ** (2 * k - 2),
        )
        return assemble(sums, moments, baseline)

    def window_covariance(
        self, estimator: Estimator, moments: Moments, batch: Value = math.inf
    ) -> Covariance:
        """As `Schedule.window_covariance`: known for the baselines `KNOWN` with lambda = 1."""
        baselines.check(estimator.baseline)
        covariance = assemble(self._rollout_sums(estimator, moments), moments, estimator.baseline)
        known = jnp.asarray(estimator.gae_lambda) == 1
        return jax.tree.map(lambda leaf: jnp.where(known, leaf, jnp.nan), covariance)

    def _rollout_sums(self, estimator: Estimator, moments: Moments) -> Sums:
        """The sums of rollouts of T steps.

        A window with j answers inside the rollout is worth `k mu^(k-j)` if they were right, so
        its variance is `k^2 (mu^(2k-j) - mu^(2k))`.
        """
        time, k, square = jnp.arange(estimator.rollout_length), self.period, self.level**2
        mu, discount = jnp.asarray(moments.accuracy), jnp.asarray(estimator.discount)
        phase = (estimator.phase + time) % k
        ahead, opened = k - 1 - phase, time - phase
        unseen = jnp.maximum(ahead - (time[-1] - time), 0)
        weight = square * discount ** (2 * ahead)
        ends = (phase == k - 1) | (time == time[-1])
        lag = jnp.maximum(time + ahead - time[:, None], 0)
        variance = square * (mu ** (2 * k - 1 - phase) - mu ** (2 * k))
        follows = ends & (opened[None, :] > time[:, None])
        shared = (opened[:, None] == opened[None, :]) & (time[:, None] != time[None, :])
        pair = square * discount ** (ahead[:, None] + ahead[None, :])
        pair *= mu ** (jnp.maximum(k - 2, 0) + unseen) - 3 * mu ** (2 * k - 2)
        return Sums(
            right_so_far=(weight * mu ** (phase + 2 * ahead)).mean(),
            completes=(weight * mu ** (phase + ahead + unseen)).mean(),
            later=jnp.where(follows, discount ** (2 * lag) * variance, 0.0).sum(axis=1).mean(),
            within=jnp.where(shared, pair, 0.0).sum(axis=1).mean(),
            signal_factor=(self.level * discount**ahead * mu ** (k - 1)).mean(),
            signal_square=(weight * mu ** (2 * k - 2)).mean(),
        )

    def expected_advantages(
        self,
        estimator: Estimator,
        states: States,
        value: Float[Array, "time env"],
        value_mean: Float[Array, ""],
    ) -> tuple[Float[Array, "time env"], Float[Array, "time env"]]:
        """`k gamma^d ([n = j] c mu^d - mu^k)`, less its mean given the state under `state`."""
        mu, phase, period = states.accuracy, states.phase[:, None], self.period
        ahead = period - 1 - phase
        paid = period * estimator.discount**ahead * jnp.ones_like(states.carried)
        slope = paid * (states.carried == phase) * mu**ahead
        known = (estimator.gae_lambda == 1) & (estimator.baseline in KNOWN)
        by_state = estimator.baseline == "state"
        centre = slope * states.success_probability if by_state else paid * mu**period
        wrong = jnp.where(known, -centre, jnp.nan)
        return wrong, wrong + slope


def assemble(sums: Sums, moments: Moments, baseline: str) -> Covariance:
    """The covariance that the sums give; NaN where a part is not known for the baseline."""
    mu, right_so_far = moments.accuracy, sums.right_so_far
    unknown = math.nan * mu
    action, within = unknown * moments.fisher, unknown
    if baseline == "state":
        action = right_so_far * (moments.residual - moments.state_signal)
    if baseline == "expected_reward":
        centring = sums.signal_square * mu * (mu * moments.fisher - 2 * moments.correct)
        action = right_so_far * (moments.correct - moments.state_signal) + centring
        within = sums.within
    return Covariance(
        future=(sums.completes - right_so_far) * moments.correct + sums.later * moments.fisher,
        action=action,
        state=right_so_far * moments.state_signal - sums.signal_square * moments.signal,
        within=within * moments.signal,
        signal_factor=sums.signal_factor,
        signal_square=sums.signal_square,
    )

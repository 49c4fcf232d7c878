"""`lottery:p`: a window of 16 steps is rewarded as a whole, or not at all.

With probability p every right answer in a window is rewarded with 1 / p; otherwise none is:

    r_t = f c_t,   f = 1/p with probability p, else 0, drawn once per window of w = 16 steps

The mean reward is mu per step, as under `dense` and `revealed:p`, but the steps of a window share
one draw: after one step it is known whether the rest of the window pays. The draw is made at a
window's first step, from that step's uniform, and carried.

**Theory.** Write q = Var f = (1 - p) / p. Since f c - mu = (c - mu) + (f - 1)(c - mu) + (f - 1) mu,
the advantage of step t is that of `dense`, with answers multiplied by f, plus what the draws add:

    A_t = sum_{l>=t} W[t, l] f (c_l - mu) + mu sum_w H[t, w] (f_w - 1) + b_t - zeta_t z(x_t)

with W, b, zeta as in `additive` for a period of 1 and H[t, w] the discounts from step t to the
steps of window w, the rest of an open window (which a centred baseline bootstraps) included. The
exact state baseline knows a draw once it is made: then its H[t, w] is 0 for windows that opened
before t, and f also multiplies z in those that did.

By the law of total variance with the state = (example, phase, draw of the window if made), with
sums and means over steps t, [known] a step whose window's draw was made before it, and A, K, F, m
as in `moments`, the draws add to the covariance under `dense`

    future + F [q v sum_{l>t} W^2 + q mu^2 sum_{w later} H^2]
           + q E[s s^T (c - mu + mu H)^2 | not known]
    action + q E[s s^T (c - mu - [state] z + mu H)^2 | known] - q P(known) E[m(x) m(x)^T]
    state  + q P(known) E[m(x) m(x)^T]
    within + q (other steps of the same window) m m^T

with H of the step's own window where no other is named. The mean gradient stays m. In endless
rollouts with rewards centred and `G_n = sum_{i=1..n} gamma^i` this is, with R steps of the window
left after t,

    Cov g = K/p - 2 mu K + mu^2 F - m m^T + 2 K q mu mean_R[G_R] + F mean_R[V_R]
    V_R = mu (1 - mu)/p gamma^2/(1 - gamma^2) + mu^2 q [G_R^2 + gamma^(2R) G_16^2/(1 - gamma^32)]
    within = 15 q m m^T

so that the noise of one draw per window grows with the horizon as that of `revealed:p`, up to 16
times as fast.
"""

import math
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from mnist_horizon.baselines import CENTRED
from mnist_horizon.information import binary_entropy, surprise
from mnist_horizon.lazy_jax import Array, jnp
from mnist_horizon.moments import Covariance, Moments, Value
from mnist_horizon.schedules import additive
from mnist_horizon.schedules.dense import Dense
from mnist_horizon.schedules.registry import register
from mnist_horizon.schedules.schedule import (
    Estimator,
    Payments,
    Schedule,
    States,
    check_probability,
)

WINDOW = 16
"""Steps that share a draw."""


class DrawWeights(NamedTuple):
    """How the advantage weighs draws, added to its weights under `dense`; means over steps."""

    known: Value
    """Share of steps whose window's draw was made before them."""
    own_known: Value
    """H of the step's own window where its draw is known, else 0."""
    own_known_square: Value
    own_drawn: Value
    """H of the step's own window where its draw is made at the step, else 0."""
    own_drawn_square: Value
    later: Value
    """sum of H^2 over later windows."""
    answers: Value
    """sum_{l>t} W[t, l]^2."""
    shared: Value
    """Other steps of the same window."""
    values: Value = 0.0
    """sum_{l>t} of U[t, l]^2 where f multiplies z(x_l)."""
    values_cross: Value = 0.0
    """sum_{l>t} of W[t, l] U[t, l] there."""


@register("lottery")
class Lottery(Schedule):
    """With probability p a step's reward is c / p, drawn once per window of 16 steps."""

    level_name = "p"

    @classmethod
    def check_level(cls, level: float) -> None:
        """Refuse a level that is not in 0 < p <= 1."""
        check_probability(cls.kind, level)

    @property
    def window(self) -> int:
        """16: the phase says when the next draw is made. Every step may pay: the period is 1."""
        return WINDOW

    def bits(self, accuracy: Value) -> Value:
        """`(H(rewards) - H(rewards | answers)) / w` of a window of w = 16 steps.

        With e = (1 - mu)^w, no answer right: all rewards are 0 with probability
        `P_0 = 1 - p + p e`, other rewards say which answers were right, and that the window pays:

            H(rewards) = h(P_0) + p (w H(mu) - h(e)) - (1 - e) p log2 p,  h(x) = -x log2 x
            H(rewards | answers) = (1 - e) H(p)
        """
        mu, p = np.asarray(accuracy, dtype=float), self.level
        none = (1 - mu) ** WINDOW
        silent = 1 - p + p * none
        rewards = surprise(silent) + p * (WINDOW * binary_entropy(mu) - surprise(none))
        rewards = rewards + (1 - none) * surprise(p)
        return (rewards - (1 - none) * binary_entropy(p)) / WINDOW

    @property
    def largest_carried(self) -> float:
        """The draw is a number below 1."""
        return 1.0

    def rewards(
        self,
        correct: Float[Array, "time *env"],
        uniform: Float[Array, "time *env"],
        phase: Int[Array, ""],
        carried: Float[Array, "*env"],
    ) -> Payments:
        """`[u < p] c_t / p` with u the uniform of the window's first step, which is carried."""
        phases = self.phases(phase, len(correct))
        opened = jnp.arange(len(phases)) - phases  # the step that opened the window
        drawn = jnp.take(uniform, jnp.clip(opened, 0, len(correct) - 1), axis=0)
        column = (-1, *(1,) * (correct.ndim - 1))
        drawn = jnp.where((opened < 0).reshape(column), carried, drawn)
        known = jnp.where((phases == 0).reshape(column), 0.0, drawn)
        return Payments(self._factor(drawn[:-1]) * correct, phases, known)

    def expected_reward(
        self, phase: Int[Array, "*shape"], accuracy: Float[Array, ""]
    ) -> Float[Array, "*shape"]:
        """mu at every phase."""
        return jnp.broadcast_to(accuracy, jnp.shape(phase))

    def state_value(
        self,
        phase: Int[Array, "..."],
        carried: Float[Array, "..."],
        probability: Float[Array, "..."],
        accuracy: Float[Array, ""],
        discount: Float[Array, ""],
    ) -> Float[Array, "..."]:
        """`f (pi(label|x) - mu) + (f - 1) mu sum_{i<16-j} gamma^i` at phase j, once f is drawn.

        Before the draw, at phase 0, it is `pi(label|x) - mu`; later windows are worth 0.
        """
        factor = self._known_factor(phase, carried)
        rest = sum_of_powers(discount, WINDOW - phase)
        return factor * (probability - accuracy) + (factor - 1) * accuracy * rest

    def covariance(
        self, discount: Value, moments: Moments, baseline: str = "expected_reward"
    ) -> Covariance:
        """Covariance of a step's gradient in endless rollouts, lambda = 1, averaged over phases.

        Raises:
            ValueError: the baseline is unknown.
        """
        dense = Dense().covariance(discount, moments, baseline)
        return self._with_draws(dense, endless_weights(discount, baseline), moments, baseline)

    def window_covariance(
        self, estimator: Estimator, moments: Moments, batch: Value = math.inf
    ) -> Covariance:
        """As `Schedule.window_covariance`, for every baseline and lambda."""
        dense = Dense().window_covariance(estimator, moments, batch)
        return self._with_draws(dense, rollout_weights(estimator), moments, estimator.baseline)

    def expected_advantages(
        self,
        estimator: Estimator,
        states: States,
        value: Float[Array, "time env"],
        value_mean: Float[Array, ""],
    ) -> tuple[Float[Array, "time env"], Float[Array, "time env"]]:
        """As under `dense`; a known draw adds `(f - 1) (c - mu - [state] z + mu H)`."""
        dense_states = states._replace(phase=0 * states.phase, carried=0 * states.carried)
        wrong, right = Dense().expected_advantages(estimator, dense_states, value, value_mean)
        phase = states.phase[:, None]
        factor = self._known_factor(phase, states.carried)
        own_weight = own_draw_weights(estimator)[:, None]
        known_value = value if estimator.baseline == "state" else 0.0
        rest = states.accuracy * (own_weight - 1) - known_value
        return wrong + (factor - 1) * rest, right + (factor - 1) * (rest + 1)

    def _factor(self, drawn: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """f of a window with this draw."""
        return jnp.where(drawn < self.level, 1 / self.level, 0.0)

    def _known_factor(
        self, phase: Int[Array, "..."], carried: Float[Array, "..."]
    ) -> Float[Array, "..."]:
        """f where it is known, and its mean, 1, before the draw."""
        return jnp.where(phase == 0, 1.0, self._factor(carried))

    def _with_draws(
        self, dense: Covariance, weights: DrawWeights, moments: Moments, baseline: str
    ) -> Covariance:
        """The covariance under `dense`, and what the draws add (module docstring)."""
        q, mu, fisher = (1 - self.level) / self.level, moments.accuracy, moments.fisher
        values, cross = moments.values, moments.correct - mu * fisher
        later = (
            weights.answers * moments.answer_variance
            + weights.later * mu**2
            + 2 * weights.values_cross * values.covariance
            + weights.values * values.variance
        )
        drawn = (1 - weights.known) * moments.centred + 2 * mu * weights.own_drawn * cross
        drawn = drawn + mu**2 * weights.own_drawn_square * fisher
        of_score = moments.residual if baseline == "state" else moments.centred
        known = weights.known * of_score + 2 * mu * weights.own_known * cross
        known = known + mu**2 * weights.own_known_square * fisher
        state = weights.known * moments.state_signal
        return replace(
            dense,
            future=dense.future + q * (later * fisher + drawn),
            action=dense.action + q * (known - state),
            state=dense.state + q * state,
            within=dense.within + q * weights.shared * moments.signal,
        )


def sum_of_powers(base: Value, count: Value) -> Value:
    """`sum_{i<count} base^i` for a count of at most 16; exact where the base is near 1."""
    return sum((count > i) * base**i for i in range(WINDOW))


def endless_weights(discount: Value, baseline: str) -> DrawWeights:
    """`DrawWeights` of endless rollouts with lambda = 1.

    H is `sum_{i<=R} gamma^i` for the step's own window with R steps left, and
    `gamma^(R + 1) sum_{i<16} gamma^i` for the next.
    """
    whole = sum_of_powers(discount, WINDOW)
    left = [sum_of_powers(discount, rest) for rest in range(1, WINDOW)]
    ahead = sum(discount ** (2 * rest) for rest in range(1, WINDOW + 1))
    knows_draws = baseline == "state"
    return DrawWeights(
        known=1 - 1 / WINDOW,
        own_known=0.0 if knows_draws else sum(left) / WINDOW,
        own_known_square=0.0 if knows_draws else sum(weight**2 for weight in left) / WINDOW,
        own_drawn=whole / WINDOW,
        own_drawn_square=whole**2 / WINDOW,
        later=ahead / WINDOW * whole**2 / (1 - discount ** (2 * WINDOW)),
        answers=discount**2 / (1 - discount**2),
        shared=WINDOW - 1.0,
    )


def draw_weights(estimator: Estimator) -> tuple[Float[Array, "time window"], Any, Any]:
    """H[t, w] of a rollout, with the window of each step and the phase of each step."""
    rollout = additive.rollout_steps(1, estimator)
    time, discount = rollout.time, rollout.discount
    phase = (estimator.phase + time) % WINDOW
    window = (estimator.phase + time) // WINDOW
    steps = additive.answer_weights(rollout, estimator)
    if estimator.baseline == "state":  # telescoped: a draw counts once, at its window's first step
        steps = jnp.where(phase == 0, steps * sum_of_powers(discount, WINDOW), 0.0)
    count = estimator.rollout_length // WINDOW + 2
    weights = steps @ (window[:, None] == jnp.arange(count)).astype(steps.dtype)
    if estimator.baseline in CENTRED and estimator.baseline != "state":
        unseen = sum_of_powers(discount, WINDOW - 1 - phase[-1])
        beyond = rollout.both ** (time[-1] - time) * discount * unseen
        weights = weights.at[:, window[-1]].add(beyond)
    return weights, window, phase


def own_draw_weights(estimator: Estimator) -> Float[Array, "time"]:
    """H of each step's own window."""
    weights, window, _ = draw_weights(estimator)
    return jnp.take_along_axis(weights, window[:, None], axis=1)[:, 0]


def rollout_weights(estimator: Estimator) -> DrawWeights:
    """`DrawWeights` of rollouts of T steps, truncated as in training."""
    weights, window, phase = draw_weights(estimator)
    own_weight = own_draw_weights(estimator)
    after = jnp.arange(weights.shape[1]) > window[:, None]
    known = phase > 0
    rollout = additive.rollout_steps(1, estimator)
    time = rollout.time
    answers = additive.answer_weights(rollout, estimator) * (time > time[:, None])
    # The exact values of steps whose draw is known contain f; a value net's never do.
    known_values = known if estimator.baseline == "state" else jnp.zeros(known.shape)
    values = additive.value_weights(rollout, estimator) * known_values
    shared = (window[:, None] == window) & (time[:, None] != time)
    return DrawWeights(
        known=known.mean(),
        own_known=jnp.where(known, own_weight, 0.0).mean(),
        own_known_square=jnp.where(known, own_weight**2, 0.0).mean(),
        own_drawn=jnp.where(known, 0.0, own_weight).mean(),
        own_drawn_square=jnp.where(known, 0.0, own_weight**2).mean(),
        later=jnp.where(after, weights**2, 0.0).sum(axis=1).mean(),
        answers=(answers**2).sum(axis=1).mean(),
        shared=shared.sum(axis=1).mean(),
        values=(values**2).sum(axis=1).mean(),
        values_cross=(answers * values).sum(axis=1).mean(),
    )

"""`dense`: every right answer is rewarded at once."""

import numpy as np
from jaxtyping import Float, Int

from mnist_horizon.information import binary_entropy
from mnist_horizon.lazy_jax import Array, jnp
from mnist_horizon.moments import Value
from mnist_horizon.schedules.additive import Additive
from mnist_horizon.schedules.registry import register
from mnist_horizon.schedules.schedule import Payments


@register("dense")
class Dense(Additive):
    """`r_t = c_t`."""

    def rewards(
        self,
        correct: Float[Array, "time *env"],
        uniform: Float[Array, "time *env"],
        phase: Int[Array, ""],
        carried: Float[Array, "*env"],
    ) -> Payments:
        """The answers themselves."""
        steps, *env = correct.shape
        # Nothing is carried: what is passed on is the 0 that came in, which costs no operation.
        nothing = jnp.broadcast_to(carried, (steps + 1, *env))
        return Payments(correct, self.phases(phase, steps), nothing)

    def expected_reward(
        self, phase: Int[Array, "*shape"], accuracy: Float[Array, ""]
    ) -> Float[Array, "*shape"]:
        """mu."""
        return jnp.broadcast_to(accuracy, jnp.shape(phase))

    def bits(self, accuracy: Value) -> Value:
        """`H(p mu) - mu H(p)`, p the probability that a right answer is rewarded; H(mu) at 1.

        A reward of 0 is that of a wrong answer, or of a right one that is not rewarded.
        """
        p = self.reveal_probability
        return binary_entropy(p * np.asarray(accuracy)) - accuracy * binary_entropy(p)

    def state_value(
        self,
        phase: Int[Array, "..."],
        carried: Float[Array, "..."],
        probability: Float[Array, "..."],
        accuracy: Float[Array, ""],
        discount: Float[Array, ""],
    ) -> Float[Array, "..."]:
        """`pi(label|x) - mu`: later rewards are worth 0 once centred."""
        return probability - accuracy

"""Base of schedules that pay at every k-th step, by the right answers since the last payment."""

from abc import abstractmethod

from jaxtyping import Float, Int

from mnist_horizon.lazy_jax import Array, jnp
from mnist_horizon.moments import Value
from mnist_horizon.schedules.schedule import Payments, Schedule

LONGEST_PERIOD = 2**24
"""Levels are carried in single precision, which holds whole numbers up to here."""


class Delayed(Schedule):
    """A schedule with the period k as its level; a window carries its right answers so far."""

    level_name = "k"

    @abstractmethod
    def payment(self, right: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """The payment of a window that closes with this many right answers."""

    @abstractmethod
    def expected_payment(self, accuracy: Float[Array, ""]) -> Float[Array, ""]:
        """The mean payment where answers are right with probability `accuracy`, independently."""

    @classmethod
    def check_level(cls, level: float) -> None:
        """Refuse a level that is not a whole number from 1 to `LONGEST_PERIOD`."""
        if level < 1 or level % 1:
            raise ValueError(f"schedule '{cls.kind}:k' needs a whole number k >= 1, not {level:g}")
        if level > LONGEST_PERIOD:
            raise ValueError(f"schedule '{cls.kind}:k' needs k of at most 2^24, not {level:g}")

    @property
    def period(self) -> Int[Array, "*runs"] | int:
        """k."""
        if isinstance(self.level, int | float):
            return int(self.level)
        return jnp.asarray(self.level).astype(jnp.int32)

    def rewards(
        self,
        correct: Float[Array, "time *env"],
        uniform: Float[Array, "time *env"],
        phase: Int[Array, ""],
        carried: Float[Array, "*env"],
    ) -> Payments:
        """`[phase_t = k - 1] payment(n_t)`, n_t the right answers of the window at step t."""
        phases = self.phases(phase, len(correct))
        right = count_right(correct, phases[:-1], carried)
        column = (-1, *(1,) * (correct.ndim - 1))
        closes = (phases[:-1] == self.period - 1).reshape(column)
        opened = (phases[1:] == 0).reshape(column)
        first = jnp.where(phases[0] == 0, 0.0, carried)
        following = jnp.concatenate([first[None], jnp.where(opened, 0.0, right)])
        return Payments(jnp.where(closes, self.payment(right), 0.0), phases, following)

    def expected_reward(
        self, phase: Int[Array, "*shape"], accuracy: Float[Array, ""]
    ) -> Float[Array, "*shape"]:
        """The mean payment where a window closes, else 0."""
        return jnp.where(phase == self.period - 1, self.expected_payment(accuracy), 0.0)

    def steps_to_payment(self, phase: Int[Array, "*shape"]) -> Float[Array, "*shape"]:
        """d = k - 1 - phase."""
        return (self.period - 1 - phase).astype(jnp.float32)

    @property
    def largest_carried(self) -> Value:
        """k - 1 right answers."""
        return self.period - 1.0


def count_right(
    correct: Float[Array, "time *env"],
    phase: Int[Array, "time"],
    carried: Float[Array, "*env"],
) -> Float[Array, "time *env"]:
    """Right answers of the open reward window up to and including each step.

    `phase` is the phase of each step; `carried` is what the window held when the rollout began.
    """
    total = jnp.cumsum(correct, axis=0)
    start = jnp.arange(correct.shape[0]) - phase  # the step that opened the window
    before = jnp.take(total, jnp.maximum(start - 1, 0), axis=0)
    opened_here = (start > 0).reshape(-1, *(1,) * (correct.ndim - 1))
    carried = jnp.broadcast_to(carried, correct.shape)
    # A window that the rollout opened has start >= 0; one carried in has phase > step.
    carried = jnp.where((start < 0).reshape(opened_here.shape), carried, 0.0)
    return total + jnp.where(opened_here, -before, carried)

"""Runs of several schedules in one compiled program."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias, no_type_check

import numpy as np
from jaxtyping import Float, Int

from mnist_horizon.lazy_jax import Array, jax, jnp, pytree
from mnist_horizon.moments import Covariance, Moments, Value
from mnist_horizon.schedules.schedule import Estimator, Payments, Schedule, States


@no_type_check  # JAX also fills pytrees with shapes and axes
@pytree
@dataclass(frozen=True)
class Choice:
    """One of several schedules, by a traced index: used like a `Schedule`, by runs under vmap.

    Each method evaluates only the program's classes, and with one class selects nothing. Classes
    that a run does not have are evaluated at level 1 and discarded.
    """

    index: Int[Array | np.ndarray, "*runs"]
    """The run's schedule among `classes`."""
    level: Float[Array | np.ndarray, "*runs"]
    classes: tuple[type[Schedule], ...] = field(metadata={"static": True})

    @classmethod
    def of(cls, schedules: Sequence[Schedule]) -> "Choice":
        """The schedules of runs, as NumPy arrays [runs]."""
        classes = tuple(sorted({type(member) for member in schedules}, key=lambda cls: cls.kind))
        index = np.array([classes.index(type(member)) for member in schedules], np.int32)
        return cls(index, np.array([member.level for member in schedules], np.float32), classes)

    @property
    def period(self) -> Int[Array, "*runs"]:
        """As `Schedule.period`."""
        return self._select([member.period for member in self._members()])

    @property
    def window(self) -> Int[Array, "*runs"]:
        """As `Schedule.window`."""
        return self._select([member.window for member in self._members()])

    def rewards(
        self,
        correct: Float[Array, "time *env"],
        uniform: Float[Array, "time *env"],
        phase: Int[Array, ""],
        carried: Float[Array, "*env"],
    ) -> Payments:
        """As `Schedule.rewards`."""
        return self._select(
            [member.rewards(correct, uniform, phase, carried) for member in self._members()]
        )

    def expected_reward(
        self, phase: Int[Array, "*shape"], accuracy: Float[Array, ""]
    ) -> Float[Array, "*shape"]:
        """As `Schedule.expected_reward`."""
        return self._select([member.expected_reward(phase, accuracy) for member in self._members()])

    def state_value(
        self,
        phase: Int[Array, "..."],
        carried: Float[Array, "..."],
        probability: Float[Array, "..."],
        accuracy: Float[Array, ""],
        discount: Float[Array, ""],
    ) -> Float[Array, "..."]:
        """As `Schedule.state_value`."""
        arguments = (phase, carried, probability, accuracy, discount)
        return self._select([member.state_value(*arguments) for member in self._members()])

    def marginal_reward(self, accuracy: Value) -> Value:
        """As `Schedule.marginal_reward`."""
        return self._select([member.marginal_reward(accuracy) for member in self._members()])

    def window_covariance(
        self, estimator: Estimator, moments: Moments, batch: Value = np.inf
    ) -> Covariance:
        """As `Schedule.window_covariance`."""
        return self._select(
            [member.window_covariance(estimator, moments, batch) for member in self._members()]
        )

    def expected_advantages(
        self,
        estimator: Estimator,
        states: States,
        value: Float[Array, "time env"],
        value_mean: Float[Array, ""],
    ) -> tuple[Float[Array, "time env"], Float[Array, "time env"]]:
        """As `Schedule.expected_advantages`."""
        arguments = (estimator, states, value, value_mean)
        return self._select([member.expected_advantages(*arguments) for member in self._members()])

    def _members(self) -> list[Schedule]:
        if len(self.classes) == 1:
            return [self.classes[0](self.level)]
        is_own = [self.index == number for number in range(len(self.classes))]
        levels = [jnp.where(chosen, self.level, 1.0) for chosen in is_own]
        return [cls(level) for cls, level in zip(self.classes, levels, strict=True)]

    def _select(self, results: list[Any]) -> Any:
        """The result of the run's own schedule, from pytrees of all of them."""
        chosen, *others = results
        for number, other in enumerate(others, start=1):
            is_own = self.index == number
            chosen = jax.tree.map(lambda new, old: jnp.where(is_own, new, old), other, chosen)  # noqa: B023
        return chosen


Reward: TypeAlias = Schedule | Choice
"""What the environment and the trainer use for rewards, centring and values."""

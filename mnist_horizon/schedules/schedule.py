"""The base of reward schedules: rewards, centring, state value and theory in one object."""

import functools
import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, no_type_check

import numpy as np
from jaxtyping import Float, Int

from mnist_horizon.lazy_jax import Array, jax, jnp, when_imported
from mnist_horizon.moments import Covariance, Moments, Value


class Payments(NamedTuple):
    """The rewards of a rollout of T steps, with the state of its reward windows.

    `phase` and `carried` are those before each step, and at index T those of the next rollout.
    """

    rewards: Float[Array, "time *env"]
    phase: Int[Array, "time+1"]
    """Steps of the open reward window so far."""
    carried: Float[Array, "time+1 *env"]
    """The number that the open reward window carries; 0 where none is open."""


class States(NamedTuple):
    """What is known before each action of a rollout."""

    phase: Int[Array, "time"]
    carried: Float[Array, "time env"]
    success_probability: Float[Array, "time env"]
    """E[c | x], for most tasks pi(label | x)."""
    accuracy: Float[Array, ""]
    """mu, its mean, by which rewards are centred."""


@dataclass(frozen=True)
class Estimator:
    """An estimator of advantages over rollouts of T steps."""

    baseline: str
    """One of `baselines.BASELINES`."""
    rollout_length: int
    """T."""
    discount: Value
    """gamma."""
    gae_lambda: Value = 1.0
    """lambda."""
    phase: Value = 0
    """Of the first step."""
    running_mean: Value | None = None
    """What the baseline `running_mean` subtracts; by default mu."""


@no_type_check  # JAX also fills pytrees with shapes and axes
@functools.total_ordering
@dataclass(frozen=True, eq=False, repr=False)
class Schedule(ABC):
    """Which right answers are rewarded, and when.

    A JAX pytree whose one leaf is `level`, so that a schedule with a traced level works under jit
    and vmap; with a number it is hashable and sorted by kind and level. Make one by `make` or
    `parse`, which check the level. A new schedule is a subclass with `@register(kind)`; its
    required methods are abstract here, all others are optional.

    Rewards are paid by windows of `window` steps. Within one, `phase` counts the steps so far and
    `carried` is the one number passed from step to step; both are 0 where a window opens.
    """

    level: Value = 1.0
    kind: ClassVar[str]
    """Set by `register`."""
    level_name: ClassVar[str] = ""
    """Name of the level in messages; empty for a schedule without one."""
    adds_up: ClassVar[bool] = True
    """Whether rewards are linear in the answers."""

    def __init_subclass__(cls, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        when_imported(cls._register)

    @classmethod
    def _register(cls) -> None:
        # The class is metadata too: JAX takes structures of several classes with the same metadata
        # for equal, and jit may then run what it compiled for another class.
        key = jax.tree_util.GetAttrKey("level")
        jax.tree_util.register_pytree_with_keys(
            cls,
            lambda schedule: (((key, schedule.level),), cls),
            lambda _, leaves: cls(*leaves),
            lambda schedule: ((schedule.level,), cls),
        )

    # What every schedule defines

    @abstractmethod
    def rewards(
        self,
        correct: Float[Array, "time *env"],
        uniform: Float[Array, "time *env"],
        phase: Int[Array, ""],
        carried: Float[Array, "*env"],
    ) -> Payments:
        """Rewards of a rollout of environments that share the phase.

        Args:
            correct: c_t, 1 where the answer was right.
            uniform: u_t, uniform on [0, 1) and independent: the schedule's own randomness.
            phase: of the first step.
            carried: by the window that was open when the rollout began.
        """

    @abstractmethod
    def expected_reward(
        self, phase: Int[Array, "*shape"], accuracy: Float[Array, ""]
    ) -> Float[Array, "*shape"]:
        """E[r_t | phase] where answers are right with probability `accuracy`, independently."""

    @abstractmethod
    def state_value(
        self,
        phase: Int[Array, "..."],
        carried: Float[Array, "..."],
        probability: Float[Array, "..."],
        accuracy: Float[Array, ""],
        discount: Float[Array, ""],
    ) -> Float[Array, "..."]:
        """The exact value of centred rewards given the state, before the action.

        Args:
            phase: of the step.
            carried: by the open window into the step.
            probability: E[c | x] of the example shown.
            accuracy: E[c] of the examples to come, by which rewards are centred.
            discount: gamma.
        """

    # What most schedules define

    @classmethod
    def check_level(cls, level: float) -> None:
        """Refuse an impossible level.

        Raises:
            ValueError: one line says what is accepted.
        """
        if not cls.level_name and level != 1:
            raise ValueError(f"schedule {cls.kind!r} takes no level")
        if not math.isfinite(level):
            raise ValueError(f"schedule {cls.kind!r} needs a finite level, not {level:g}")

    @property
    def period(self) -> Int[Array, ""] | int:
        """Steps from one payment to the next; 1 where every step may pay."""
        return 1

    @property
    def window(self) -> Int[Array, ""] | int:
        """Steps of a reward window, after which the phase is 0 again."""
        return self.period

    @property
    def largest_carried(self) -> Value:
        """The largest number that a window carries from step to step, for observation spaces."""
        return self.window - 1.0

    def marginal_reward(self, accuracy: Value) -> Value:
        """How the mean reward per step grows with the accuracy mu; 1 where it is mu."""
        return 1.0

    def mean_discount(self, discount: Value) -> Value:
        """Mean discount from an answer to its payment, `(1 - gamma^k) / (k (1 - gamma))`."""
        k = self.period
        return (1 - discount**k) / (k * (1 - discount))

    def signal_factor(self, discount: Value, accuracy: Value = 1.0) -> Value:
        """Mean gradient of a step in units of the true gradient m = E[s c]."""
        return self.marginal_reward(accuracy) * self.mean_discount(discount)

    # Theory: closed forms, where they are known

    def covariance(
        self, discount: Value, moments: Moments, baseline: str = "expected_reward"
    ) -> Covariance:
        """Covariance of a step's gradient in endless rollouts, lambda = 1, averaged over phases.

        Raises:
            ValueError: no closed form is known, or the baseline is unknown.
        """
        raise ValueError(f"schedule '{self}': no closed form of its gradient's noise is known")

    def bits(self, accuracy: Value) -> Value:
        """Mutual information of rewards and right answers, in bits per step, on numbers or arrays.

        Answers are right or wrong, independently, right with probability `accuracy`. NaN where it
        is not known.
        """
        return np.full_like(np.asarray(accuracy, dtype=float), np.nan)

    def window_covariance(
        self, estimator: Estimator, moments: Moments, batch: Value = math.inf
    ) -> Covariance:
        """Covariance of a step's gradient in rollouts of T steps, averaged over the steps.

        Traceable in all but the baseline and T; NaN where no closed form is known.

        Args:
            estimator: of the advantages.
            moments: matrices or traces; `values` for the baselines `state` and `value_net`.
            batch: interactions from which the code estimates the mu that centres rewards.

        Raises:
            ValueError: the baseline is unknown.
        """
        return Covariance(*[math.nan] * 6)

    def expected_advantages(
        self,
        estimator: Estimator,
        states: States,
        value: Float[Array, "time env"],
        value_mean: Float[Array, ""],
    ) -> tuple[Float[Array, "time env"], Float[Array, "time env"]]:
        """E[A | state, action] if the action is wrong, and if it is right.

        NaN where no closed form is known.

        Args:
            estimator: of the advantages.
            states: before each action.
            value: z(x), the state baseline less its mean (0 for constant baselines).
            value_mean: that mean.
        """
        unknown = jnp.full_like(states.carried, jnp.nan)
        return unknown, unknown

    # The same for all schedules

    def phases(self, phase: Int[Array, ""], steps: int) -> Int[Array, "phases"]:
        """The phase before each of this many steps, and after the last."""
        return (phase + jnp.arange(steps + 1)) % self.window

    def __str__(self) -> str:
        """The schedule as a config writes it: `dense`, `revealed:0.25`, `periodic:8`."""
        if not self.level_name:
            return self.kind
        whole = self.level % 1 == 0
        return f"{self.kind}:{int(self.level) if whole else repr(float(self.level))}"

    def __repr__(self) -> str:
        return f"{type(self).__name__}(level={self.level!r})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Schedule):
            return NotImplemented
        return (self.kind, self.level) == (other.kind, other.level)

    def __lt__(self, other: "Schedule") -> bool:
        if not isinstance(other, Schedule):
            return NotImplemented
        return (self.kind, self.level) < (other.kind, other.level)

    def __hash__(self) -> int:
        return hash((self.kind, self.level))


def check_probability(kind: str, level: float) -> None:
    """Refuse a level that is not a probability p > 0, since rewards are divided by it.

    Raises:
        ValueError: one line says what is accepted.
    """
    if not 0 < level <= 1:
        raise ValueError(f"schedule '{kind}:p' needs 0 < p <= 1, not {level:g}")
    if level < np.finfo(np.float32).tiny:
        raise ValueError(f"schedule '{kind}:p' needs p above 0 in single precision, not {level:g}")

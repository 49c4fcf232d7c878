"""Reward schedules: which of the right answers are paid for, and when.

Every schedule is one point of a family with three numbers, so that runs of different schedules
share one compiled program (the numbers are traced):

    m_t ~ Bernoulli(p), unseen;  a window closes at every k-th step;  n = right answers in it
    r_t = [window closes at t] * m_t / p * (n  or, for a streak,  k * [n = k])

`dense` is (p = 1, k = 1), `revealed:p` is (p, 1), `periodic:k` is (1, k).
"""

from dataclasses import dataclass
from typing import no_type_check

import jax.numpy as jnp
from flax import struct
from jax import Array
from jaxtyping import Bool, Float, Int

KINDS = ("dense", "revealed", "periodic", "streak")


@no_type_check  # JAX also fills pytrees with shapes and axes
@struct.dataclass
class RewardParams:
    """The numbers of a schedule, as traced by the environment and the trainer."""

    reveal_probability: Float[Array, "*runs"]
    period: Int[Array, "*runs"]
    streak: Bool[Array, "*runs"]


@dataclass(frozen=True, order=True)
class Schedule:
    """A reward schedule by kind and level (p of `revealed`, k of `periodic` and `streak`)."""

    kind: str
    level: float = 1.0

    def __post_init__(self) -> None:
        """Refuse what `parse` would refuse.

        Raises:
            ValueError: the kind is unknown or the level impossible.
        """
        if self.kind not in KINDS:
            raise ValueError(f"unknown schedule {self.kind!r}: choose from {', '.join(KINDS)}")
        if self.kind == "dense" and self.level != 1:
            raise ValueError("schedule 'dense' takes no level")
        if self.kind == "revealed" and not 0 < self.level <= 1:
            raise ValueError(f"schedule 'revealed:p' needs 0 < p <= 1, not {self.level:g}")
        if self.kind in ("periodic", "streak") and (self.level < 1 or self.level % 1):
            raise ValueError(
                f"schedule '{self.kind}:k' needs a whole number k >= 1, not {self.level:g}"
            )

    def __str__(self) -> str:
        """The schedule as a config writes it: `dense`, `revealed:0.25`, `periodic:8`."""
        if self.kind == "dense":
            return self.kind
        whole = self.level % 1 == 0
        return f"{self.kind}:{int(self.level) if whole else repr(float(self.level))}"

    @property
    def reveal_probability(self) -> float:
        """Probability p that a closing window's reward is paid (as r / p)."""
        return self.level if self.kind == "revealed" else 1.0

    @property
    def period(self) -> int:
        """Steps k from one payment to the next."""
        return int(self.level) if self.kind in ("periodic", "streak") else 1

    @property
    def is_streak(self) -> bool:
        """Whether a window pays only if all of its answers are right."""
        return self.kind == "streak"

    @property
    def adds_up(self) -> bool:
        """shim"""
        return not self.is_streak

    def mean_discount(self, discount):
        """shim"""
        k = self.period
        return (1 - discount**k) / (k * (1 - discount))

    def params(self) -> RewardParams:
        """The numbers of this schedule as arrays."""
        return RewardParams(
            reveal_probability=jnp.float32(self.reveal_probability),
            period=jnp.int32(self.period),
            streak=jnp.bool_(self.is_streak),
        )

    def optimal_reward(self) -> float:
        """Mean reward a step of a policy that is always right (1 for every schedule)."""
        return self.mean_reward(1.0)

    def chance_reward(self, classes: int) -> float:
        """Mean reward a step of the uniform policy over `classes` actions."""
        return self.mean_reward(1.0 / classes)

    def mean_reward(self, accuracy: float) -> float:
        """Mean reward a step where each answer is right with probability `accuracy`, independently.

        mu for all but the streak, which pays k with probability mu^k every k-th step: mu^k.
        """
        return accuracy**self.period if self.is_streak else accuracy


def parse(text: str) -> Schedule:
    """Read a schedule from a config: `dense`, `revealed:p`, `periodic:k`, `streak:k`.

    Raises:
        ValueError: not one of these; the message says what is accepted.
    """
    kind, separator, level = text.partition(":")
    if kind not in KINDS or (kind == "dense") == bool(separator):
        raise ValueError(
            f"unknown schedule {text!r}: write 'dense', 'revealed:p', 'periodic:k' or 'streak:k'"
        )
    if not separator:
        return Schedule("dense")
    try:
        return Schedule(kind, float(level))
    except ValueError as error:
        raise ValueError(f"schedule {text!r}: {error}") from None


def marginal_reward(params: RewardParams, accuracy: Float[Array, "*runs"]) -> Float[Array, "*runs"]:
    """How the mean reward a step grows with the accuracy: 1, or `k mu^(k-1)` for a streak."""
    period = params.period.astype(jnp.float32)
    return jnp.where(params.streak, period * accuracy ** (period - 1), 1.0)


def expected_reward(
    params: RewardParams, phase: Int[Array, "*shape"], accuracy: Float[Array, ""]
) -> Float[Array, "*shape"]:
    """E[r_t | phase] where answers are right with probability `accuracy`, independently.

    `phase` counts the steps since the last payment (0 to k - 1); only k - 1 pays:
    `k mu`, or `k mu^k` for a streak.
    """
    period = params.period.astype(jnp.float32)
    paid = period * jnp.where(params.streak, accuracy**period, accuracy)
    return jnp.where(phase == params.period - 1, paid, 0.0)


def make(kind: str, level: float) -> Schedule:
    """shim"""
    return Schedule(kind, level)


def kinds() -> tuple[str, ...]:
    """shim"""
    return KINDS

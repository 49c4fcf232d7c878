"""Moments of a policy's score and answers, and the covariance of its gradient that follows.

With the score `s = grad log pi(a|x)` and the answer c in {0, 1}, all terms of a covariance are
linear in these moments, which may be matrices or their traces, and arrays of many policies.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias, no_type_check

import numpy as np

from mnist_horizon.lazy_jax import Array, pytree

if TYPE_CHECKING:  # mypy expands the union, which takes minutes for the theory's files
    Value: TypeAlias = Any
else:
    Value: TypeAlias = int | float | np.ndarray | np.number | Array


@no_type_check  # JAX also fills pytrees with shapes and axes
@pytree
@dataclass(frozen=True)
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
    """The mean subtracted from z (a value net's error, since centred values average 0)."""


@no_type_check  # JAX also fills pytrees with shapes and axes
@pytree
@dataclass(frozen=True)
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
    values: ValueMoments = field(default_factory=ValueMoments)
    example_variance: Value = 0.0
    """Var(pi(label|x)) over examples; used only with the `batch` of a `window_covariance`."""

    @property
    def answer_variance(self) -> Value:
        """v = mu (1 - mu)."""
        return self.accuracy * (1 - self.accuracy)

    @property
    def centred(self) -> Value:
        """A = E[s s^T (c - mu)^2] = (1 - 2 mu) K + mu^2 F, since c^2 = c."""
        return (1 - 2 * self.accuracy) * self.correct + self.accuracy**2 * self.fisher

    @property
    def residual(self) -> Value:
        """E[s s^T (c - mu - z)^2]: what a state baseline leaves of A."""
        cross = self.values.correct - self.accuracy * self.values.fisher
        return self.centred - 2 * cross + self.values.square


@no_type_check  # JAX also fills pytrees with shapes and axes
@pytree
@dataclass(frozen=True)
class Covariance:
    """Covariance of a step's gradient, averaged over steps, with its parts."""

    future: Value
    """Part due to later answers and draws."""
    action: Value
    """Part due to the action drawn."""
    state: Value
    """Part due to the example shown and to what the reward window carried."""
    within: Value
    """What correlation between steps of one reward window adds to B times the covariance of a
    batch mean; not in `total`."""
    signal_factor: Value
    """Mean gradient in units of m: E[g] = signal_factor m."""
    signal_square: Value
    """Mean over steps of |E[g_t]|^2, in units of |m|^2."""

    @property
    def total(self) -> Value:
        """Covariance of a single step's gradient."""
        return self.future + self.action + self.state

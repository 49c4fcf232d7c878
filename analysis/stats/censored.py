"""Maximum likelihood for curves measured once per seed, with seed effects and censored values.

    log E_i = mean_i(theta) + u_block(i) + e_i,   u ~ N(0, tau^2),   e_i ~ N(0, sigma_i^2)
    log sigma_i = level + slope * z_i

A block is the runs of one seed (at one width): they share observations, so what is common to them
is an effect of the block, integrated out. The spread over seeds gives the weights: it may grow with
the horizon, along z in [0, 1]. A value is exact, right-censored (the run did not reach the return)
or left-censored; censored values enter by the probability of being beyond.
"""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, Self

import numpy as np
from scipy.special import log_ndtr

from analysis.stats.newton import Evaluated, minimise
from analysis.stats.threads import on_one_thread

_NODES, _NODE_WEIGHTS = np.polynomial.hermite_e.hermegauss(15)
_LOG_WEIGHTS = np.log(_NODE_WEIGHTS / np.sqrt(2 * np.pi))
_LOG_SMALLEST, _LOG_LARGEST = np.log(3e-3), np.log(3.0)
_SLOPE_SCALE = 0.7  # prior width of the slope: a few seeds alone determine it poorly
_SPREAD_PARAMETERS = 3


@dataclass(frozen=True)
class Values:
    """One value per run: log E, how it is censored, and which runs belong together.

    Attributes:
        log_e: log of the interactions, shape [run].
        right: the run did not reach the return, log E is a lower bound, shape [run].
        left: the run was above it from the start, log E is an upper bound, shape [run].
        block: number of the block of runs that share an effect, 0 to blocks - 1, shape [run].
        spread: where in [0, 1] the run lies along the trend of the spread, shape [run].
    """

    log_e: np.ndarray
    right: np.ndarray
    left: np.ndarray
    block: np.ndarray
    spread: np.ndarray

    @functools.cached_property
    def exact(self) -> np.ndarray:
        """Which runs have an uncensored value, shape [run]."""
        return ~(self.right | self.left)

    @functools.cached_property
    def members(self) -> np.ndarray:
        """1 where a run is of a block, else 0, shape [block, run]."""
        return np.eye(self.block.max() + 1)[:, self.block]

    def take(self, keep: np.ndarray) -> "Values":
        """The values where `keep`, shape [run], is true; blocks are renumbered."""
        block = np.unique(self.block[keep], return_inverse=True)[1]
        return Values(self.log_e[keep], self.right[keep], self.left[keep], block, self.spread[keep])


class Mean(Protocol):
    """A mean function of some parameters, at the runs of one `Values`."""

    @property
    def bounds(self) -> Sequence[tuple[float, float]]:
        """Bounds of the parameters, in their order."""
        ...

    def __call__(self, theta: np.ndarray, /) -> tuple[np.ndarray, np.ndarray]:
        """Means, shape [run], and their derivatives, shape [run, parameter]."""
        ...

    def take(self, keep: np.ndarray, /) -> Self:
        """The mean function at the runs where `keep`, shape [run], is true."""
        ...


@dataclass(frozen=True)
class Fit:
    """A maximum of the likelihood.

    Attributes:
        theta: parameters of the mean, shape [parameter].
        spread: level and slope of log sigma and log tau, shape [3].
        log_likelihood: at the maximum.
        free: how many numbers were fitted, those of the spread included.
        means: the fitted means, shape [run].
    """

    theta: np.ndarray
    spread: np.ndarray
    log_likelihood: float
    free: int
    means: np.ndarray


def log_likelihood(
    means: np.ndarray, derivatives: np.ndarray, spread: np.ndarray, values: Values
) -> Evaluated:
    """Log likelihood, its gradient and the observed information in (parameters, spread).

    The exact values of a block give a normal posterior of its effect u; the censored ones are
    averaged over that posterior by Gauss-Hermite quadrature. The gradient is the posterior mean of
    the gradient at known u (Fisher's identity), the information that at known u less the
    posterior covariance of the gradient (Louis 1982), without second derivatives of the means.

    Args:
        means: of log E, shape [run].
        derivatives: of the means in the parameters, shape [run, parameter].
        spread: level and slope of log sigma, and log tau, shape [3].
        values: the values.

    Returns:
        The log likelihood, its gradient, shape [parameter + 3], and the information, the negative
        of its second derivatives, shape [parameter + 3, parameter + 3].
    """
    sigma = np.exp(spread[0] + spread[1] * values.spread)
    tau2 = np.exp(2 * spread[2])
    blocks, exact = values.members, values.exact
    residual = values.log_e - means
    weight = exact / sigma**2
    precision = blocks @ weight
    variance = 1 / (1 / tau2 + precision)
    center = variance * (blocks @ (weight * residual))
    total = -0.5 * np.sum(weight * residual**2 + exact * np.log(2 * np.pi * sigma**2))
    total += 0.5 * np.sum(center**2 / variance - np.log1p(tau2 * precision))

    if exact.all():
        gap = residual - center[values.block]
        return float(total), *_without_censored(
            derivatives, weight, gap, center, variance, tau2, values
        )
    effect = center[:, None] + np.sqrt(variance)[:, None] * _NODES  # [block, node]
    gap = (residual[:, None] - effect[values.block]) / sigma[:, None]  # [run, node]
    evidence, posterior, by_run = _with_censored(gap, values)
    return float(total + evidence), *_averaged(
        derivatives / sigma[:, None], values, posterior, by_run, effect**2 / tau2
    )


def _without_censored(
    derivatives: np.ndarray,
    weight: np.ndarray,
    gap: np.ndarray,
    center: np.ndarray,
    variance: np.ndarray,
    tau2: float,
    values: Values,
) -> tuple[np.ndarray, np.ndarray]:
    """Gradient and information where every average over the effects has a closed form.

    With u = center + sqrt(variance) n, n standard normal, each derivative is a polynomial
    `c + l n + q n^2` of a block, with the covariances `l l + 2 q q`.

    Args:
        derivatives: of the means, shape [run, parameter].
        weight: 1 / sigma^2, shape [run].
        gap: residuals about the block's center, shape [run].
        center: posterior mean of each effect, shape [block].
        variance: posterior variance of each effect, shape [block].
        tau2: variance of the effects.
        values: the values.
    """
    blocks, size = values.members, derivatives.shape[1]
    along = np.stack([np.ones_like(gap), values.spread], axis=1)  # log sigma by level and slope
    weighted, pull = weight[:, None] * derivatives, weight * gap
    square = weight * (gap**2 + variance[values.block])
    ratio = (center**2 + variance) / tau2
    gradient = np.concatenate([pull @ derivatives, (square - 1) @ along, [np.sum(ratio - 1)]])
    information = np.zeros((size + 3, size + 3))
    information[:size, :size] = derivatives.T @ weighted
    information[:size, size:-1] = 2 * derivatives.T @ (pull[:, None] * along)
    information[size:-1, :size] = information[:size, size:-1].T
    information[size:-1, size:-1] = 2 * along.T @ (square[:, None] * along)
    information[-1, -1] = 2 * ratio.sum()
    by_run = np.concatenate([-weighted, -2 * pull[:, None] * along], axis=1)
    linear = np.concatenate([blocks @ by_run, 2 * (center / tau2)[:, None]], axis=1)
    linear *= np.sqrt(variance)[:, None]
    bent = np.concatenate(
        [blocks @ (weight[:, None] * along), np.full((len(center), 1), 1 / tau2)], axis=1
    )
    bent *= variance[:, None]
    information -= linear.T @ linear
    information[size:, size:] -= 2 * bent.T @ bent
    return gradient, information


Derivatives = tuple[np.ndarray, np.ndarray, np.ndarray]
"""First derivatives of each run's log density in mean / sigma and in log sigma, shape [run, node],
and minus the second ones (mean mean, mean sigma, sigma sigma), shape [3, run, node]."""


def _with_censored(gap: np.ndarray, values: Values) -> tuple[float, np.ndarray, Derivatives]:
    """What censored values add: the log evidence, the posterior of each effect, the derivatives.

    Args:
        gap: standardised distances at the nodes of each effect, shape [run, node].
        values: the values.
    """
    by_mean, by_log_sigma, second = _exact_derivatives(gap)
    beyond = np.flatnonzero(~values.exact)
    sign = np.where(values.right, -1.0, 1.0)[beyond, None]
    log_tail = log_ndtr(sign * gap[beyond])
    parts = _censored_derivatives(gap[beyond], sign, log_tail)
    by_mean[beyond], by_log_sigma[beyond], second[:, beyond] = parts
    log_posterior = _LOG_WEIGHTS + values.members[:, beyond] @ log_tail  # [block, node]
    top = log_posterior.max(axis=1, keepdims=True)
    log_evidence = top + np.log(np.exp(log_posterior - top).sum(axis=1, keepdims=True))
    posterior = np.exp(log_posterior - log_evidence)
    return float(log_evidence.sum()), posterior, (by_mean, by_log_sigma, second)


def _exact_derivatives(gap: np.ndarray) -> Derivatives:
    """Of normal densities at standardised distances."""
    square = gap**2
    return gap.copy(), square - 1, np.stack([np.ones_like(gap), 2 * gap, 2 * square])


def _censored_derivatives(gap: np.ndarray, sign: np.ndarray, log_tail: np.ndarray) -> Derivatives:
    """Of the probabilities of lying beyond: log Phi(t), t = sign gap, with ratio phi / Phi."""
    t = sign * gap
    ratio = np.exp(-0.5 * t**2 - 0.5 * np.log(2 * np.pi) - log_tail)
    bend = ratio * (t + ratio)
    second = np.stack([bend, sign * (bend * t - ratio), t * (bend * t - ratio)])
    return -sign * ratio, -ratio * t, second


def _averaged(
    derivatives: np.ndarray,
    values: Values,
    posterior: np.ndarray,
    by_run: Derivatives,
    square_effect: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Gradient and information from those at known effects.

    Args:
        derivatives: of mean / sigma, shape [run, parameter].
        values: the values.
        posterior: of the effect, shape [block, node].
        by_run: at known effects.
        square_effect: u^2 / tau^2, shape [block, node].
    """
    blocks, z = values.members, values.spread[:, None]
    by_mean, by_log_sigma, second = by_run
    size = derivatives.shape[1]
    here = posterior[values.block]  # [run, node]
    inside, mixed, outside = (second * here).sum(axis=2)  # [run]
    information = np.zeros((size + 3, size + 3))
    information[:size, :size] = derivatives.T @ (inside[:, None] * derivatives)
    along = np.concatenate([np.ones_like(z), z], axis=1)  # log sigma by level and slope
    information[:size, size : size + 2] = derivatives.T @ (mixed[:, None] * along)
    information[size : size + 2, :size] = information[:size, size : size + 2].T
    information[size : size + 2, size : size + 2] = along.T @ (outside[:, None] * along)
    information[-1, -1] = 2 * np.sum(posterior * square_effect)

    scores = np.concatenate(  # [run, parameter + 2, node]
        [derivatives[:, :, None] * by_mean[:, None], along[:, :, None] * by_log_sigma[:, None]],
        axis=1,
    )
    summed = (blocks @ scores.reshape(len(scores), -1)).reshape(len(blocks), size + 2, -1)
    summed = np.concatenate([summed, square_effect[:, None] - 1], axis=1)
    mean = np.sum(summed * posterior[:, None], axis=2)  # [block, parameter + 3]
    apart = (summed - mean[:, :, None]) * np.sqrt(posterior)[:, None]
    apart = apart.transpose(1, 0, 2).reshape(size + 3, -1)
    return mean.sum(axis=0), information - apart @ apart.T


@on_one_thread
def fit(
    mean: Mean,
    values: Values,
    starts: Sequence[np.ndarray],
    spread_start: np.ndarray | None = None,
    fixed: Mapping[int, float] | None = None,
) -> Fit:
    """Maximise the likelihood over the mean's parameters and the spread.

    The effect of blocks is fitted only where there are several blocks, which the caller defines:
    with a single block tau is held at its lower bound.

    Args:
        mean: the mean function at these runs.
        values: the values.
        starts: parameters to start from, each of shape [parameter]; the best maximum is kept.
        spread_start: a known spread to start from (a warm start), shape [3].
        fixed: parameters of the mean that are held fixed, by index.
    """
    fixed_values = dict(fixed or {})
    size = len(starts[0])
    bounds = [
        (fixed_values[i], fixed_values[i]) if i in fixed_values else limits
        for i, limits in enumerate(mean.bounds)
    ]
    several = values.block.max() > 0
    tau_bounds = (_LOG_SMALLEST, _LOG_LARGEST if several else _LOG_SMALLEST)
    bounds += [(_LOG_SMALLEST, _LOG_LARGEST), (-2.0, 2.0), tau_bounds]

    def objective(point: np.ndarray) -> Evaluated:
        means, derivatives = mean(point[:size])
        total, gradient, information = log_likelihood(means, derivatives, point[size:], values)
        slope = point[size + 1]
        gradient[size + 1] -= slope / _SLOPE_SCALE**2
        information[size + 1, size + 1] += 1 / _SLOPE_SCALE**2
        return -total + 0.5 * (slope / _SLOPE_SCALE) ** 2, -gradient, information

    spread0 = np.array([-2.0, 0.0, -2.5]) if spread_start is None else spread_start
    spreads = [_spread_at(mean(start)[0], values, spread0) for start in starts]
    begins = [np.concatenate(pair) for pair in zip(starts, spreads, strict=True)]
    found = [minimise(objective, begin, bounds) for begin in begins]
    point, least = min(found, key=lambda one: one[1])
    theta, spread = point[:size], point[size:]
    free = size - len(fixed_values) + _SPREAD_PARAMETERS - (not several)
    return Fit(theta, spread, -least, free, mean(theta)[0])


def _spread_at(means: np.ndarray, values: Values, spread: np.ndarray) -> np.ndarray:
    """The spread, with a level that is not below that of the residuals: steps from there are few.

    The level is a log: from far too small a one, each step of Newton adds half only.
    """
    residual = (values.log_e - means)[values.exact]
    level = 0.5 * np.log(np.mean(residual**2) + 1e-12) if residual.size else spread[0]
    return np.array([max(spread[0], level - spread[1] / 2), *spread[1:]])


@dataclass(frozen=True)
class Sample:
    """Runs and the mean function that is to explain them.

    Attributes:
        mean: the mean function at the runs.
        values: log interactions and how they are censored.
        seed: the seed of each run, shape [run].
    """

    mean: Any  # a `Mean`; callers use its own attributes
    values: Values
    seed: np.ndarray

    @property
    def seeds(self) -> list[int]:
        """The distinct seeds."""
        return [int(seed) for seed in np.unique(self.seed)]

    def take(self, keep: np.ndarray) -> Self:
        """The runs where `keep`, shape [run], is true."""
        return replace(
            self,
            mean=self.mean.take(keep),
            values=self.values.take(keep),
            seed=self.seed[keep],
        )

    def without_each_seed(self) -> list[Self]:
        """The runs without each seed in turn; none for a single seed."""
        if len(self.seeds) < 2:
            return []
        return [self.take(self.seed != seed) for seed in self.seeds]

    def fit(
        self,
        starts: Sequence[np.ndarray],
        spread_start: np.ndarray | None = None,
        fixed: Mapping[int, float] | None = None,
    ) -> Fit:
        """The maximum of the likelihood (`fit`)."""
        return fit(self.mean, self.values, starts, spread_start, fixed)

    def fits_without_each_seed(self, full: Fit) -> list[Fit]:
        """The fit again without each seed in turn, each from the full fit (a warm start)."""
        return [part.fit([full.theta], full.spread) for part in self.without_each_seed()]


def parameters(fits: Sequence[Fit], size: int) -> np.ndarray:
    """Parameters of some fits, shape [fit, parameter]; there may be no fits."""
    return np.array([one.theta for one in fits]).reshape(len(fits), size)

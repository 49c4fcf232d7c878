"""Maximum likelihood for curves measured once per seed, with seed effects and censored values.

    log E_i = mean_i(theta) + u_block(i) + e_i,   u ~ N(0, tau^2),   e_i ~ N(0, sigma_i^2)
    log sigma_i = level + slope * z_i

A block is the runs of one seed (at one width): they share observations, so what is common to them
is an effect of the block, integrated out. The spread over seeds gives the weights: it may grow with
the horizon, along z in [0, 1]. A value is exact, right-censored (the run did not reach the return)
or left-censored; censored values enter by the probability of being beyond.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, Self

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_ndtr, logsumexp

from analysis.stats.threads import on_one_thread

_NODES, _NODE_WEIGHTS = np.polynomial.hermite_e.hermegauss(15)
_LOG_NODE_WEIGHTS = np.log(_NODE_WEIGHTS / np.sqrt(2 * np.pi))
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

    @property
    def exact(self) -> np.ndarray:
        """Which runs have an uncensored value, shape [run]."""
        return ~(self.right | self.left)

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
    means: np.ndarray, spread: np.ndarray, values: Values
) -> tuple[float, np.ndarray, np.ndarray]:
    """Log likelihood, its gradient in the means, shape [run], and in `spread`, shape [3].

    The exact values of a block give a normal posterior of its effect u; the censored ones are
    averaged over that posterior by Gauss-Hermite quadrature. The gradient is the posterior mean of
    the gradient at known u (Fisher's identity). `spread` is (level, slope, log tau).
    """
    sigma = np.exp(spread[0] + spread[1] * values.spread)
    tau2 = np.exp(2 * spread[2])
    blocks = np.eye(values.block.max() + 1)[values.block]  # [run, block]
    exact = values.exact
    residual = values.log_e - means
    weight = exact / sigma**2
    precision = weight @ blocks
    variance = 1 / (1 / tau2 + precision)
    center = variance * ((weight * residual) @ blocks)
    total = -0.5 * np.sum(weight * residual**2 + exact * np.log(2 * np.pi * sigma**2))
    total += 0.5 * np.sum(center**2 / variance - np.log1p(tau2 * precision))

    effect = center[:, None] + np.sqrt(variance)[:, None] * _NODES  # [block, node]
    log_posterior = np.broadcast_to(_LOG_NODE_WEIGHTS, effect.shape)
    beyond = np.flatnonzero(~exact)
    if beyond.size:
        sign = np.where(values.right, -1.0, 1.0)[beyond, None]
        gap = residual[beyond, None] - effect[values.block[beyond]]
        gap /= sigma[beyond, None]
        log_tail = log_ndtr(sign * gap)
        log_posterior = log_posterior + blocks[beyond].T @ log_tail
        log_evidence = logsumexp(log_posterior, axis=1)
        total += log_evidence.sum()
        log_posterior = log_posterior - log_evidence[:, None]
    posterior = np.exp(log_posterior)
    mean_effect = np.sum(posterior * effect, axis=1)
    square_effect = np.sum(posterior * effect**2, axis=1)

    scatter = (square_effect - mean_effect**2)[values.block]
    distance = residual - mean_effect[values.block]
    by_mean = weight * distance
    by_log_sigma = weight * (distance**2 + scatter) - exact
    if beyond.size:
        hazard = -sign * np.exp(-0.5 * gap**2 - 0.5 * np.log(2 * np.pi) - log_tail)
        here = posterior[values.block[beyond]]
        by_mean[beyond] = np.sum(here * hazard, axis=1) / sigma[beyond]
        by_log_sigma[beyond] = np.sum(here * hazard * gap, axis=1)
    by_log_tau = np.sum(square_effect / tau2 - 1)
    by_spread = np.array([by_log_sigma.sum(), by_log_sigma @ values.spread, by_log_tau])
    return float(total), by_mean, by_spread


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
        (fixed_values[i], fixed_values[i]) if i in fixed_values else mean.bounds[i]
        for i in range(size)
    ]
    several = values.block.max() > 0
    tau_bounds = (_LOG_SMALLEST, _LOG_LARGEST if several else _LOG_SMALLEST)
    bounds += [(_LOG_SMALLEST, _LOG_LARGEST), (-2.0, 2.0), tau_bounds]

    def objective(point: np.ndarray) -> tuple[float, np.ndarray]:
        means, derivatives = mean(point[:size])
        total, by_mean, by_spread = log_likelihood(means, point[size:], values)
        slope = point[size + 1]
        gradient = np.concatenate([by_mean @ derivatives, by_spread])
        gradient[size + 1] -= slope / _SLOPE_SCALE**2
        return -total + 0.5 * (slope / _SLOPE_SCALE) ** 2, -gradient

    spread0 = np.array([-2.0, 0.0, -2.5]) if spread_start is None else spread_start
    best = None
    for start in starts:
        begin = np.concatenate([start, spread0])
        begin = np.clip(begin, [low for low, _ in bounds], [high for _, high in bounds])
        result = minimize(
            objective,
            begin,
            jac=True,
            method="L-BFGS-B",
            bounds=bounds,
            options={"maxiter": 500, "ftol": 1e-11, "gtol": 1e-6},
        )
        if best is None or result.fun < best.fun:
            best = result
    assert best is not None
    theta, spread = best.x[:size], best.x[size:]
    means = mean(theta)[0]
    free = size - len(fixed_values) + _SPREAD_PARAMETERS - (not several)
    return Fit(theta, spread, -float(best.fun), free, means)


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

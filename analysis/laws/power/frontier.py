"""The power law of intrinsic performance and its compute frontier.

A policy of N parameters after E interactions has intrinsic performance I,

    I^-beta = (N_c / N)^alpha_N + (E_c / E)^alpha_E,   beta = 1 / (1/alpha_N + 1/alpha_E)

(Hilton, Tang and Schulman 2023, arXiv 2301.13442, Lemma 1). I is the least compute that any size
needs for the same return, so the best size at compute C has I = C. Where compute is N * E this
holds for every C if and only if

    1 / (N_c E_c) = (1 + alpha_N/alpha_E)^(1/alpha_N) (1 + alpha_E/alpha_N)^(1/alpha_E)

which leaves three free numbers. *Proof*: write u and v for the two terms. At a given sum u + v,
log N + log E is least where alpha_N u = alpha_E v, that is u = I^-beta / (1 + alpha_N/alpha_E);
put the N and E of that point into N * E = I.

Where compute is counted, C = phi(N) E, no constants make the law exact for every C. The *level*
`-log(u + v)` still orders all policies, and I is the least phi(N) E of those of the same level: an
increasing function of the level that is found numerically.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.interpolate import PchipInterpolator

_SHARES = 1 / (1 + np.exp(-np.linspace(-12, 12, 1201)))
"""Shares u / (u + v) of the size term at which the compute of a level is compared."""

_LARGEST_LOG = 600.0


@dataclass(frozen=True)
class PowerLaw:
    """Constants of `I^-beta = (N_c/N)^alpha_N + (E_c/E)^alpha_E`.

    N_c is in parameters, E_c in interactions, I in units of compute. beta is a field because it
    is the harmonic sum of the exponents only where compute is N * E (see `product_law`).
    """

    alpha_n: float
    alpha_e: float
    beta: float
    n_c: float
    e_c: float

    def level(self, parameters: np.ndarray, interactions: np.ndarray) -> np.ndarray:
        """`-log((N_c/N)^alpha_N + (E_c/E)^alpha_E) = beta log I`; shapes are broadcast."""
        size = self.alpha_n * (np.log(self.n_c) - np.log(parameters))
        experience = self.alpha_e * (np.log(self.e_c) - np.log(interactions))
        return -np.logaddexp(size, experience)

    def intrinsic_performance(self, parameters: np.ndarray, interactions: np.ndarray) -> np.ndarray:
        """I of policies of N parameters after E interactions; shapes are broadcast."""
        return np.exp(self.level(parameters, interactions) / self.beta)


def frontier_constant(alpha_n: float, alpha_e: float) -> float:
    """`log[(1 + alpha_N/alpha_E)^(1/alpha_N) (1 + alpha_E/alpha_N)^(1/alpha_E)]`: -log(N_c E_c)."""
    return float(np.log1p(alpha_n / alpha_e) / alpha_n + np.log1p(alpha_e / alpha_n) / alpha_e)


def product_law(alpha_n: float, alpha_e: float, balance: float) -> PowerLaw:
    """The law on whose frontier I = C = N * E.

    Args:
        alpha_n: exponent of the size term, positive.
        alpha_e: exponent of the experience term, positive.
        balance: `alpha_N log N_c - alpha_E log E_c`, which places the crossover of the two terms
            and is all that returns determine of N_c and E_c.
    """
    constant = frontier_constant(alpha_n, alpha_e)
    log_n_c = (balance - alpha_e * constant) / (alpha_n + alpha_e)
    return PowerLaw(
        alpha_n=alpha_n,
        alpha_e=alpha_e,
        beta=1 / (1 / alpha_n + 1 / alpha_e),
        n_c=float(np.exp(log_n_c)),
        e_c=float(np.exp(-constant - log_n_c)),
    )


@dataclass(frozen=True)
class Frontier:
    """The least compute of each level, and the size that needs it; arrays of shape [level].

    Attributes:
        level: increasing levels `-log(u + v)`.
        compute: least compute of the level, which is its intrinsic performance.
        parameters: size at which it is least.
    """

    level: np.ndarray
    compute: np.ndarray
    parameters: np.ndarray

    def intrinsic_performance(self, level: np.ndarray) -> np.ndarray:
        """I of the given levels: linear between those of the frontier, in logs (NaN beyond)."""
        return np.exp(np.interp(level, self.level, np.log(self.compute), left=np.nan, right=np.nan))

    def size_exponent(self) -> float:
        """Slope of log N* against log C along the frontier (least squares over the levels)."""
        return float(np.polyfit(np.log(self.compute), np.log(self.parameters), 1)[0])


def numerical_frontier(
    law: PowerLaw, levels: np.ndarray, flops: Callable[[np.ndarray], np.ndarray]
) -> Frontier:
    """The least compute `phi(N) E` of each level over all sizes.

    On a level x the policies are u = r exp(-x), v = (1 - r) exp(-x) with 0 < r < 1. Compute is
    compared on a grid of r that is even in its log-odds; a parabola through the best three places
    the minimum between them.

    Args:
        law: its exponents, N_c and E_c give the level sets (their common scale shifts all levels).
        levels: increasing, shape [level].
        flops: phi, the FLOPs of one interaction of a policy of N parameters; on arrays.
    """
    levels = np.asarray(levels, dtype=float)[:, None]
    log_n = np.log(law.n_c) + (levels - np.log(_SHARES)) / law.alpha_n
    log_e = np.log(law.e_c) + (levels - np.log1p(-_SHARES)) / law.alpha_e
    # With exponents near 0 the ends of the grid, far from the minimum, would overflow.
    log_compute = np.log(flops(np.exp(np.clip(log_n, -_LARGEST_LOG, _LARGEST_LOG)))) + log_e
    best = np.clip(np.argmin(log_compute, axis=1), 1, len(_SHARES) - 2)
    rows = np.arange(len(best))
    before, least, after = (log_compute[rows, best + i] for i in (-1, 0, 1))
    curvature = before - 2 * least + after
    offset = np.where(curvature > 0, 0.5 * (before - after) / np.maximum(curvature, 1e-300), 0.0)
    offset = np.clip(offset, -1, 1)
    slope_n = 0.5 * (log_n[rows, best + 1] - log_n[rows, best - 1])
    return Frontier(
        level=levels[:, 0],
        compute=np.exp(least - 0.25 * (before - after) * offset),
        parameters=np.exp(log_n[rows, best] + offset * slope_n),
    )


def counted_law(law: PowerLaw, frontier: Frontier) -> PowerLaw:
    """The law of the same level sets whose scale and beta follow a numerical frontier.

    A line `level = p + beta log C` is fitted to the frontier by least squares; p moves N_c and E_c
    so that I = C on the line. For phi(N) = N this is `product_law`.
    """
    beta, shift = np.polyfit(np.log(frontier.compute), frontier.level, 1)
    return PowerLaw(
        alpha_n=law.alpha_n,
        alpha_e=law.alpha_e,
        beta=float(beta),
        n_c=float(law.n_c * np.exp(shift / law.alpha_n)),
        e_c=float(law.e_c * np.exp(shift / law.alpha_e)),
    )


def interpolated_flops(
    parameters: np.ndarray, flops_per_interaction: np.ndarray
) -> Callable[[np.ndarray], np.ndarray]:
    """phi(N) through the measured sizes: monotone cubic in logs, linear beyond them.

    Args:
        parameters: sizes N, distinct, shape [size] with at least 2 of them.
        flops_per_interaction: FLOPs of one interaction in training, shape [size].
    """
    order = np.argsort(parameters)
    log_n = np.log(np.asarray(parameters, dtype=float)[order])
    log_f = np.log(np.asarray(flops_per_interaction, dtype=float)[order])
    inside = PchipInterpolator(log_n, log_f)
    slopes = np.diff(log_f) / np.diff(log_n)

    def flops(sizes: np.ndarray) -> np.ndarray:
        place = np.log(sizes)
        beyond = np.minimum(place - log_n[0], 0) * slopes[0]
        beyond += np.maximum(place - log_n[-1], 0) * slopes[-1]
        return np.exp(inside(np.clip(place, log_n[0], log_n[-1])) + beyond)

    return flops

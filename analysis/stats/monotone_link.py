"""The monotone link between returns and the level of a power law.

Isotonic regression of the return on the level: `R = g(x)`, g increasing. It is a regression of
returns, because the noise is in them: the converse, of levels on returns, lets noise reorder the
points wherever the return hardly changes, and biases the exponents downwards. g is a cubic spline
whose coefficients increase, so that the summed squares have a gradient (a step function would
depend only on the order of the points). The constant is free: the link does not know where zero is,
and returns that are shifted or stretched by a positive factor give the same levels.
"""

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import BSpline
from scipy.linalg import block_diag
from scipy.optimize import nnls

INTERVALS = 14
"""Pieces of the spline, of equal length from the lowest level to the highest."""

_DEGREE = 3


_INNER = np.linspace(0, 1, INTERVALS + 1)
_KNOTS = np.concatenate([np.zeros(_DEGREE), _INNER, np.ones(_DEGREE)])
_RISING = np.tril(np.ones((INTERVALS + _DEGREE, INTERVALS + _DEGREE)))
_BASIS = BSpline(_KNOTS, _RISING, _DEGREE)  # each rises from 0 to 1, the first is constant
_SLOPES = _BASIS.derivative()


@dataclass(frozen=True)
class MonotoneLink:
    """An increasing map from levels to returns.

    Attributes:
        low: lowest level of the fit.
        high: highest level.
        coefficients: of the constant, of any sign, and of the rising splines, none negative,
            shape [INTERVALS + 3].
    """

    low: float
    high: float
    coefficients: np.ndarray

    @property
    def freedom(self) -> int:
        """Degrees of freedom: the constant, and the coefficients that are not at the bound 0."""
        return 1 + int(np.count_nonzero(self.coefficients[1:]))

    def returns(self, level: np.ndarray) -> np.ndarray:
        """g(level); constant beyond the levels of the fit."""
        place = np.clip((np.asarray(level) - self.low) / (self.high - self.low), 0, 1)
        return _BASIS(place) @ self.coefficients

    def level(self, returns: np.ndarray) -> np.ndarray:
        """The level at which g takes a return, the middle one where g is flat (NaN beyond)."""
        grid = np.linspace(self.low, self.high, 2001)
        values = self.returns(grid)
        tolerance = 1e-9 * (values[-1] - values[0])
        rises = np.concatenate([[True], np.diff(values) > tolerance])
        falls = np.concatenate([np.diff(values) > tolerance, [True]])
        first = np.interp(returns, values[rises], grid[rises], left=np.nan, right=np.nan)
        final = np.interp(returns, values[falls], grid[falls], left=np.nan, right=np.nan)
        return 0.5 * (first + final)


@dataclass(frozen=True)
class LinkedFit:
    """The best link at given levels, and what an optimiser needs of it.

    Attributes:
        link: the link.
        residuals: `sqrt(weight) (g(level) - return)`, shape [point].
        jacobian: derivatives of the residuals, with the link refitted, shape [point, argument]. Its
            product with the residuals is the exact gradient of half the summed squares (the
            envelope theorem); as a Gauss-Newton matrix it is Kaufman's approximation (1975).
        bases: orthonormal bases of the changes of the link itself, of consecutive points that share
            a link, each of shape [point, freedom].
    """

    link: MonotoneLink
    residuals: np.ndarray
    jacobian: np.ndarray
    bases: tuple[np.ndarray, ...]

    @property
    def basis(self) -> np.ndarray:
        """Orthonormal basis of the changes of all links, shape [point, freedom]."""
        return self.bases[0] if len(self.bases) == 1 else block_diag(*self.bases)

    def tangent(self) -> np.ndarray:
        """Orthonormal basis of all that link and law can fit, shape [point, freedom]."""
        return np.concatenate([self.basis, np.linalg.qr(self.jacobian)[0]], axis=1)


def fit_link(
    level: np.ndarray, derivatives: np.ndarray, returns: np.ndarray, root_weight: np.ndarray
) -> LinkedFit:
    """Minimise `sum_i weight_i (g(level_i) - return_i)^2` over increasing g.

    Args:
        level: x, shape [point].
        derivatives: of the levels by the arguments of the law, shape [point, argument].
        returns: shape [point].
        root_weight: square roots of the weights, shape [point].
    """
    lowest, highest = int(np.argmin(level)), int(np.argmax(level))
    span = max(level[highest] - level[lowest], 1e-12)
    place = np.clip((level - level[lowest]) / span, 0, 1)
    target = returns * root_weight
    rotation, triangle = np.linalg.qr(_BASIS(place) * root_weight[:, None])
    rotated = rotation.T @ target
    # The first column is the constant: the other rows are free of it, and it takes up the first.
    rises, _ = nnls(triangle[1:, 1:], rotated[1:])
    constant = (rotated[0] - triangle[0, 1:] @ rises) / triangle[0, 0]
    coefficients = np.concatenate([[constant], rises])
    slope = (_SLOPES(place) @ coefficients) * root_weight
    moved = (
        derivatives
        - derivatives[lowest]
        - place[:, None] * (derivatives[highest] - derivatives[lowest])
    )
    jacobian = slope[:, None] * moved / span
    used = np.concatenate([[True], rises > 0])
    basis = rotation @ np.linalg.qr(triangle[:, used])[0]
    return LinkedFit(
        link=MonotoneLink(float(level[lowest]), float(level[highest]), coefficients),
        residuals=rotation @ (triangle @ coefficients) - target,
        jacobian=jacobian - basis @ (basis.T @ jacobian),
        bases=(basis,),
    )

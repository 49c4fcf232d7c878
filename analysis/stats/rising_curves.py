"""Least-squares fits of curves that rise from one level to another, many curves at once.

    R(x) = R_0 + (R_max - R_0) s(x),   0 <= R_0 <= R_max <= 1

with s a share that depends on one or two more numbers, the bends:

- `SIGMOID`: `s = 1 / (1 + exp(-c (x - m)))`, bends (m, log c): with x = log E it is
  `1 / (1 + (E_mid / E)^c)`;
- `POWER`: `s = 1 - exp(-a (x - x_0))`, bend (log a), x_0 the first place fitted: with x = log E the
  gap `R_max - R` is a power of E.

The levels are linear: at given bends the best are known in closed form, with their bounds. The
bends are searched on a grid over all that they may be, then on finer and finer grids about the
best. There is no start to choose and no local optimum to stop at, unless it is narrower than the
first grid; all curves at the same places share the products of the first grid.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from scipy.special import expit

ZOOMS = 10
"""Finer grids after the first; each has half the spacing of the one before."""

_BEYOND = np.log(100.0)  # of the first and last places, where the middle of a sigmoid may lie
_AROUND = np.arange(-2, 3)  # steps of a finer grid about the best point
_SINGULAR = 1e-10


@dataclass(frozen=True)
class Rise:
    """A form of the share s.

    Attributes:
        share: from bends `[..., bend]` (broadcast against places), places `[row]` and the first
            place, s of shape `[..., row]`.
        bounds: of the bends, from places, each of shape [bend].
        steps: points of the first grid, by bend.
    """

    share: Callable[[np.ndarray, np.ndarray, float], np.ndarray]
    bounds: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
    steps: tuple[int, ...]


def _sigmoid(bends: np.ndarray, places: np.ndarray, first: float) -> np.ndarray:
    middle, log_slope = bends[..., 0, None], bends[..., 1, None]
    return np.asarray(expit(np.exp(log_slope) * (places - middle)))


def _sigmoid_bounds(places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    low = np.array([places[0] - _BEYOND, np.log(0.1)])
    return low, np.array([places[-1] + _BEYOND, np.log(10.0)])


def _power(bends: np.ndarray, places: np.ndarray, first: float) -> np.ndarray:
    return np.asarray(-np.expm1(-np.exp(bends) * (places - first)))


def _power_bounds(places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.log([0.02]), np.log([5.0])


SIGMOID = Rise(_sigmoid, _sigmoid_bounds, (40, 16))
POWER = Rise(_power, _power_bounds, (48,))


@dataclass(frozen=True)
class Rising:
    """Curves fitted by one form.

    Attributes:
        rise: the form.
        first: x_0, the first place that was fitted.
        start: R_0, shape [curve].
        end: R_max, shape [curve].
        bends: shape [curve, bend].
        at_bound: whether the level R_max, R_0 or a bend is at a bound, so that the curve does not
            determine it, shape [curve, 2 + bend].
    """

    rise: Rise
    first: float
    start: np.ndarray
    end: np.ndarray
    bends: np.ndarray
    at_bound: np.ndarray

    def at(self, places: np.ndarray) -> np.ndarray:
        """R at places, no less than 0 and no more than 1, shape [curve, place]."""
        share = self.rise.share(self.bends, np.asarray(places, dtype=float), self.first)
        risen = self.start[:, None] + (self.end - self.start)[:, None] * share
        return np.clip(risen, 0.0, 1.0)

    def only(self, curve: int) -> Self:
        """The fit to one of the curves."""
        arrays = ("start", "end", "bends", "at_bound")
        return replace(self, **{name: getattr(self, name)[[curve]] for name in arrays})


def fit_rising(rise: Rise, places: np.ndarray, curves: np.ndarray) -> Rising:
    """The least-squares fit of a form to each of several curves.

    Args:
        rise: the form.
        places: x, increasing, shape [row].
        curves: values in about [0, 1], shape [curve, row].
    """
    lower, upper = rise.bounds(places)
    spacing = (upper - lower) / (np.array(rise.steps) - 1)
    grids = (np.linspace(*ends) for ends in zip(lower, upper, rise.steps, strict=True))
    tried = np.array(list(itertools.product(*grids)))[None]
    steps = np.array(list(itertools.product(*[_AROUND] * len(spacing))))
    best, start, end = _best_of(rise, tried, places, curves)
    for _ in range(ZOOMS):
        spacing = spacing / 2
        tried = np.clip(best[:, None] + steps * spacing, lower, upper)
        best, start, end = _best_of(rise, tried, places, curves)
    near = 2 * spacing
    bent = (best < lower + near) | (best > upper - near)
    levels = np.stack([end > 1 - 1e-9, start < 1e-9], axis=1)
    return Rising(rise, float(places[0]), start, end, best, np.concatenate([levels, bent], axis=1))


def _best_of(
    rise: Rise, tried: np.ndarray, places: np.ndarray, curves: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The best bends among those tried, [curve, bend], with their levels R_0 and R_max, [curve].

    Args:
        rise: the form.
        tried: bends, shape [1 or curve, point, bend].
        places: shape [row].
        curves: shape [curve, row].
    """
    share = rise.share(tried, places, float(places[0]))
    loss, start, end = _best_levels(share, curves)
    place = np.argmin(loss, axis=1)
    each = np.arange(len(curves))
    bends = np.broadcast_to(tried, (len(curves), *tried.shape[1:]))[each, place]
    return bends, start[each, place], end[each, place]


def _best_levels(
    share: np.ndarray, curves: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Summed squares, R_0 and R_max at given shares, each of shape [curve, point].

    The least of a convex quadratic over the triangle 0 <= R_0 <= R_max <= 1 is its free minimum, if
    that lies inside, else the least on one of the three sides.

    Sums over rows: s is the share, r = 1 - s the rest, y a curve.

    Args:
        share: s, shape [1 or curve, point, row].
        curves: shape [curve, row].
    """
    rows = curves.shape[-1]
    total = share.sum(-1)
    ss = np.einsum("...pr,...pr->...p", share, share)
    sr, rr = total - ss, rows - 2 * total + ss
    ys = (share @ curves[..., None])[..., 0]
    yr = curves.sum(-1)[:, None] - ys
    yy = (curves**2).sum(-1)[:, None]
    determinant = ss * rr - sr**2
    mean = np.broadcast_to(np.clip(curves.mean(-1), 0, 1)[:, None], ys.shape)
    with np.errstate(divide="ignore", invalid="ignore"):
        free = (yr * ss - ys * sr) / determinant, (ys * rr - yr * sr) / determinant
        from_zero = np.zeros_like(ys), np.clip(np.nan_to_num(ys / ss), 0, 1)
        to_one = np.clip(np.nan_to_num((yr - sr) / rr), 0, 1), np.ones_like(ys)
    inside = (determinant > _SINGULAR * ss * rr) & (free[0] >= 0) & (free[1] <= 1)
    inside &= free[0] <= free[1]
    free = np.where(inside, free[0], mean), np.where(inside, free[1], mean)
    start, end = (np.stack(level) for level in zip(free, from_zero, to_one, strict=True))
    start = np.concatenate([start, mean[None]])
    end = np.concatenate([end, mean[None]])
    loss = yy - 2 * (start * yr + end * ys) + start**2 * rr + 2 * start * end * sr + end**2 * ss
    best = np.argmin(loss, axis=0)[None]
    chosen = (np.take_along_axis(one, best, 0)[0] for one in (loss, start, end))
    return next(chosen), next(chosen), next(chosen)

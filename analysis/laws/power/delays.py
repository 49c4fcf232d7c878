"""One more number in a power law: how much longer some of its points take, in log E.

The law of a horizon is fitted again with `log E - value * column`: a column that is 1 at the points
of a size gives that size a factor of its own, `exp(value)`; the column `E_t / E` takes an offset
from E, in which nothing is learned (`E - delta`, to first order, delta = value * E_t, with E_t the
median E of the horizon).

The value has one meaning at all horizons, so that they are pooled, weighted by the squares of what
is the value's own in the Jacobian. The error is what the spread over seeds does to the value: runs
of a seed and size share observations across horizons and are summed first; sizes are independent.
The degrees of freedom are Satterthwaite's (1946). The test of no delay is the score test, with the
Jacobian and the residuals of the law without it: where a delay is large, errors at its value are
large too.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from analysis.laws.power.curves import LearningCurves
from analysis.laws.power.level_estimate import LevelEstimate
from analysis.laws.power.level_fit import descend
from analysis.stats.distributions import t_quantile, t_tail
from analysis.stats.intervals import LEVEL, Interval
from analysis.stats.monotone_link import LinkedFit


@dataclass(frozen=True)
class Direction:
    """A delay to first order, at one horizon.

    Attributes:
        value: the delay.
        weight: square of what is its own in the Jacobian, `own`.
        by_size: products of the deviations of each seed and `own`, by N, each of shape [seed].
    """

    value: float
    weight: float
    by_size: dict[float, np.ndarray]


@dataclass(frozen=True)
class FittedDelay:
    """A delay fitted at one horizon.

    Attributes:
        linked: the fit with it.
        arguments: of the law in that fit, without the delay.
        score: from the law without it.
        refit: at the fit with it.
    """

    linked: LinkedFit
    arguments: np.ndarray
    score: Direction
    refit: Direction


@dataclass(frozen=True)
class Estimate:
    """A pooled delay with its standard error and the degrees of freedom of the error."""

    value: float
    error: float
    freedom: float


@dataclass(frozen=True)
class Delay:
    """A delay of all horizons.

    Attributes:
        score: from the laws without it.
        refit: from the fits with it.
    """

    score: Estimate
    refit: Estimate

    @property
    def value(self) -> float:
        """The delay."""
        return self.refit.value

    @property
    def interval(self) -> Interval:
        """Its 95% interval."""
        reach = t_quantile(0.5 + LEVEL / 2, self.refit.freedom) * self.refit.error
        return self.value - reach, self.value + reach

    @property
    def p(self) -> float:
        """p value of no delay, to either side."""
        return 2 * t_tail(abs(self.score.value) / self.score.error, self.score.freedom)

    @property
    def p_above(self) -> float:
        """p value of no delay against one above 0."""
        return t_tail(self.score.value / self.score.error, self.score.freedom)


def offset_column(curves: LearningCurves) -> np.ndarray:
    """What an offset, counted in `typical_interactions`, adds to the log E of each point."""
    return typical_interactions(curves) / curves.interactions


def typical_interactions(curves: LearningCurves) -> float:
    """The median E of a horizon's points, in which its offset is counted."""
    return float(np.exp(np.median(np.log(curves.interactions))))


def fit_delay(estimate: LevelEstimate, column: np.ndarray, deviations: np.ndarray) -> FittedDelay:
    """Fit the law of one horizon with a delay.

    Args:
        estimate: of one horizon.
        column: what the delay multiplies, shape [point].
        deviations: of each seed (`model_choice.SeedSpread`), shape [seed, point].
    """
    problem = replace(estimate.problem, delay=column)
    start = np.append(estimate.fit.arguments, 0.0)
    arguments, _ = descend(problem, start)
    linked, parameters = problem.linked(arguments), estimate.curves[0].parameters
    score = _direction(0.0, problem.linked(start), parameters, deviations)
    refit = _direction(float(arguments[-1]), linked, parameters, deviations)
    return FittedDelay(linked, arguments[:-1], score, refit)


def _direction(
    value: float, linked: LinkedFit, parameters: np.ndarray, deviations: np.ndarray
) -> Direction:
    """What the last column of a Jacobian can do that others cannot, and the step it takes."""
    others = np.linalg.qr(linked.jacobian[:, :-1])[0]
    own = linked.jacobian[:, -1] - others @ (others.T @ linked.jacobian[:, -1])
    weight = max(float(own @ own), 1e-300)
    by_size = {
        float(size): deviations[:, parameters == size] @ own[parameters == size]
        for size in np.unique(parameters)
    }
    return Direction(value - float(own @ linked.residuals) / weight, weight, by_size)


def pooled(fits: Sequence[FittedDelay]) -> Delay:
    """One delay from those fitted at each horizon, their deviations of the same seeds."""
    return Delay(_pooled([one.score for one in fits]), _pooled([one.refit for one in fits]))


def _pooled(directions: Sequence[Direction]) -> Estimate:
    weights = np.array([one.weight for one in directions])
    value = float(weights @ [one.value for one in directions] / weights.sum())
    sizes = sorted({size for one in directions for size in one.by_size})
    squares = np.array(
        [float(np.sum(sum(one.by_size.get(n, 0.0) for one in directions) ** 2)) for n in sizes]
    )
    seeds = len(next(iter(directions[0].by_size.values())))
    total = max(float(squares.sum()), 1e-300)
    freedom = (seeds - 1) * total**2 / max(float(squares @ squares), 1e-300)
    return Estimate(value, max(np.sqrt(total) / float(weights.sum()), 1e-300), freedom)

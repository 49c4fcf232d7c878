"""One more number in a power law: how much longer some of its points take, in log E.

The law of a horizon is fitted again with `log E - value * column`: a column that is 1 at the points
of a size gives that size a factor of its own, `exp(value)`; the column `E_1 / E` takes an offset
from E, in which nothing is learned (`E - delta`, to first order, delta = value * E_1).

The value has one meaning at all horizons, so that they are pooled, weighted by the squares of what
is the value's own in the Jacobian. The error is what the spread over seeds does to the value: runs
of a seed and size share observations across horizons and are summed first; sizes are independent.
The degrees of freedom are Satterthwaite's (1946).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import t as student

from analysis.laws.power.level_estimate import LevelEstimate
from analysis.laws.power.level_fit import descend
from analysis.stats.intervals import LEVEL, Interval
from analysis.stats.monotone_link import LinkedFit


@dataclass(frozen=True)
class FittedDelay:
    """A delay fitted at one horizon.

    Attributes:
        value: the delay.
        linked: the fit with it.
        own: its column of the Jacobian less what the other numbers can do, shape [point].
        by_size: what the deviations of each seed do to `own`, by N, each of shape [seed].
    """

    value: float
    linked: LinkedFit
    own: np.ndarray
    by_size: dict[float, np.ndarray]


@dataclass(frozen=True)
class Delay:
    """A delay of all horizons.

    Attributes:
        value: the delay.
        error: its standard error, by the spread over seeds.
        freedom: degrees of freedom of the error.
    """

    value: float
    error: float
    freedom: float

    @property
    def interval(self) -> Interval:
        """Its 95% interval."""
        reach = float(student.ppf(0.5 + LEVEL / 2, self.freedom)) * self.error
        return self.value - reach, self.value + reach

    @property
    def p(self) -> float:
        """p value of no delay, to either side."""
        return float(2 * student.sf(abs(self.value) / self.error, self.freedom))

    @property
    def p_above(self) -> float:
        """p value of no delay against one above 0."""
        return float(student.sf(self.value / self.error, self.freedom))


def fit_delay(estimate: LevelEstimate, column: np.ndarray, deviations: np.ndarray) -> FittedDelay:
    """Fit the law of one horizon with a delay.

    Args:
        estimate: of one horizon.
        column: what the delay multiplies, shape [point].
        deviations: of each seed (`model_choice.SeedSpread`), shape [seed, point].
    """
    problem = replace(estimate.problem, delay=column)
    arguments, _ = descend(problem, np.append(estimate.fit.arguments, 0.0))
    linked = problem.linked(arguments)
    others = np.linalg.qr(linked.jacobian[:, :-1])[0]
    own = linked.jacobian[:, -1] - others @ (others.T @ linked.jacobian[:, -1])
    parameters = estimate.curves[0].parameters
    by_size = {
        float(size): deviations[:, parameters == size] @ own[parameters == size]
        for size in np.unique(parameters)
    }
    return FittedDelay(float(arguments[-1]), linked, own, by_size)


def pooled(fits: Sequence[FittedDelay]) -> Delay:
    """One delay from those fitted at each horizon, their deviations of the same seeds."""
    weights = np.array([max(float(one.own @ one.own), 1e-300) for one in fits])
    value = float(weights @ [one.value for one in fits] / weights.sum())
    sizes = {size for one in fits for size in one.by_size}
    squares = np.array(
        [float(np.sum(sum(one.by_size.get(n, 0.0) for one in fits) ** 2)) for n in sorted(sizes)]
    )
    seeds = len(next(iter(fits[0].by_size.values())))
    total = max(float(squares.sum()), 1e-300)
    freedom = (seeds - 1) * total**2 / max(float(squares @ squares), 1e-300)
    error = max(math.sqrt(total) / float(weights.sum()), 1e-300)
    return Delay(value, error, freedom)

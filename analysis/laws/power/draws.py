"""Data sets drawn from fitted power laws: for the coverage of intervals, and to compare models."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from analysis.laws.power.curves import LearningCurves, measure_noise
from analysis.laws.power.level_estimate import (
    Compute,
    Constants,
    LevelEstimate,
    constants,
    estimate_from,
)
from analysis.laws.power.level_fit import LevelProblem
from analysis.stats.monotone_link import MonotoneLink


@dataclass(frozen=True)
class HorizonLevels:
    """The law of one horizon, to draw from.

    Attributes:
        problem: its points, with one horizon.
        arguments: of its levels, shape [3].
        link: from level to return.
    """

    problem: LevelProblem
    arguments: np.ndarray
    link: MonotoneLink

    def returns(self, ahead: np.ndarray) -> np.ndarray:
        """Returns of runs that are ahead in log E, shape [point]."""
        moved = replace(self.problem, log_e=self.problem.log_e + ahead)
        return self.link.returns(moved.levels(self.arguments)[0])


def draw_returns(
    laws: Sequence[HorizonLevels],
    curves: Sequence[LearningCurves],
    correlation: float,
    generator: np.random.Generator,
) -> list[LearningCurves]:
    """Curves of the same sizes, seeds and points, drawn from a law for each horizon.

    Each run is ahead or behind by the measured shift in log E and has the measured floor of noise
    on each point. A part of the shift is common to the horizons of a size and seed, whose runs
    share observations. The variances stay those that were measured.

    Args:
        laws: of each horizon.
        curves: measured, of each horizon.
        correlation: of the shifts of two horizons.
        generator: of all noise.
    """
    sizes = sorted({size for one in curves for size in one.sizes})
    seeds = sorted({seed for one in curves for seed in one.seeds})
    common = np.zeros((len(seeds), len(sizes)))
    if correlation > 0:
        common = np.sqrt(correlation) * generator.standard_normal(common.shape)
    drawn = []
    for law, one in zip(laws, curves, strict=True):
        place = np.searchsorted(sizes, one.parameters)
        returns = np.empty_like(one.returns)
        for row, seed in enumerate(one.seeds):
            own = np.sqrt(1 - correlation) * generator.standard_normal(len(sizes))
            ahead = one.noise.shift * (common[seeds.index(seed)] + own)
            returns[row] = law.returns(ahead[place])
            returns[row] += one.noise.floor * generator.standard_normal(len(place))
        drawn.append(replace(one, returns=np.where(np.isfinite(one.returns), returns, np.nan)))
    return drawn


def shift_correlation(curves: Sequence[LearningCurves]) -> float:
    """How far the shifts of a size and seed agree between two horizons, 0 to 1.

    A run's shift is the slope of its standardised deviations on what a shift does to each point,
    `shift dR/dlogE` over the standard deviation, shrunk by its share of noise; the correlation is
    over pairs of horizons.
    """
    shifts = [_shifts(one) for one in curves]
    products, first, second = 0.0, 0.0, 0.0
    for one, other in combinations(shifts, 2):
        for key in one.keys() & other.keys():
            products += one[key] * other[key]
            first, second = first + one[key] ** 2, second + other[key] ** 2
    scale = np.sqrt(first * second)
    return float(np.clip(products / scale, 0, 1)) if scale > 0 else 0.0


def _shifts(curves: LearningCurves) -> dict[tuple[float, int], float]:
    """The shift of each run, in its standard deviations, by size and seed."""
    effect = np.sqrt(np.maximum(1 - curves.noise.floor**2 / curves.variance, 0))
    deviations = (curves.returns - curves.mean) / np.sqrt(curves.variance)
    found = {}
    for size in curves.sizes:
        here = curves.parameters == size
        square = float(np.sum(effect[here] ** 2))
        for seed, values in zip(curves.seeds, deviations[:, here], strict=True):
            if np.isfinite(values).all():
                found[size, seed] = float(values @ effect[here]) / (1 + square)
    return found


def draw_curves(estimate: LevelEstimate, generator: np.random.Generator) -> LearningCurves:
    """Curves drawn from the law of one horizon, their noise measured again."""
    law = HorizonLevels(estimate.problem, estimate.fit.arguments, estimate.fit.link)
    (drawn,) = draw_returns([law], estimate.curves, 0.0, generator)
    noise, variance = measure_noise(drawn.parameters, np.log(drawn.interactions), drawn.returns)
    return replace(drawn, variance=variance, noise=noise)


def redraw(estimate: LevelEstimate, compute: Compute, generator: np.random.Generator) -> Constants:
    """Draw curves from the law of one horizon and fit them, starting from that law.

    Raises:
        FitError: the drawn returns do not identify the law.
    """
    curves = draw_curves(estimate, generator)
    centre = estimate.problem.centre_n, estimate.problem.centre_e
    problem = LevelProblem.of([curves], centre=centre)
    refit = estimate_from([curves], problem, estimate.fit.arguments[None])
    return constants(refit, compute)

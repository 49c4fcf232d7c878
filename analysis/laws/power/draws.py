"""Data sets drawn from a fitted power law, to measure the coverage of its intervals."""

from dataclasses import replace

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


def draw_curves(estimate: LevelEstimate, generator: np.random.Generator) -> LearningCurves:
    """Curves of the same sizes, seeds and points, drawn from the law of one horizon.

    Each run is ahead or behind by the measured shift in log E and has the measured floor of noise
    on each point; the noise of the drawn curves is measured again.
    """
    curves, problem = estimate.curves[0], estimate.problem
    size = np.searchsorted(curves.sizes, curves.parameters)
    returns = np.full_like(curves.returns, np.nan)
    for seed, measured in enumerate(np.isfinite(curves.returns)):
        shift = curves.noise.shift * generator.standard_normal(len(curves.sizes))
        moved = replace(problem, log_e=problem.log_e + shift[size])
        mean = estimate.fit.link.returns(moved.levels(estimate.fit.arguments)[0])
        mean += curves.noise.floor * generator.standard_normal(len(mean))
        returns[seed, measured] = mean[measured]
    noise, variance = measure_noise(curves.parameters, np.log(curves.interactions), returns)
    return replace(curves, returns=returns, variance=variance, noise=noise)


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

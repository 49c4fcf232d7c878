"""The power law of intrinsic performance at one horizon, fitted to learning curves.

    I^-beta = (N_c / N)^alpha_N + (E_c / E)^alpha_E,   R = g(log I), g increasing

(Hilton, Tang and Schulman 2023, arXiv 2301.13442), with the constraint that makes I the compute
on the frontier (`analysis.frontier`): three free numbers and the link g. Level sets of the law do
not depend on what compute is, so one search serves both kinds: `"NE"`, the product of parameters
and interactions, and `"flops"`, counted.

Intervals delete one seed at a time, of all sizes at once: what runs of a seed share stays together,
and the interval is `estimate +- t(seeds - 1) * jackknife error`, on the logarithm of what is
positive. The percentiles of a bootstrap over four seeds would cover about 80%, not 95%.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from analysis.frontier import (
    Frontier,
    PowerLaw,
    counted_law,
    interpolated_flops,
    numerical_frontier,
    optimal_size,
    product_law,
)
from analysis.learning_curves import Curves, learning_curves
from analysis.level_fit import LevelFit, LevelProblem, search, sobol_starts
from analysis.uncertainty import jackknife_interval

Compute = Literal["NE", "flops"]
COMPUTES: tuple[Compute, ...] = ("NE", "flops")

_FRONTIER_LEVELS = 64


@dataclass(frozen=True)
class LevelEstimate:
    """Level sets at one horizon: the fit, and the arguments found without each seed in turn.

    Attributes:
        curves: the data.
        fit: the best of all searches on all seeds.
        without_seed: arguments of the fit without each seed, shape [seed, argument].
    """

    curves: Curves
    fit: LevelFit
    without_seed: np.ndarray


@dataclass(frozen=True)
class PowerLawFit:
    """A fitted power law.

    Attributes:
        group: columns held fixed, horizon included.
        compute: what C is: `"NE"` or counted `"flops"`.
        law: the constants; with counted compute beta, N_c and E_c follow the numerical frontier.
        frontier: least compute of each level between the lowest and highest of the data.
        optimal_size_exponent: slope of log N* against log C.
        intervals: 95% intervals by name of the number.
        estimate: level sets and data behind it.
    """

    group: dict[str, Any]
    compute: Compute
    law: PowerLaw
    frontier: Frontier
    optimal_size_exponent: float
    intervals: dict[str, tuple[float, float]]
    estimate: LevelEstimate

    def numbers(self) -> dict[str, float]:
        """The numbers of the law by the names of `fits.json`."""
        return law_numbers(self.law, self.optimal_size_exponent)

    def optimal_size(self, compute: np.ndarray) -> np.ndarray:
        """N* at a compute: in closed form for `"NE"`, else on the frontier (NaN beyond it)."""
        if self.compute == "NE":
            return optimal_size(self.law, compute)
        return self.frontier.optimal_size(compute)

    def to_json(self) -> dict[str, Any]:
        """The entry of `fits.json`."""
        entry: dict[str, Any] = {"group": self.group, "compute": self.compute}
        for name, number in self.numbers().items():
            entry[name] = number
            entry[f"{name}_ci"] = list(self.intervals[name])
        fit = self.estimate.fit
        entry |= {"starts": fit.starts, "starts_agreeing": fit.agreeing}
        return entry | {"runs": self.estimate.curves.runs}


def fit_power_law(
    frame: pd.DataFrame, *, compute: Compute = "NE", generator: np.random.Generator
) -> PowerLawFit:
    """Fit the power law to the runs of one group and horizon.

    Args:
        frame: tidy results.
        compute: what C is.
        generator: of the scrambled starts.

    Raises:
        FitError: what is missing for a fit, in one line.
    """
    return law_of_levels(estimate_levels(learning_curves(frame), generator), compute)


def estimate_levels(curves: Curves, generator: np.random.Generator) -> LevelEstimate:
    """Search from all starts; then without each seed in turn, from the best fit.

    Raises:
        FitError: the returns do not identify the law.
    """
    problem = LevelProblem.of([curves])
    fit = search(problem, sobol_starts(problem, generator))
    without = [
        search_again([curves.without_seed(seed)], problem, fit) for seed in range(curves.seeds)
    ]
    return LevelEstimate(curves, fit, np.array(without))


def search_again(curves: Sequence[Curves], problem: LevelProblem, fit: LevelFit) -> np.ndarray:
    """Arguments of the fit to other curves, searched from a known fit, in its units of centre."""
    again = LevelProblem.of(curves, centre=(problem.centre_n, problem.centre_e))
    return search(again, fit.arguments[None]).arguments


def product_law_at(arguments: np.ndarray, problem: LevelProblem) -> PowerLaw:
    """The law with I = C = N * E on its frontier whose level sets have these arguments."""
    alpha_n, alpha_e = np.exp(arguments[:2]).tolist()
    log_crossing_n = arguments[2] + problem.centre_n
    return product_law(
        alpha_n, alpha_e, float(alpha_n * log_crossing_n - alpha_e * problem.centre_e)
    )


def law_of_levels(estimate: LevelEstimate, compute: Compute) -> PowerLawFit:
    """The law, its frontier and intervals for a kind of compute."""
    curves = estimate.curves
    problem = LevelProblem.of([curves])
    law, frontier, exponent = _law_at(estimate.fit.arguments, problem, curves, compute)
    numbers = law_numbers(law, exponent)
    without: dict[str, list[float]] = {name: [] for name in numbers}
    for arguments in estimate.without_seed:
        other, _, other_exponent = _law_at(arguments, problem, curves, compute)
        for name, number in law_numbers(other, other_exponent).items():
            without[name].append(number)
    return PowerLawFit(
        group=curves.group,
        compute=compute,
        law=law,
        frontier=frontier,
        optimal_size_exponent=exponent,
        intervals={name: _interval(name, numbers[name], without[name]) for name in numbers},
        estimate=estimate,
    )


def law_numbers(law: PowerLaw, optimal_size_exponent: float) -> dict[str, float]:
    """Numbers of a law by the names of `fits.json`."""
    return {
        "alpha_n": law.alpha_n,
        "alpha_e": law.alpha_e,
        "beta": law.beta,
        "n_c": law.n_c,
        "e_c": law.e_c,
        "optimal_size_exponent": optimal_size_exponent,
    }


def _law_at(
    arguments: np.ndarray, problem: LevelProblem, curves: Curves, compute: Compute
) -> tuple[PowerLaw, Frontier, float]:
    """The law, its frontier over the levels of the data, and the exponent of the optimal size."""
    law = product_law_at(arguments, problem)
    levels = law.level(curves.parameters, curves.interactions)
    grid = np.linspace(levels.min(), levels.max(), _FRONTIER_LEVELS)
    if compute == "NE":
        frontier = numerical_frontier(law, grid, lambda sizes: sizes)
        return law, frontier, law.alpha_e / (law.alpha_n + law.alpha_e)
    flops = interpolated_flops(curves.sizes, curves.flops_per_interaction)
    frontier = numerical_frontier(law, grid, flops)
    return counted_law(law, frontier), frontier, frontier.size_exponent()


def _interval(name: str, estimate: float, without: list[float]) -> tuple[float, float]:
    """Jackknife-t interval; of the exponent of the optimal size on its own scale, else in logs."""
    left_out = np.array(without)
    if name == "optimal_size_exponent":
        return jackknife_interval(estimate, left_out)
    return jackknife_interval(estimate, left_out, math.log, math.exp)

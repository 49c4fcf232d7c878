"""From fitted level sets to the constants of a law, with intervals over seeds.

Level sets do not depend on the definition of compute, so one search serves both: `"NE"`, the
product of parameters and interactions, and `"flops"`, counted. Intervals leave out one seed at a
time, of all sizes and horizons at once, because runs of a seed share observations: an interval is
`estimate +- t(seeds - 1) * jackknife error`, on the logarithm of what is positive.

In simulations of 5 sizes with the noise of real runs, 95% intervals contained the true value in 92
to 98% of 100 draws with 3 seeds and in 90 to 96% of 250 with 4 seeds.
"""

import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import numpy as np

from analysis.laws.law import FittedLaw, Quantity
from analysis.laws.power.curves import LearningCurves
from analysis.laws.power.frontier import (
    Frontier,
    PowerLaw,
    counted_law,
    interpolated_flops,
    numerical_frontier,
    product_law,
)
from analysis.laws.power.level_fit import (
    LevelFit,
    LevelProblem,
    pinned_loss,
    require_identified,
    search,
    sobol_starts,
)
from analysis.stats.intervals import (
    LINEAR,
    LOG,
    LOGIT,
    Interval,
    jackknife_error,
    jackknife_interval,
    profile_interval,
)

Compute = Literal["NE", "flops"]
COMPUTES: tuple[Compute, ...] = ("NE", "flops")

WIDEST_SLOPE = 0.5
"""Length of an interval in (0, 1) from which on an exponent of the best size is not determined."""

_FRONTIER_LEVELS = 64
_BUDGET = "a larger budget"
_AGAINST_REFUSAL = {
    "off_law": "another learning rate or a larger budget at the size that lies off the law",
    "misfit": "sizes and budgets over which the runs follow one power law",
    "plateau": "longer runs, or a setting without the plateau in their curves",
    "starts": "sizes or interactions over a wider range",
    "unchecked": "a fourth size, to check the law",
}
"""What would determine the numbers of a law that was refused, by the reason."""


@dataclass(frozen=True)
class LevelEstimate:
    """Level sets of one horizon, or of several that share exponents, N_c and link.

    Attributes:
        curves: the data, the reference horizon first.
        problem: the data as a least-squares problem.
        fit: the best of all searches.
        without_seed: arguments of the fit without each seed in turn, shape [seed, argument].
    """

    curves: tuple[LearningCurves, ...]
    problem: LevelProblem
    fit: LevelFit
    without_seed: np.ndarray

    @property
    def runs(self) -> int:
        """Runs used."""
        return sum(one.runs for one in self.curves)

    @property
    def seeds(self) -> list[int]:
        """The seeds of its runs, in the order of `without_seed`."""
        return sorted({seed for one in self.curves for seed in one.seeds})

    def leaving_out(self, seed: int) -> "LevelEstimate":
        """The level sets fitted without one seed; these have no intervals."""
        arguments = self.without_seed[self.seeds.index(seed)]
        fit = replace(self.fit, arguments=arguments, link=self.problem.linked(arguments).link)
        return replace(self, fit=fit, without_seed=self.without_seed[:0])

    def returns(self, parameters: np.ndarray, interactions: np.ndarray) -> np.ndarray:
        """Returns at the reference horizon by level sets and link; shapes are broadcast."""
        law = product_law_at(self.fit.arguments, self.problem)
        return self.fit.link.returns(law.level(parameters, interactions) - self._shift)

    @property
    def _shift(self) -> float:
        """Levels of the law less those of the problem; the same at every point."""
        first = self.curves[0]
        law = product_law_at(self.fit.arguments, self.problem)
        level = law.level(first.parameters[:1], first.interactions[:1])
        return float(level[0] - self.problem.levels(self.fit.arguments)[0][0])


@dataclass(frozen=True)
class Constants:
    """A law, its frontier over the levels of the data, and its numbers with intervals.

    Attributes:
        law: of the reference horizon.
        frontier: least compute of each level.
        quantities: alpha_n, alpha_e, beta, n_c, e_c and optimal_size_exponent, the slope of log N*
            against log C, with their 95% intervals.
        left_out: the numbers without each seed in turn, each of shape [seed].
        rivals: the numbers in each rival fit, each of shape [rival].
    """

    law: PowerLaw
    frontier: Frontier
    quantities: dict[str, Quantity]
    left_out: dict[str, np.ndarray]
    rivals: dict[str, np.ndarray]


class LevelLaw(FittedLaw):
    """What the laws of level sets share.

    Attributes:
        compute: what C is: `"NE"` or counted `"flops"`.
        estimate: level sets and data behind it, the reference horizon's first.
        constants: of the reference horizon, whose frontier is I = C.
    """

    compute: Compute
    estimate: LevelEstimate
    constants: Constants

    @property
    @abstractmethod
    def refusal(self) -> str:
        """Why no number is determined, one word (`misfit.Misfit.reason`), or empty."""

    def is_determined(self, name: str, one: Quantity) -> bool:
        """Whether a number is determined: none where the runs refuse the law.

        The exponent of the best size is where its interval is shorter than `WIDEST_SLOPE`.
        """
        if self.refusal:
            return False
        if name != "optimal_size_exponent":
            return super().is_determined(name, one)
        low, high = one.interval or (0.0, 1.0)
        return high - low < WIDEST_SLOPE

    @property
    def law(self) -> PowerLaw:
        """The constants."""
        return self.constants.law

    @property
    def frontier(self) -> Frontier:
        """Least compute of each level between the lowest and highest of the data."""
        return self.constants.frontier

    @property
    def quantities(self) -> dict[str, Quantity]:
        """The constants with their 95% intervals, by leaving out seeds."""
        return self.constants.quantities

    @property
    def determined_by(self) -> dict[str, str]:
        """More sizes for the term of the size, a larger budget for that of the interactions."""
        if self.refusal:
            return dict.fromkeys(self.quantities, _AGAINST_REFUSAL[self.refusal])
        sizes = self.estimate.curves[0].sizes
        decades = np.log10(max(sizes) / min(sizes))
        more = f"sizes over more than {decades:.2g} decades"
        of_size = dict.fromkeys(("alpha_n", "n_c", "optimal_size_exponent"), more)
        return {**of_size, "alpha_e": _BUDGET, "e_c": _BUDGET, "beta": f"{more} and {_BUDGET}"}

    @property
    def seeds(self) -> list[int]:
        """The seeds of its runs."""
        return self.estimate.seeds


def estimate_levels(
    curves: Sequence[LearningCurves], generator: np.random.Generator
) -> LevelEstimate:
    """Search from all starts; then without each seed in turn, from the best fit.

    Args:
        curves: of one horizon, or of several of which the first is the reference.
        generator: of the scrambled starts.

    Raises:
        FitError: the returns do not identify the level sets.
    """
    problem = LevelProblem.of(curves)
    return estimate_from(curves, problem, sobol_starts(problem, generator))


def estimate_from(
    curves: Sequence[LearningCurves], problem: LevelProblem, starts: np.ndarray
) -> LevelEstimate:
    """The same from given starts, shape [start, argument].

    Raises:
        FitError: the returns do not identify the level sets.
    """
    fit = search(problem, starts)
    require_identified(problem, fit)
    without = []
    for seed in sorted({seed for one in curves for seed in one.seeds}):
        others = [one.without_seed(seed) for one in curves]
        part = LevelProblem.of(others, centre=(problem.centre_n, problem.centre_e))
        without.append(search(part, fit.arguments[None]).arguments)
    return LevelEstimate(tuple(curves), problem, fit, np.array(without))


def constants(
    estimate: LevelEstimate, compute: Compute, rivals: Sequence[np.ndarray] = ()
) -> Constants:
    """The constants for a kind of compute; I = C on the frontier of the reference horizon.

    Args:
        estimate: the level sets.
        compute: what C is.
        rivals: arguments of fits that are in doubt; intervals hold their numbers too.
    """
    law, frontier, numbers = _law_at(estimate.fit.arguments, estimate, compute)
    others = [_law_at(arguments, estimate, compute)[2] for arguments in estimate.without_seed]
    beside = [_law_at(arguments, estimate, compute)[2] for arguments in rivals]
    left_out = {name: np.array([other[name] for other in others]) for name in numbers}
    doubts = {name: np.array([rival[name] for rival in beside]) for name in numbers}
    quantities = {
        name: quantity(name, number, left_out[name], doubts[name])
        for name, number in numbers.items()
    }
    return Constants(law, frontier, quantities, left_out, doubts)


def quantity(
    name: str, number: float, left_out: np.ndarray, rivals: Sequence[float] | np.ndarray = ()
) -> Quantity:
    """A constant with its jackknife-t interval, on logit in (0, 1), on log where it is positive.

    It reaches as far about the number's value in each rival fit: the interval holds all of these.
    """
    is_slope = name == "optimal_size_exponent"
    everything = np.array([number, *left_out, *rivals])
    inside = bool(np.all((everything > 0) & (everything < 1)))
    scale = LOG
    if is_slope:  # with counted compute it can lie outside of (0, 1)
        scale = LOGIT if inside else LINEAR
    ends = jackknife_interval(number, left_out, scale)
    if ends is not None and len(rivals):
        moves = [scale.to(rival) - scale.to(number) for rival in (number, *rivals)]
        with np.errstate(divide="ignore", over="ignore"):  # an end may be 0 or infinite
            low, high = (scale.to(end) for end in ends)
            ends = scale.back(low + min(moves)), scale.back(high + max(moves))
    if is_slope:
        return Quantity(number, ends, within=(0.0, 1.0))
    return Quantity(number, ends, least=0.0)


def exponent_profiles(estimate: LevelEstimate) -> dict[str, Interval]:
    """95% intervals of alpha_n and alpha_e from their profile likelihoods.

    All other arguments are fitted again at each value; points of a run are not independent, so the
    profile is scaled to the jackknife error over seeds (`intervals.profile_interval`). It differs
    from the interval of `constants` where the likelihood is asymmetric. An end that is not reached
    within the bounds of the search is 0 or infinite: the data do not determine it.
    """
    problem, fit = estimate.problem, estimate.fit
    lower, upper = problem.bounds()
    profiles = {}
    for index, name in enumerate(("alpha_n", "alpha_e")):
        best = float(fit.arguments[index])
        low, high = profile_interval(
            partial(_log_likelihood, estimate, index),
            best,
            jackknife_error(best, estimate.without_seed[:, index]),
            len(estimate.without_seed),
            (float(lower[index]), float(upper[index])),
        )
        profiles[name] = (
            0.0 if low <= lower[index] else math.exp(low),
            math.inf if high >= upper[index] else math.exp(high),
        )
    return profiles


def _log_likelihood(estimate: LevelEstimate, index: int, value: float) -> float:
    """Of independent points, with one argument held fixed and all others fitted."""
    return -0.5 * pinned_loss(estimate.problem, estimate.fit, index, value)


def product_law_at(arguments: np.ndarray, problem: LevelProblem) -> PowerLaw:
    """The law with I = C = N * E on its frontier whose level sets have these arguments."""
    alpha_n, alpha_e = np.exp(arguments[:2]).tolist()
    log_crossing_n = float(arguments[2]) + problem.centre_n
    return product_law(alpha_n, alpha_e, alpha_n * log_crossing_n - alpha_e * problem.centre_e)


def _law_at(
    arguments: np.ndarray, estimate: LevelEstimate, compute: Compute
) -> tuple[PowerLaw, Frontier, dict[str, float]]:
    """The law, its frontier over the levels of the reference's data, and its numbers."""
    curves = estimate.curves[0]
    law = product_law_at(arguments, estimate.problem)
    levels = law.level(curves.parameters, curves.interactions)
    grid = np.linspace(levels.min(), levels.max(), _FRONTIER_LEVELS)
    if compute == "NE":
        frontier = numerical_frontier(law, grid, lambda sizes: sizes)
        exponent = law.alpha_e / (law.alpha_n + law.alpha_e)
    else:
        flops = interpolated_flops(curves.sizes, curves.flops_per_interaction)
        frontier = numerical_frontier(law, grid, flops)
        law, exponent = counted_law(law, frontier), frontier.size_exponent()
    numbers = {
        "alpha_n": law.alpha_n,
        "alpha_e": law.alpha_e,
        "beta": law.beta,
        "n_c": law.n_c,
        "e_c": law.e_c,
        "optimal_size_exponent": exponent,
    }
    return law, frontier, numbers

"""Whether a power law describes the runs that it was fitted to, and which size does not follow it.

Two tests, both against the spread over seeds, whose correlation along a run is measured and not
modelled (`power.model_choice`). With H the projection on all that law and link can fit, S the
covariance of a run's standardised returns and M = 1 - H:

- **of the fit**: the loss has mean tr(M S) where the law holds. F = loss / tr(M S), with
  `tr(M S)^2 / tr((M S)^2)` and `(seeds - 1) tr(M S)^2 / sum_sizes tr((M S)_size^2)` degrees of
  freedom (Satterthwaite 1946);
- **of each size**: it has a shift of its own in log E, `exp(shift)` times the interactions that the
  law of the others gives it. Student's t, with the error of the shift from the same spread.

With 4 seeds the spread is itself uncertain: of 180 simulated sweeps that follow the law 20 are
refused, not 9. The error is towards saying nothing. A largest width whose E is 1.3 times too large
is noticed in 87 of 100 fits of 5 sizes, and a width named in 40 of them, in 37 rightly; at 2 times
in all 100, and named in 92, all rightly.

A size has one learning rate in a fit (the chosen one), so leaving out a size leaves out its rate.
With three sizes the law of the others has none to check it: nothing is said about sizes, and the
exponents are not determined, however narrow their intervals.
"""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.stats import f as fisher
from scipy.stats import t as student

from analysis.laws.law import Quantity
from analysis.laws.power.level_estimate import LevelEstimate
from analysis.laws.power.level_fit import LevelProblem, descend
from analysis.laws.power.model_choice import SeedSpread, seed_spread, trace_of_square
from analysis.stats.intervals import LEVEL, Interval
from analysis.stats.monotone_link import LinkedFit

CHECKED_SIZES = 4
"""Sizes from which on the law of the others can check each."""

REFUSED = 1 - LEVEL
"""p value below which a fit is refused by its residuals."""


@dataclass(frozen=True)
class SizeResidual:
    """How far a size lies off the law of the others.

    Attributes:
        parameters: N.
        factor: interactions of this size over those that the law of the others gives it.
        interval: its 95% interval.
        p: p value of a factor of 1.
        width: the width of this size, where the results have it.
    """

    parameters: float
    factor: float
    interval: Interval
    p: float
    width: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Its entry in `fits.json`."""
        ends = Quantity(self.factor, self.interval, least=0.0).ends
        entry = {"parameters": self.parameters, "factor": self.factor, "ci": ends, "p": self.p}
        return entry if self.width is None else {**entry, "width": self.width}


@dataclass(frozen=True)
class Misfit:
    """What the residuals of a fit say of it.

    Attributes:
        fit_test: p value of the loss.
        residuals: of each size against the law of the others; empty with three sizes.
        off_law: the size that lies off the law of the others, where a shift of this size alone, and
            of no other, makes the fit one that its residuals do not refuse.
        without_size: `parameters`, `alpha_n`, `alpha_e`, `optimal_size_exponent` and `loss` of the
            fit without each size.
        sizes: number of sizes.
        plateaus: sizes whose curves a plateau delays (`power.curves`).
        starts_disagree: no other search ended where the best one did.
    """

    fit_test: float
    residuals: tuple[SizeResidual, ...]
    off_law: tuple[SizeResidual, ...]
    without_size: tuple[dict[str, float], ...]
    sizes: int
    plateaus: tuple[float, ...]
    starts_disagree: bool

    @property
    def p(self) -> float:
        """Of both tests together: that of the fit, and the worst size's times 5 and their number.

        Each size's test is of large samples; taken at 1% it refuses few fits that are right.
        """
        smallest = min((one.p for one in self.residuals), default=1.0)
        return min(1.0, self.fit_test, 5 * len(self.residuals) * smallest or 1.0)

    @property
    def reason(self) -> str:
        """Why the exponents are not determined, one word; empty where nothing speaks against it."""
        if self.plateaus:
            return "plateau"
        if self.off_law:
            return "off_law"
        if self.p < REFUSED:
            return "misfit"
        if self.starts_disagree:
            return "starts"
        return "unchecked" if self.sizes < CHECKED_SIZES else ""

    def to_json(self) -> dict[str, Any]:
        """What an entry of `fits.json` holds of it."""
        return {
            "fit_test": self.fit_test,
            "misfit_p": self.p,
            "residuals_by_size": [one.to_json() for one in self.residuals],
            "without_size": list(self.without_size),
            "off_law": [one.to_json() for one in self.off_law],
            "plateaus": list(self.plateaus),
            "refused": self.reason,
        }


def measure_misfit(estimate: LevelEstimate) -> Misfit:
    """The tests of a fit of one horizon."""
    curves, spread = estimate.curves[0], seed_spread(estimate.curves)
    p = fit_test(estimate.problem, estimate.fit.arguments, curves.parameters, spread)
    sizes = curves.sizes if len(curves.sizes) >= CHECKED_SIZES else curves.sizes[:0]
    shifted = [_shifted(estimate, spread, size) for size in sizes]
    found = Misfit(
        fit_test=p,
        residuals=tuple(residual for residual, _ in shifted),
        off_law=(),
        without_size=tuple(_without(estimate, size) for size in sizes),
        sizes=len(curves.sizes),
        plateaus=curves.plateaus,
        starts_disagree=estimate.fit.starts > 1 and estimate.fit.agreeing < 2,
    )
    explaining = [residual for residual, p in shifted if p >= REFUSED]
    off = found.p < REFUSED and len(explaining) == 1
    return replace(found, off_law=tuple(explaining) if off else ())


def fit_test(
    problem: LevelProblem, arguments: np.ndarray, parameters: np.ndarray, spread: SeedSpread
) -> float:
    """p value of the loss of a fit, of one horizon or several, by the spread over seeds.

    Args:
        problem: what was fitted.
        arguments: at its best.
        parameters: N of each of its points, shape [point].
        spread: over seeds at the same points.
    """
    linked = problem.linked(arguments)
    tangent = linked.tangent()
    blocks = []
    for size in np.unique(parameters):
        runs = np.where(parameters == size, spread.deviations, 0.0)
        blocks.append(runs - (runs @ tangent) @ tangent.T)
    grams = [block @ block.T for block in blocks]
    total = float(sum(np.trace(gram) for gram in grams))
    if total <= 0:
        return 1.0
    own = [trace_of_square(gram) for gram in grams]
    everything = np.concatenate(blocks)
    across = float(np.sum((everything @ everything.T) ** 2) - sum(np.sum(g**2) for g in grams))
    explained = total**2 / (sum(own) + across)
    by_seeds = (len(spread.deviations) - 1) * total**2 / sum(own)
    return float(fisher.sf(linked.residuals @ linked.residuals / total, explained, by_seeds))


def _shifted(
    estimate: LevelEstimate, spread: SeedSpread, size: float
) -> tuple[SizeResidual, float]:
    """A fit in which a size has a shift in log E of its own: this, and the test of that fit."""
    parameters = estimate.curves[0].parameters
    problem = replace(estimate.problem, horizon=(parameters == size).astype(int))
    arguments, _ = descend(problem, np.append(estimate.fit.arguments, 0.0))
    residual = _residual(size, float(arguments[3]), problem.linked(arguments), spread, parameters)
    widths = dict(zip(estimate.curves[0].sizes, estimate.curves[0].widths, strict=False))
    residual = replace(residual, width=widths.get(size))
    return residual, fit_test(problem, arguments, parameters, spread)


def _residual(
    size: float, value: float, linked: LinkedFit, spread: SeedSpread, parameters: np.ndarray
) -> SizeResidual:
    """A shift with its error: what is its own in the Jacobian, times the spread over seeds."""
    others = np.linalg.qr(linked.jacobian[:, :3])[0]
    own = linked.jacobian[:, 3] - others @ (others.T @ linked.jacobian[:, 3])
    square = max(float(own @ own), 1e-300)
    by_size = np.array(
        [
            np.sum((spread.deviations[:, parameters == one] @ own[parameters == one]) ** 2)
            for one in np.unique(parameters)
        ]
    )
    error = math.sqrt(by_size.sum()) / square
    freedom = (len(spread.deviations) - 1) * by_size.sum() ** 2 / max(np.sum(by_size**2), 1e-300)
    reach = float(student.ppf(0.5 + LEVEL / 2, freedom)) * error
    with np.errstate(over="ignore"):  # an end beyond what a float holds is open
        ends = (float(np.exp(value - reach)), float(np.exp(value + reach)))
    p = float(2 * student.sf(abs(value) / max(error, 1e-300), freedom))
    return SizeResidual(float(size), math.exp(value), ends, p)


def _without(estimate: LevelEstimate, size: float) -> dict[str, float]:
    """The exponents of the fit without a size."""
    part = estimate.problem.where(estimate.curves[0].parameters != size)
    arguments, loss = descend(part, estimate.fit.arguments)
    alpha_n, alpha_e = np.exp(arguments[:2]).tolist()
    slope = alpha_e / (alpha_n + alpha_e)
    exponents = {"alpha_n": alpha_n, "alpha_e": alpha_e, "optimal_size_exponent": slope}
    return {"parameters": float(size), **exponents, "loss": loss}

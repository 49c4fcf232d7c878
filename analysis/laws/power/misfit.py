"""Whether a power law describes the runs that it was fitted to, and which size does not follow it.

All tests are against the spread over seeds, whose correlation along a run is measured and not
modelled (`power.model_choice`), and are made of each horizon and, with more power, of all horizons
together, each with a law of its own. With H the projection on all that laws and links can fit, S
the covariance of a run's standardised returns and M = 1 - H:

- **of the fit**: the loss has mean tr(M S) where the law holds. F = loss / tr(M S), with
  `tr(M S)^2 / tr((M S)^2)` and `(seeds - 1) tr(M S)^2 / sum_sizes tr((M S)_size^2)` degrees of
  freedom (Satterthwaite 1946);
- **of each size**: it has a shift of its own in log E, `exp(shift)` times the interactions that the
  law of the others gives it (`power.delays`);
- **of an offset**: nothing is learned in the first interactions, so that E - delta replaces E.

A size is named, or an offset, only where it explains all horizons' residuals and nothing else does.

Tests miss what the exponents take up: of 40 simulated sweeps of 3 horizons and 5 sizes the largest
of which needs 1.3 times the interactions, 37 are refused (at 2 times all 40, and the size named in
34), and 6 of 40 that follow the law: with 4 seeds their spread is itself uncertain. So the fit in
which a size has a factor of its own is a rival where the test of the factor has p < `DOUBT`, and
that with an offset where its p is less than `OFFSET_DOUBT`: intervals reach as far about the
exponents of rivals.

A size has one learning rate in a fit (the chosen one), so leaving out a size leaves out its rate.
With three sizes the law of the others has none to check it: nothing is said about sizes, and the
exponents are not determined, however narrow their intervals.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from analysis.laws.law import Quantity
from analysis.laws.power.delays import (
    Delay,
    FittedDelay,
    fit_delay,
    offset_column,
    pooled,
    typical_interactions,
)
from analysis.laws.power.level_estimate import LevelEstimate
from analysis.laws.power.level_fit import descend
from analysis.laws.power.model_choice import seed_spread, trace_of_square
from analysis.stats.distributions import f_tail
from analysis.stats.intervals import LEVEL, Interval
from analysis.stats.monotone_link import LinkedFit

CHECKED_SIZES = 4
"""Sizes from which on the law of the others can check each."""

REFUSED = 1 - LEVEL
"""p value below which a fit is refused by its residuals."""

OFFSET = 0.02
"""p value below which a fit is refused by an offset."""

DOUBT = 0.2
"""p value of a size's shift below which the fit with the shift is a rival."""

OFFSET_SHARE = 0.1
"""Share of the loss that an offset must take up to be named as what refuses the fit.

A wrong size also looks like an offset. In 20 simulated sweeps with one it took up at most 0.05, in
10 with an offset at least 0.16.
"""

OFFSET_DOUBT = 0.1
"""p value of an offset below which the fit with it is a rival."""


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
class Offset:
    """Interactions in which nothing seems to be learned.

    Attributes:
        interactions: how many at this horizon, to first order.
        interval: their 95% interval.
        p: p value of none against more, over all horizons.
        share: of the loss over all horizons that they take up.
        fit_test: p value of the loss that is left.
    """

    interactions: float
    interval: Interval
    p: float
    share: float
    fit_test: float

    @property
    def explains(self) -> bool:
        """Whether they take up a part of the loss, and what is left does not refuse the fits."""
        return self.share >= OFFSET_SHARE and self.fit_test >= REFUSED

    def to_json(self) -> dict[str, Any]:
        """Its entry in `fits.json`."""
        return {
            "interactions": self.interactions,
            "ci": list(self.interval),
            "p": self.p,
            "share": self.share,
            "fit_test": self.fit_test,
            "explains": self.explains,
        }


@dataclass(frozen=True)
class Joint:
    """What the residuals of all horizons say together.

    Attributes:
        fit_test: p value of the summed loss.
        residuals: of each size, with one factor for all horizons; empty with three sizes.
        off_law: N of the size that lies off the law of the others: a shift of this size, and
            nothing else, makes the fits such that their residuals do not refuse them; or None.
        doubtful: N of the sizes whose shift is in doubt.
        horizons: how many they are.
    """

    fit_test: float
    residuals: tuple[SizeResidual, ...]
    off_law: float | None
    doubtful: tuple[float, ...]
    horizons: int


@dataclass(frozen=True)
class Misfit:
    """What the residuals of a fit, and those of other horizons, say of it.

    Attributes:
        fit_test: p value of the loss.
        residuals: of each size against the law of the others; empty with three sizes.
        joint: what all horizons say together.
        offset: interactions in which nothing seems to be learned.
        without_size: `parameters`, `alpha_n`, `alpha_e`, `optimal_size_exponent` and `loss` of the
            fit without each size.
        rivals: arguments of the fits with the delays that are in doubt.
        sizes: number of sizes.
        plateaus: sizes whose curves a plateau delays (`power.curves`).
        starts_disagree: no other search ended where the best one did.
    """

    fit_test: float
    residuals: tuple[SizeResidual, ...]
    joint: Joint
    offset: Offset
    without_size: tuple[dict[str, float], ...]
    rivals: tuple[np.ndarray, ...]
    sizes: int
    plateaus: tuple[float, ...]
    starts_disagree: bool

    @property
    def off_law(self) -> tuple[SizeResidual, ...]:
        """This horizon's residual of the size that lies off the law of the others at all."""
        return tuple(one for one in self.residuals if one.parameters == self.joint.off_law)

    @property
    def p(self) -> float:
        """Of all tests, those of this horizon times the horizons.

        Of sizes it is the smallest, times their number. That of the offset is scaled so that
        `OFFSET` becomes `REFUSED`.
        """
        alone = self.joint.horizons * _smallest(self.fit_test, self.residuals)
        together = _smallest(self.joint.fit_test, self.joint.residuals)
        return min(1.0, alone, together, self.offset.p * REFUSED / OFFSET)

    @property
    def has_offset(self) -> bool:
        """Whether an offset refuses the fit, more clearly than a shift of any one size."""
        smallest = min((one.p for one in self.joint.residuals), default=1.0)
        return self.offset.p < min(OFFSET, smallest) and self.offset.share >= OFFSET_SHARE

    @property
    def reason(self) -> str:
        """Why the exponents are not determined, one word; empty where nothing speaks against it."""
        if self.plateaus or self.has_offset:
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
            "joint_fit_test": self.joint.fit_test,
            "joint_residuals_by_size": [one.to_json() for one in self.joint.residuals],
            "offset": self.offset.to_json(),
            "without_size": list(self.without_size),
            "off_law": [one.to_json() for one in self.off_law],
            "plateaus": list(self.plateaus),
            "refused": self.reason,
        }


def measure_misfits(estimates: Sequence[LevelEstimate]) -> list[Misfit]:
    """The tests of the fits of some horizons of the same runs' settings, in their order."""
    if not estimates:
        return []
    horizons = _horizons(estimates)
    p = _fit_test(horizons, [one.linked for one in horizons])
    sizes = sorted({size for one in horizons for size in one.shifts})
    shifts = {size: [one.shifts.get(size) for one in horizons] for size in sizes}
    widths = {size: width for one in horizons for size, width in one.widths.items()}
    residuals = {n: _residual(n, _pooled(shifts[n]), widths.get(n)) for n in sizes}
    explaining = [n for n in sizes if _explains(horizons, shifts[n])]
    off = len(explaining) == 1 and len(sizes) * residuals[explaining[0]].p < REFUSED
    with_offset = [one.offset.linked for one in horizons]
    left = _fit_test(horizons, with_offset)
    joint = Joint(
        fit_test=p,
        residuals=tuple(residuals.values()),
        off_law=explaining[0] if off and left < REFUSED else None,
        doubtful=tuple(n for n in sizes if residuals[n].p < DOUBT),
        horizons=len(horizons),
    )
    offset = pooled([one.offset for one in horizons])
    share = 1 - _loss(with_offset) / max(_loss([one.linked for one in horizons]), 1e-300)
    return [one.misfit(joint, offset, share, left) for one in horizons]


def measure_misfit(estimate: LevelEstimate) -> Misfit:
    """The tests of a fit of one horizon."""
    return measure_misfits([estimate])[0]


def fit_test(parts: Sequence[LinkedFit], parameters: np.ndarray, deviations: np.ndarray) -> float:
    """p value of the loss of fits whose parts explain consecutive points.

    Args:
        parts: the fits.
        parameters: N of each point, shape [point].
        deviations: of each seed at the same points (`model_choice.SeedSpread`), [seed, point].
    """
    residuals = np.concatenate([part.residuals for part in parts])
    blocks = []
    for size in np.unique(parameters):
        runs, first = np.where(parameters == size, deviations, 0.0), 0
        for part in parts:
            tangent = part.tangent()
            at = slice(first, first + len(tangent))
            runs[:, at] -= (runs[:, at] @ tangent) @ tangent.T
            first = at.stop
        blocks.append(runs)
    grams = [block @ block.T for block in blocks]
    total = float(sum(np.trace(gram) for gram in grams))
    if total <= 0:
        return 1.0
    own = [trace_of_square(gram) for gram in grams]
    everything = np.concatenate(blocks)
    across = float(np.sum((everything @ everything.T) ** 2) - sum(np.sum(g**2) for g in grams))
    explained = total**2 / (sum(own) + across)
    by_seeds = (len(deviations) - 1) * total**2 / sum(own)
    return f_tail(residuals @ residuals / total, explained, by_seeds)


@dataclass(frozen=True)
class _Horizon:
    """A horizon's fit, its refits and the spread over seeds at its points, shape [seed, point]."""

    estimate: LevelEstimate
    deviations: np.ndarray
    linked: LinkedFit
    shifts: dict[float, FittedDelay]
    offset: FittedDelay

    @property
    def parameters(self) -> np.ndarray:
        """N of each point."""
        return self.estimate.curves[0].parameters

    @property
    def widths(self) -> dict[float, float]:
        """Width by N, where the results have it."""
        curves = self.estimate.curves[0]
        return dict(zip(curves.sizes.tolist(), curves.widths, strict=False))

    def misfit(self, joint: Joint, offset: Delay, share: float, left: float) -> Misfit:
        """What is said of this horizon."""
        curves = self.estimate.curves[0]
        unit = typical_interactions(curves)
        low, high = offset.interval
        doubtful = [self.shifts[size] for size in joint.doubtful if size in self.shifts]
        if offset.p_above < OFFSET_DOUBT:
            doubtful.append(self.offset)
        return Misfit(
            fit_test=_fit_test([self], [self.linked]),
            residuals=tuple(
                _residual(size, pooled([one]), self.widths.get(size))
                for size, one in self.shifts.items()
            ),
            joint=joint,
            offset=Offset(
                interactions=offset.value * unit,
                interval=(low * unit, high * unit),
                p=offset.p_above,
                share=share,
                fit_test=left,
            ),
            without_size=tuple(_without(self.estimate, size) for size in self.shifts),
            rivals=tuple(one.arguments for one in doubtful),
            sizes=len(curves.sizes),
            plateaus=curves.plateaus,
            starts_disagree=self.estimate.fit.starts > 1 and self.estimate.fit.agreeing < 2,
        )


def _horizons(estimates: Sequence[LevelEstimate]) -> list[_Horizon]:
    """The fits with the refits that the tests need; rows of deviations are the same seeds."""
    deviations = seed_spread([one.curves[0] for one in estimates]).deviations
    ends = np.cumsum([len(one.curves[0].parameters) for one in estimates])
    found = []
    for estimate, own in zip(estimates, np.split(deviations, ends[:-1], axis=1), strict=True):
        curves = estimate.curves[0]
        sizes = curves.sizes.tolist() if len(curves.sizes) >= CHECKED_SIZES else []
        shifts = {n: fit_delay(estimate, (curves.parameters == n) * 1.0, own) for n in sizes}
        offset = fit_delay(estimate, offset_column(curves), own)
        linked = estimate.problem.linked(estimate.fit.arguments)
        found.append(_Horizon(estimate, own, linked, shifts, offset))
    return found


def _loss(parts: Sequence[LinkedFit]) -> float:
    return sum(float(part.residuals @ part.residuals) for part in parts)


def _smallest(p: float, residuals: Sequence[SizeResidual]) -> float:
    """p value of a test of fit and those of sizes, these times their number."""
    return min([p, *(len(residuals) * one.p for one in residuals)])


def _pooled(fits: Sequence[FittedDelay | None]) -> Delay:
    return pooled([one for one in fits if one is not None])


def _explains(horizons: Sequence[_Horizon], fits: Sequence[FittedDelay | None]) -> bool:
    """Whether the residuals of the refits, of horizons that have one, do not refuse them."""
    parts = [
        one.linked if fit is None else fit.linked for one, fit in zip(horizons, fits, strict=True)
    ]
    return _fit_test(horizons, parts) >= REFUSED


def _fit_test(horizons: Sequence[_Horizon], parts: Sequence[LinkedFit]) -> float:
    parameters = np.concatenate([one.parameters for one in horizons])
    deviations = np.concatenate([one.deviations for one in horizons], axis=1)
    seen = np.any(deviations != 0, axis=1)
    return fit_test(parts, parameters, deviations[seen])


def _residual(size: float, shift: Delay, width: float | None) -> SizeResidual:
    with np.errstate(over="ignore"):  # an end beyond what a float holds is open
        factor, low, high = np.exp([shift.value, *shift.interval]).tolist()
    return SizeResidual(size, factor, (low, high), shift.p, width)


def _without(estimate: LevelEstimate, size: float) -> dict[str, float]:
    """The exponents of the fit without a size."""
    part = estimate.problem.where(estimate.curves[0].parameters != size)
    arguments, loss = descend(part, estimate.fit.arguments)
    alpha_n, alpha_e = np.exp(arguments[:2]).tolist()
    slope = alpha_e / (alpha_n + alpha_e)
    exponents = {"alpha_n": alpha_n, "alpha_e": alpha_e, "optimal_size_exponent": slope}
    return {"parameters": float(size), **exponents, "loss": loss}

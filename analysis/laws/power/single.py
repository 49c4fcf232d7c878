"""The power law of intrinsic performance at one horizon, fitted to learning curves.

    I^-beta = (N_c / N)^alpha_N + (E_c / E)^alpha_E,   R = g(log I), g increasing

(Hilton, Tang and Schulman 2023, arXiv 2301.13442), with the constraint that makes I the compute
on the frontier (`power.frontier`): three free numbers and the link g.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd

from analysis.data.families import Group, split
from analysis.laws.law import Fits, Quantity
from analysis.laws.power.curves import FitError, learning_curves
from analysis.laws.power.level_estimate import (
    COMPUTES,
    Compute,
    Constants,
    LevelEstimate,
    LevelLaw,
    constants,
    estimate_levels,
    exponent_profiles,
    product_law_at,
)
from analysis.laws.power.misfit import Misfit, measure_misfit, measure_misfits
from analysis.laws.power.shared import SharedPowerLaw, fit_shared
from analysis.stats.intervals import Interval, t_reach
from mnist_horizon.algorithms import REFERENCES


@dataclass(frozen=True)
class PowerLawFit(LevelLaw):
    """A fitted power law.

    Attributes:
        group: settings held fixed, horizon included.
        compute: what C is: `"NE"` or counted `"flops"`.
        estimate: level sets and data behind it.
        constants: with counted compute beta, N_c and E_c follow the numerical frontier.
        profiles: 95% intervals of alpha_n and alpha_e, by their profile likelihoods.
        misfit: what the residuals say of the fit; None where they were not looked at.
    """

    group: dict[str, Any]
    compute: Compute
    estimate: LevelEstimate
    constants: Constants
    profiles: dict[str, Interval]
    misfit: Misfit | None = None

    @classmethod
    def of(
        cls,
        estimate: LevelEstimate,
        compute: Compute,
        profiles: dict[str, Interval] | None = None,
        misfit: Misfit | None = None,
    ) -> Self:
        """The law of one horizon's level sets, for a kind of compute."""
        group = estimate.curves[0].group
        numbers = constants(estimate, compute, misfit.rivals if misfit else ())
        return cls(group, compute, estimate, numbers, profiles or {}, misfit)

    @property
    def refusal(self) -> str:
        """Why no number is determined."""
        return self.misfit.reason if self.misfit else ""

    def intrinsic_performance(self, parameters: np.ndarray, interactions: np.ndarray) -> np.ndarray:
        """I by the law, the fitted level sets on the frontier's scale (NaN beyond the frontier)."""
        law = product_law_at(self.estimate.fit.arguments, self.estimate.problem)
        return self.frontier.intrinsic_performance(law.level(parameters, interactions))

    def predict(self, rows: pd.DataFrame) -> np.ndarray:
        """Returns of rows with `parameters` and `interactions`, through the fitted link."""
        columns = (rows[name].to_numpy(float) for name in ("parameters", "interactions"))
        return self.estimate.returns(*columns)

    def without_seed(self, seed: int) -> Self:
        """The law of the level sets without the runs of one seed."""
        return type(self).of(self.estimate.leaving_out(seed), self.compute, misfit=self.misfit)

    def details(self) -> dict[str, Any]:
        """What else the entry of `fits.json` holds."""
        fit = self.estimate.fit
        profiles = {name: Quantity(0.0, ends, least=0.0) for name, ends in self.profiles.items()}
        return {
            "compute": self.compute,
            **{f"{name}_profile_ci": one.ends for name, one in profiles.items()},
            "loss": fit.loss,
            **(self.misfit.to_json() if self.misfit else {}),
            "starts": fit.starts,
            "starts_agreeing": fit.agreeing,
            "runs": self.estimate.runs,
        }


def fit_power_law(
    frame: pd.DataFrame, *, compute: Compute = "NE", generator: np.random.Generator
) -> PowerLawFit:
    """Fit the power law to the runs of one group and horizon.

    Args:
        frame: tidy results, one run per size and seed.
        compute: what C is.
        generator: of the scrambled starts.

    Raises:
        FitError: what is missing for a fit, in one line.
    """
    estimate = estimate_levels([learning_curves(frame)], generator)
    return PowerLawFit.of(estimate, compute, exponent_profiles(estimate), measure_misfit(estimate))


def intrinsic_performance_table(fit: PowerLawFit) -> pd.DataFrame:
    """Intrinsic performance of each observed point: its return through the fitted link.

    Returns:
        One row per point: parameters, interactions, compute, return_mean (averaged over seeds),
        intrinsic_performance, intrinsic_low and intrinsic_high (at the ends of the 95% interval
        of the return over seeds, in the range of the link; NaN where a point has one seed), law
        (I by the law).
    """
    estimate = fit.estimate
    curves = estimate.curves[0]
    arguments = estimate.fit.arguments
    by_law = product_law_at(arguments, estimate.problem).level(
        curves.parameters, curves.interactions
    )
    scale = by_law[0] - estimate.problem.levels(arguments)[0][0]  # the same at every point

    link = estimate.fit.link
    link_range = link.returns(np.array([link.low, link.high]))

    def performance(returns: np.ndarray) -> np.ndarray:
        levels = link.level(returns) + scale  # the ends may lie beyond by rounding
        ends = fit.frontier.level[[0, -1]]
        return fit.frontier.intrinsic_performance(np.clip(levels, *ends))

    flops = dict(zip(curves.sizes, curves.flops_per_interaction, strict=True))
    per_interaction = curves.parameters
    if fit.compute == "flops":
        per_interaction = np.array([flops[size] for size in curves.parameters])
    mean = curves.mean
    seeds = curves.seeds_at
    deviation = np.nanstd(curves.returns, axis=0) * np.sqrt(seeds / np.maximum(seeds - 1, 1))
    error = t_reach(deviation, seeds)
    return pd.DataFrame(
        {
            "parameters": curves.parameters,
            "interactions": curves.interactions,
            "compute": per_interaction * curves.interactions,
            "return_mean": mean,
            "intrinsic_performance": performance(mean),
            "intrinsic_low": performance(np.clip(mean - error, *link_range)),
            "intrinsic_high": performance(np.clip(mean + error, *link_range)),
            "law": fit.frontier.intrinsic_performance(by_law),
        }
    )


def fit_power_laws(frame: pd.DataFrame, generator: np.random.Generator | None = None) -> Fits:
    """Fit every group and horizon separately, and the horizons of each group together.

    Args:
        frame: tidy results, one run per size, horizon and seed of each group.
        generator: of the scrambled starts.
    """
    generator = generator or np.random.default_rng(0)
    single: list[PowerLawFit] = []
    shared: list[SharedPowerLaw] = []
    notes: list[str] = []
    for group in power_law_groups(frame):
        separate, more = estimate_each(group, generator)
        notes += more
        misfits = measure_misfits(separate)
        for estimate, misfit in zip(separate, misfits, strict=True):
            profiles = exponent_profiles(estimate)
            single += [PowerLawFit.of(estimate, one, profiles, misfit) for one in COMPUTES]
        if group.settings.get("algorithm") in REFERENCES:  # they have no horizon
            continue
        try:
            shared += fit_shared(separate, misfits, generator)
        except FitError as error:
            notes.append(f"power law over horizons, {group.label}: {error}")
    return Fits((*single, *shared), tuple(notes))


def power_law_groups(frame: pd.DataFrame) -> Iterator[Group]:
    """Groups of rows that share all settings but size, seed, learning rate and horizon."""
    yield from split(frame, "width", "horizon")


def estimate_each(
    group: Group, generator: np.random.Generator
) -> tuple[list[LevelEstimate], list[str]]:
    """Level sets of each horizon of a group that has them, and notes on what was left out."""
    estimates: list[LevelEstimate] = []
    notes: list[str] = []
    for horizon, runs in group.rows.groupby("horizon"):
        algorithm = group.settings.get("algorithm")
        of = algorithm if algorithm in REFERENCES else f"horizon {horizon:g}"
        name = f"power law, {group.label}, {of}"
        try:
            curves = learning_curves(runs)
            notes += [f"{name}: {note}" for note in curves.notes]
            estimates.append(estimate_levels([curves], generator))
        except FitError as error:
            notes.append(f"{name}: {error}")
    return estimates, notes

"""The power law of intrinsic performance at one horizon, fitted to learning curves.

    I^-beta = (N_c / N)^alpha_N + (E_c / E)^alpha_E,   R = g(log I), g increasing

(Hilton, Tang and Schulman 2023, arXiv 2301.13442), with the constraint that makes I the compute
on the frontier (`analysis.frontier`): three free numbers and the link g.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from analysis.laws.power.curves import GROUP_COLUMNS, FitError, learning_curves
from analysis.laws.power.frontier import Frontier, PowerLaw, optimal_size
from analysis.laws.power.level_estimate import (
    COMPUTES,
    Compute,
    LevelEstimate,
    constants,
    estimate_levels,
    exponent_profiles,
    product_law_at,
)
from analysis.laws.power.shared import JointFit, estimate_jointly, joint_fit_of_levels
from analysis.stats.intervals import Interval, ends_or_none, t_factor


@dataclass(frozen=True)
class PowerLawFit:
    """A fitted power law.

    Attributes:
        group: columns held fixed, horizon included.
        compute: what C is: `"NE"` or counted `"flops"`.
        law: the constants; with counted compute beta, N_c and E_c follow the numerical frontier.
        frontier: least compute of each level between the lowest and highest of the data.
        numbers: of the law, by the names of `fits.json`.
        intervals: 95% intervals of the numbers, by leaving out seeds.
        profiles: 95% intervals of alpha_n and alpha_e, by their profile likelihoods.
        estimate: level sets and data behind it.
    """

    group: dict[str, Any]
    compute: Compute
    law: PowerLaw
    frontier: Frontier
    numbers: dict[str, float]
    intervals: dict[str, Interval]
    profiles: dict[str, Interval]
    estimate: LevelEstimate

    @property
    def notes(self) -> tuple[str, ...]:
        """One line for everything that was left out of the data."""
        return self.estimate.curves[0].notes

    def optimal_size(self, compute: np.ndarray) -> np.ndarray:
        """N* at a compute: in closed form for `"NE"`, else on the frontier (NaN beyond it)."""
        if self.compute == "NE":
            return optimal_size(self.law, compute)
        return self.frontier.optimal_size(compute)

    def intrinsic_performance(self, parameters: np.ndarray, interactions: np.ndarray) -> np.ndarray:
        """I by the law, the fitted level sets on the frontier's scale (NaN beyond the frontier)."""
        law = product_law_at(self.estimate.fit.arguments, self.estimate.problem)
        return self.frontier.intrinsic_performance(law.level(parameters, interactions))

    def to_json(self) -> dict[str, Any]:
        """The entry of `fits.json`."""
        entry: dict[str, Any] = {"group": self.group, "compute": self.compute}
        for name, number in self.numbers.items():
            ends = self.intervals[name]
            bounded = name == "optimal_size_exponent"  # linear, of either sign
            entry |= {name: number, f"{name}_ci": list(ends) if bounded else ends_or_none(ends)}
        entry |= {f"{name}_profile_ci": ends_or_none(ends) for name, ends in self.profiles.items()}
        fit = self.estimate.fit
        entry |= {"starts": fit.starts, "starts_agreeing": fit.agreeing}
        return entry | {"runs": self.estimate.runs}


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
    estimate = estimate_levels([learning_curves(frame)], generator)
    return fit_of_levels(estimate, compute, exponent_profiles(estimate))


def fit_of_levels(
    estimate: LevelEstimate, compute: Compute, profiles: dict[str, Interval]
) -> PowerLawFit:
    """The law of one horizon's level sets, for a kind of compute; profiles are its exponents'."""
    found = constants(estimate, compute)
    return PowerLawFit(
        group=estimate.curves[0].group,
        compute=compute,
        law=found.law,
        frontier=found.frontier,
        numbers=found.numbers,
        intervals=found.intervals,
        profiles=profiles,
        estimate=estimate,
    )


def intrinsic_performance_table(fit: PowerLawFit) -> pd.DataFrame:
    """Intrinsic performance of each observed point: its return through the fitted link.

    Returns:
        One row a point: parameters, interactions, compute, return_mean (averaged over seeds),
        intrinsic_performance, intrinsic_low and intrinsic_high (at the ends of the 95% interval
        of the return over seeds, as far as the link reaches; NaN where a point has one seed), law
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
    reach = link.returns(np.array([link.low, link.high]))

    def performance(returns: np.ndarray) -> np.ndarray:
        levels = link.level(returns) + scale  # those of the ends may be beyond by rounding
        ends = fit.frontier.level[[0, -1]]
        return fit.frontier.intrinsic_performance(np.clip(levels, *ends))

    flops = dict(zip(curves.sizes, curves.flops_per_interaction, strict=True))
    per_interaction = curves.parameters
    if fit.compute == "flops":
        per_interaction = np.array([flops[size] for size in curves.parameters])
    mean = curves.mean
    seeds = curves.seeds_at
    factors = np.array([np.nan, np.nan, *(t_factor(n) for n in range(2, seeds.max() + 1))])
    error = factors[seeds] * np.nanstd(curves.returns, axis=0) / np.sqrt(np.maximum(seeds - 1, 1))
    return pd.DataFrame(
        {
            "parameters": curves.parameters,
            "interactions": curves.interactions,
            "compute": per_interaction * curves.interactions,
            "return_mean": mean,
            "intrinsic_performance": performance(mean),
            "intrinsic_low": performance(np.clip(mean - error, *reach)),
            "intrinsic_high": performance(np.clip(mean + error, *reach)),
            "law": fit.frontier.intrinsic_performance(by_law),
        }
    )


@dataclass(frozen=True)
class PowerLaws:
    """All power laws of a table of results.

    Attributes:
        single: one for each group, horizon and kind of compute that can be fitted.
        joint: one for each group of two or more horizons and kind of compute.
        notes: one line for each that cannot be fitted, and for what was left out.
    """

    single: tuple[PowerLawFit, ...]
    joint: tuple[JointFit, ...]
    notes: tuple[str, ...]

    def to_json(self) -> list[dict[str, Any]]:
        """The list `power_law` of `fits.json`."""
        alone = [fit.to_json() for fit in self.single]
        return alone + [fit.to_json() for fit in self.joint]


def fit_all(frame: pd.DataFrame, generator: np.random.Generator) -> PowerLaws:
    """Fit every group and horizon alone, and the horizons of each group jointly.

    Args:
        frame: tidy results of any number of tasks, schedules and horizons.
        generator: of the scrambled starts.
    """
    single: list[PowerLawFit] = []
    joint: list[JointFit] = []
    notes: list[str] = []
    for label, rows in power_law_groups(frame):
        alone, found = estimate_alone(label, rows, generator)
        notes += found
        for one in alone:
            profiles = exponent_profiles(one)
            single += [fit_of_levels(one, compute, profiles) for compute in COMPUTES]
        try:
            shared = estimate_jointly(alone, None, generator)
            joint += [joint_fit_of_levels(shared, alone, compute) for compute in COMPUTES]
        except FitError as error:
            notes.append(f"joint power law, {label}: {error}")
    return PowerLaws(tuple(single), tuple(joint), tuple(notes))


def estimate_alone(
    label: str, rows: pd.DataFrame, generator: np.random.Generator
) -> tuple[list[LevelEstimate], list[str]]:
    """Level sets of each horizon of a group that has them, and notes on what was left out."""
    alone, notes = [], []
    for horizon, runs in rows.groupby("horizon"):
        name = f"power law, {label}, horizon {horizon:g}"
        try:
            curves = learning_curves(runs)
            notes += [f"{name}: {note}" for note in curves.notes]
            alone.append(estimate_levels([curves], generator))
        except FitError as error:
            notes.append(f"{name}: {error}")
    return alone, notes


def power_law_groups(frame: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Rows that share all settings but size, seed, learning rate and horizon, with a short name.

    The name holds the schedule and whatever else differs between groups.
    """
    columns = [name for name in GROUP_COLUMNS if name in frame]
    varying = [name for name in columns if frame[name].nunique() > 1 and "schedule" not in name]
    for _, rows in frame.groupby(columns, dropna=False):
        first = rows.iloc[0]
        level = "" if first["schedule"] == "dense" else f":{first['schedule_level']:g}"
        named = [f"{name} {first[name]}" for name in varying]
        yield ", ".join([f"{first['schedule']}{level}", *named]), rows

"""One power law for several horizons, of which only E_c differs.

    I^-beta = (N_c / N)^alpha_N + (E_c(h) / E)^alpha_E,   R = g(log I)

alpha_N, alpha_E, N_c and the link g are shared; the reference horizon carries the constraint that
makes I the compute on its frontier. The paper finds that the horizon changes "mostly the
coefficient, not the exponent" (Hilton, Tang and Schulman 2023). Three models are compared by AICc
on independent values (`analysis.model_choice`):

- `shared`: the law above, only E_c depends on the horizon;
- `exponents`: the exponents are shared; N_c, E_c and the link are each horizon's own;
- `free`: everything is each horizon's own.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from analysis.laws.power.curves import FitError, learning_curves
from analysis.laws.power.frontier import Frontier, PowerLaw
from analysis.laws.power.level_estimate import (
    Compute,
    LevelEstimate,
    constants,
    estimate_levels,
    positive_interval,
)
from analysis.laws.power.level_fit import LevelFit, LevelProblem, search
from analysis.laws.power.model_choice import SeedSpread, aicc, seed_spread
from analysis.stats.intervals import Interval

DECISIVE = 4.0
"""Difference of AICc from which one model is said to describe the runs better."""


@dataclass(frozen=True)
class JointFit:
    """The joint law of several horizons.

    Attributes:
        group: columns held fixed.
        compute: what C is: `"NE"` or counted `"flops"`.
        reference_horizon: the horizon whose frontier is I = C.
        law: at the reference horizon.
        frontier: of the reference horizon.
        numbers: of the law, by the names of `fits.json`; e_c is the reference's.
        intervals: 95% intervals of the numbers.
        e_c: by horizon, increasing.
        e_c_intervals: 95% intervals of these.
        aicc: of the models `shared` (this law), `exponents` and `free`.
        estimate: level sets and data behind it.
    """

    group: dict[str, Any]
    compute: Compute
    reference_horizon: float
    law: PowerLaw
    frontier: Frontier
    numbers: dict[str, float]
    intervals: dict[str, Interval]
    e_c: dict[float, float]
    e_c_intervals: dict[float, Interval]
    aicc: dict[str, float]
    estimate: LevelEstimate

    @property
    def verdict(self) -> str:
        """The model that describes the runs best, or `"undecided"` where another is as good."""
        (best, least), (_, second), *_ = sorted(self.aicc.items(), key=lambda item: item[1])
        return best if second - least >= DECISIVE else "undecided"

    def law_at(self, horizon: float) -> PowerLaw:
        """The law at a horizon of the fit, in the units of the reference's compute."""
        law = self.law
        return PowerLaw(law.alpha_n, law.alpha_e, law.beta, law.n_c, self.e_c[horizon])

    def to_json(self) -> dict[str, Any]:
        """The entry of `fits.json`."""
        entry: dict[str, Any] = {"group": self.group, "joint": True, "compute": self.compute}
        for name, number in self.numbers.items():
            entry |= {name: number, f"{name}_ci": list(self.intervals[name])}
        entry["reference_horizon"] = self.reference_horizon
        entry["e_c_by_horizon"] = [
            {"horizon": horizon, "e_c": e_c, "e_c_ci": list(self.e_c_intervals[horizon])}
            for horizon, e_c in self.e_c.items()
        ]
        entry["aicc"] = {k: v if np.isfinite(v) else None for k, v in self.aicc.items()}
        fit = self.estimate.fit
        entry |= {"verdict": self.verdict, "starts": fit.starts}
        return entry | {"starts_agreeing": fit.agreeing, "runs": self.estimate.runs}


def fit_joint(
    frame: pd.DataFrame,
    *,
    reference_horizon: float | None = None,
    compute: Compute = "NE",
    generator: np.random.Generator,
) -> JointFit:
    """Fit one law to the horizons of a group.

    Args:
        frame: tidy results of one group.
        reference_horizon: the horizon that carries the constraint; the shortest by default.
        compute: what C is.
        generator: of the scrambled starts.

    Raises:
        FitError: what is missing for a fit, in one line.
    """
    alone = [
        estimate_levels([learning_curves(runs)], generator) for _, runs in frame.groupby("horizon")
    ]
    shared = estimate_jointly(alone, reference_horizon, generator)
    return joint_fit_of_levels(shared, alone, compute)


def estimate_jointly(
    alone: Sequence[LevelEstimate],
    reference_horizon: float | None,
    generator: np.random.Generator,
) -> LevelEstimate:
    """Shared level sets of horizons that were each fitted alone.

    Raises:
        FitError: there are fewer than two horizons, or the reference is none of them.
    """
    curves = sorted((one.curves[0] for one in alone), key=lambda one: one.horizon)
    horizons = [one.horizon for one in curves]
    if len(horizons) < 2:
        raise FitError(
            f"{len(horizons)} horizon{'s' * (len(horizons) != 1)} with a power law of its own: the"
            " joint law needs at least 2"
        )
    reference = horizons[0] if reference_horizon is None else reference_horizon
    if reference not in horizons:
        raise FitError(f"no runs at the reference horizon {reference:g}: choose one of {horizons}")
    curves.sort(key=lambda one: (one.horizon != reference, one.horizon))
    return estimate_levels(curves, generator)


def joint_fit_of_levels(
    shared: LevelEstimate, alone: Sequence[LevelEstimate], compute: Compute
) -> JointFit:
    """The joint law of shared level sets, compared with a law alone for each horizon."""
    found = constants(shared, compute)
    reference = shared.curves[0].horizon
    e_c, e_c_intervals = {reference: found.numbers["e_c"]}, {reference: found.intervals["e_c"]}
    for i, curves in enumerate(shared.curves[1:]):
        shift = shared.fit.arguments[3 + i]
        e_c[curves.horizon] = found.numbers["e_c"] * float(np.exp(shift))
        left_out = found.left_out["e_c"] * np.exp(shared.without_seed[:, 3 + i])
        e_c_intervals[curves.horizon] = positive_interval(e_c[curves.horizon], left_out)
    spread = seed_spread(shared.curves)
    free = {one.curves[0].horizon: one for one in alone}
    in_order = [free[curves.horizon] for curves in shared.curves]
    return JointFit(
        group={k: v for k, v in shared.curves[0].group.items() if k != "horizon"},
        compute=compute,
        reference_horizon=reference,
        law=found.law,
        frontier=found.frontier,
        numbers=found.numbers,
        intervals=found.intervals,
        e_c=dict(sorted(e_c.items())),
        e_c_intervals=dict(sorted(e_c_intervals.items())),
        aicc={
            "shared": _score(spread, [(shared.problem, shared.fit)]),
            "exponents": _score(spread, [_own_links(shared)]),
            "free": _score(spread, [(one.problem, one.fit) for one in in_order]),
        },
        estimate=shared,
    )


def _own_links(shared: LevelEstimate) -> tuple[LevelProblem, LevelFit]:
    """The model of shared exponents with a link for each horizon, from the fit that shares it."""
    problem = replace(shared.problem, own_links=True)
    return problem, search(problem, shared.fit.arguments[None])


def _score(spread: SeedSpread, parts: Sequence[tuple[LevelProblem, LevelFit]]) -> float:
    """AICc of a model whose parts explain consecutive points."""
    absorbed, first = 0.0, 0
    for problem, fit in parts:
        last = first + len(problem.returns)
        tangent = problem.linked(fit.arguments).tangent()
        absorbed += float(np.sum((spread.deviations[:, first:last] @ tangent) ** 2))
        first = last
    return aicc(spread, sum(fit.loss for _, fit in parts), absorbed)

"""One power law for several horizons, in which only E_c differs.

    I^-beta = (N_c / N)^alpha_N + (E_c(h) / E)^alpha_E,   R = g(log I)

alpha_N, alpha_E, N_c and the link g are shared; the reference horizon carries the constraint that
makes I the compute on its frontier. The paper finds that the horizon changes "mostly the
coefficient, not the exponent" (Hilton, Tang and Schulman 2023). Three models are compared by AICc
on independent values (`power.model_choice`):

- `shared`: the law above, only E_c depends on the horizon;
- `exponents`: the exponents are shared; N_c, E_c and the link differ between horizons;
- `free`: all numbers and the link differ between horizons.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import pandas as pd

from analysis.laws.law import Quantity
from analysis.laws.power.curves import FitError
from analysis.laws.power.level_estimate import (
    Compute,
    Constants,
    LevelEstimate,
    LevelLaw,
    constants,
    estimate_levels,
    quantity,
)
from analysis.laws.power.level_fit import LevelFit, LevelProblem, search
from analysis.laws.power.model_choice import SeedSpread, aicc, seed_spread

DECISIVE = 4.0
"""Difference of AICc from which one model is said to describe the runs better."""


@dataclass(frozen=True)
class SharedPowerLaw(LevelLaw):
    """One power law for several horizons.

    Attributes:
        group: settings held fixed.
        compute: what C is: `"NE"` or counted `"flops"`.
        estimate: level sets and data behind it; its first curves are of the reference horizon,
            whose frontier is I = C.
        constants: of the law at the reference horizon; e_c is the reference's.
        e_c: by horizon, increasing, with intervals.
        aicc: of the models `shared` (this law), `exponents` and `free`.
    """

    group: dict[str, Any]
    compute: Compute
    estimate: LevelEstimate
    constants: Constants
    e_c: dict[float, Quantity]
    aicc: dict[str, float]

    @classmethod
    def of(cls, shared: LevelEstimate, alone: Sequence[LevelEstimate], compute: Compute) -> Self:
        """The law of shared level sets, compared with a separate law for each horizon."""
        spread = seed_spread(shared.curves)
        free = {one.curves[0].horizon: one for one in alone}
        in_order = [free[curves.horizon] for curves in shared.curves]
        scores = {
            "shared": _score(spread, [(shared.problem, shared.fit)]),
            "exponents": _score(spread, [_own_links(shared)]),
            "free": _score(spread, [(one.problem, one.fit) for one in in_order]),
        }
        return cls._with_scores(shared, compute, scores)

    @classmethod
    def _with_scores(
        cls, shared: LevelEstimate, compute: Compute, scores: dict[str, float]
    ) -> Self:
        numbers = constants(shared, compute)
        reference = shared.curves[0]
        e_c = {reference.horizon: numbers.quantities["e_c"]}
        for place, curves in enumerate(shared.curves[1:], start=3):
            number = numbers.quantities["e_c"].value * float(np.exp(shared.fit.arguments[place]))
            left_out = numbers.left_out["e_c"] * np.exp(shared.without_seed[:, place])
            e_c[curves.horizon] = quantity("e_c", number, left_out)
        group = {name: reference.group[name] for name in reference.group if name not in _VARYING}
        return cls(group, compute, shared, numbers, dict(sorted(e_c.items())), scores)

    @property
    def reference_horizon(self) -> float:
        """The horizon whose frontier is I = C."""
        return self.estimate.curves[0].horizon

    @property
    def verdict(self) -> str:
        """The model that describes the runs best, or `"undecided"` where another is close."""
        (best, least), (_, second), *_ = sorted(self.aicc.items(), key=lambda item: item[1])
        return best if second - least >= DECISIVE else "undecided"

    def predict(self, rows: pd.DataFrame) -> np.ndarray:
        """Returns of rows with `parameters`, `interactions` and a `horizon` of the fit."""
        reference = self.e_c[self.reference_horizon].value
        ratio = rows["horizon"].map({h: reference / one.value for h, one in self.e_c.items()})
        interactions = rows["interactions"].to_numpy(float) * ratio.to_numpy(float)
        return self.estimate.returns(rows["parameters"].to_numpy(float), interactions)

    def without_seed(self, seed: int) -> Self:
        """The law of the level sets without the runs of one seed."""
        return self._with_scores(self.estimate.leaving_out(seed), self.compute, self.aicc)

    def details(self) -> dict[str, Any]:
        """What else the entry of `fits.json` holds."""
        fit = self.estimate.fit
        return {
            "joint": True,
            "compute": self.compute,
            "reference_horizon": self.reference_horizon,
            "e_c_by_horizon": [
                {"horizon": horizon, **self.numbers({"e_c": one})}
                for horizon, one in self.e_c.items()
            ],
            "aicc": self.aicc,
            "verdict": self.verdict,
            "starts": fit.starts,
            "starts_agreeing": fit.agreeing,
            "runs": self.estimate.runs,
        }


_VARYING = ("horizon", "discount", "learning_rate")


def estimate_jointly(
    alone: Sequence[LevelEstimate],
    reference_horizon: float | None,
    generator: np.random.Generator,
) -> LevelEstimate:
    """Shared level sets of horizons that were each fitted separately.

    Raises:
        FitError: there are fewer than two horizons, or the reference is not one of them.
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

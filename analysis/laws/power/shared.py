"""One power law for several horizons, in which only E_c differs.

    I^-beta = (N_c / N)^alpha_N + (E_c(h) / E)^alpha_E,   R = g(log I)

alpha_N, alpha_E, N_c and the link g are shared; the reference horizon carries the constraint that
makes I the compute on its frontier. The paper finds that the horizon changes "mostly the
coefficient, not the exponent" (Hilton, Tang and Schulman 2023); `power.comparison` tests it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import pandas as pd

from analysis.laws.law import Quantity
from analysis.laws.power.comparison import Comparison, compare_models
from analysis.laws.power.curves import FitError
from analysis.laws.power.delays import offset_column
from analysis.laws.power.level_estimate import (
    COMPUTES,
    Compute,
    Constants,
    LevelEstimate,
    LevelLaw,
    constants,
    estimate_levels,
    quantity,
)
from analysis.laws.power.level_fit import descend
from analysis.laws.power.misfit import OFFSET_DOUBT, REFUSED, Misfit, fit_test
from analysis.laws.power.model_choice import seed_spread


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
        e_c_growth: E_c at the longest horizon over that at the shortest.
        comparison: with the models of separate exponents.
        refusal: why its numbers are not determined, one word (`misfit.Misfit.reason`), or empty.
        rivals: arguments of the fits with the delays that are in doubt; intervals hold them too.
    """

    group: dict[str, Any]
    compute: Compute
    estimate: LevelEstimate
    constants: Constants
    e_c: dict[float, Quantity]
    e_c_growth: Quantity
    comparison: Comparison
    refusal: str = ""
    rivals: tuple[np.ndarray, ...] = ()

    @classmethod
    def of(
        cls,
        shared: LevelEstimate,
        comparison: Comparison,
        compute: Compute,
        refusal: str = "",
        rivals: tuple[np.ndarray, ...] = (),
    ) -> Self:
        """The law of shared level sets, compared with a separate law for each horizon."""
        numbers = constants(shared, compute, rivals)
        reference = shared.curves[0]
        e_c = {reference.horizon: numbers.quantities["e_c"]}
        beside = np.array(rivals).reshape(len(rivals), len(shared.fit.arguments))
        at = [_shifts(one) for one in (shared.fit.arguments, shared.without_seed, beside)]
        best, left_out, doubts = at
        for place, curves in enumerate(shared.curves[1:], start=1):
            e_c[curves.horizon] = quantity(
                "e_c",
                numbers.quantities["e_c"].value * float(np.exp(best[place])),
                numbers.left_out["e_c"] * np.exp(left_out[place]),
                numbers.rivals["e_c"] * np.exp(doubts[place]),
            )
        group = {name: reference.group[name] for name in reference.group if name not in _VARYING}
        horizons = [one.horizon for one in shared.curves]
        first, last = int(np.argmin(horizons)), int(np.argmax(horizons))
        grown = [np.exp(one[last] - one[first]) for one in at]
        growth = quantity("e_c_growth", float(grown[0]), grown[1], grown[2])
        e_c = dict(sorted(e_c.items()))
        return cls(group, compute, shared, numbers, e_c, growth, comparison, refusal, rivals)

    @property
    def quantities(self) -> dict[str, Quantity]:
        """The constants and the growth of E_c, with their 95% intervals."""
        return {**self.constants.quantities, "e_c_growth": self.e_c_growth}

    @property
    def reference_horizon(self) -> float:
        """The horizon whose frontier is I = C."""
        return self.estimate.curves[0].horizon

    def predict(self, rows: pd.DataFrame) -> np.ndarray:
        """Returns of rows with `parameters`, `interactions` and a `horizon` of the fit."""
        reference = self.e_c[self.reference_horizon].value
        ratio = rows["horizon"].map({h: reference / one.value for h, one in self.e_c.items()})
        interactions = rows["interactions"].to_numpy(float) * ratio.to_numpy(float)
        return self.estimate.returns(rows["parameters"].to_numpy(float), interactions)

    def without_seed(self, seed: int) -> Self:
        """The law of the level sets without the runs of one seed."""
        estimate = self.estimate.leaving_out(seed)
        return self.of(estimate, self.comparison, self.compute, self.refusal, self.rivals)

    def details(self) -> dict[str, Any]:
        """What else the entry of `fits.json` holds."""
        fit, test = self.estimate.fit, self.comparison.test
        return {
            "joint": True,
            "compute": self.compute,
            "reference_horizon": self.reference_horizon,
            "e_c_by_horizon": [
                {"horizon": horizon, **self.numbers({"e_c": one})}
                for horizon, one in self.e_c.items()
            ],
            "aicc": self.comparison.aicc,
            "verdict": self.comparison.verdict,
            **({"exponent_test": test.to_json()} if test else {}),
            "loss": fit.loss,
            "refused": self.refusal,
            "starts": fit.starts,
            "starts_agreeing": fit.agreeing,
            "runs": self.estimate.runs,
        }


def _shifts(arguments: np.ndarray) -> np.ndarray:
    """Log E_c of each horizon less the reference's, in one fit or several, [horizon, ...].

    Args:
        arguments: of level sets, shape [argument] or [fit, argument].
    """
    shifts = np.moveaxis(arguments[..., 3:], -1, 0)
    return np.concatenate([np.zeros((1, *arguments.shape[:-1])), shifts])


def fit_shared(
    alone: Sequence[LevelEstimate], misfits: Sequence[Misfit], generator: np.random.Generator
) -> list[SharedPowerLaw]:
    """The shared law for each kind of compute, compared with separate ones.

    The exponents are tested only where at least two horizons determine their own.

    Raises:
        FitError: there are fewer than two horizons, or the returns do not identify the law.
    """
    together = estimate_jointly(alone, None, generator)
    known = sum(_determines_exponents(one) for one in alone)
    delays = _doubtful_delays(together, misfits)
    comparison = compare_models(together, alone, generator if known > 1 else None, delays)
    others = [replace(together.problem, delay=column) for column in delays]
    start = np.append(together.fit.arguments, 0.0)
    rivals = tuple(descend(one, start)[0][:-1] for one in others)
    refusal = _refusal(together, misfits)
    return [SharedPowerLaw.of(together, comparison, one, refusal, rivals) for one in COMPUTES]


def _doubtful_delays(shared: LevelEstimate, misfits: Sequence[Misfit]) -> list[np.ndarray]:
    """Columns of the delays that the residuals of the horizons' own laws cast doubt on."""
    parameters = np.concatenate([one.parameters for one in shared.curves])
    joint, offset = misfits[0].joint, misfits[0].offset
    columns = [(parameters == size) * 1.0 for size in joint.doubtful]
    if offset.p < OFFSET_DOUBT:
        columns.append(np.concatenate([offset_column(one) for one in shared.curves]))
    return columns


def _determines_exponents(estimate: LevelEstimate) -> bool:
    """Whether the intervals of a horizon's own exponents determine them."""
    numbers = constants(estimate, "NE").quantities
    return numbers["alpha_n"].is_determined and numbers["alpha_e"].is_determined


def _refusal(shared: LevelEstimate, misfits: Sequence[Misfit]) -> str:
    """Why the shared numbers are not determined: what the horizons say, and the shared loss."""
    for reason in ("plateau", "off_law", "unchecked"):
        if any(one.reason == reason for one in misfits):
            return reason
    parameters = np.concatenate([one.parameters for one in shared.curves])
    spread = seed_spread(shared.curves)
    linked = shared.problem.linked(shared.fit.arguments)
    p = fit_test([linked], parameters, spread.deviations)
    alone = min(one.p for one in misfits)
    return "misfit" if min(2 * p, alone) < REFUSED else ""


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

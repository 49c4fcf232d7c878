"""Whether the exponents of a power law change with the horizon.

Three models are compared by AICc on independent values (`power.model_choice`):

- `shared`: only E_c depends on the horizon;
- `exponents`: the exponents are shared; N_c, E_c and the link differ between horizons;
- `free`: all numbers and the link differ between horizons.

How much lower the AICc of `free` is by chance is not known from theory: points of a run are
correlated, and links absorb what they can. It is simulated (a parametric bootstrap): data sets are
drawn from the better of the two models whose exponents are shared, with the noise that the seeds
show, and both are fitted again; p is the rank of the observed difference among those drawn. A size
with a wrong rate, or an offset in E, also moves the exponents of horizons apart: where misfits cast
doubt on one (`power.misfit`), the difference must be as rare against shared exponents with this
delay, the same at all horizons (`p_delayed`). The same test on data in which one exponent changes
by `CHANGE` over the horizons says how probable it was to see such a change.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from analysis.laws.power.curves import LearningCurves
from analysis.laws.power.draws import HorizonLevels, draw_returns, shift_correlation
from analysis.laws.power.level_estimate import LevelEstimate
from analysis.laws.power.level_fit import ROUGH, LevelProblem, descend
from analysis.laws.power.model_choice import SeedSpread, aicc, seed_spread
from analysis.stats.threads import on_one_thread

DECISIVE = 4.0
"""Difference of AICc from which one of the models of shared exponents is said to be better."""

LEVEL = 0.05
"""p value from which on exponents are not said to change."""

DRAWS = 99
"""Data sets drawn from the model of shared exponents."""

POWER_DRAWS = 40
"""Data sets drawn for each exponent that changes."""

CHANGE = 0.1
"""Change of an exponent from the shortest to the longest horizon, linear in log h."""

LEAST_POWER = 0.8
"""Probability to see such a change from which on shared exponents can be the verdict."""

_LEAST_EXPONENT = 0.02


@dataclass(frozen=True)
class ExponentTest:
    """The test of shared exponents.

    Attributes:
        p: of the difference in AICc where the exponents are shared.
        p_delayed: the largest p of the differences to shared exponents with a delay.
        draws: data sets drawn.
        power: probability to see a change of `CHANGE`, by exponent.
    """

    p: float
    p_delayed: float
    draws: int
    power: dict[str, float]

    def to_json(self) -> dict[str, Any]:
        """What the entry of `fits.json` holds."""
        power = {n: {"change": CHANGE, "probability": one} for n, one in self.power.items()}
        return {"p": self.p, "p_delayed": self.p_delayed, "draws": self.draws, "power": power}


@dataclass(frozen=True)
class Comparison:
    """The models of several horizons, compared.

    Attributes:
        aicc: of `shared`, `exponents` and `free`.
        test: of the shared exponents; None where the horizons alone do not determine them.
    """

    aicc: dict[str, float]
    test: ExponentTest | None = None

    @property
    def verdict(self) -> str:
        """`free` where the test refuses shared exponents, the best of the models, or undecided.

        A model of shared exponents is named only where a change of `CHANGE` in either would have
        been seen with probability `LEAST_POWER`; without a test nothing is decided.
        """
        if self.test is None:
            return "undecided"
        if self.test.p <= LEVEL:
            return "free" if self.test.p_delayed <= LEVEL else "undecided"
        best, second, *_ = sorted(self.aicc, key=lambda model: self.aicc[model])
        seen = min(self.test.power.values()) >= LEAST_POWER
        decided = seen and best != "free" and self.aicc[second] - self.aicc[best] >= DECISIVE
        return best if decided else "undecided"


@on_one_thread
def compare_models(
    shared: LevelEstimate,
    alone: Sequence[LevelEstimate],
    generator: np.random.Generator | None = None,
    delays: Sequence[np.ndarray] = (),
) -> Comparison:
    """Compare the models, with the test of shared exponents where a generator is given.

    Args:
        shared: the fit of all horizons.
        alone: the fit of each.
        generator: of the data sets that are drawn.
        delays: columns of the delays that are in doubt (`power.delays`), each of shape [point].
    """
    spread = seed_spread(shared.curves)
    free = {one.curves[0].horizon: one for one in alone}
    in_order = [free[curves.horizon] for curves in shared.curves]
    own_links = replace(shared.problem, own_links=True)
    models = {
        "shared": (shared.problem, shared.fit.arguments),
        "exponents": (own_links, descend(own_links, shared.fit.arguments)[0]),
    }
    scores = {name: _score(spread, [model]) for name, model in models.items()}
    null = min(models, key=lambda name: scores[name])
    scores["free"] = _score(spread, [(one.problem, one.fit.arguments) for one in in_order])
    if generator is None or not np.isfinite(list(scores.values())).all():
        return Comparison(scores)
    bootstrap = _Bootstrap.of(*models[null], shared.curves, generator)
    problem, arguments = models[null]
    others = [replace(problem, delay=column) for column in delays]
    least = min(
        [scores[null]]
        + [_score(spread, [(one, descend(one, np.append(arguments, 0.0))[0])]) for one in others]
    )
    return Comparison(scores, bootstrap.test(scores[null] - scores["free"], least - scores["free"]))


@dataclass(frozen=True)
class _Bootstrap:
    """Data sets drawn from a model of shared exponents.

    Attributes:
        problem: of all horizons.
        arguments: of the fitted model.
        laws: the same for each horizon, whose log E are from its own E_c.
        curves: measured, of each horizon.
        correlation: of a seed's shifts between horizons.
        generator: of all noise.
    """

    problem: LevelProblem
    arguments: np.ndarray
    laws: list[HorizonLevels]
    curves: tuple[LearningCurves, ...]
    correlation: float
    generator: np.random.Generator

    @classmethod
    def of(
        cls,
        problem: LevelProblem,
        arguments: np.ndarray,
        curves: tuple[LearningCurves, ...],
        generator: np.random.Generator,
    ) -> "_Bootstrap":
        """From a fitted model."""
        shifts = np.concatenate([[0.0], arguments[3:]])
        laws = [
            HorizonLevels(problem.of_horizon(i, shift), arguments[:3], link)
            for i, (shift, link) in enumerate(zip(shifts, problem.links(arguments), strict=True))
        ]
        return cls(problem, arguments, laws, curves, shift_correlation(curves), generator)

    def test(self, observed: float, delayed: float) -> ExponentTest:
        """The ranks of differences in AICc, without and with a delay, and the power of the test."""
        null = np.array([self._difference(self.laws) for _ in range(DRAWS)])
        power = {}
        for place, name in enumerate(("alpha_n", "alpha_e")):
            changed = self._changed(place)
            drawn = np.array([self._difference(changed) for _ in range(POWER_DRAWS)])
            power[name] = float(np.mean([_rank(one, null) <= LEVEL for one in drawn]))
        return ExponentTest(_rank(observed, null), _rank(delayed, null), DRAWS, power)

    def _difference(self, laws: Sequence[HorizonLevels]) -> float:
        """AICc of shared less that of free exponents, of a data set drawn from laws."""
        drawn = draw_returns(laws, self.curves, self.correlation, self.generator)
        spread = seed_spread(drawn)
        problem = replace(self.problem, returns=np.concatenate([one.mean for one in drawn]))
        shared = (problem, descend(problem, self.arguments, ROUGH)[0])
        free = []
        for law, one in zip(self.laws, drawn, strict=True):
            part = replace(law.problem, returns=one.mean)
            free.append((part, descend(part, law.arguments, ROUGH)[0]))
        return _score(spread, [shared]) - _score(spread, free)

    def _changed(self, place: int) -> list[HorizonLevels]:
        """The laws with one exponent changed, about the middle of each horizon's points."""
        log_h = np.log([one.horizon for one in self.curves])
        way = (log_h - log_h.min()) / max(float(np.ptp(log_h)), 1e-300)
        changed = []
        for law, share in zip(self.laws, way - way.mean(), strict=True):
            arguments = law.arguments.copy()
            before = float(np.exp(arguments[place]))
            after = max(before + CHANGE * float(share), _LEAST_EXPONENT)
            arguments[place] = np.log(after)
            problem = law.problem
            if place == 0:
                arguments[2] *= before / after
            else:
                shift = float(problem.log_e.mean()) * (1 - before / after)
                problem = replace(problem, log_e=problem.log_e - shift)
            changed.append(HorizonLevels(problem, arguments, law.link))
        return changed


def _rank(observed: float, null: np.ndarray) -> float:
    """p value of a difference among those that were drawn."""
    return float((1 + np.sum(null >= observed)) / (1 + len(null)))


def _score(spread: SeedSpread, parts: Sequence[tuple[LevelProblem, np.ndarray]]) -> float:
    """AICc of a model whose parts explain consecutive points."""
    absorbed, loss, first = 0.0, 0.0, 0
    for problem, arguments in parts:
        last = first + len(problem.returns)
        linked = problem.linked(arguments)
        loss += float(linked.residuals @ linked.residuals)
        absorbed += float(np.sum((spread.deviations[:, first:last] @ linked.tangent()) ** 2))
        first = last
    return aicc(spread, loss, absorbed)

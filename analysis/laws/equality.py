"""Whether exponents are the same under several conditions: horizons, and algorithms without one.

Conditions share their seeds, so all spreads are measured by leaving out one seed of all conditions
at once. With theta_k the exponents of condition k (on a scale on which they are about normal),
W_k = (v_k C)^-1 their weights, and theta the mean with these weights,

    Q = sum_k (theta_k - theta)' W_k (theta_k - theta) = theta' A theta    (Cochran 1954)

has mean tr(A S) where all theta_k are equal, S being the covariance over seeds of all exponents of
all conditions. Q / tr(A S) is compared with Fisher's F of `tr(A S)^2 / tr (A S)^2`, at most the
rank of A, and as many times (seeds - 1) degrees of freedom (Satterthwaite 1946; the square is
measured without bias). Weights need not be the inverse of S, they decide which changes are seen
best: C is the mean over conditions of the exponents' own covariance over v_k, and v_k, a variance
that the curves' noise gives, does not come from the seeds. That C is estimated, from
e = conditions (seeds - 1) values, makes Q larger, as in Hotelling's test: Q and the degrees of
freedom of its mean are multiplied by `1 - d (d - 1) / e` with d exponents.

With normal estimates, which conditions share in part, it refuses 4% to 6% of what is equal with 4
and with 8 seeds, 2 to 11 conditions and two exponents; of 200 simulated sweeps of 4 horizons and 5
sizes that follow one power law, 9 with 4 seeds and 8 with 8. Changes of the size that it should
find in 80% it found in 68% to 75% of these sweeps.

- `smallest_change`: of this test, the change that it finds with probability `POWER`;
- `within`: the farthest end of all 95% intervals of the differences from the first condition. It is
  an upper limit of the largest true difference: it is below it in at most 2.5% of sweeps, since
  then the interval of that condition lies beyond the truth.

A verdict is `equal` where the test does not refuse and `within` is at most `MARGIN`, `differ`
where it refuses; and only where the same test without each part of the data does not reverse it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np
from scipy.optimize import brentq
from scipy.special import ncfdtr

from analysis.laws.law import plain
from analysis.laws.power.model_choice import trace_of_square
from analysis.stats.distributions import f_quantile, f_tail
from analysis.stats.intervals import LEVEL, Interval, t_factor

REFUSED = 1 - LEVEL
"""p value up to which exponents are said to differ."""

POWER = 0.8
"""Probability with which a test finds its smallest change."""

MARGIN = 0.1
"""Largest difference of exponents, at 95%, with which they can be called equal."""

Verdict = Literal["equal", "differ", "undecided"]


@dataclass(frozen=True)
class Condition:
    """Exponents measured under one condition.

    Attributes:
        algorithm: of its runs.
        horizon: of its runs; None for an algorithm without one.
        values: exponents on the scale of the test, shape [exponent].
        left_out: the same without each seed, by seed.
        variance: of the exponents against those of other conditions, not from the seeds' spread.
    """

    algorithm: str
    horizon: float | None
    values: np.ndarray
    left_out: Mapping[int, np.ndarray]
    variance: float = 1.0

    @property
    def name(self) -> str:
        """For readers: `h = 8`, or the algorithm."""
        return self.algorithm if self.horizon is None else f"h = {self.horizon:g}"

    def moves(
        self, seeds: Sequence[int], natural: Callable[[np.ndarray], np.ndarray] = np.asarray
    ) -> np.ndarray:
        """What leaving out each seed changes, as parts of a standard error, [seed, exponent].

        The squares of a column sum to that of `intervals.jackknife_error`; 0 for others' seeds.

        Args:
            seeds: which.
            natural: to another scale than that of the test.
        """
        count = len(self.left_out)
        found = np.array([self.left_out.get(seed, self.values) for seed in seeds])
        return np.sqrt((count - 1) / count) * (natural(found) - natural(self.values))


@dataclass(frozen=True)
class EqualityTest:
    """The test that all conditions have the same exponents.

    Attributes:
        statistic: Q over its mean where they do.
        numerator: degrees of freedom of Q.
        denominator: of its mean.
        quadratic: A over the mean of Q, shape [condition exponent, condition exponent].
    """

    statistic: float
    numerator: float
    denominator: float
    quadratic: np.ndarray

    @classmethod
    def of(cls, conditions: Sequence[Condition]) -> "EqualityTest | None":
        """The test of two conditions or more; None where too few seeds repeat them."""
        seeds = sorted({seed for one in conditions for seed in one.left_out})
        exponents = len(conditions[0].values)
        freedom = min(len(one.left_out) for one in conditions) - 1
        values = len(conditions) * freedom
        if len(conditions) < 2 or values <= exponents * (exponents - 1):
            return None
        known = 1 - exponents * (exponents - 1) / values
        moves = np.array([one.moves(seeds) for one in conditions])  # [condition, seed, exponent]
        form = _heterogeneity(moves, np.array([one.variance for one in conditions]))
        theta = np.concatenate([one.values for one in conditions])
        moves = np.concatenate(moves, axis=1)
        gram = moves @ form @ moves.T
        mean = float(np.trace(gram))
        if mean <= 0:
            return None
        # Without the rank the test refuses 8% of equal exponents with 4 seeds: the square is noisy.
        numerator = min(mean**2 / trace_of_square(gram), len(theta) - exponents)
        quadratic = form * known / mean
        return cls(theta @ quadratic @ theta, numerator, freedom * numerator * known, quadratic)

    @property
    def p(self) -> float:
        """Probability of a statistic as large where all exponents are equal."""
        return f_tail(self.statistic, self.numerator, self.denominator)

    def smallest_change(self, pattern: np.ndarray) -> float:
        """How many times a pattern of changes is found with probability `POWER`.

        Args:
            pattern: changes on the scale of the test, shape [condition, exponent].
        """
        limit = f_quantile(LEVEL, self.numerator, self.denominator)

        def missed(root: float) -> float:
            away = float(ncfdtr(self.numerator, self.denominator, root**2, limit))
            return away - (1 - POWER)

        upper = 1.0
        while missed(upper) > 0:
            upper *= 2
        square = float(pattern.ravel() @ self.quadratic @ pattern.ravel()) * self.numerator
        return float(brentq(missed, 0.0, upper)) / np.sqrt(square) if square > 0 else np.inf


def _heterogeneity(moves: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """A of the module's docstring, of shape [condition exponent, condition exponent].

    Args:
        moves: `Condition.moves`, shape [condition, seed, exponent].
        variance: shape [condition].
    """
    covariance = np.einsum("ksa,ksb,k->ab", moves, moves, 1 / variance) / len(variance)
    weights = 1 / variance
    between = np.diag(weights) - np.outer(weights, weights) / weights.sum()
    return np.kron(between, np.linalg.pinv(covariance, hermitian=True))


@dataclass(frozen=True)
class Exponents:
    """Names of what is reported, and how it follows from the scale of the test.

    Attributes:
        names: of the exponents as readers know them.
        natural: these from the scale of the test, [..., exponent of the test] to [..., name].
        patterns: the change on the scale of the test that changes each alone by 1, about a point:
            from shape [exponent of the test] to [name, exponent of the test].
        deciding: those whose differences decide whether exponents are equal.
    """

    names: tuple[str, ...]
    natural: Callable[[np.ndarray], np.ndarray]
    patterns: Callable[[np.ndarray], np.ndarray]
    deciding: tuple[str, ...]


@dataclass(frozen=True)
class Part:
    """The same test without a part of the data: which part, and its p value."""

    name: str
    p: float


@dataclass(frozen=True)
class Equality:
    """Exponents of some conditions against those of the first.

    Attributes:
        group: settings that all conditions share.
        among: what the conditions differ in: `horizons`, `references` (algorithms without horizon,
            against the shortest horizon) or `all`.
        exponents: what is compared.
        conditions: the first is the one that the others are compared with.
        refused: names of conditions whose own law its residuals refuse.
        parts: the test without parts of the data.
        other: what another test of the same question says, which must agree; None without one.
        details: what else its entry holds.
    """

    group: Mapping[str, Any]
    among: Literal["horizons", "references", "all"]
    exponents: Exponents
    conditions: tuple[Condition, ...]
    refused: tuple[str, ...] = ()
    parts: tuple[Part, ...] = ()
    other: Verdict | None = None
    details: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def test(self) -> EqualityTest | None:
        """The test of equal exponents; None with too few seeds."""
        return EqualityTest.of(self.conditions)

    @cached_property
    def changes(self) -> list[dict[str, tuple[float, Interval | None]]]:
        """For each condition but the first, its exponents less those of the first, at 95%."""
        return [self._change(one) for one in self.conditions[1:]]

    def _change(self, other: Condition) -> dict[str, tuple[float, Interval | None]]:
        return change(self.exponents, [self.conditions[0]], [other])

    @property
    def within(self) -> dict[str, float]:
        """Upper limit of the largest difference of each exponent, infinite with one seed."""
        reach = dict.fromkeys(self.exponents.names, 0.0)
        for one in self.changes:
            for name, (_, ends) in one.items():
                low, high = ends or (-np.inf, np.inf)
                reach[name] = max(reach[name], abs(low), abs(high))
        return reach

    @property
    def smallest_change(self) -> dict[str, float]:
        """The change of each exponent alone that the test finds with probability `POWER`.

        Over horizons it is linear in log h and reached at the longest; references differ from the
        horizons by the change.
        """
        if self.test is None:
            return {}
        shares = self._shares()[:, None]
        patterns = self.exponents.patterns(self.conditions[0].values)
        found = [self.test.smallest_change(shares * pattern) for pattern in patterns]
        return dict(zip(self.exponents.names, found, strict=True))

    def _shares(self) -> np.ndarray:
        """The share of the change that each condition has, shape [condition]."""
        if self.among == "references":
            return np.array([0.0, *[1.0] * (len(self.conditions) - 1)])
        log_h = np.log([one.horizon or np.nan for one in self.conditions])
        return np.nan_to_num((log_h - np.nanmin(log_h)) / np.ptp(log_h[np.isfinite(log_h)]))

    @property
    def reversed_by(self) -> list[str]:
        """What says otherwise: parts without which the answer is another, and the other test.

        A difference must be refused without every part. Of several tests without a part one refuses
        by chance, so equality is not reversed above `REFUSED` over their number.
        """
        if self.test is None:
            return []
        if self.test.p <= REFUSED:
            found = [one.name for one in self.parts if one.p > REFUSED]
            agrees = self.other in (None, "differ")
        else:
            found = [one.name for one in self.parts if one.p <= REFUSED / len(self.parts)]
            agrees = self.other in (None, "equal")
        return found if agrees else [*found, OTHER_TEST]

    @property
    def reason(self) -> str:
        """Why nothing is decided, one word; empty where something is."""
        if self.test is None:
            return "seeds"
        if self.refused:
            return "refused"
        if self.reversed_by:
            return "reversed"
        wide = max(self.within[name] for name in self.exponents.deciding) > MARGIN
        return "wide" if self.test.p > REFUSED and wide else ""

    @property
    def verdict(self) -> Verdict:
        """What the runs decide."""
        if self.reason or self.test is None:
            return "undecided"
        return "differ" if self.test.p <= REFUSED else "equal"

    def to_json(self) -> dict[str, Any]:
        """Its entry in `fits.json`; what is not bounded is null."""
        test = self.test
        tested = (
            {}
            if test is None
            else {
                "p": test.p,
                "statistic": test.statistic,
                "degrees_of_freedom": [test.numerator, test.denominator],
                "smallest_change": self.smallest_change,
                "within": self.within,
                "without": [{"part": one.name, "p": one.p} for one in self.parts],
            }
        )
        found = {
            "group": self.group,
            "among": self.among,
            "deciding": self.exponents.deciding,
            **self.details,
            "conditions": self._rows(),
            **tested,
            "refused": list(self.refused),
            "reversed_by": self.reversed_by,
            "reason": self.reason,
            "verdict": self.verdict,
        }
        return dict(plain(found))

    def _rows(self) -> list[dict[str, Any]]:
        """The exponents of each condition, and their changes from the first."""
        rows = []
        for one, changed in zip(self.conditions, [None, *self.changes], strict=True):
            values = dict(
                zip(self.exponents.names, self.exponents.natural(one.values), strict=True)
            )
            row = {"name": one.name, "algorithm": one.algorithm, "horizon": one.horizon, **values}
            for name, (value, ends) in (changed or {}).items():
                row |= {f"{name}_change": value, f"{name}_change_ci": ends}
            rows.append(row)
        return rows


OTHER_TEST = "the comparison of models"
"""The name that `power.comparison` has among what reverses an answer."""


def change(
    exponents: Exponents, before: Sequence[Condition], after: Sequence[Condition]
) -> dict[str, tuple[float, Interval | None]]:
    """Exponents of conditions less those of as many others, averaged over them, with 95% intervals.

    Intervals leave out one seed at a time of both, Student's t of the fewer seeds less one.
    """
    both = (*before, *after)
    seeds = sorted({seed for one in both for seed in one.left_out})
    fewest = min(len(one.left_out) for one in both)
    signs = np.repeat([-1.0 / len(before), 1.0 / len(after)], [len(before), len(after)])
    values = signs @ np.array([exponents.natural(one.values) for one in both])
    moves = np.tensordot(signs, [one.moves(seeds, exponents.natural) for one in both], 1)
    found: dict[str, tuple[float, Interval | None]] = {}
    for place, name in enumerate(exponents.names):
        value, ends = float(values[place]), None
        if fewest > 1:
            half = t_factor(fewest) * float(np.sqrt(np.sum(moves[:, place] ** 2)))
            ends = value - half, value + half
        found[name] = value, ends
    return found

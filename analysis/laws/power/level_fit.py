"""Least squares for the level sets of the power law, from many starts.

Returns identify the level `x = -log(u + v)` up to a monotone map, with

    log u = alpha_N (nu - n),   log v = alpha_E (s_h - e),

where n and e are log N and log E from their centres, nu is the log size at which u = v at the
centre of e, and s_h the shift of log E_c at horizon h from that of the reference (0 there). The
arguments are (log alpha_N, log alpha_E, nu, s_1, s_2, ...). A problem with a delay (`power.delays`)
has one more, the last, times which each point's `delay` adds to its s_h. The objective is summed,
not averaged: with a mean over hundreds of points the default tolerances stop the search far from
the optimum.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from analysis.laws.power.curves import FitError, LearningCurves
from analysis.stats.monotone_link import LinkedFit, MonotoneLink, fit_link
from analysis.stats.threads import on_one_thread

STARTS = 64
"""Points of a scrambled Sobol sequence (a power of 2) that are tried as starts of a search."""

SEARCHES = 10
"""Of these, the points of least loss from which searches are made."""

ROUGH = 1e-7
"""Tolerance of a search of which only the loss is wanted."""

_EXPONENTS = (0.01, 20.0)
_START_EXPONENTS = (0.1, 2.0)
_BEYOND_SIZES = 15.0  # the crossover, in log N from the smallest and largest sizes
_LARGEST_SHIFT = 25.0  # of log E_c between horizons
_TOLERANCE = 1e-10
_STEPS = 200
_DAMPING = 1e-3
_LONGEST_STEP = 1.0  # of any argument: exponents change by at most a factor e


@dataclass(frozen=True)
class LevelProblem:
    """Averaged returns to be explained by levels; arrays of shape [point].

    Attributes:
        log_n: log N from `centre_n`.
        log_e: log E from `centre_e`.
        horizon: index of each point's horizon; 0 is the reference.
        returns: averaged over seeds.
        root_weight: inverse standard deviation of the averaged return.
        centre_n: log N of the centre.
        centre_e: log E of the centre.
        own_links: each horizon has a link of its own, else all share one.
        delay: log E that a unit of the last argument takes longer at each point; or None.
    """

    log_n: np.ndarray
    log_e: np.ndarray
    horizon: np.ndarray
    returns: np.ndarray
    root_weight: np.ndarray
    centre_n: float
    centre_e: float
    own_links: bool = False
    delay: np.ndarray | None = None

    @classmethod
    def of(
        cls, curves: Sequence[LearningCurves], centre: tuple[float, float] | None = None
    ) -> "LevelProblem":
        """The problem of one horizon, or of several of which the first is the reference.

        The centre in log N and log E is that of the points, unless it is given.
        """
        log_n = np.log(np.concatenate([one.parameters for one in curves]))
        log_e = np.log(np.concatenate([one.interactions for one in curves]))
        centre_n, centre_e = centre or (float(log_n.mean()), float(log_e.mean()))
        return cls(
            log_n=log_n - centre_n,
            log_e=log_e - centre_e,
            horizon=np.repeat(np.arange(len(curves)), [len(one.parameters) for one in curves]),
            returns=np.concatenate([one.mean for one in curves]),
            root_weight=np.sqrt(np.concatenate([one.weight for one in curves])),
            centre_n=centre_n,
            centre_e=centre_e,
        )

    @property
    def horizons(self) -> int:
        """Number of horizons."""
        return int(self.horizon.max()) + 1

    def levels(self, arguments: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Levels, shape [point], and their derivatives, shape [point, argument]."""
        alpha_n, alpha_e = np.exp(arguments[:2])
        shifts = np.concatenate([[0.0], arguments[3 : 2 + self.horizons]])
        size = alpha_n * (arguments[2] - self.log_n)
        late = shifts[self.horizon]
        if self.delay is not None:
            late = late + arguments[-1] * self.delay
        experience = alpha_e * (late - self.log_e)
        level = -np.logaddexp(size, experience)
        share_n, share_e = np.exp(size + level), np.exp(experience + level)
        derivatives = np.empty((len(level), len(arguments)))
        derivatives[:, 0] = -share_n * size
        derivatives[:, 1] = -share_e * experience
        derivatives[:, 2] = -share_n * alpha_n
        for i in range(1, self.horizons):
            derivatives[:, 2 + i] = np.where(self.horizon == i, -share_e * alpha_e, 0.0)
        if self.delay is not None:
            derivatives[:, -1] = -share_e * alpha_e * self.delay
        return level, derivatives

    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """Lowest and highest arguments that a search may try, each of shape [argument]."""
        low, high = np.log(_EXPONENTS)
        shifts = np.full(self.horizons - (self.delay is None), _LARGEST_SHIFT)
        lower = [low, low, self.log_n.min() - _BEYOND_SIZES, *-shifts]
        upper = [high, high, self.log_n.max() + _BEYOND_SIZES, *shifts]
        return np.array(lower), np.array(upper)

    def linked(self, arguments: np.ndarray) -> LinkedFit:
        """The best monotone link at these arguments, its residuals and their Jacobian.

        Where each horizon has its own, the link given is the reference's.
        """
        parts = self._parts(arguments)
        return LinkedFit(
            link=parts[0].link,
            residuals=np.concatenate([part.residuals for part in parts]),
            jacobian=np.concatenate([part.jacobian for part in parts]),
            bases=tuple(basis for part in parts for basis in part.bases),
        )

    def links(self, arguments: np.ndarray) -> list[MonotoneLink]:
        """The link of each horizon at these arguments."""
        links = [part.link for part in self._parts(arguments)]
        return links if self.own_links else links * self.horizons

    def of_horizon(self, index: int, shift: float) -> "LevelProblem":
        """The points of one horizon alone, their log E less a shift."""
        here = self.horizon == index
        return replace(
            self.where(here),
            log_e=self.log_e[here] - shift,
            horizon=np.zeros(int(here.sum()), dtype=int),
            own_links=False,
        )

    def where(self, kept: np.ndarray) -> "LevelProblem":
        """Some of the points, from the same centres."""
        names = ("log_n", "log_e", "horizon", "returns", "root_weight")
        delay = None if self.delay is None else self.delay[kept]
        return replace(self, delay=delay, **{name: getattr(self, name)[kept] for name in names})

    def _parts(self, arguments: np.ndarray) -> list[LinkedFit]:
        """The best link of each block of points that share one."""
        level, derivatives = self.levels(arguments)
        blocks: list[slice | np.ndarray] = [slice(None)]
        if self.own_links:
            blocks = [np.flatnonzero(self.horizon == i) for i in range(self.horizons)]
        return [
            fit_link(level[at], derivatives[at], self.returns[at], self.root_weight[at])
            for at in blocks
        ]


@dataclass(frozen=True)
class LevelFit:
    """The best of several searches.

    Attributes:
        arguments: as in the module's docstring.
        loss: weighted sum of squares.
        link: the monotone link from level to return.
        starts: searches made.
        agreeing: searches that ended within 1e-4 of the best loss (relative).
    """

    arguments: np.ndarray
    loss: float
    link: MonotoneLink
    starts: int
    agreeing: int


class Objective(Protocol):
    """What a search needs of a problem."""

    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """Lowest and highest arguments, each of shape [argument]."""
        ...

    def linked(self, arguments: np.ndarray) -> LinkedFit:
        """The best link at these arguments, its residuals and their Jacobian."""
        ...


@dataclass(frozen=True)
class PinnedProblem:
    """A problem with one of its arguments held fixed, for profile likelihoods."""

    problem: LevelProblem
    index: int
    value: float

    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """Bounds of the free arguments."""
        lower, upper = self.problem.bounds()
        return np.delete(lower, self.index), np.delete(upper, self.index)

    def linked(self, arguments: np.ndarray) -> LinkedFit:
        """The best link at these free arguments."""
        linked = self.problem.linked(np.insert(arguments, self.index, self.value))
        return replace(linked, jacobian=np.delete(linked.jacobian, self.index, axis=1))


def pinned_loss(problem: LevelProblem, fit: LevelFit, index: int, value: float) -> float:
    """Least weighted sum of squares with an argument fixed at a value.

    Searched from where the others would be if levels were linear in the arguments.
    """
    jacobian = problem.linked(fit.arguments).jacobian
    others = np.delete(jacobian, index, axis=1)
    slopes = -np.linalg.lstsq(others, jacobian[:, index], rcond=1e-6)[0]
    moves = np.clip(slopes * (value - fit.arguments[index]), -1.0, 1.0)
    start = np.delete(fit.arguments, index) + moves
    return descend(PinnedProblem(problem, index, value), start, ROUGH)[1]


def search(problem: LevelProblem, starts: np.ndarray) -> LevelFit:
    """Minimise the summed squares from each start, keep the best.

    Args:
        problem: the data.
        starts: shape [start, argument].
    """
    ends = [descend(problem, start) for start in starts]
    losses = np.array([loss for _, loss in ends])
    arguments, loss = ends[int(np.argmin(losses))]
    return LevelFit(
        arguments=arguments,
        loss=loss,
        link=problem.linked(arguments).link,
        starts=len(starts),
        agreeing=int(np.sum(losses <= loss * (1 + 1e-4))),
    )


def require_identified(problem: LevelProblem, fit: LevelFit) -> None:
    """Check that a fit is not at a bound.

    Raises:
        FitError: the best arguments lie at a bound: the returns do not determine them.
    """
    lower, upper = problem.bounds()
    at_bound = np.minimum(fit.arguments - lower, upper - fit.arguments) < 1e-3
    if at_bound.any():
        name = ("alpha_N", "alpha_E", "N_c", "E_c")[min(int(np.argmax(at_bound)), 3)]
        raise FitError(
            f"the returns do not determine {name} (the best fit puts it at a bound): the law"
            " needs a wider range of sizes or of interactions"
        )


@on_one_thread
def sobol_starts(problem: LevelProblem, generator: np.random.Generator) -> np.ndarray:
    """The best of points with exponents from 0.1 to 2 and crossovers over the sizes.

    Shifts of E_c start at the shift in log E at which the horizons' mean returns agree.

    Returns:
        The `SEARCHES` points of least loss, the best first, shape [SEARCHES, argument].
    """
    from scipy.stats import qmc  # not at the top: a slow import that other laws do not need

    points = qmc.Sobol(3, rng=generator).random(STARTS)
    low, high = np.log(_START_EXPONENTS)
    crossovers = problem.log_n.min() - 2, problem.log_n.max() + 2
    lower, upper = (low, low, crossovers[0]), (high, high, crossovers[1])
    shifts = np.tile(_initial_shifts(problem), (STARTS, 1))
    starts = np.concatenate([qmc.scale(points, lower, upper), shifts], axis=1)
    losses = [np.sum(problem.linked(start).residuals ** 2) for start in starts]
    return starts[np.argsort(losses, kind="stable")[:SEARCHES]]


def _initial_shifts(problem: LevelProblem) -> np.ndarray:
    """Median over the reference's points of the shift of log E to the same size and return."""
    shifts = []
    reference = problem.horizon == 0
    for i in range(1, problem.horizons):
        other = problem.horizon == i
        differences = []
        for size in np.unique(problem.log_n[reference]):
            here, there = reference & (problem.log_n == size), other & (problem.log_n == size)
            if here.sum() < 2 or there.sum() < 2:
                continue
            rising = np.maximum.accumulate(problem.returns[there])
            rising = rising + 1e-9 * np.arange(len(rising))
            e = np.interp(
                problem.returns[here], rising, problem.log_e[there], left=np.nan, right=np.nan
            )
            differences.append(e - problem.log_e[here])
        values = np.concatenate(differences) if differences else np.array([np.nan])
        shifts.append(np.nanmedian(values) if np.isfinite(values).any() else 0.0)
    return np.array(shifts)


@on_one_thread
def descend(
    problem: Objective, start: np.ndarray, tolerance: float = _TOLERANCE
) -> tuple[np.ndarray, float]:
    """The end of one search and its loss: Levenberg and Marquardt's method within the bounds.

    Args:
        problem: what to minimise.
        start: arguments, shape [argument].
        tolerance: relative decrease of the loss in a step at which the search ends.
    """
    lower, upper = problem.bounds()
    at = np.clip(start, lower, upper)
    linked = problem.linked(at)
    loss = float(linked.residuals @ linked.residuals)
    damping, growth = _DAMPING, 2.0
    for _ in range(_STEPS):
        step, expected = _step(linked, damping, at <= lower, at >= upper)
        end = np.clip(at + step, lower, upper)
        there = problem.linked(end)
        reached = float(there.residuals @ there.residuals)
        if reached < loss:
            gained = loss - reached
            at, linked, loss = end, there, reached
            if gained <= tolerance * loss:
                break
            damping *= max(1 / 3, 1 - (2 * gained / max(expected, 1e-300) - 1) ** 3)
            growth = 2.0
        else:
            if expected <= tolerance * loss or np.abs(end - at).max() <= tolerance:
                break
            damping, growth = damping * growth, 2 * growth
    return at, loss


def _step(
    linked: LinkedFit, damping: float, at_lower: np.ndarray, at_upper: np.ndarray
) -> tuple[np.ndarray, float]:
    """A damped step that stays at bounds which the loss pushes against, and its expected gain."""
    gradient = linked.jacobian.T @ linked.residuals
    normal = linked.jacobian.T @ linked.jacobian
    free = np.flatnonzero(~((at_lower & (gradient > 0)) | (at_upper & (gradient < 0))))
    scale = np.diag(normal)[free]
    largest = float(scale.max(initial=0.0))
    step = np.zeros(len(gradient))
    if largest <= 0:
        return step, 0.0
    damped = damping * np.maximum(scale, 1e-8 * largest) + 1e-12 * largest
    step[free] = -np.linalg.solve(normal[np.ix_(free, free)] + np.diag(damped), gradient[free])
    step *= min(1.0, _LONGEST_STEP / max(float(np.abs(step).max()), 1e-300))
    return step, -float(step @ (2 * gradient + normal @ step))

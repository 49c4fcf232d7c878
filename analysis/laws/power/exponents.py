"""Exponents of fitted level sets as `laws.equality` compares them, whole and without parts of data.

The scale of the test is (log alpha_N, log alpha_E), on which estimates are about normal. Their
variance against that of other conditions is the trace of the inverse of J'J, J the derivatives of
the weighted residuals less what the law's place takes up.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from analysis.laws.equality import Condition, Exponents
from analysis.laws.power.level_estimate import LevelEstimate
from analysis.laws.power.level_fit import ROUGH, LevelProblem, descend
from analysis.laws.power.misfit import CHECKED_SIZES
from mnist_horizon.algorithms import REFERENCES

EARLY_POINTS = 1 / 3
"""Share of the points of each size, its first, that are left out to see whether they decide."""

_NAMES = ("alpha_n", "alpha_e", "optimal_size_exponent")


def natural(values: np.ndarray) -> np.ndarray:
    """The three exponents from the logarithms of alpha_N and alpha_E; [..., 2] to [..., 3]."""
    alpha_n, alpha_e = np.moveaxis(np.exp(values), -1, 0)
    return np.stack([alpha_n, alpha_e, alpha_e / (alpha_n + alpha_e)], axis=-1)


def patterns(at: np.ndarray) -> np.ndarray:
    """The change of the logarithms, shape [3, 2], that changes each exponent by 1.

    alpha_N and alpha_E change alone; the exponent of the best size by the same share of each.

    Args:
        at: logarithms about which, shape [2].
    """
    alpha_n, alpha_e, best = natural(at)
    of_best = 0.5 / (best * (1 - best))
    return np.array([[1 / alpha_n, 0.0], [0.0, 1 / alpha_e], [-of_best, of_best]])


EXPONENTS = Exponents(_NAMES, natural, patterns, deciding=("alpha_n", "alpha_e"))


def condition(estimate: LevelEstimate) -> Condition:
    """The exponents of one horizon's level sets, or of an algorithm without horizon."""
    left_out = dict(zip(estimate.seeds, estimate.without_seed[:, :2], strict=True))
    return _condition(estimate, estimate.problem, estimate.fit.arguments, left_out)


def parts_left_out(
    estimates: Sequence[LevelEstimate],
) -> Iterator[tuple[str, list[Condition]]]:
    """The exponents of all conditions without each size, and without the first points of each size.

    A size is left out of all conditions where each keeps three others.

    Yields:
        The part in words, and the conditions in order.
    """
    sizes = sorted({float(size) for one in estimates for size in one.curves[0].sizes})
    enough = all(len(one.curves[0].sizes) >= CHECKED_SIZES for one in estimates)
    for size in sizes if enough else []:
        kept = [one.curves[0].parameters != size for one in estimates]
        yield f"size N = {size:,.0f}", _refitted(estimates, kept)
    yield "first third of each curve", _refitted(estimates, [_late(one) for one in estimates])


def _late(estimate: LevelEstimate) -> np.ndarray:
    """Which points are not among the first of their size, shape [point]."""
    curves = estimate.curves[0]
    late = np.ones(len(curves.parameters), dtype=bool)
    for size in curves.sizes:
        places = np.flatnonzero(curves.parameters == size)
        order = places[np.argsort(curves.interactions[places], kind="stable")]
        late[order[: int(len(order) * EARLY_POINTS)]] = False
    return late


def _refitted(estimates: Sequence[LevelEstimate], kept: Sequence[np.ndarray]) -> list[Condition]:
    return [_refit(one, keep) for one, keep in zip(estimates, kept, strict=True)]


def _refit(estimate: LevelEstimate, kept: np.ndarray) -> Condition:
    """The exponents fitted to some of the points, and these without each seed."""
    problem = estimate.problem.where(kept)
    arguments, _ = descend(problem, estimate.fit.arguments, ROUGH)
    left_out = {}
    for seed in estimate.seeds:
        part = _without_seed(estimate, kept, seed)
        left_out[seed] = descend(part, arguments, ROUGH)[0][:2]
    return _condition(estimate, problem, arguments, left_out)


def _without_seed(estimate: LevelEstimate, kept: np.ndarray, seed: int) -> LevelProblem:
    """Some of the points, averaged over all seeds but one."""
    whole = estimate.curves[0]
    curves = replace(
        whole,
        parameters=whole.parameters[kept],
        interactions=whole.interactions[kept],
        returns=whole.returns[:, kept],
        variance=whole.variance[kept],
    ).without_seed(seed)
    centre = estimate.problem.centre_n, estimate.problem.centre_e
    return LevelProblem.of([curves], centre=centre)


def _condition(
    estimate: LevelEstimate,
    problem: LevelProblem,
    arguments: np.ndarray,
    left_out: dict[int, np.ndarray],
) -> Condition:
    algorithm = str(estimate.curves[0].group.get("algorithm", ""))
    jacobian = problem.linked(arguments).jacobian
    place = jacobian[:, 2:]
    taken = place @ (np.linalg.pinv(place) @ jacobian[:, :2])
    own = jacobian[:, :2] - taken
    return Condition(
        algorithm=algorithm,
        horizon=None if algorithm in REFERENCES else estimate.curves[0].horizon,
        values=arguments[:2],
        left_out=left_out,
        variance=float(np.trace(np.linalg.pinv(own.T @ own, hermitian=True))),
    )

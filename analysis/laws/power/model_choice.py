"""AICc of models of learning curves, whose points are not independent.

Points along one run are correlated: a seed that is ahead stays ahead. Counted as independent, they
make the criterion choose larger models, which fit the differences between seeds. Here both counts
are measured from the spread over seeds, without a model of it:

- the independent values of a run, `(tr S)^2 / tr S^2`, S the covariance of its standardised
  returns at all points and horizons (runs of a seed share observations across horizons): n is
  their sum over runs, which are the units;
- the values that a model absorbs, `p = n tr(H S) / tr S`, H the projection on what the model can
  fit: the number of parameters of a model of independent values, less where several parameters
  have the same effect.

    AICc = n log(RSS / n) + 2 p + 2 p (p + 1) / (n - p - 1)

with RSS the standardised squares of single runs about the model. (Takeuchi's criterion, with the
correction for few values of Hurvich and Tsai 1989.)
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.laws.power.curves import LearningCurves


@dataclass(frozen=True)
class SeedSpread:
    """The spread over seeds, and how many independent values it shows.

    Attributes:
        deviations: of each seed's standardised return from the mean over seeds, over the square
            root of one less than the seeds at the point: their outer products sum to the
            covariance S. 0 where a seed is missing; shape [seed, point].
        squares: sum over runs and points of squared standardised deviations.
        variance: trace of S, summed over runs: the squares expected with no mean taken out.
        values: independent values of all runs, n.
    """

    deviations: np.ndarray
    squares: float
    variance: float
    values: float


def seed_spread(curves: Sequence[LearningCurves]) -> SeedSpread:
    """Measure the spread over seeds of the points of several horizons, in the order given."""
    seeds = sorted({seed for one in curves for seed in one.seeds})
    deviations = np.zeros((len(seeds), sum(len(one.parameters) for one in curves)))
    first = 0
    for one in curves:
        block = slice(first, first + len(one.parameters))
        rows = [seeds.index(seed) for seed in one.seeds]
        scale = np.sqrt(one.variance * np.maximum(one.seeds_at - 1, 1))
        deviations[rows, block] = np.nan_to_num((one.returns - one.mean) / scale)
        first = block.stop
    parameters = np.concatenate([one.parameters for one in curves])
    counts = np.concatenate([one.seeds_at for one in curves])
    each = np.sum(deviations**2, axis=0)
    values = sum(
        _independent_values(deviations[:, parameters == size]) for size in np.unique(parameters)
    )
    return SeedSpread(
        deviations=deviations,
        squares=float(np.sum(each * (counts - 1))),
        variance=float(np.sum(each * counts)),
        values=float(values),
    )


def aicc(spread: SeedSpread, loss: float, absorbed: float) -> float:
    """AICc of a model (infinite where it absorbs all values but one).

    Args:
        spread: of the data.
        loss: weighted sum of squares of the averaged returns about the model.
        absorbed: `tr(H S)` of the model.
    """
    n = spread.values
    p = n * absorbed / spread.variance
    if n - p - 1 <= 0:
        return float("inf")
    return float(n * np.log((spread.squares + loss) / n) + 2 * p + 2 * p * (p + 1) / (n - p - 1))


def _independent_values(deviations: np.ndarray) -> float:
    """Seeds times `(tr S)^2 / tr S^2`, both unbiased for normal deviations; shape [seed, point].

    With nu = seeds - 1 and W the sample covariance, E tr W^2 = (1 + 1/nu) tr S^2 + (tr S)^2 / nu
    and E (tr W)^2 = (tr S)^2 + 2/nu tr S^2. With two seeds these cannot be separated: a run then
    counts as one value.
    """
    present = deviations[np.any(deviations != 0, axis=1)]
    nu = len(present) - 1
    if nu < 2:
        return float(len(present))
    gram = present @ present.T
    square_of_trace = np.trace(gram) ** 2
    of_square = max(trace_of_square(gram), square_of_trace / deviations.shape[1])
    squared = square_of_trace - 2 * of_square / nu
    return len(present) * float(np.clip(squared / of_square, 1, deviations.shape[1]))


def trace_of_square(gram: np.ndarray) -> float:
    """tr S^2 from the products of the seeds' deviations, unbiased for normal ones.

    With two seeds it is not determined: `(tr S)^2`, as if a run were one value.

    Args:
        gram: of the deviations over the root of one less than the seeds, shape [seed, seed].
    """
    nu = int(np.count_nonzero(np.diag(gram))) - 1
    square_of_trace = float(np.trace(gram) ** 2)
    if nu < 2:
        return square_of_trace
    of_square = nu**2 * (float(np.sum(gram**2)) - square_of_trace / nu) / (nu**2 + nu - 2)
    return float(np.clip(of_square, 1e-6 * square_of_trace, square_of_trace))

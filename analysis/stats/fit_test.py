"""A test of fit: a mean function against one free mean per cell, for few seeds.

With D twice the gain in log likelihood, the statistic is that of an analysis of variance,

    F = (exp(D / n) - 1) (residual degrees of freedom) / (cells - parameters)

where n counts the runs less one per block: a block's common effect is no residual. With normal
values, equal spreads and none censored it has exactly an F distribution; the chi-squared limit of D
refuses true laws several times too often with four seeds.
"""

from dataclasses import dataclass

import numpy as np

from analysis.stats.censored import Fit, Values, fit
from analysis.stats.distributions import f_tail

REFUSED = 0.01
"""A law is refused where a true law would fit as badly in fewer draws than this share."""


@dataclass(frozen=True)
class CellMeans:
    """One mean of log E for each cell.

    Attributes:
        cell: number of each run's cell, shape [run].
        cells: how many cells there are.
    """

    cell: np.ndarray
    cells: int

    @property
    def bounds(self) -> list[tuple[float, float]]:
        """Bounds of the means."""
        return [(-30.0, 70.0)] * self.cells

    def __call__(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean of log E, shape [run], and derivatives, shape [run, cell]."""
        return theta[self.cell], np.eye(self.cells)[self.cell]

    def take(self, keep: np.ndarray) -> "CellMeans":
        """The means at the runs where `keep`, shape [run], is true."""
        return CellMeans(self.cell[keep], self.cells)


@dataclass(frozen=True)
class Saturated:
    """One mean per cell, fitted to the same runs as the laws that are tested against it."""

    values: Values
    cells: int
    groups: int
    log_likelihood: float

    @classmethod
    def of(cls, values: Values, cell: np.ndarray, groups: int) -> "Saturated":
        """Fit one mean per cell.

        Args:
            values: log E of the runs.
            cell: number of each run's cell, shape [run].
            groups: levels that each seed has (widths): the blocks are groups times seeds.
        """
        cells = int(cell.max()) + 1
        counts = np.bincount(cell, minlength=cells)
        start = np.bincount(cell, values.log_e, cells) / counts
        found = fit(CellMeans(cell, cells), values, [start])
        return cls(values, cells, groups, found.log_likelihood)

    def p_value(self, law: Fit) -> float | None:
        """How often a true law would fit as badly as this one.

        None where no seed repeats another's cells, or the law has a parameter for every cell.
        """
        blocks = int(self.values.block.max()) + 1
        exact = int(self.values.exact.sum())
        free = self.cells - len(law.theta)
        residual = exact - (blocks - self.groups) - self.cells
        if blocks <= self.groups or free < 0 or residual < 1:
            return None
        gain = max(2 * (self.log_likelihood - law.log_likelihood), 0.0)
        # A law with as many parameters as cells can miss them too: at a bound, or against a U.
        ratio = np.expm1(min(gain / (exact - blocks), 500.0)) * residual / max(free, 1)
        return f_tail(ratio, max(free, 1), residual)

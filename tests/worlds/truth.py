"""What is true in a synthetic world, as far as a page speaks of it.

A number that does not exist in a world is NaN there: to state it is false. A number of which the
world has no single value (it depends on the size and the return) is None: it is not judged.
"""

import functools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Growth:
    """How interactions to a return grow with the horizon, the same at every return and width.

    Attributes:
        multiplier: E(h) / E(1) at horizons of shape [horizon].
        longest: the largest horizon of the runs.
        exponent: g of `1 + ((h - 1) / (knee - 1))^g`; NaN where no such law holds.
    """

    multiplier: Callable[[np.ndarray], np.ndarray]
    longest: float
    exponent: float = math.nan

    @functools.cached_property
    def measured(self) -> tuple[np.ndarray, np.ndarray]:
        """A fine grid of the measured horizons, and the multiplier there, both of shape [point]."""
        grid = np.geomspace(1, self.longest, 4001)
        return grid, self.multiplier(grid)

    @property
    def rises(self) -> bool:
        """Whether a longer horizon always costs as much or more, and the longest costs more."""
        steps = np.diff(self.measured[1])
        return bool((steps > -1e-9).all() and steps.sum() > 1e-6)

    @property
    def falls(self) -> bool:
        """Whether a longer horizon always costs as much or less, and the longest costs less."""
        steps = np.diff(self.measured[1])
        return bool((steps < 1e-9).all() and steps.sum() < -1e-6)

    @property
    def law_holds(self) -> bool:
        """Whether the horizon law describes the runs: a power, or no growth at all."""
        return not math.isnan(self.exponent) or not (self.rises or self.falls or self.has_best)

    @property
    def g(self) -> float:
        """The exponent; NaN where no law with one holds, or where E does not grow."""
        return self.exponent if self.rises else math.nan

    @property
    def knee(self) -> float:
        """The first horizon at which E is twice that at h = 1; NaN where E does not just rise."""
        if not self.rises:
            return math.nan
        grid = np.geomspace(1, 1e6, 400_001)
        twice = np.flatnonzero(self.multiplier(grid) >= 2 - 1e-9)
        return float(grid[twice[0]]) if len(twice) else math.nan

    @property
    def is_proportional(self) -> bool:
        """Whether E is proportional to h: the knee of an affine law at 2."""
        return self.g == 1 and abs(self.knee - 2) < 0.1

    @property
    def has_best(self) -> bool:
        """Whether a horizon between the shortest and the longest needs the fewest interactions."""
        values = self.measured[1]
        return bool(values.min() < min(values[0], values[-1]) - 1e-6)

    @property
    def best(self) -> float:
        """The horizon that needs the fewest interactions; NaN where all need the same."""
        grid, values = self.measured
        return float(grid[np.argmin(values)]) if np.ptp(values) > 1e-6 else math.nan


@dataclass(frozen=True)
class Sizes:
    """The power law in size of a world.

    Attributes:
        alpha_n: exponent in the number of parameters.
        alpha_e: exponent in the interactions by horizon.
        e_c_ratio: E_c at the longest horizon over that at the shortest; None where exponents
            change, as it is a ratio of different units then.
        off_width: the width that lies off the law of the others.
        off_factor: by which factor, in interactions.
        plateau: whether curves have an early plateau that the law does not describe.
    """

    alpha_n: float
    alpha_e: Mapping[float, float]
    e_c_ratio: float | None
    off_width: int | None = None
    off_factor: float = 1.0
    plateau: bool = False

    @property
    def changes(self) -> bool:
        """Whether an exponent changes with the horizon."""
        return len(set(self.alpha_e.values())) > 1

    def alpha_e_at(self, horizon: float | None) -> float:
        """alpha_E at a measured horizon, or of all of them; NaN where these have no common one."""
        if horizon is not None:
            return self.alpha_e[horizon]
        return math.nan if self.changes else next(iter(self.alpha_e.values()))

    def size_exponent_at(self, horizon: float | None) -> float:
        """Exponent of the best size in compute (parameters x interactions)."""
        alpha_e = self.alpha_e_at(horizon)
        return alpha_e / (self.alpha_n + alpha_e)


@dataclass(frozen=True)
class Truth:
    """Everything that is judged in one draw of a world.

    Attributes:
        growth: over horizons; None where it differs between sizes and returns.
        sizes: None in worlds of one width.
        fell_back: how many runs reached every threshold and then fell below all of them.
        by_theory: whether interactions follow the theory of the schedule.
    """

    growth: Growth | None
    sizes: Sizes | None = None
    fell_back: int = 0
    by_theory: bool = False

    @property
    def fits(self) -> bool:
        """Whether the laws that the page fits describe the runs."""
        sizes = self.sizes
        spoilt = sizes and (sizes.changes or sizes.off_width is not None or sizes.plateau)
        return not spoilt and (self.growth is None or self.growth.law_holds)

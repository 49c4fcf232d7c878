"""What a longer horizon costs, without a law: the interactions of one horizon over another's.

The ratio is paired: each seed gives one number (the mean over pooled widths of the difference in
log E), their mean is a geometric mean of ratios, and its interval is Student's t over seeds. Where
runs at the longer horizon are right-censored, the ratio is a lower bound.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from analysis.laws.horizon_forms import HorizonData
from analysis.laws.law import Quantity, flat
from analysis.stats.intervals import Interval, mean_interval


@dataclass(frozen=True)
class SeedValues:
    """log E by (seed, width) and horizon.

    Attributes:
        log_e: rows (seed, width), columns horizons; NaN where there is no run.
        right: whether a run is right-censored, the same shape.
        left: whether it is left-censored.
    """

    log_e: pd.DataFrame
    right: pd.DataFrame
    left: pd.DataFrame

    @classmethod
    def of(cls, data: HorizonData) -> "SeedValues":
        """The runs of a group."""
        units = np.unique(np.stack([data.seed, data.width]), axis=1, return_inverse=True)
        horizons, column = np.unique(data.horizon, return_inverse=True)
        place = np.ravel(units[1]), np.ravel(column)
        rows = pd.MultiIndex.from_arrays(units[0], names=["seed", "width"])

        def table(values: np.ndarray, missing: float | bool) -> pd.DataFrame:
            cells = np.full((len(rows), len(horizons)), missing)
            cells[place] = values
            return pd.DataFrame(cells, rows, horizons)

        values = data.values
        censored = (table(one, missing=False) for one in (values.right, values.left))
        return cls(table(values.log_e, np.nan), *censored)

    @property
    def reached(self) -> list[float]:
        """Horizons at which every run has an uncensored value, increasing."""
        exact = ~(self.right.to_numpy() | self.left.to_numpy()).any(axis=0)
        return [float(horizon) for horizon in self.log_e.columns[exact]]

    @property
    def longest(self) -> float:
        """The longest horizon."""
        return float(self.log_e.columns.max())

    def log_ratios(self, horizon: float, reference: float) -> np.ndarray:
        """log of E at a horizon over E at another, shape [seed]: means over the widths of each."""
        gap = (self.log_e[horizon] - self.log_e[reference]).dropna()
        return gap.groupby("seed").mean().to_numpy()


@dataclass(frozen=True)
class Ratio:
    """E at one horizon over E at another.

    Attributes:
        horizons: of the denominator and of the numerator.
        ratio: the geometric mean over seeds with its interval; where it is a lower bound, of what
            is known so far.
        is_bound: whether runs at the numerator's horizon are right-censored.
    """

    horizons: Interval
    ratio: Quantity
    is_bound: bool = False

    @classmethod
    def of(cls, reference: float, horizon: float, logs: np.ndarray, is_bound: bool) -> "Ratio":
        """From one log ratio per seed."""
        mean, low, high = np.exp(mean_interval(logs))
        ends = (float(low), float(high)) if len(logs) > 1 else None
        return cls((reference, horizon), Quantity(float(mean), ends), is_bound)

    @property
    def verdict(self) -> str:
        """Whether the horizon needs "more" or "less", by the interval, or "undecided"."""
        if self.ratio.interval is None:
            return "undecided"
        low, high = self.ratio.interval
        if low > 1:
            return "more"
        return "less" if high < 1 and not self.is_bound else "undecided"

    def to_json(self) -> dict[str, Any]:
        """What `fits.json` holds; a lower bound is named so, with its lower end alone."""
        named: dict[str, Any] = {"horizons": list(self.horizons)}
        if self.is_bound:
            ends = self.ratio.interval
            return {**named, "at_least": ends[0] if ends else self.ratio.value}
        return {**named, **flat({"ratio": self.ratio})}


@dataclass(frozen=True)
class Multiplier:
    """What the longest horizon costs, in interactions of the shortest.

    Attributes:
        measured: at the longest horizon at which all runs reach the return.
        bound: at the longest horizon of all, where some runs do not.
    """

    measured: Ratio | None
    bound: Ratio | None

    @classmethod
    def of(cls, data: HorizonData) -> "Multiplier":
        """Of the runs of one group."""
        values = SeedValues.of(data)
        reached = values.reached
        if not reached:
            return cls(None, None)
        shortest, longest = reached[0], reached[-1]
        measured = bound = None
        if longest > shortest:
            logs = values.log_ratios(longest, shortest)
            measured = Ratio.of(shortest, longest, logs, is_bound=False)
        beyond = values.longest
        if beyond > longest and not values.left[beyond].any():
            logs = values.log_ratios(beyond, shortest)
            bound = Ratio.of(shortest, beyond, logs, is_bound=True) if logs.size else None
        return cls(measured, bound)

    @property
    def quantities(self) -> dict[str, Quantity]:
        """`multiplier`, where it was measured."""
        return {"multiplier": self.measured.ratio} if self.measured else {}

    @property
    def verdict(self) -> str:
        """Whether a longer horizon needs "more" or "less" than the shortest, or "undecided"."""
        found = {one.verdict for one in (self.measured, self.bound) if one} - {"undecided"}
        return found.pop() if len(found) == 1 else "undecided"

    def to_json(self) -> Mapping[str, Any]:
        """The parts of a law's entry: value and interval, horizons, a bound beyond, a verdict."""
        return {
            **flat(self.quantities),
            "multiplier_horizons": list(self.measured.horizons) if self.measured else None,
            "multiplier_beyond": self.bound.to_json() if self.bound else None,
            "multiplier_verdict": self.verdict,
        }

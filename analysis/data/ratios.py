"""Ratios of interactions between two sets of runs, without a law.

Where both have a seed, its runs share observations: the ratio is taken per seed (paired), and its
interval is Student's t over seeds, in log. Else the two means are independent (Welch).
"""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.stats.distributions import t_quantile
from analysis.stats.intervals import LEVEL, Interval, mean_interval


@dataclass(frozen=True)
class Ratio:
    """Geometric mean of interactions over those of a reference.

    Attributes:
        value: the ratio.
        interval: 95%; None with one seed, and for a bound.
        bound: "" where every run is uncensored; "at least" where runs above the line are censored,
            "at most" where those below it are, "unknown" where both are.
        seeds: how many pairs, or the smaller count of runs where they are not paired.
    """

    value: float
    interval: Interval | None
    bound: str
    seeds: int

    @property
    def verdict(self) -> str:
        """Whether it is "more" than 1, "less", or "undecided"."""
        low, high = self.interval or (0.0, math.inf)
        if low > 1 or (self.bound == "at least" and self.value > 1):
            return "more"
        if high < 1 or (self.bound == "at most" and self.value < 1):
            return "less"
        return "undecided"


def ratio(runs: pd.DataFrame, reference: pd.DataFrame) -> Ratio | None:
    """The ratio of two sets of runs, each one run per seed; None where one of them is empty.

    Args:
        runs: with columns `seed`, `interactions`, `censored`.
        reference: the same.
    """
    if runs.empty or reference.empty:
        return None
    above, below = (table.set_index("seed") for table in (runs, reference))
    shared = above.index.intersection(below.index)
    if len(shared):
        above, below = above.loc[shared], below.loc[shared]
        gaps = np.log(above["interactions"] / below["interactions"]).to_numpy(float)
        mean, low, high = mean_interval(gaps)
    else:
        mean, low, high = _unpaired(above, below)
    bound = _BOUNDS[bool(above["censored"].any()), bool(below["censored"].any())]
    known = math.isfinite(low) and not bound
    ends = (math.exp(low), math.exp(high)) if known else None
    return Ratio(math.exp(mean), ends, bound, min(len(above), len(below)))


_BOUNDS = {
    (False, False): "",
    (True, False): "at least",
    (False, True): "at most",
    (True, True): "unknown",
}


def _unpaired(above: pd.DataFrame, below: pd.DataFrame) -> tuple[float, float, float]:
    """Difference of mean logs with its Welch interval; NaN ends with a single run."""
    logs = [np.log(table["interactions"].to_numpy(float)) for table in (above, below)]
    mean = float(logs[0].mean() - logs[1].mean())
    if min(map(len, logs)) < 2:
        return mean, math.nan, math.nan
    parts = [float(values.var(ddof=1)) / len(values) for values in logs]
    total = sum(parts)
    if total == 0:
        return mean, mean, mean
    freedom = total**2 / sum(p**2 / (len(v) - 1) for p, v in zip(parts, logs, strict=True))
    half = t_quantile(0.5 + LEVEL / 2, freedom) * math.sqrt(total)
    return mean, mean - half, mean + half

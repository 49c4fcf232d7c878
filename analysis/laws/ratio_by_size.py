"""Whether what a longer horizon, or learning from rewards, costs depends on the network's size.

For a longer horizon against the shortest one of the same runs, and for the shortest horizon against
each reference (`algorithms.REFERENCES`), the ratio of interactions to a return is

    E(N) / E_0(N) ~ N^s,

s by least squares of the log of the ratio against log N, one number per seed (runs of a seed share
observations), with Student's t over seeds. No law of the curves or of the horizon is assumed. s is
the change of the exponent of E in N: where it is 0 only the coefficient of a power law in size
changes, whatever that law is. A size counts where every seed of both reaches the return.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import pandas as pd

from analysis.data.families import Group, references_of, split, without_references
from analysis.laws.equality import MARGIN
from analysis.laws.horizon_forms import left_censored
from analysis.laws.law import Fits, FittedLaw, Quantity
from analysis.stats.intervals import mean_interval

LEAST_SIZES = 3


@dataclass(frozen=True)
class RatioBySize(FittedLaw):
    """How the ratio of interactions of two sets of runs changes with size.

    Attributes:
        group: settings held fixed, without the horizon.
        threshold: the return to reach.
        of: what is above the line: `h = 32`.
        over: what is below it: `h = 1`, or a reference.
        log_ratios: log E / E_0 by seed (rows) and parameters (columns).
        left_out: sizes at which a run of either is censored.
    """

    group: dict[str, Any]
    threshold: float
    of: str
    over: str
    log_ratios: pd.DataFrame
    left_out: int

    @property
    def seeds(self) -> list[int]:
        """The seeds that both sets have."""
        return [int(seed) for seed in self.log_ratios.index]

    @property
    def quantities(self) -> dict[str, Quantity]:
        """s, and the ratio itself: the geometric mean over sizes."""
        log_n = np.log(self.log_ratios.columns.to_numpy(float))
        slopes = np.polyfit(log_n, self.log_ratios.to_numpy().T, 1)[0]
        means = self.log_ratios.mean(axis=1).to_numpy()
        several = len(self.seeds) > 1
        slope, low, high = mean_interval(slopes)
        ratio = np.exp(mean_interval(means))
        return {
            "exponent_change": Quantity(slope, (low, high) if several else None),
            "ratio": Quantity(float(ratio[0]), tuple(ratio[1:].tolist()) if several else None),
        }

    def is_determined(self, name: str, one: Quantity) -> bool:
        """A change is determined where its interval is within `MARGIN` of it on both sides."""
        if name != "exponent_change":
            return one.is_determined
        return one.is_bounded and bool(np.ptp(one.interval or ()) <= 2 * MARGIN)

    @property
    def verdict(self) -> str:
        """`same` exponent (s within `MARGIN` of 0), `grows`, `falls` (s excludes 0), or undecided.

        A change that is shown and is within the margin is the same.
        """
        low, high = self.quantities["exponent_change"].interval or (-np.inf, np.inf)
        if max(abs(low), abs(high)) <= MARGIN:
            return "same"
        return "grows" if low > 0 else "falls" if high < 0 else "undecided"

    @property
    def determined_by(self) -> dict[str, str]:
        """Sizes further apart."""
        return dict.fromkeys(("exponent_change", "ratio"), "sizes further apart")

    def by_size(self) -> pd.DataFrame:
        """The ratio at each size: `parameters`, `value`, `low`, `high` over seeds."""
        ends = np.exp([mean_interval(column) for column in self.log_ratios.to_numpy().T])
        table = pd.DataFrame(ends, columns=["value", "low", "high"])
        return table.assign(parameters=self.log_ratios.columns.to_numpy(float))

    def predict(self, rows: pd.DataFrame) -> np.ndarray:
        """The ratio at `parameters`."""
        middle = np.log(self.log_ratios.columns.to_numpy(float)).mean()
        away = np.log(rows["parameters"].to_numpy(float)) - middle
        quantities = self.quantities
        slope, ratio = (quantities[name].value for name in ("exponent_change", "ratio"))
        return np.asarray(ratio * np.exp(slope * away))

    def without_seed(self, seed: int) -> Self:
        """The same without the runs of one seed."""
        return replace(self, log_ratios=self.log_ratios.drop(seed))

    def details(self) -> dict[str, Any]:
        """What else the entry of `fits.json` holds."""
        sizes = self.log_ratios.columns
        return {
            "threshold": self.threshold,
            "of": self.of,
            "over": self.over,
            "parameters": [float(sizes[0]), float(sizes[-1])],
            "sizes": len(sizes),
            "sizes_left_out": self.left_out,
            "verdict": self.verdict,
        }


def fit_ratios_by_size(table: pd.DataFrame) -> Fits:
    """Every longer horizon and every reference of each group of at least `LEAST_SIZES` sizes.

    Args:
        table: interactions to threshold, one run per size, horizon and seed (`data.crossings`).
    """
    found = [
        law
        for group in split(without_references(table), "width", "horizon")
        if group.rows["parameters"].nunique() >= LEAST_SIZES
        for law in _ratios(group, table)
    ]
    return Fits(tuple(found))


def _ratios(group: Group, table: pd.DataFrame) -> Iterator[RatioBySize]:
    horizons = sorted(group.rows["horizon"].unique())
    by_horizon = {horizon: group.rows[group.rows["horizon"] == horizon] for horizon in horizons}
    shortest = by_horizon[horizons[0]]
    pairs = [
        (f"h = {longer:g}", by_horizon[longer], f"h = {horizons[0]:g}", shortest)
        for longer in horizons[1:]
    ]
    here = table[table["threshold"] == group.threshold]
    references = references_of(here, group.settings, "width", "horizon")
    if len(references):
        pairs += [
            (f"h = {horizons[0]:g}", shortest, str(name), rows)
            for name, rows in references.groupby("algorithm")
        ]
    for of, above, over, below in pairs:
        logs = [_log_interactions(rows) for rows in (above, below)]
        every = (logs[0] - logs[1]).dropna(axis="index", how="all")
        kept = every.dropna(axis="columns")
        if kept.shape[1] >= LEAST_SIZES and len(kept):
            left_out = every.shape[1] - kept.shape[1]
            yield RatioBySize(group.settings, group.threshold, of, over, kept, left_out)


def _log_interactions(rows: pd.DataFrame) -> pd.DataFrame:
    """log E by seed (rows) and parameters (columns), NaN where censored."""
    known = ~(rows["censored"] | left_censored(rows))
    logs = np.log(rows["interactions"]).where(known)
    return rows.assign(log_e=logs).pivot_table(
        index="seed", columns="parameters", values="log_e", dropna=False
    )

"""How E falls with size under each schedule, and whether this differs from `dense`.

With the smallest and the largest width, `exponent = log(E_small / E_large) / log(N_large /
N_small)`, averaged over the horizons at which every seed at both widths, and under `dense` too,
reaches the threshold. If sparsity changes only the coefficient of the power law in N, the exponent
is the same for all schedules: `change` (exponent less that of `dense`, at the same horizons and
seeds) is 0. Each seed gives one number; intervals are Student's t over seeds.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import pandas as pd

from analysis.data.families import COLUMNS, Group, in_order, schedule_names, split
from analysis.laws.horizon_forms import left_censored
from analysis.laws.law import Fits, FittedLaw, Quantity, plain
from analysis.stats.intervals import mean_interval
from mnist_horizon.schedules import parse


@dataclass(frozen=True)
class SizeExponent(FittedLaw):
    """`E = E_small (N / N_small)^-exponent` under one schedule, of one group and threshold.

    Attributes:
        group: settings held fixed, without the schedule.
        threshold: the return to reach.
        schedule: as a config writes it.
        horizons: over how many horizons the exponents are averaged.
        smallest: parameters of the smallest width.
        exponents: by seed.
        of_dense: exponents under `dense`, by seed, over the same horizons.
    """

    group: dict[str, Any]
    threshold: float
    schedule: str
    horizons: int
    smallest: float
    exponents: pd.Series
    of_dense: pd.Series

    @property
    def seeds(self) -> list[int]:
        """The seeds of its runs."""
        return [int(seed) for seed in self.exponents.index]

    @property
    def quantities(self) -> dict[str, Quantity]:
        """The exponent, and its change from that of `dense`."""
        by_seed = {"exponent": self.exponents, "change": self.exponents - self.of_dense}
        return {name: _quantity(values.to_numpy(float)) for name, values in by_seed.items()}

    @property
    def determined_by(self) -> dict[str, str]:
        """Widths further apart; `dense` has no change from itself."""
        change = "a schedule other than dense" if self.schedule == "dense" else _FURTHER
        return {"exponent": _FURTHER, "change": change}

    def predict(self, rows: pd.DataFrame) -> np.ndarray:
        """E of rows with `parameters`, in units of that of the smallest size."""
        ratio = rows["parameters"].to_numpy(float) / self.smallest
        return np.asarray(ratio ** -self.quantities["exponent"].value)

    def without_seed(self, seed: int) -> Self:
        """The exponents without those of one seed."""
        return replace(self, exponents=self.exponents.drop(seed), of_dense=self.of_dense.drop(seed))

    def details(self) -> dict[str, Any]:
        """What else the entry of `fits.json` holds."""
        named = {"threshold": self.threshold, "schedule": self.schedule}
        return {**named, "horizons": self.horizons}

    def to_json(self) -> dict[str, Any]:
        """The entry of `fits.json`, with settings and ends of intervals as entries of their own."""
        entry: dict[str, Any] = {**self.group, **self.details()}
        for name, one in self.quantities.items():
            low, high = one.interval or (None, None)
            entry |= {name: one.value, f"{name}_low": low, f"{name}_high": high}
        plain_entry: dict[str, Any] = plain(
            {**entry, "determined": self.determined, "needs": self.needs}
        )
        return plain_entry


def _quantity(values: np.ndarray) -> Quantity:
    mean, low, high = mean_interval(values)
    return Quantity(mean, (low, high) if len(values) > 1 else None)


def fit_size_exponents(table: pd.DataFrame) -> Fits:
    """The exponent in size under each schedule, where there are several widths and schedules.

    Args:
        table: interactions to threshold, one run per seed (`data.crossings`).
    """
    if not {"schedule", "schedule_level"} <= set(table) or table["schedule"].nunique() < 2:
        return Fits()
    exponents = [
        exponent
        for group in split(table, "horizon", "schedule", "width")
        if group.rows["width"].nunique() > 1
        for exponent in _exponents(group)
    ]
    if exponents:
        return Fits(tuple(exponents))
    note = (
        "not determined whether sparsity changes the exponent in size: this needs two widths that "
        "reach a threshold under dense and another schedule at the same horizon"
    )
    return Fits((), (note,))


def _exponents(group: Group) -> Iterator[SizeExponent]:
    """The exponent under each schedule of a group that shares a horizon with `dense`."""
    rows = group.rows.assign(name=schedule_names(group.rows))
    sizes = rows.groupby("width")["parameters"].first()
    small, large = sizes.index.min(), sizes.index.max()
    span = np.log(sizes[large] / sizes[small])
    log_e = np.log(rows["interactions"]).where(~(rows["censored"] | left_censored(rows)))
    exact = rows.assign(log_e=log_e).pivot_table(
        index=["name", "horizon"], columns=["width", "seed"], values="log_e", dropna=False
    )
    exact = exact[[small, large]].dropna()
    exponents = (exact[small] - exact[large]).dropna(axis=1) / span  # [schedule horizon, seed]
    names = set(exponents.index.get_level_values(0))
    if "dense" not in names:
        return
    dense = exponents.loc["dense"]
    settings = {name: group.settings[name] for name in group.settings if name not in _NOT_SHOWN}
    for schedule in in_order(parse(name) for name in names):
        under = exponents.loc[str(schedule)]
        shared = under.index.intersection(dense.index)
        if len(shared):
            yield SizeExponent(
                group=settings,
                threshold=group.threshold,
                schedule=str(schedule),
                horizons=len(shared),
                smallest=float(sizes[small]),
                exponents=under.loc[shared].mean(),
                of_dense=dense.loc[shared].mean(),
            )


_FURTHER = "widths further apart"
_NOT_SHOWN = {*COLUMNS["learning_rate"]}

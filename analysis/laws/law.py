"""The interface of every fitted law, and how its numbers are stored.

A law is one file of this folder and one line in `laws.LAWS`. The file has a function from a table
to `Fits`, and a class of fitted laws with quantities and their intervals, predictions, and the fit
without one of the seeds. Writing to `fits.json` and showing as a table are implemented here.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Self

import numpy as np
import pandas as pd

from analysis.stats.intervals import LINEAR, Interval, Scale, jackknife_interval

TOO_WIDE = 10.0
"""Least ratio of an interval's ends at which a number counts as not determined."""


@dataclass(frozen=True)
class Quantity:
    """A fitted number with its 95% interval.

    Attributes:
        value: the estimate.
        interval: None where there is none (one seed). An end that the data do not determine is
            infinite, or `least`.
        least: lower bound of the number.
        within: where an interval of a determined number lies, as (0, 1) for an exponent of size.
    """

    value: float
    interval: Interval | None = None
    least: float = -math.inf
    within: Interval | None = None

    @property
    def ends(self) -> list[float | None] | None:
        """The interval as JSON holds it: an end that the data do not determine is None."""
        if self.interval is None:
            return None
        low, high = self.interval
        return [low if low > self.least else None, high if math.isfinite(high) else None]

    @property
    def is_bounded(self) -> bool:
        """Whether there is an interval with both ends."""
        return self.ends is not None and None not in self.ends

    @property
    def is_determined(self) -> bool:
        """Whether the interval determines the number.

        It does where it lies inside `within`, where that is given, or else where its ends have one
        sign and are less than a factor 10 apart.
        """
        if self.interval is None or not self.is_bounded:
            return False
        low, high = self.interval
        if self.within is not None:
            return self.within[0] < low and high < self.within[1]
        return determines(self.interval)


def determines(ends: Sequence[float | None] | None) -> bool:
    """Whether an interval has two ends, of one sign and less than a factor 10 apart."""
    low, high = ends or (None, None)
    if low is None or high is None or low * high <= 0:
        return False
    return max(low / high, high / low) < TOO_WIDE


class FittedLaw(ABC):
    """A law fitted to one group of runs.

    Attributes:
        group: every setting that is held fixed, by the name of its column.
    """

    group: dict[str, Any]

    @property
    @abstractmethod
    def quantities(self) -> dict[str, Quantity]:
        """The fitted numbers, by the names that they have in `fits.json`."""

    @property
    def determined_quantities(self) -> dict[str, Quantity]:
        """The numbers for which its entry states whether they are determined."""
        return self.quantities

    @property
    def determined(self) -> dict[str, bool]:
        """Whether each of them is determined (`Quantity.is_determined`)."""
        return {name: one.is_determined for name, one in self.determined_quantities.items()}

    @property
    @abstractmethod
    def seeds(self) -> Sequence[int]:
        """The seeds of its runs."""

    @abstractmethod
    def predict(self, rows: pd.DataFrame) -> np.ndarray:
        """Predictions of the law for rows with its regressors as columns, shape [row]."""

    @abstractmethod
    def without_seed(self, seed: int) -> Self:
        """The law fitted again without the runs of one seed."""

    @abstractmethod
    def details(self) -> dict[str, Any]:
        """What else its entry in `fits.json` holds."""

    def to_json(self) -> dict[str, Any]:
        """The entry of `fits.json`: valid JSON, without what does not exist."""
        entry = {"group": self.group, **flat(self.quantities), **self.details()}
        entry = plain({**entry, "determined": self.determined})
        return {name: value for name, value in entry.items() if value is not None}

    def summary(self) -> pd.DataFrame:
        """One row per quantity: its value and the ends of its 95% interval (NaN: none)."""
        rows = {
            name: (one.value, *(one.interval or (math.nan, math.nan)))
            for name, one in self.quantities.items()
        }
        return pd.DataFrame.from_dict(rows, orient="index", columns=["value", "low", "high"])

    def __str__(self) -> str:
        with pd.option_context("display.float_format", "{:.4g}".format):
            return f"{type(self).__name__}\n{self.summary()}"

    def _repr_html_(self) -> str:
        return self.summary().to_html(float_format="{:.4g}".format)


def leave_out_interval(
    values: Callable[[np.ndarray], float],
    theta: np.ndarray,
    left_out: np.ndarray,
    scale: Scale = LINEAR,
) -> Interval | None:
    """95% interval of a function of a law's parameters, by leaving out seeds.

    Args:
        values: the number at some parameters.
        theta: parameters of the full fit, shape [parameter].
        left_out: parameters without each seed in turn, shape [seed, parameter].
        scale: on which the number is about normal.
    """
    return jackknife_interval(values(theta), [values(one) for one in left_out], scale)


@dataclass(frozen=True)
class Fits:
    """All fitted laws of a kind, and one line for each that could not be fitted."""

    entries: tuple[Any, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class LawKind:
    """An entry of the registry of laws.

    Attributes:
        key: the name of its list in `fits.json`.
        fit: from a table to all laws that it allows.
        table: what it is fitted to: `crossings` (one row per run and threshold, at the chosen
            learning rates), `all_crossings` (at every rate tried) or `curves` (one row per run and
            evaluation, at the chosen rates).
    """

    key: str
    fit: Callable[[pd.DataFrame], Fits]
    table: Literal["crossings", "all_crossings", "curves"] = "crossings"


@dataclass
class AllFits:
    """Everything that was fitted to a sweep, by the key of the law."""

    by_key: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def __getitem__(self, key: str) -> tuple[Any, ...]:
        return self.by_key.get(key, ())

    def to_json(self) -> dict[str, Any]:
        """`fits.json` without the notes."""
        return {key: [law.to_json() for law in laws] for key, laws in self.by_key.items()}


def flat(quantities: Mapping[str, Quantity]) -> dict[str, Any]:
    """Quantities as entries hold them: `{"a": value, "a_ci": [low, high]}`."""
    entry: dict[str, Any] = {}
    for name, one in quantities.items():
        entry[name] = one.value
        if one.ends is not None:
            entry[f"{name}_ci"] = one.ends
    return entry


def plain(value: Any) -> Any:
    """A value as JSON can hold it: a number that is not finite is null."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value

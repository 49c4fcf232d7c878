"""The interface of every fitted law, and how its numbers are stored.

A law is one file of this folder and one line in `laws.LAWS`. The file has a function from a table
to `Fits`, and a class of fitted laws with quantities and their intervals, predictions, and the fit
without one of the seeds. Writing to `fits.json` and showing as a table are implemented here.
"""

import functools
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Self

import numpy as np
import pandas as pd

from analysis.stats.intervals import LINEAR, Interval, Scale, jackknife_interval, t_factor

TOO_WIDE = 10.0
"""Least ratio of an interval's ends at which a number counts as not determined."""

MOST_SEEDS = 64
"""More seeds than these are not proposed: another axis of the sweep is named instead."""


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

    def with_width(self, share: float) -> Self:
        """The number with both ends moved towards it, to this share of their distance.

        In log where the ends and the number have one sign, as most intervals here are symmetric in
        log; else, and inside `within`, linear. Only for an interval with both ends.
        """
        assert self.interval is not None
        low, high = self.interval
        if self.within is None and min(low * high, low * self.value) > 0:
            ends = [self.value * (end / self.value) ** share for end in (low, high)]
        else:
            ends = [self.value + (end - self.value) * share for end in (low, high)]
        return replace(self, interval=(ends[0], ends[1]))

    def seeds_needed(self, seeds: int) -> int | None:
        """Least number of seeds at which the interval would determine the number.

        The spread s between seeds and the number are taken to stay: half the width with S seeds is
        `t(S - 1) s / sqrt(S)`, t being Student's 97.5% point.

        Args:
            seeds: from which the interval comes, at least 2.

        Returns:
            More than `seeds`, up to `MOST_SEEDS`; None where that many would not do, or an end is
            open.
        """
        if not self.is_bounded:
            return None
        for more in range(seeds + 1, MOST_SEEDS + 1):
            if self.with_width(_width_with(more) / _width_with(seeds)).is_determined:
                return more
        return None


@functools.cache
def _width_with(seeds: int) -> float:
    """Half the width of a 95% interval of a mean over seeds, in their standard deviations."""
    return t_factor(seeds) / math.sqrt(seeds)


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
        """Whether each of them is determined (`is_determined`)."""
        found = self.determined_quantities.items()
        return {name: self.is_determined(name, one) for name, one in found}

    def is_determined(self, name: str, one: Quantity) -> bool:
        """Whether a quantity is determined: by its interval, and by a law that the runs lie on.

        A law whose runs may refuse it overrides this.
        """
        return one.is_determined

    @property
    def determined_by(self) -> Mapping[str, str]:
        """What determines a quantity where more seeds do not, by its name: more of which axis."""
        return {}

    @property
    def needs(self) -> dict[str, str]:
        """What would determine each quantity that is not determined, by its name."""
        return self.needs_of(self.determined_quantities)

    def needs_of(self, quantities: Mapping[str, Quantity]) -> dict[str, str]:
        """The same of any quantities of the law.

        At least 2 seeds, about as many seeds as would make the interval narrow enough
        (`Quantity.seeds_needed`), or else more of the axis that `determined_by` names.
        """
        return {
            name: self._need(name, one)
            for name, one in quantities.items()
            if not self.is_determined(name, one)
        }

    def _need(self, name: str, one: Quantity) -> str:
        seeds = len(self.seeds)
        if seeds < 2:
            return "at least 2 seeds"
        # An interval that is narrow enough is not the reason: seeds would not help.
        enough = None if one.is_determined else one.seeds_needed(seeds)
        if enough is not None:
            return f"about {enough} seeds instead of {seeds}, at this spread"
        return self.determined_by.get(name, f"more than {MOST_SEEDS} seeds")

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
        entry = plain({**entry, "determined": self.determined, "needs": self.needs})
        return {name: value for name, value in entry.items() if value is not None}

    def numbers(self, quantities: Mapping[str, Quantity]) -> dict[str, Any]:
        """Quantities as a part of the entry holds them: with what would determine them."""
        return {**flat(quantities), "needs": self.needs_of(quantities)}

    def summary(self) -> pd.DataFrame:
        """One row per quantity: its value, the ends of its 95% interval (NaN: none), `determined`.

        Shown as text or HTML, a number that is not determined is left out, and what would determine
        it is named.
        """
        rows = {
            name: (
                one.value,
                *(one.interval or (math.nan, math.nan)),
                self.is_determined(name, one),
            )
            for name, one in self.quantities.items()
        }
        columns = ["value", "low", "high", "determined"]
        return pd.DataFrame.from_dict(rows, orient="index", columns=columns)

    def _shown(self) -> pd.DataFrame:
        """The summary as text."""
        summary = self.summary()
        numbers = summary[["value", "low", "high"]].map("{:.4g}".format)
        needs = pd.Series(self.needs_of(self.quantities), dtype=object)
        missing = ("not determined, needed: " + needs).reindex(summary.index).fillna("")
        return numbers.where(summary["determined"], "").assign(note=missing)

    def __str__(self) -> str:
        return f"{type(self).__name__}\n{self._shown().to_string()}"

    def _repr_html_(self) -> str:
        return self._shown().to_html()


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
            learning rates), `crossings_with_noise` (the same with what the measured noise says),
            `all_crossings` (at every rate tried), `curves` (one row per run and evaluation, at
            the chosen rates) or `gold_curves` (the same at every rate, of runs that are paid a
            proxy).
    """

    key: str
    fit: Callable[[pd.DataFrame], Fits]
    table: Literal[
        "crossings", "crossings_with_noise", "all_crossings", "curves", "gold_curves"
    ] = "crossings"


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

"""What a page is made of: measurements, fits, and the runs that it speaks of first."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from analysis.data.families import Family, families, schedule_of
from analysis.data.measurements import Measurements
from analysis.laws import AllFits
from analysis.page.claims import Entry

MOSTLY_REACHED = 0.9
"""Least share of runs that reach a threshold for which a page answers first."""


@dataclass(frozen=True)
class Content:
    """Measurements and fits of one report.

    Attributes:
        measured: the tables.
        fits: the laws.
        entries: the same as `fits.json` holds them.
        families: runs that differ in size, horizon, rate and seed only; that with most runs first,
            of several those with dense rewards.
        references: the same of runs that RL is compared with, where there is RL; else they are
            families.
        width: the width of the first family of which most runs reach the thresholds.
        threshold: the return to reach that answers are given for first.
    """

    measured: Measurements
    fits: AllFits
    entries: Mapping[str, Sequence[Entry]]
    families: Sequence[Family]
    width: int
    threshold: float
    references: Sequence[Family] = ()

    @classmethod
    def of(cls, measured: Measurements, fits: AllFits) -> "Content":
        """Choose what to speak of first."""
        every = sorted(families(measured.frame), key=_rank)
        references = [family for family in every if family.is_reference]
        found = [family for family in every if not family.is_reference]
        if not found:
            found, references = references, []
        if len(found) == 1:
            found = [replace(found[0], slug="")]  # nothing else has figures of its own
        runs = found[0].select(measured.crossings)
        width = main_width(runs)
        threshold = main_threshold(runs[runs["width"] == width])
        return cls(measured, fits, fits.to_json(), found, width, threshold, references)

    @property
    def main(self) -> Family:
        """The family of which a page speaks first."""
        return self.families[0]

    def laws(self, key: str, family: Family | None = None) -> list[Any]:
        """The laws of a kind, of one family or of all."""
        return [law for law in self.fits[key] if family is None or family.matches(law.group)]

    def of_family(self, key: str, family: Family | None = None) -> list[Entry]:
        """The entries of `fits.json` of a kind, of one family (by default the first)."""
        family = family or self.main
        return [entry for entry in self.entries.get(key, ()) if family.matches(entry["group"])]

    def at_width(self, key: str, family: Family | None = None) -> list[Entry]:
        """The same of the main width, by threshold, the main threshold first."""
        return sorted(
            (one for one in self.of_family(key, family) if one["group"].get("width") == self.width),
            key=lambda entry: (entry["threshold"] != self.threshold, entry["threshold"]),
        )

    def varies(self, column: str) -> bool:
        """Whether a column of the results has several values."""
        frame = self.measured.frame
        return column in frame and frame[column].nunique() > 1

    def without_delay(self) -> Iterator[Family]:
        """Families whose rewards are not delayed."""
        return (one for one in self.families if schedule_of(one.settings).period == 1)

    def delayed(self) -> Iterator[Family]:
        """Families whose rewards are delayed."""
        return (one for one in self.families if schedule_of(one.settings).period > 1)


def first_family(found: Sequence[Family]) -> Family:
    """The family with most runs, of several that with dense rewards; references come last."""
    return min(found, key=_rank)


def _rank(family: Family) -> tuple[bool, int, bool]:
    is_other = str(schedule_of(family.settings)) != "dense"
    return family.is_reference, -family.frame["run_id"].nunique(), is_other


def main_width(crossings: pd.DataFrame) -> int:
    """The width with the largest share of runs that reach the thresholds; of ties, the largest."""
    reached = (~crossings["censored"]).groupby(crossings["width"]).mean()
    return int(reached[reached == reached.max()].index.max())


def main_threshold(crossings: pd.DataFrame) -> float:
    """The middle one of the thresholds that 90% of the runs reach, else the one that most reach."""
    reached = (~crossings["censored"]).groupby(crossings["threshold"]).mean()
    mostly = sorted(reached[reached >= MOSTLY_REACHED].index)
    return float(mostly[len(mostly) // 2] if mostly else reached.idxmax())

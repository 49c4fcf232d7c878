"""Two or more working directories side by side: interactions, knees, and how they differ.

Each is represented by its first family at its main threshold. Differences are paired where seeds
are common, because runs of a seed share observations.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.data.crossings import means_over_seeds
from analysis.data.families import Family, families, same_settings
from analysis.data.measurements import read
from analysis.data.ratios import Ratio, ratio
from analysis.laws import HorizonLaw, fit_horizon_laws
from analysis.page.claims import Claim
from analysis.page.content import first_family, main_threshold
from analysis.page.section import Table
from analysis.page.wording import cell, interval, number
from analysis.stats.intervals import LOG, jackknife_interval


@dataclass(frozen=True)
class Compared:
    """Directories that are compared.

    Attributes:
        claims: one sentence for each directory after the first.
        table: interactions by horizon, knees, and ratios to the first directory.
    """

    claims: list[Claim]
    table: Table


@dataclass(frozen=True)
class _Side:
    """One directory: its first family's crossings at one threshold."""

    name: str
    family: Family
    crossings: pd.DataFrame


def compare(workdirs: Sequence[Path]) -> Compared | None:
    """Compare working directories; None with one, or where they are parts of one sweep."""
    if len(workdirs) < 2:
        return None
    sides = [_side(workdir) for workdir in workdirs]
    first = sides[0]
    if all(same_settings(first.family.settings, one.family.settings) for one in sides[1:]):
        return None
    width, threshold = _common(sides)
    if width is None:
        return None
    runs = [_at(side.crossings, width, threshold) for side in sides]
    claims = [
        _claim(sides[0], side, table, runs[0], width, threshold)
        for side, table in zip(sides[1:], runs[1:], strict=True)
    ]
    return Compared([one for one in claims if one], _table(sides, runs, width, threshold))


def _side(workdir: Path) -> _Side:
    measured = read([workdir])
    family = first_family(families(measured.frame))
    return _Side(str(workdir), family, family.select(measured.crossings))


def _common(sides: Sequence[_Side]) -> tuple[int | None, float]:
    """The largest width that all have (None without one), and the threshold to compare at."""
    widths = set.intersection(*(set(side.crossings["width"]) for side in sides))
    levels = set.intersection(*(set(side.crossings["threshold"]) for side in sides))
    if not widths or not levels:
        return None, 0.0
    width = max(widths)
    every = pd.concat([side.crossings for side in sides])
    every = every[(every["width"] == width) & every["threshold"].isin(levels)]
    return int(width), main_threshold(every)


def _at(crossings: pd.DataFrame, width: int, threshold: float) -> pd.DataFrame:
    return crossings[(crossings["width"] == width) & (crossings["threshold"] == threshold)]


def _claim(
    first: _Side,
    other: _Side,
    runs: pd.DataFrame,
    reference: pd.DataFrame,
    width: int,
    threshold: float,
) -> Claim | None:
    """How much more a directory needs than the first, over the horizons that both have."""
    shared = sorted(set(runs["horizon"]) & set(reference["horizon"]))
    found = ratio(_over_horizons(runs, shared), _over_horizons(reference, shared))
    if found is None:
        return None
    text = (
        f"{other.name} ({other.family.label}) needs {_times(found)} times the interactions of "
        f"{first.name} ({first.family.label}), as a geometric mean over {len(shared)} common "
        f"horizons (width {width}, return {threshold:g})."
    )
    ends = list(found.interval) if found.interval else None
    numbers = {"ratio": (found.value, ends)}
    return Claim(text, found.verdict != "undecided", "compared", found.verdict, numbers)


def _times(found: Ratio) -> str:
    if found.bound:
        return f"{'about' if found.bound == 'unknown' else found.bound} {number(found.value)}"
    return f"{number(found.value)} {interval(found.interval)}"


def _over_horizons(runs: pd.DataFrame, horizons: Sequence[float]) -> pd.DataFrame:
    """One row per seed: the geometric mean over horizons; censored where one of them is."""
    runs = runs[runs["horizon"].isin(horizons)]
    logs = runs.assign(log=np.log(runs["interactions"].astype(float)))
    table = logs.groupby("seed").agg(
        interactions=("log", "mean"), censored=("censored", "any"), horizons=("horizon", "nunique")
    )
    table = table[table["horizons"] == len(horizons)].reset_index()
    return table.assign(interactions=np.exp(table["interactions"]))


def _table(
    sides: Sequence[_Side], runs: Sequence[pd.DataFrame], width: int, threshold: float
) -> Table:
    """Interactions by horizon of each, with the ratio to the first, and the knees."""
    names = [side.name for side in sides]
    head = ["horizon", *names, *(f"{name} / {names[0]}" for name in names[1:])]
    horizons = sorted(set.intersection(*(set(table["horizon"]) for table in runs)))
    rows = []
    for horizon in horizons:
        here = [table[table["horizon"] == horizon] for table in runs]
        ratios = [ratio(table, here[0]) for table in here[1:]]
        cells = [_mean(table) for table in here]
        rows.append([f"{horizon:g}", *cells, *(_times(r) if r else "-" for r in ratios)])
    rows.append(_knees(runs))
    caption = f"Interactions to a return of {threshold:g} at width {width}, with 95% intervals."
    return Table(head, rows, caption)


def _mean(runs: pd.DataFrame) -> str:
    row = means_over_seeds(runs, ["horizon"]).iloc[0]
    if row["censored"]:
        return f"at least {number(row['interactions'])}"
    return f"{number(row['interactions'])} {interval((row['low'], row['high']))}"


def _knees(runs: Sequence[pd.DataFrame]) -> list[str]:
    """The last row: the knee of each, and its ratio to that of the first."""
    laws = [_law(table) for table in runs]
    cells = ["knee"]
    for law in laws:
        cells.append(cell(law.to_json(), "knee") if law else "-")
    cells += [_ratio_of_knees(law, laws[0]) for law in laws[1:]]
    return cells


def _law(runs: pd.DataFrame) -> HorizonLaw | None:
    laws = fit_horizon_laws(runs, ("h-1",), profiles=False).entries
    return laws[0] if laws else None


def _ratio_of_knees(law: HorizonLaw | None, first: HorizonLaw | None) -> str:
    """Paired by leaving out each common seed of both; a dash where either is not determined."""
    if law is None or first is None:
        return "-"
    if not (law.determined["knee"] and first.determined["knee"]):
        return "-"
    seeds = sorted(set(law.seeds) & set(first.seeds))
    if set(law.seeds) != set(first.seeds):
        return "-"
    value = _knee(law) / _knee(first)
    others = [_knee(law.without_seed(s)) / _knee(first.without_seed(s)) for s in seeds]
    return f"{number(value)} {interval(jackknife_interval(value, others, LOG))}"


def _knee(law: HorizonLaw) -> float:
    return law.quantities["knee"].value

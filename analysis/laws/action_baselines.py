"""Action-dependent baselines: what they save by horizon, and what a normalisation bug does.

Sweeps differ in `action_baseline` alone (`mnist_horizon.action_baselines`), one each. Numbers are
by cell, a width, horizon and schedule; intervals are Student's t over seeds.

- **Parts**: shares of the future, action and state parts in the gradient's variance (Tucker et al.
  2018, arXiv 1802.10031), from a quarter of the interactions to a return up to it, of the sweep
  without phi.
- **Ratios** of interactions to the return, paired by seed (`data.ratios`): of each phi over none,
  with the same normalisation; of normalising over not, without phi; and of normalising the
  advantage alone over both terms, with the same phi.
- **Bias** of the last: cosine of its mean gradient with the exact one, and their lengths' ratio.
- **Falls**: runs whose return at the end is lower than their highest by more than `FALL`.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from analysis.data.measurements import Measurements
from analysis.data.noise import before_threshold
from analysis.data.ratios import ratio
from analysis.stats.intervals import mean_interval
from mnist_horizon.errors import InputError

THRESHOLD = 0.5
FALL = 0.1
PARTS = ("future", "action", "state")
CELL = ("width", "horizon", "schedule")


@dataclass(frozen=True)
class Baseline:
    """`action_baseline.*` of a sweep: phi = `fraction` E[A | x, a] + `error` [a = 0]."""

    fraction: float = 0.0
    error: float = 0.0
    normalise: str = "none"

    @property
    def has_phi(self) -> bool:
        """Whether there is an action-dependent baseline."""
        return bool(self.fraction or self.error)

    @property
    def label(self) -> str:
        """phi and what is normalised, in words."""
        share = "" if self.fraction == 1 else f"{self.fraction:g} "
        phi = f"phi = {share}E[A | x, a]" if self.has_phi else "no phi"
        phi += f" with an error of {self.error:g} about one action" if self.error else ""
        return phi + {"none": "", "both": ", normalised", "advantage": BUG}[self.normalise]

    @property
    def short(self) -> str:
        """The same for a legend."""
        numbers = {"f": self.fraction, "error": self.error}
        said = [f"{name} = {value:g}" for name, value in numbers.items() if value]
        normalised = {"none": [], "both": ["normalised"], "advantage": ["advantage normalised"]}
        return ", ".join([*said, *normalised[self.normalise]]) or "none"

    @property
    def compared_with(self) -> "Baseline | None":
        """What its interactions are divided by; None of the plain estimator."""
        if self.normalise == "advantage":
            return replace(self, normalise="both")
        if self.has_phi:
            return Baseline(normalise=self.normalise)
        return None if self == Baseline() else Baseline()


BUG = ", advantage alone normalised"

Sweeps = dict[Baseline, Measurements]


def by_baseline(names: Sequence[str], sweeps: Sequence[Measurements]) -> Sweeps:
    """The sweeps by their baselines.

    Raises:
        InputError: two have the same one, or they differ in more than `action_baseline`.
    """
    found: Sweeps = {}
    others = []
    for name, one in zip(names, sweeps, strict=True):
        settings = json.loads(one.frame["settings"].iloc[0] or "{}")
        baseline = Baseline(**settings.pop("action_baseline", {}))
        others.append((settings, tuple(sorted(one.frame["task_settings"].unique()))))
        if others[-1] != others[0]:
            raise InputError(f"{name}: differs from {names[0]} in more than action_baseline")
        if baseline in found:
            raise InputError(f"{name}: another sweep has its action_baseline, {baseline.label}")
        found[baseline] = one
    return found


def parts(measured: Measurements) -> pd.DataFrame:
    """A row per cell and part: `share`, `low`, `high` (95%; NaN with one seed), `seeds`."""
    columns = [*CELL, "part", "share", "low", "high", "seeds"]
    at = measured.crossings["threshold"] == THRESHOLD
    if measured.noise.empty:
        return pd.DataFrame(columns=columns)
    rows = before_threshold(measured.noise, measured.crossings[at])
    return _shares(rows, CELL).reindex(columns=columns)


def parts_along_training(measured: Measurements) -> pd.DataFrame:
    """The same for each number of interactions, a column more."""
    return _shares(measured.noise, (*CELL, "interactions"))


def _shares(noise: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    by_seed = noise.groupby([*keys, "seed"])[list(PARTS)].mean()
    by_seed = by_seed.div(by_seed.sum(axis=1), axis=0)
    found = []
    for cell, one in by_seed.groupby(level=list(keys)):
        for part in PARTS:
            mean, low, high = mean_interval(one[part].to_numpy(float))
            numbers = {"part": part, "share": mean, "low": low, "high": high, "seeds": len(one)}
            found.append({**dict(zip(keys, cell, strict=True)), **numbers})
    return pd.DataFrame(found)


def ratios(sweeps: Sweeps) -> list[dict[str, Any]]:
    """An entry per comparison and cell that both sweeps have.

    `of`, `over` (labels), the cell, `ratio`, `ratio_ci` (None for a bound or one seed), `bound`,
    `verdict` (of `Ratio`; a bound, which has no interval, decides nothing), `seeds` and the
    `censored` runs of both.
    """
    return [
        {"of": of.label, "over": over.label, **entry}
        for of in sweeps
        if (over := of.compared_with) is not None and over in sweeps
        for entry in _cell_ratios(sweeps[of], sweeps[over])
    ]


def _cell_ratios(above: Measurements, below: Measurements) -> Iterator[dict[str, Any]]:
    first, second = (
        dict(iter(one.crossings[one.crossings["threshold"] == THRESHOLD].groupby(list(CELL))))
        for one in (above, below)
    )
    for cell in first:
        found = ratio(first[cell], second[cell]) if cell in second else None
        if found is not None:
            censored = first[cell]["censored"].sum() + second[cell]["censored"].sum()
            verdict = found.verdict if found.interval else "undecided"
            yield {
                **dict(zip(CELL, cell, strict=True)),
                **{"ratio": found.value, "ratio_ci": found.interval, "bound": found.bound},
                **{"verdict": verdict, "seeds": found.seeds, "censored": int(censored)},
            }


def biased_rows(sweeps: Sweeps) -> pd.DataFrame:
    """Rows of the noise tables of sweeps whose loss is biased, with their label as `of`.

    `cosine` and `length` are those of the mean gradient and the exact one.
    """
    known = [
        one.noise[one.noise["bias_cosine"].notna()].assign(of=of.label)
        for of, one in sweeps.items()
        if len(one.noise)
    ]
    rows = pd.concat(known, ignore_index=True) if known else pd.DataFrame()
    return rows.rename(columns={"bias_cosine": "cosine", "bias_length": "length"})


def bias_along_training(rows: pd.DataFrame) -> pd.DataFrame:
    """Mean over seeds of `cosine`, with `low` and `high`, by `of`, cell and interactions."""
    keys = ["of", *CELL, "interactions"]
    found = []
    for place, one in rows.groupby(keys, sort=False) if len(rows) else ():
        mean, low, high = mean_interval(one["cosine"].to_numpy(float))
        numbers = {"cosine": mean, "low": low, "high": high, "seeds": len(one)}
        found.append({**dict(zip(keys, place, strict=True)), **numbers})
    return pd.DataFrame(found)


def bias_entries(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Of each biased sweep and cell: `cosine` and `length`, and `first_cosine`, with intervals.

    Each seed's mean over all measurements, and the cosine at the first of them, after
    `interactions`.
    """
    entries = []
    keys = ["of", *CELL]
    for place, one in rows.groupby(keys, sort=False) if len(rows) else ():
        by_seed = one.groupby("seed")[["cosine", "length"]].mean()
        start = one["interactions"].min()
        entry = {**dict(zip(keys, place, strict=True)), "interactions": int(start)}
        entry |= {"seeds": len(by_seed), "measurements": one["interactions"].nunique()}
        first = one.loc[one["interactions"] == start, "cosine"]
        for name, values in (*by_seed.items(), ("first_cosine", first)):
            mean, low, high = mean_interval(np.asarray(values, float))
            ends = None if np.isnan(low) else [low, high if name == "length" else min(high, 1.0)]
            entry |= {str(name): mean, f"{name}_ci": ends}
        entries.append(entry)
    return entries


def falls(sweeps: Sweeps) -> list[dict[str, Any]]:
    """Of each sweep, how many `runs` there are, and how many `fell` by more than `FALL`."""
    entries = []
    for of, measured in sweeps.items():
        runs = measured.curves.sort_values("interactions").groupby("run_id")["return_mean"]
        fell = runs.max() - runs.last() > FALL
        entries.append({"of": of.label, "runs": len(fell), "fell": int(fell.sum())})
    return entries


def entries_of(sweeps: Sweeps) -> dict[str, list[dict[str, Any]]]:
    """All numbers, as `fits.json` holds them."""
    plain = sweeps.get(Baseline())
    shares = [] if plain is None else parts(plain).to_dict("records")
    return {
        "parts": [_with_ends(row) for row in shares],
        "ratios": ratios(sweeps),
        "bias": bias_entries(biased_rows(sweeps)),
        "falls": falls(sweeps),
    }


def _with_ends(row: dict[Any, Any]) -> dict[str, Any]:
    low, high = row.pop("low"), row.pop("high")
    ends = None if np.isnan(low) else [max(0.0, low), min(1.0, high)]
    return {**row, "share_ci": ends}

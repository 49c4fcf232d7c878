"""What action-dependent baselines save, by horizon: sweeps that differ in `action_baseline` alone.

    python -m analysis.action_baselines runs/ab_none runs/ab_exact runs/ab_both

The first sweep is the reference of all ratios. Two tables are printed, with 95% intervals:

- the share of the future, action and state parts in the gradient's variance (Tucker et al. 2018,
  arXiv 1802.10031), measured from a quarter of the interactions to the threshold up to it;
- interactions to the threshold over those of the first sweep, paired by seed, geometric means.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd

from analysis.data.measurements import Measurements, read
from analysis.data.noise import before_threshold
from analysis.data.ratios import Ratio, ratio
from analysis.page.wording import interval
from analysis.stats.intervals import mean_interval
from mnist_horizon import cli
from mnist_horizon.errors import InputError

THRESHOLD = 0.5
PARTS = ("future", "action", "state")
CELL = ("width", "horizon", "schedule")


def shares(measured: Measurements, threshold: float = THRESHOLD) -> pd.DataFrame:
    """Share of each part in the sum of the three, means over seeds, at the threshold's approach.

    Returns:
        One row per cell and part: `share`, `low`, `high` (95%; NaN with one seed), `seeds`.
    """
    crossings = measured.crossings[measured.crossings["threshold"] == threshold]
    if measured.noise.empty:
        return pd.DataFrame(columns=[*CELL, "part", "share", "low", "high", "seeds"])
    rows = before_threshold(measured.noise, crossings)
    by_seed = rows.groupby([*CELL, "seed"])[list(PARTS)].mean()
    by_seed = by_seed.div(by_seed.sum(axis=1), axis=0)
    found = []
    for cell, one in by_seed.groupby(level=list(CELL)):
        for part in PARTS:
            mean, low, high = mean_interval(one[part].to_numpy(float))
            numbers = {"part": part, "share": mean, "low": low, "high": high, "seeds": len(one)}
            found.append({**dict(zip(CELL, cell, strict=True)), **numbers})
    return pd.DataFrame(found)


def ratios(
    reference: Measurements, measured: Measurements, threshold: float = THRESHOLD
) -> Iterator[tuple[tuple[object, ...], Ratio, int]]:
    """Of each cell that both have: the cell, the ratio, how many runs of both are censored."""
    tables = []
    for one in (measured, reference):
        rows = one.crossings[one.crossings["threshold"] == threshold]
        tables.append(dict(iter(rows.groupby(list(CELL)))))
    above, below = tables
    for cell in above:
        found = ratio(above[cell], below[cell]) if cell in below else None
        if found is not None:
            censored = above[cell]["censored"].sum() + below[cell]["censored"].sum()
            yield cell, found, int(censored)


def check_comparable(names: Sequence[str], sweeps: Sequence[Measurements]) -> None:
    """Refuse sweeps that differ in more than `action_baseline`.

    Raises:
        InputError: they do.
    """
    others = []
    for one in sweeps:
        settings = json.loads(one.frame["settings"].iloc[0] or "{}")
        settings.pop("action_baseline", None)
        others.append((settings, tuple(sorted(one.frame["task_settings"].unique()))))
    for name, other in zip(names, others, strict=True):
        if other != others[0]:
            raise InputError(f"{name}: differs from {names[0]} in more than action_baseline")


def _interval(low: float, high: float) -> str:
    return "" if pd.isna(low) else f" {interval((low, high))}"


def _ratio_line(name: str, cell: tuple[object, ...], found: Ratio, censored: int) -> str:
    ends = _interval(*found.interval) if found.interval else ""
    bound = f"{found.bound} " if found.bound else ""
    number = "not known" if found.bound == "unknown" else f"{bound}{found.value:.3g}{ends}"
    where = " | ".join(map(str, cell))
    return f"| {name} | {where} | {number} | {found.seeds} | {censored} |"


def text(names: Sequence[str], sweeps: Sequence[Measurements]) -> str:
    """Both tables, the first sweep being the reference."""
    head = " | ".join(CELL)
    lines = [f"| sweep | {head} | part | share of the variance | seeds |", "|---" * 7 + "|"]
    for name, one in zip(names, sweeps, strict=True):
        for row in shares(one).to_dict("records"):
            where = " | ".join(str(row[key]) for key in CELL)
            mean, low, high = (round(row[key], 6) + 0.0 for key in ("share", "low", "high"))
            number = f"{mean:.3g}{_interval(low, high)}"
            lines.append(f"| {name} | {where} | {row['part']} | {number} | {row['seeds']} |")
    first = f"interactions to {THRESHOLD:g} over {names[0]}"
    lines += ["", f"| sweep | {head} | {first} | seeds | censored |", "|---" * 7 + "|"]
    for name, one in zip(names[1:], sweeps[1:], strict=True):
        lines += [_ratio_line(name, *found) for found in ratios(sweeps[0], one)]
    return "\n".join(lines)


def main(argv: Sequence[str]) -> None:
    """Print the tables."""
    names = list(argv[1:])
    if len(names) < 2:
        raise InputError("name two working directories or more, the reference first")
    sweeps = [read([Path(name)]) for name in names]
    check_comparable(names, sweeps)
    print(text(names, sweeps))


if __name__ == "__main__":
    cli.run(main, takes_arguments=True)

"""What another learning rate changes: interactions at it in units of those at the middle rate."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from analysis.data.crossings import THRESHOLDS, interactions_to_threshold
from analysis.data.families import Family
from analysis.stats.intervals import mean_interval

FLAT = 0.05
"""Largest change of the interactions for which they are called flat in the rate."""

CELL = ["algorithm", "width", "horizon"]


def rate_changes(families: Iterable[Family]) -> pd.DataFrame:
    """Interactions at each rate over those at the middle one, less 1.

    Runs of a seed are paired: they see the same examples. Cells with an even number of rates, or
    with one, have no middle rate and no row.

    Args:
        families: with all their rates.

    Returns:
        One row per algorithm, width, horizon, threshold and rate but the middle one: these with
        `factor` (the rate in units of the middle one), `change` (geometric mean over seeds),
        `low` and `high` (its 95% interval; NaN with one seed), `seeds`, and `censored`: some run
        does not reach the return, so that there is no change (NaN).
    """
    tables = [_changes(family) for family in families if family.several_learning_rates]
    columns = [*CELL, "threshold", "factor", "change", "low", "high", "seeds", "censored"]
    table = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=columns)
    return table.reindex(columns=columns)


def _changes(family: Family) -> pd.DataFrame:
    frame = family.frame
    if "algorithm" not in frame:
        frame = frame.assign(algorithm=str(family.settings.get("algorithm", "")))
    rows = []
    crossings = interactions_to_threshold(frame, THRESHOLDS)
    for key, cell in crossings.groupby([*CELL, "threshold"]):
        rates = np.unique(cell["learning_rate"])
        if len(rates) < 3 or len(rates) % 2 == 0:
            continue
        middle = rates[len(rates) // 2]
        logs = np.log(
            cell.pivot_table(index="seed", columns="learning_rate", values="interactions")
        )
        censored = cell.groupby("learning_rate")["censored"].any()
        for rate in rates[rates != middle]:
            ratios = (logs[rate] - logs[middle]).dropna().to_numpy(float)
            is_censored = bool(censored[rate] or censored[middle])
            found = (
                np.expm1(mean_interval(ratios)) if len(ratios) and not is_censored else [np.nan] * 3
            )
            change = dict(zip(("change", "low", "high"), map(float, found), strict=True))
            row = dict(zip([*CELL, "threshold"], key, strict=True)) | change
            rows.append(
                {**row, "factor": rate / middle, "seeds": len(ratios), "censored": is_censored}
            )
    return pd.DataFrame(rows)

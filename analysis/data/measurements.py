"""What is measured of a sweep: its curves, crossings and gradient noise, read once for all laws."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from analysis.data.crossings import THRESHOLDS, interactions_to_threshold
from analysis.data.families import with_chosen_rates
from mnist_horizon.results import Results, ResultsError, read_noise, read_results


@dataclass(frozen=True)
class Measurements:
    """The tables that laws, figures and pages are made of.

    Attributes:
        frame: tidy results, every run.
        curves: the same of the runs at the chosen learning rates (`families.with_chosen_rates`).
        crossings: interactions to each threshold of those runs.
        all_crossings: the same of every run.
        noise: rows of the noise tables; empty where none was measured.
        unfinished: ids of runs that are not done.
        notes: what was left out.
    """

    frame: pd.DataFrame
    curves: pd.DataFrame
    crossings: pd.DataFrame
    all_crossings: pd.DataFrame
    noise: pd.DataFrame
    unfinished: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()


def measure(
    results: Results,
    noise: Results | None = None,
    thresholds: tuple[float, ...] = THRESHOLDS,
) -> Measurements:
    """Measure results that were read.

    Args:
        results: tidy results.
        noise: gradient-noise tables of the same runs.
        thresholds: returns to reach.
    """
    curves, notes = with_chosen_rates(results.frame)
    every = interactions_to_threshold(results.frame, thresholds)
    chosen = every[every["run_id"].isin(curves["run_id"])].reset_index(drop=True)
    return Measurements(
        frame=results.frame,
        curves=curves,
        crossings=chosen,
        all_crossings=every,
        noise=pd.DataFrame() if noise is None else noise.frame,
        unfinished=results.unfinished,
        notes=(*results.notes, *(noise.notes if noise else ()), *notes),
    )


def read(workdirs: Sequence[Path]) -> Measurements:
    """Read and measure one or more working directories, finished or not.

    Raises:
        ResultsError: there are no rows to read.
    """
    results = read_results(workdirs)
    try:
        noise = read_noise(workdirs)
    except ResultsError:
        noise = None
    return measure(results, noise)

"""What is measured of a sweep: its curves, crossings and gradient noise, read once for all laws."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from analysis.data.crossings import THRESHOLDS, interactions_to_threshold
from analysis.data.families import with_chosen_rates
from analysis.data.frontier import gold_curves
from analysis.data.horizon_cost import with_horizon_cost
from analysis.data.noise import action_noise_ratio
from mnist_horizon.results import (
    READ_SCHEMA,
    Results,
    ResultsError,
    conform,
    read_crossings,
    read_frontiers,
    read_noise,
    read_results,
    read_sweep,
)


@dataclass(frozen=True)
class Measurements:
    """The tables that laws, figures and pages are made of.

    Attributes:
        frame: tidy results, every run; a run of which only crossings are known has one row, its
            last interactions, without a return.
        curves: the curves of the runs at the chosen learning rates (`families.with_chosen_rates`).
        crossings: interactions to each threshold of the runs at the chosen learning rates, with
            `horizon_cost` where noise was measured (`horizon_cost.with_horizon_cost`).
        all_crossings: the same of every run.
        noise: rows of the noise tables; empty where none was measured.
        unfinished: ids of runs that are not done.
        notes: what was left out.
        frontier: the best policies by KL of runs that are paid a proxy; empty where there are none.
    """

    frame: pd.DataFrame
    curves: pd.DataFrame
    crossings: pd.DataFrame
    all_crossings: pd.DataFrame
    noise: pd.DataFrame
    unfinished: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()
    frontier: pd.DataFrame = field(default_factory=pd.DataFrame)

    @property
    def gold_curves(self) -> pd.DataFrame:
        """Rows of runs that are paid a proxy, beside the best policies (`frontier.gold_curves`)."""
        return gold_curves(self.frame, self.frontier)

    @property
    def crossings_with_noise(self) -> pd.DataFrame:
        """`crossings` with a column `action_noise_ratio`, what the noise says that actions cost."""
        ratio = action_noise_ratio(self.noise, self.crossings)
        return self.crossings.assign(action_noise_ratio=ratio)


def measure(
    results: Results,
    noise: Results | None = None,
    thresholds: tuple[float, ...] = THRESHOLDS,
    crossings: Results | None = None,
) -> Measurements:
    """Measure results that were read.

    Args:
        results: tidy results.
        noise: gradient-noise tables of the same runs.
        thresholds: returns to reach.
        crossings: tables of crossings, of other runs.
    """
    curves, notes = with_chosen_rates(results.frame)
    rows = results.frame["run_id"].value_counts()
    if len(rows) and rows.max() == 1:
        notes = [
            *notes,
            f"{len(rows)} runs of one row each: they have no curves, and no figures of",
        ]
        notes[-1] += " these; whether they reach a return is known, but not where"
    every = interactions_to_threshold(results.frame, thresholds)
    chosen = every[every["run_id"].isin(curves["run_id"])].reset_index(drop=True)
    frame, read_notes = results.frame, (*results.notes, *(crossings.notes if crossings else ()))
    if crossings is not None and len(crossings.frame):
        more, more_notes = _measured_crossings(crossings.frame)
        kept, rate_notes = with_chosen_rates(more)
        every = pd.concat([every, more], ignore_index=True)
        chosen = pd.concat([chosen, kept], ignore_index=True)
        frame = pd.concat([frame, _last_rows(more)], ignore_index=True)
        notes = [*notes, *more_notes, *rate_notes]
    noise_rows = pd.DataFrame() if noise is None else noise.frame
    return Measurements(
        frame=frame,
        curves=curves,
        crossings=with_horizon_cost(chosen, noise_rows),
        all_crossings=every,
        noise=noise_rows,
        unfinished=results.unfinished,
        notes=(*read_notes, *(noise.notes if noise else ()), *notes),
    )


def _measured_crossings(table: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """A table of crossings as `interactions_to_threshold` gives it: with a score of each run.

    The score, as that of a curve, rises as the log interactions to a return fall; censored runs
    have those of their last place.
    """
    log_e = np.log(table["interactions"])
    score = -log_e.groupby(table["run_id"]).transform("mean")
    runs = table["run_id"].nunique()
    note = f"{runs} runs without curves: their crossings were imported, figures of curves lack them"
    return table.assign(score=score, fell_back=False), [note]


def _last_rows(crossings: pd.DataFrame) -> pd.DataFrame:
    """One row per run in the columns of the results: its last interactions, and no return."""
    runs = crossings.sort_values("interactions").drop_duplicates("run_id", keep="last")
    runs = runs.sort_values("run_id").assign(interactions=np.ceil(runs["interactions"]))
    columns = [name for name in runs if name in READ_SCHEMA.names]
    table = pa.Table.from_pandas(runs[columns], preserve_index=False)
    table = table.append_column("return_mean", pa.nulls(len(runs), pa.float64()))
    return conform(table, READ_SCHEMA).to_pandas()


def read(workdirs: Sequence[Path]) -> Measurements:
    """Read and measure one or more working directories, finished or not, of sweeps or imported.

    Raises:
        ResultsError: there are no rows to read.
    """
    crossings = noise = None
    with contextlib.suppress(ResultsError):
        noise = read_noise(workdirs)
    with contextlib.suppress(ResultsError):
        crossings = read_crossings(workdirs)
    try:
        results = read_results(workdirs)
    except ResultsError:
        if crossings is None or crossings.frame.empty:
            raise
        results = Results(READ_SCHEMA.empty_table().to_pandas(), ())
    thresholds, notes = thresholds_of(workdirs)
    measured = measure(results, noise, thresholds, crossings)
    measured = replace(measured, notes=(*measured.notes, *notes))
    with contextlib.suppress(ResultsError):
        measured = replace(measured, frontier=read_frontiers(workdirs).frame)
    return measured


def crossings_to(workdir: Path, threshold: float) -> pd.DataFrame:
    """Interactions to one return of the runs of a directory at the chosen learning rates.

    A run without a curve has them only if the return is among those that were imported.

    Raises:
        ResultsError: there are no rows to read.
    """
    measured = read([workdir])
    imported = measured.crossings[~measured.crossings["run_id"].isin(measured.curves["run_id"])]
    found = [imported[imported["threshold"] == threshold]]
    if len(measured.curves):
        found.append(interactions_to_threshold(measured.curves, (threshold,)))
    return pd.concat(found, ignore_index=True)


def thresholds_of(workdirs: Sequence[Path]) -> tuple[tuple[float, ...], list[str]]:
    """The returns to reach in some working directories together, in order, and notes.

    They are those that `sweep.json` names (`thresholds`, of imported results) and, where it names
    none, `THRESHOLDS`. All are applied to all runs, so that directories can be compared.
    """
    found: set[float] = set()
    notes = []
    for workdir in workdirs:
        try:
            named = read_sweep(workdir).get("thresholds", THRESHOLDS)
        except ResultsError:
            named = THRESHOLDS
        try:
            values = [float(value) for value in named]
        except (TypeError, ValueError):
            values = []
        if not values or not np.all(np.isfinite(values)):
            notes.append(f"{workdir}: its thresholds in sweep.json are no numbers, not used")
            values = list(THRESHOLDS)
        found |= {*values}
    return tuple(sorted(found)), notes

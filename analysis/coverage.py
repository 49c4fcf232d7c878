"""Coverage of the 95% intervals: `python -m analysis.coverage WORKDIR [--draws=200]`.

Data sets of the same shape (the same runs, seeds, widths, horizons and censoring) are drawn from
the laws fitted to WORKDIR, and fitted again from a warm start: the horizon law of each threshold,
and the power law of each horizon. A schedule with a delay has no horizon law. Printed for each
number: the share of intervals that contain the true value, with the binomial interval of that
share; their median width relative to that value, or "wide" where most intervals span a factor 10 or
leave the sign open; in how many draws the number was determined, that is with an interval that does
neither; and how many draws allowed a fit. The same command prints the same table, whatever the
number of processes.
"""

import multiprocessing
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd
from absl import flags

from analysis.data import Measurements, read
from analysis.data.families import label_of_law
from analysis.laws.horizon import (
    HorizonLaw,
    affine_numbers,
    fit_horizon_laws,
    free_numbers,
    knee_interval,
    knee_of,
)
from analysis.laws.horizon_forms import FormFit, HorizonData
from analysis.laws.law import Quantity
from analysis.laws.power.curves import FitError
from analysis.laws.power.draws import redraw
from analysis.laws.power.level_estimate import LevelEstimate, constants
from analysis.laws.power.single import estimate_each, power_law_groups
from analysis.stats.intervals import Interval
from mnist_horizon import cli
from mnist_horizon.errors import InputError

FLAGS = flags.FLAGS


def define_flags() -> None:
    """Define the command's flags (not on import: other commands have some of the same name)."""
    flags.DEFINE_integer("draws", 200, "Simulated data sets for each law.", lower_bound=1)
    flags.DEFINE_integer("seed", 0, "Seed of the random generators.", lower_bound=0)
    flags.DEFINE_integer("processes", os.cpu_count() or 1, "Parallel processes.", lower_bound=1)


@dataclass(frozen=True)
class DrawnInterval:
    """One number of one draw: its true value, the interval found, and whether it is narrow."""

    number: str
    truth: float
    interval: Interval
    is_determined: bool


def drawn_intervals(
    truth: Mapping[str, Quantity], found: Mapping[str, Quantity]
) -> list[DrawnInterval]:
    """The numbers found in a draw that have an interval and a finite true value."""
    return [
        DrawnInterval(name, truth[name].value, one.interval, one.is_determined)
        for name, one in found.items()
        if one.interval is not None and np.isfinite(truth[name].value)
    ]


class Target(Protocol):
    """Something fitted, of which data sets can be drawn and refitted (and that can be pickled)."""

    @property
    def label(self) -> str:
        """What is fitted, for the table."""
        ...

    def draw(self, rng: np.random.Generator) -> list[DrawnInterval]:
        """Draw a data set, refit it, and compare."""
        ...


@dataclass(frozen=True)
class HorizonTarget:
    """The horizon law of one group: a, b and the knee under affine, g under the free power.

    Attributes:
        label: which group and threshold.
        law: the fitted law; a, b and the knee are drawn from its affine form, g from the free one.
    """

    label: str
    law: HorizonLaw

    def draw(self, rng: np.random.Generator) -> list[DrawnInterval]:
        """Draw from the affine form and from the free power, and refit each."""
        affine = self.law.affine
        refit = affine.refit(draw_values(affine, rng))
        truth, refitted = affine_numbers(affine), affine_numbers(refit)
        knee = knee_of(affine.fit.theta[-1], affine.mean.x_max, affine.regressor)
        truth["knee"] = Quantity(knee)
        refitted["knee"] = Quantity(knee, knee_interval(refit, profiles=True), least=1.0)
        if "free" in self.law.forms:
            free = self.law.forms["free"]
            truth["g"] = Quantity(float(np.exp(free.fit.theta[-1])))
            refitted["g"] = free_numbers(free.refit(draw_values(free, rng)), profiles=True)["g"]
        return drawn_intervals(truth, refitted)


def draw_values(law: FormFit, rng: np.random.Generator) -> HorizonData:
    """Draw new data of the same runs from a fitted law, with its seed effects and run noise.

    A run that was right-censored keeps its limit of observation; where there is such a run, the
    limit of the others is the largest observed value.
    """
    data = law.data
    values = data.values
    level, slope, log_tau = law.fit.spread
    sigma = np.exp(level + slope * values.spread)
    several = values.block.max() > 0
    effect = np.exp(log_tau) * rng.standard_normal(values.block.max() + 1) * several
    log_e = law.fit.means + effect[values.block] + sigma * rng.standard_normal(len(sigma))
    limit = np.where(values.right, values.log_e, np.inf)
    if values.right.any():
        limit = np.where(values.right, values.log_e, values.log_e.max())
    right = log_e > limit
    values = replace(values, log_e=np.minimum(log_e, limit), right=right, left=np.zeros_like(right))
    return replace(data, values=values)


def horizon_targets(measured: Measurements) -> tuple[list[Target], list[str]]:
    """The horizon laws of the widest groups (widths pooled, where there are several), in h - 1."""
    laws = fit_horizon_laws(measured.crossings, regressors=("h-1",), profiles=False)
    pooled = any("width" not in law.group for law in laws.entries)
    targets: list[Target] = [
        HorizonTarget(f"horizon law, {label_of_law(law.group, law.threshold)}", law)
        for law in laws.entries
        if ("width" in law.group) != pooled and len(law.seeds) > 1
    ]
    return targets, list(laws.notes)


POWER_LAW_NUMBERS = ("alpha_n", "alpha_e", "e_c", "optimal_size_exponent")


@dataclass(frozen=True)
class PowerLawTarget:
    """The power law of one group and horizon, with compute as N * E.

    Attributes:
        label: which group and horizon.
        estimate: the fitted level sets, drawn from.
    """

    label: str
    estimate: LevelEstimate

    def draw(self, rng: np.random.Generator) -> list[DrawnInterval]:
        """Draw curves from the law and refit it; an empty list where they allow no fit."""
        truth = constants(self.estimate, "NE").quantities
        try:
            found = redraw(self.estimate, "NE", rng).quantities
        except FitError:
            return []
        return drawn_intervals(truth, {name: found[name] for name in POWER_LAW_NUMBERS})


def power_law_targets(measured: Measurements) -> tuple[list[Target], list[str]]:
    """The power laws of each group and horizon."""
    generator = np.random.default_rng(0)  # for the starting points, as in the report
    targets: list[Target] = []
    notes: list[str] = []
    for group in power_law_groups(measured.curves):
        estimates, more = estimate_each(group, generator)
        notes += more
        for estimate in estimates:
            name = f"power law, {group.label}, horizon {estimate.curves[0].horizon:g}"
            targets.append(PowerLawTarget(name, estimate))
    return targets, notes


TARGETS: tuple[Callable[[Measurements], tuple[list[Target], list[str]]], ...] = (
    horizon_targets,
    power_law_targets,
)
"""Functions from the measurements to targets and notes, one per kind of law."""


def coverage_table(
    targets: Sequence[Target], draws: int, seed: int, processes: int
) -> pd.DataFrame:
    """Coverage and width of each target's intervals.

    Args:
        targets: what to simulate.
        draws: data sets of each.
        seed: of the generators, one per target and draw: results do not depend on `processes`.
        processes: number of parallel processes.

    Returns:
        One row per target and number: `law`, `number`, `truth`, `draws`, `coverage`, its binomial
        95% interval `coverage_low` and `coverage_high`; `determined`, in how many draws the number
        was; and `width`, the median over draws of (high - low) / |truth|, in which a number that
        is not determined counts as infinitely wide.
    """
    seeds = np.random.SeedSequence(seed).spawn(len(targets) * draws)
    jobs = [
        (target, seeds[i * draws + d]) for i, target in enumerate(targets) for d in range(draws)
    ]
    if processes == 1:
        drawn = [_draw(job) for job in jobs]
    else:
        # Spawned: to fork a process that has threads (JAX's import may start some) can hang.
        with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool:
            drawn = list(pool.map(_draw, jobs, chunksize=8))
    rows = []
    for i, target in enumerate(targets):
        of_law = [one for draw in drawn[i * draws : (i + 1) * draws] for one in draw]
        for number in dict.fromkeys(one.number for one in of_law):
            rows.append(_row(target.label, [o for o in of_law if o.number == number]))
    return pd.DataFrame(rows)


def _draw(job: tuple[Target, np.random.SeedSequence]) -> list[DrawnInterval]:
    target, seed = job
    return target.draw(np.random.default_rng(seed))


def _row(label: str, intervals: Sequence[DrawnInterval]) -> dict[str, object]:
    from scipy.stats import binomtest  # not at the top: the slowest import of all

    covered = sum(o.interval[0] <= o.truth <= o.interval[1] for o in intervals)
    share = binomtest(covered, len(intervals)).proportion_ci(0.95, method="wilson")
    widths = [
        (o.interval[1] - o.interval[0]) / abs(o.truth) if o.is_determined else np.inf
        for o in intervals
    ]
    return {
        "law": label,
        "number": intervals[0].number,
        "truth": intervals[0].truth,
        "draws": len(intervals),
        "coverage": covered / len(intervals),
        "coverage_low": share.low,
        "coverage_high": share.high,
        "width": float(np.median(widths)),
        "determined": sum(o.is_determined for o in intervals),
    }


def main(argv: Sequence[str]) -> None:
    """Print the coverage of every law fitted to the working directories given."""
    if len(argv) < 2:
        raise InputError("name a working directory: python -m analysis.coverage WORKDIR")
    measured = read([Path(name) for name in argv[1:]])
    targets: list[Target] = []
    notes = list(measured.notes)
    for find in TARGETS:
        more, left_out = find(measured)
        targets += more
        notes += left_out
    for note in notes:
        print(f"note: {note}")
    if not targets:
        print("no law could be fitted with intervals: nothing to simulate")
        return
    table = coverage_table(targets, FLAGS.draws, FLAGS.seed, FLAGS.processes)
    for label, rows in table.groupby("law", sort=False):
        print(f"\n{label}")
        print(format_table(rows))


def format_table(rows: pd.DataFrame) -> str:
    """The table of one law in plain text."""
    head = f"{'number':>21} {'truth':>10} {'coverage':>8} {'(95% interval)':>16} {'width':>8}"
    lines = [f"{head} {'determined':>10} {'draws':>6}"]
    for row in rows.itertuples():
        coverage = f"{row.coverage:.1%}"
        around = f"{row.coverage_low:.0%} to {row.coverage_high:.0%}"
        width = f"{row.width:.1%}" if np.isfinite(row.width) else "wide"
        lines.append(
            f"{row.number:>21} {row.truth:>10.4g} {coverage:>8} {around:>16} {width:>8} "
            f"{row.determined:>10} {row.draws:>6}"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    define_flags()
    cli.run(main, takes_arguments=True)

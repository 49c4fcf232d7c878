"""Intervals that a sweep would give: `python -m analysis.plan --config=launch/configs/FILE.py`.

Draws sweeps of the config's shape from a known truth and fits them, before anything is run. Printed
for the horizon law and, with at least three widths, for the exponents of the power law: the true
value, the median interval and its width, and how often each form of the law is selected.

The truth is `synthetic.HorizonTruth` and `synthetic.PowerLawTruth` with the noise of
`synthetic.Noise`, or with `--from=WORKDIR` the horizon law and the noise measured there. Learning
rates are not an axis here: all runs are assumed to have good rates.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from absl import flags
from ml_collections import config_flags

from analysis.data import crossings_to, interactions_to_threshold
from analysis.laws.horizon import HorizonLaw, fit_horizon_laws
from analysis.laws.power.curves import FitError
from analysis.laws.power.single import fit_power_law
from analysis.laws.synthetic import Design, HorizonTruth, Noise, PowerLawTruth, simulate
from analysis.stats.intervals import Interval
from mnist_horizon import cli
from mnist_horizon.errors import InputError
from mnist_horizon.schedules import parse

FLAGS = flags.FLAGS


def define_flags() -> None:
    """Define the command's flags (not on import: other commands have some of the same name)."""
    config_flags.DEFINE_config_file(
        "config", help_string="The sweep to plan: launch/configs/FILE.py.", lock_config=False
    )
    flags.DEFINE_string("from", None, "A finished WORKDIR to take the truth and noise from.")
    flags.DEFINE_float("threshold", 0.7, "The return to reach.")
    flags.DEFINE_integer("draws", 20, "Simulated sweeps.", lower_bound=1)
    flags.DEFINE_integer("seed", 0, "Seed of the random generator.", lower_bound=0)


def design_of(config: Mapping[str, Any]) -> Design:
    """The shape of a sweep from its config's fields, those of one schedule.

    Raises:
        InputError: a required field is absent or invalid.
    """
    needed = ("widths", "horizons", "schedules", "seeds", "budget")
    missing = [name for name in needed if name not in config]
    if missing:
        raise InputError(f"--config: it lacks {', '.join(missing)}")
    try:
        schedule = parse(config["schedules"][0])
        stop = float(config.get("stop_at_return", 0.0))
        design = Design(
            horizons=tuple(sorted(float(h) for h in config["horizons"])),
            widths=tuple(sorted(int(w) for w in config["widths"])),
            seeds=int(config["seeds"]),
            schedules=((schedule.kind, schedule.level),),
            budget=int(config["budget"]),
            evaluations=int(config.get("evaluations", Design.evaluations)),
            stop_at_return=stop if stop > 0 else 1.0,
        )
    except (TypeError, ValueError, IndexError) as error:
        raise InputError(f"--config: {error}") from None
    if not design.widths or not design.horizons or min(design.horizons) < 1:
        raise InputError("--config: widths and horizons (each >= 1) may not be empty")
    if min(design.seeds, design.budget, design.evaluations, *design.widths) < 1:
        raise InputError("--config: seeds, budget, evaluations and widths must be >= 1")
    return design


def measured_truth(workdir: str, threshold: float) -> tuple[HorizonTruth, Noise]:
    """Horizon law and noise of a finished sweep at a threshold (its dense runs, widths pooled).

    Raises:
        InputError: no law can be fitted to it.
        ResultsError: there is nothing to read.
    """
    table = crossings_to(Path(workdir), threshold)
    dense = table[table["schedule"] == "dense"]
    laws = fit_horizon_laws(dense if len(dense) else table, ("h-1",), profiles=False).entries
    if not laws:
        raise InputError(
            f"--from={workdir}: no horizon law for a return of {threshold:g} there; "
            "name another --threshold or another folder"
        )
    law = laws[-1]
    level, slope, log_tau = law.affine.fit.spread
    # A law that does not grow is given a knee at 100 times the largest measured horizon.
    knee = law.quantities["knee"].value
    knee = knee if np.isfinite(knee) else 100 * law.measured[1]
    truth = HorizonTruth(a=law.quantities["a"].value, knee=knee)
    if truth.floor < threshold < truth.ceiling:  # a return of another scale keeps the default
        truth = replace(truth, threshold=threshold)
    noise = Noise(float(np.exp(log_tau)), float(np.exp(level)), float(np.exp(level + slope)))
    return truth, noise


def horizon_plan(
    design: Design, truth: HorizonTruth, noise: Noise, draws: int, rng: np.random.Generator
) -> tuple[pd.DataFrame, dict[str, int], float]:
    """Expected intervals of the horizon law.

    Returns:
        One row per number with `truth`, `low` and `high` (medians over draws), `width` and `found`
        (the share of draws with an interval); the count of each verdict; and the mean share of
        censored runs.
    """
    entries: list[HorizonLaw | None] = []
    for _ in range(draws):
        table = interactions_to_threshold(simulate(truth, design, rng, noise), (truth.threshold,))
        laws = fit_horizon_laws(table, ("h-1",), profiles=False).entries
        entries.append(laws[-1] if laws else None)
    known = [entry for entry in entries if entry is not None]
    intervals: dict[str, tuple[float, list[Interval | None]]] = {
        "a": (float(truth.interactions(np.ones(1), design.widths[0])[0]), []),
        "knee": (truth.knee, []),
        "g": (truth.exponent, []),
    }
    for entry in known:
        numbers = {**entry.free_power, **entry.quantities}
        for name, (_, ends) in intervals.items():
            ends.append(numbers[name].interval if name in numbers else None)
    verdicts = dict(Counter(entry.verdict for entry in known).most_common())
    censored = float(np.mean([e.censored / e.runs for e in known])) if known else 1.0
    return _summary(intervals, draws), verdicts, censored


def power_law_plan(
    design: Design, truth: PowerLawTruth, noise: Noise, draws: int, rng: np.random.Generator
) -> pd.DataFrame:
    """Expected intervals of the power law's exponents at the smallest horizon (`horizon_plan`)."""
    design = replace(design, horizons=design.horizons[:1], stop_at_return=1.0)
    truth = replace(truth, reference_horizon=design.horizons[0])
    intervals: dict[str, tuple[float, list[Interval | None]]] = {
        "alpha_n": (truth.alpha_n, []),
        "alpha_e": (truth.alpha_e, []),
    }
    for _ in range(draws):
        try:
            fit = fit_power_law(simulate(truth, design, rng, noise), generator=rng)
        except FitError:
            continue
        for name, (_, ends) in intervals.items():
            ends.append(fit.quantities[name].interval)
    return _summary(intervals, draws)


def _summary(
    intervals: Mapping[str, tuple[float, list[Interval | None]]], draws: int
) -> pd.DataFrame:
    rows = []
    for name, (truth, found) in intervals.items():
        known = [interval for interval in found if interval is not None]
        low, high = np.median(known, axis=0) if known else (np.nan, np.nan)
        rows.append(
            {
                "number": name,
                "truth": truth,
                "low": low,
                "high": high,
                "width": (high - low) / abs(truth),
                "found": len(known) / draws,
            }
        )
    return pd.DataFrame(rows)


def format_plan(rows: pd.DataFrame) -> str:
    """Expected intervals in plain text."""
    lines = [f"{'number':>10} {'truth':>10} {'median 95% interval':>27} {'width':>8} {'found':>7}"]
    for row in rows.to_dict("records"):
        interval = f"[{row['low']:.4g}, {row['high']:.4g}]" if row["found"] else "none"
        width = f"{row['width']:.0%}" if row["found"] and np.isfinite(row["width"]) else "-"
        lines.append(
            f"{row['number']:>10} {row['truth']:>10.4g} {interval:>27} {width:>8} "
            f"{row['found']:>7.0%}"
        )
    return "\n".join(lines)


def main(argv: Sequence[str]) -> None:
    """Print the expected intervals of the sweep that `--config` describes."""
    del argv
    design = design_of(cli.settings_of(FLAGS.config))
    threshold = FLAGS.threshold
    truth, noise = HorizonTruth(threshold=threshold), Noise()
    if not (FLAGS["from"].value or truth.floor < threshold < truth.ceiling):
        raise InputError(f"--threshold: choose one between {truth.floor:g} and {truth.ceiling:g}")
    if FLAGS["from"].value:
        truth, noise = measured_truth(FLAGS["from"].value, threshold)
    rng = np.random.default_rng(FLAGS.seed)
    runs = len(design.widths) * len(design.horizons) * design.seeds
    print(
        f"{runs} runs: {len(design.widths)} widths x {len(design.horizons)} horizons x "
        f"{design.seeds} seeds, {design.budget:,} interactions each; {FLAGS.draws} draws"
    )
    table, verdicts, censored = horizon_plan(design, truth, noise, FLAGS.draws, rng)
    print(f"\nhorizon law, return {threshold:g} ({censored:.0%} of runs censored)")
    print(format_plan(table))
    forms = ", ".join(f"{form} {count}" for form, count in verdicts.items()) or "no fit in any draw"
    print(f"form: {forms}")
    if len(design.widths) < 3:
        print("\npower law: at least 3 widths are needed")
        return
    print(f"\npower law at horizon {design.horizons[0]:g}")
    print(format_plan(power_law_plan(design, PowerLawTruth(), noise, FLAGS.draws, rng)))


if __name__ == "__main__":
    define_flags()
    cli.run(main)

"""Intervals that a sweep would give: `python -m analysis.plan --config=launch/configs/FILE.py`.

Draws sweeps of the config's shape from a known truth and fits them, before anything is run. Printed
for the horizon law and, with at least three widths, for the exponents of the power law and of the
best size: the true value, the median interval and its width, in how many draws the number was
determined (the interval spans less than a factor 10 and has one sign), and how often each form of
the law is selected. The last line says what the numbers need that less than 80% of draws determine.
A schedule with a delay has no horizon law.

    python -m analysis.plan --config=launch/configs/FILE.py --until=knee,g

tries two and four times the seeds as well, up to the first number of seeds at which 80% of draws
determine the numbers named.

The truth is `synthetic.HorizonTruth` and `synthetic.PowerLawTruth` with the noise of
`synthetic.Noise`, or with `--from=WORKDIR` the horizon law and the noise measured there. Learning
rates are not an axis here: all runs are assumed to have good rates.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from absl import flags
from ml_collections import config_flags

from analysis.data import crossings_to, interactions_to_threshold
from analysis.laws.horizon import HorizonLaw, fit_horizon_laws
from analysis.laws.law import FittedLaw, Quantity, determines
from analysis.laws.power.best_sizes import BEST, measure_best_sizes
from analysis.laws.power.curves import FitError
from analysis.laws.power.single import fit_power_law
from analysis.laws.synthetic import Design, HorizonTruth, Noise, PowerLawTruth, simulate
from analysis.page.wording import interval, known
from mnist_horizon import cli
from mnist_horizon.errors import InputError
from mnist_horizon.schedules import make, parse

FLAGS = flags.FLAGS

SHARE = 0.8
"""Share of draws in which a number must be determined for a design to be called large enough."""

HORIZON_NUMBERS = ("a", "knee", "g")
POWER_LAW_NUMBERS = ("alpha_n", "alpha_e", BEST)


def define_flags() -> None:
    """Define the command's flags (not on import: other commands have some of the same name)."""
    config_flags.DEFINE_config_file(
        "config", help_string="The sweep to plan: launch/configs/FILE.py.", lock_config=False
    )
    flags.DEFINE_string("from", None, "A finished WORKDIR to take the truth and noise from.")
    flags.DEFINE_float("threshold", 0.7, "The return to reach.")
    flags.DEFINE_integer("draws", 20, "Simulated sweeps.", lower_bound=1)
    flags.DEFINE_integer("seed", 0, "Seed of the random generator.", lower_bound=0)
    flags.DEFINE_list("until", [], "Numbers for which 2 and 4 times the seeds are tried as well.")


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
            budget_width=int(config.get("budget_width", 0)),
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


def measured_truth(workdir: str, threshold: float) -> tuple[HorizonTruth, Noise, str]:
    """Horizon law and noise of a finished sweep at a threshold (its dense runs, widths pooled).

    Returns:
        The law, the noise, and a note where the runs there do not determine the knee, else "".

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
    entry = law.to_json()
    note = "" if entry["determined"]["knee"] else f"the knee of {workdir} is {known(entry, 'knee')}"
    return truth, noise, note and f"{note}; planned with a knee of {knee:.3g}"


@dataclass
class Planned:
    """A number in simulated sweeps.

    Attributes:
        name: as `fits.json` has it.
        truth: its true value.
        seeds: of each sweep.
        found: what was found in each draw; None where nothing was.
        axes: what the laws of the draws name as determining it (`FittedLaw.determined_by`).
    """

    name: str
    truth: float
    seeds: int
    found: list[Quantity | None] = field(default_factory=list)
    axes: Counter[str] = field(default_factory=Counter)

    def add(self, law: FittedLaw | None) -> None:
        """Add a draw, with the law fitted to it or None."""
        numbers = {} if law is None else law.determined_quantities
        self.found.append(numbers.get(self.name))
        if law is not None:
            self.axes[law.determined_by.get(self.name, "more seeds")] += 1

    @property
    def determined(self) -> int:
        """In how many draws it was determined."""
        return sum(one is not None and one.is_determined for one in self.found)

    @property
    def needs(self) -> str:
        """What would determine it in 80% of draws, "" where this design does."""
        if self.determined >= SHARE * len(self.found):
            return ""
        if self.seeds < 2:
            return "at least 2 seeds"
        enough = sorted(_seeds_for(one, self.seeds) for one in self.found)
        seeds = enough[math.ceil(SHARE * len(enough)) - 1]
        if np.isfinite(seeds):
            return f"about {seeds:.0f} seeds instead of {self.seeds}"
        return self.axes.most_common(1)[0][0] if self.axes else "a larger budget: there is no fit"

    def row(self) -> dict[str, Any]:
        """Its row of a plan."""
        ends = [one.interval for one in self.found if one is not None and one.interval is not None]
        low, high = np.median(ends, axis=0).tolist() if ends else (np.nan, np.nan)
        narrow = self.determined >= len(self.found) / 2 and determines((low, high))
        return {
            "number": self.name,
            "truth": self.truth,
            "low": low,
            "high": high,
            "width": (high - low) / abs(self.truth) if narrow else np.inf,
            "determined": self.determined,
            "draws": len(self.found),
            "needs": self.needs,
        }


def _seeds_for(one: Quantity | None, seeds: int) -> float:
    """How many seeds would determine a number; infinite where none would."""
    if one is None:
        return np.inf
    return seeds if one.is_determined else one.seeds_needed(seeds) or np.inf


def horizon_plan(
    design: Design, truth: HorizonTruth, noise: Noise, draws: int, rng: np.random.Generator
) -> tuple[pd.DataFrame, dict[str, int], float]:
    """Expected intervals of the horizon law.

    Returns:
        One row per number: `truth`, `low` and `high` (medians over draws), `width` relative to the
        truth (infinite where the draws do not determine it), in how many `draws` it was
        `determined`, and what it `needs` ("" where that is 80% of them); the count of each verdict;
        and the mean share of censored runs.
    """
    laws: list[HorizonLaw] = []
    true = (float(truth.interactions(np.ones(1), design.widths[0])[0]), truth.knee, truth.exponent)
    numbers = [
        Planned(name, value, design.seeds)
        for name, value in zip(HORIZON_NUMBERS, true, strict=True)
    ]
    for _ in range(draws):
        table = interactions_to_threshold(simulate(truth, design, rng, noise), (truth.threshold,))
        law = next(reversed(fit_horizon_laws(table, ("h-1",), profiles=False).entries), None)
        laws += [law] if law is not None else []
        for number in numbers:
            number.add(law)
    verdicts = dict(Counter(law.verdict for law in laws).most_common())
    censored = float(np.mean([law.censored / law.runs for law in laws])) if laws else 1.0
    return pd.DataFrame([number.row() for number in numbers]), verdicts, censored


def power_law_plan(
    design: Design, truth: PowerLawTruth, noise: Noise, draws: int, rng: np.random.Generator
) -> pd.DataFrame:
    """Expected intervals of the exponents in size at the smallest horizon (`horizon_plan`).

    alpha_N and alpha_E are of the fitted law, that of the best size is measured without it.
    """
    design = replace(design, horizons=design.horizons[:1], stop_at_return=1.0)
    truth = replace(truth, reference_horizon=design.horizons[0])
    true = (truth.alpha_n, truth.alpha_e, truth.alpha_e / (truth.alpha_n + truth.alpha_e))
    *exponents, best = (
        Planned(name, value, design.seeds)
        for name, value in zip(POWER_LAW_NUMBERS, true, strict=True)
    )
    for _ in range(draws):
        frame = simulate(truth, design, rng, noise)
        try:
            law = fit_power_law(frame, generator=rng)
        except FitError:
            law = None
        for number in exponents:
            number.add(law)
        best.add(measure_best_sizes(frame))
    numbers = [*exponents, best]
    return pd.DataFrame([number.row() for number in numbers])


def format_plan(rows: pd.DataFrame) -> str:
    """Expected intervals in plain text."""
    wide = max(map(len, ("number", *rows["number"])))
    lines = [
        f"{'number':>{wide}} {'truth':>8} {'median 95% interval':>20} {'width':>6}  determined in"
    ]
    for row in rows.to_dict("records"):
        is_narrow = np.isfinite(row["width"])
        ends = interval((row["low"], row["high"])) if is_narrow else "not determined"
        width = f"{row['width']:.0%}" if is_narrow else "-"
        lines.append(
            f"{row['number']:>{wide}} {row['truth']:>8.4g} {ends:>20} {width:>6}  "
            f"{row['determined']} of {row['draws']} draws"
        )
    return "\n".join(lines)


def what_to_add(rows: pd.DataFrame, seeds: int) -> str:
    """One line: what the numbers need that too few draws of this many seeds determine."""
    missing = [
        f"{row['number']} (needed: {row['needs']})"
        for row in rows.to_dict("records")
        if row["needs"]
    ]
    if missing:
        return f"With {seeds} seeds less than {SHARE:.0%} of draws determine {', '.join(missing)}."
    names = ", ".join(rows["number"])
    return f"With {seeds} seeds at least {SHARE:.0%} of draws determine {names}."


@dataclass(frozen=True)
class Plan:
    """What is drawn and fitted: the truths, the noise, the draws and the seed of the generator.

    Attributes:
        horizon: truth of the horizon law; None where the schedule has none.
        power: truth of the power law; None with too few widths.
    """

    horizon: HorizonTruth | None
    power: PowerLawTruth | None
    noise: Noise
    draws: int
    seed: int

    @property
    def numbers(self) -> tuple[str, ...]:
        """The numbers that are planned."""
        horizon = HORIZON_NUMBERS if self.horizon is not None else ()
        return horizon + (POWER_LAW_NUMBERS if self.power is not None else ())

    def show(self, design: Design) -> pd.DataFrame:
        """Print the plan of a design; its rows."""
        rng = np.random.default_rng(self.seed)
        tables = []
        if self.horizon is not None:
            table, verdicts, censored = horizon_plan(
                design, self.horizon, self.noise, self.draws, rng
            )
            share = f"{censored:.0%} of runs censored"
            print(f"\nhorizon law, return {self.horizon.threshold:g} ({share})")
            print(format_plan(table))
            forms = ", ".join(f"{form} {count}" for form, count in verdicts.items())
            print(f"form: {forms or 'no fit in any draw'}")
            tables.append(table)
        if self.power is not None:
            print(f"\npower law at horizon {design.horizons[0]:g}")
            table = power_law_plan(design, self.power, self.noise, self.draws, rng)
            print(format_plan(table))
            tables.append(table)
        return pd.concat(tables, ignore_index=True)


def main(argv: Sequence[str]) -> None:
    """Print the expected intervals of the sweep that `--config` describes."""
    del argv
    design = design_of(cli.settings_of(FLAGS.config))
    plan, notes = _plan_of(design)
    unknown = [name for name in FLAGS.until if name not in plan.numbers]
    if unknown:
        planned = ", ".join(plan.numbers) or "no number"
        raise InputError(f"--until={unknown[0]}: what is planned here is {planned}")
    print(_size(design))
    for note in notes:
        print(f"note: {note}")
    if plan.numbers:
        rows = plan.show(design)
        wanted = rows["number"].isin(FLAGS.until or plan.numbers)
        for seeds in (2 * design.seeds, 4 * design.seeds) if FLAGS.until else ():
            if not rows["needs"][wanted].any():
                break
            design = replace(design, seeds=seeds)
            print(f"\n{_size(design)}")
            rows = plan.show(design)
        print(f"\n{what_to_add(rows[wanted], design.seeds)}")


def _size(design: Design) -> str:
    runs = len(design.widths) * len(design.horizons) * design.seeds
    shorter = f", in proportion to 1 / width beyond width {design.budget_width}"
    return (
        f"{runs} runs: {len(design.widths)} widths x {len(design.horizons)} horizons x "
        f"{design.seeds} seeds, {design.budget:,} interactions each"
        f"{shorter * bool(design.budget_width)}; {FLAGS.draws} draws"
    )


def _plan_of(design: Design) -> tuple[Plan, list[str]]:
    """What the flags ask for, and notes on it."""
    threshold = FLAGS.threshold
    noise, notes = Noise(), []
    of_default = HorizonTruth.floor < threshold < HorizonTruth.ceiling
    if not (FLAGS["from"].value or of_default):
        raise InputError(
            f"--threshold: choose one between {HorizonTruth.floor:g} and {HorizonTruth.ceiling:g}"
        )
    horizon: HorizonTruth | None = HorizonTruth(threshold=threshold)
    if FLAGS["from"].value:
        horizon, noise, note = measured_truth(FLAGS["from"].value, threshold)
        notes += [note] if note else []
    schedule = make(*design.schedules[0])
    if schedule.period > 1:
        horizon = None
        notes.append(f"no horizon law: the first schedule, {schedule}, has a delay")
    power = PowerLawTruth() if len(design.widths) >= 3 else None
    if power is None:
        notes.append("no power law: at least 3 widths are needed")
    return Plan(horizon, power, noise, FLAGS.draws, FLAGS.seed), notes


if __name__ == "__main__":
    define_flags()
    cli.run(main)

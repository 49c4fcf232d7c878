"""The calculator: from a measured horizon law to multipliers, savings and training compute.

    python -m analysis.anchors --fits=runs/horizon/report/fits.json --F=1e15 --K=2e3 --P=1e12
    python -m analysis.anchors --knee=14 --knee_ci=11,16 --F=1e15 --K=2e3:2e4 --P=1e12

A law with its knee at h = k multiplies the interactions of h = 1 by

    m(h) = 1 + (h - 1) / (k - 1)    (affine),    m(h) = 1 + ((h - 1) / (k - 1))^g    (free power)

where the biological anchors (Cotra 2020) multiply them by the horizon itself,

    C = F H K P^a                   (proportional rule),    C = F m(H) K P^a    (measured law)

F: FLOP per subjective second; H: effective horizon in subjective seconds; K P^a: data points for P
parameters, a = 0.8 as published. H is log-uniform over the published ranges: short 1 to 1e3, medium
1e3 to 1e6, long 1e6 to 1e9 subjective seconds. Intervals are 95%, by sampling H, the knee, g, and F
and K where they are given as ranges. Only a law that the runs determine is taken from a report, and
a multiplier whose interval spans a factor 10 is not printed.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from absl import flags
from scipy.special import ndtri

from analysis.data.families import label_of_law, schedule_of
from analysis.laws.horizon import main_entries
from analysis.laws.law import determines
from analysis.page.wording import NOT_DETERMINED, interval, is_determined, known, number
from mnist_horizon import cli, schedules, theory
from mnist_horizon.errors import InputError
from mnist_horizon.horizon import variance_horizon
from mnist_horizon.schedules import Schedule

RANGES = {"short": (1.0, 1e3), "medium": (1e3, 1e6), "long": (1e6, 1e9)}
"""Effective horizons of the biological anchors, in subjective seconds, log-uniform."""

_FITS = flags.DEFINE_string("fits", None, "fits.json of a report: take its measured law.")
_THRESHOLD = flags.DEFINE_float("threshold", 0.7, "Return whose law is taken from --fits.")
_KNEE = flags.DEFINE_float("knee", None, "Knee of an affine law, instead of --fits.")
_KNEE_CI = flags.DEFINE_list("knee_ci", None, "Its 95% interval: low,high.")
_HORIZONS = flags.DEFINE_list("horizons", ["1", "10", "100", "1000"], "Horizons to print m(h) for.")
_F = flags.DEFINE_string(
    "flop_per_second", None, "F, FLOP per subjective second: a number or low:high.", short_name="F"
)
_K = flags.DEFINE_string(
    "data_coefficient", None, "K, data points are K P^a: a number or low:high.", short_name="K"
)
_P = flags.DEFINE_float("parameters", None, "P, parameters of the model.", short_name="P")
_A = flags.DEFINE_float("data_exponent", 0.8, "a, data points are K P^a.", short_name="a")
_STEP = flags.DEFINE_float("seconds_per_step", 1.0, "Subjective seconds of one timestep of h.")
_SCHEDULE = flags.DEFINE_string("schedule", "dense", "A reward schedule, such as periodic:8.")
_ACCURACY = flags.DEFINE_float("accuracy", None, "mu, share of right answers (with --schedule).")
_RATIO = flags.DEFINE_float(
    "variance_ratio", None, "A / (F v): action over horizon noise (with --schedule)."
)
_SEED = flags.DEFINE_integer("seed", 0, "Seed of the samples.", lower_bound=0)
_SAMPLES = flags.DEFINE_integer("samples", 20_000, "Samples for each interval.", lower_bound=100)

DENSE = schedules.parse("dense")
_SMALL_SIGNAL = 1e-9
_NORMAL_95 = float(ndtri(0.975))

LIMITS = """Limits of this calculation
- m(h) is measured on a toy problem: independent timesteps, known labels, a reward each step (or by
  the schedule named). There a long horizon only adds noise, and m(h) is the cost of that noise.
- It does not cover credit assignment through states, exploration, or memory, which long tasks need
  as well: where these matter the cost is higher than here.
- {span} Beyond it the law is extrapolated: the two columns show how much
  depends on its form, and the intervals are valid only if the form is.
- The multiplier differs between environments; K, F, P and a are inputs, nothing here measures them.
- h counts timesteps; H is turned into them at {step:g} subjective seconds per step."""


@dataclass(frozen=True)
class MeasuredLaw:
    """A multiplier `1 + ((h - 1) / (knee - 1))^g` with its intervals.

    Attributes:
        name: "affine" (g = 1) or "free power".
        knee: horizon at which the multiplier is 2, above 1.
        knee_ci: its 95% interval; None: taken as exact.
        g: exponent.
        g_ci: its 95% interval; None: taken as exact.
    """

    name: str
    knee: float
    knee_ci: Sequence[float] | None = None
    g: float = 1.0
    g_ci: Sequence[float] | None = None

    def multiplier(self, horizon: np.ndarray | float) -> np.ndarray:
        """m(h); horizons under 1 count as 1."""
        excess = np.maximum(np.asarray(horizon, dtype=float), 1.0) - 1
        return 1 + (excess / (self.knee - 1)) ** self.g

    def sample(self, count: int, generator: np.random.Generator) -> "MeasuredLaw":
        """The law with arrays of knees and exponents in place of the numbers, shape [count].

        Ends of an interval are the 2.5% points of a normal on each side of the estimate: of
        log(knee - 1) and of log g, independent of each other.
        """
        knee, g = np.full(count, self.knee), np.full(count, self.g)
        if self.knee_ci is not None:
            low, high = (math.log(end - 1) for end in self.knee_ci)
            knee = 1 + np.exp(two_piece(math.log(self.knee - 1), low, high, count, generator))
        if self.g_ci is not None:
            low, high = (math.log(end) for end in self.g_ci)
            g = np.exp(two_piece(math.log(self.g), low, high, count, generator))
        drawn: dict[str, Any] = {"knee": knee, "g": g}
        return replace(self, **drawn)


def two_piece(
    estimate: float, low: float, high: float, count: int, generator: np.random.Generator
) -> np.ndarray:
    """A normal with its own spread on each side of the estimate; its 95% ends: `low`, `high`."""
    draws = generator.standard_normal(count) / _NORMAL_95
    return estimate + np.where(draws < 0, draws * (estimate - low), draws * (high - estimate))


def schedule_factor(
    schedule: Schedule, horizon: np.ndarray, knee: np.ndarray, accuracy: float, ratio: float
) -> np.ndarray:
    """Interactions under a schedule over those under dense rewards, by the theory of the noise.

    `(B + B_noise(h, schedule)) / (B + B_noise(h, dense))` with the batch B that puts the knee of
    dense rewards where it was measured.

    Raises:
        InputError: accuracy and ratio are impossible, or the knee is too short for the ratio.
    """
    if schedule == DENSE:
        return np.ones(np.broadcast_shapes(np.shape(horizon), np.shape(knee)))
    try:
        moments = theory.moments_from_ratio(ratio, accuracy, _SMALL_SIGNAL)
    except ValueError as error:
        raise InputError(f"--variance_ratio: {error}") from None
    at_one = theory.noise_over_signal(DENSE, 1.0, moments)
    batch = variance_horizon(np.asarray(knee, dtype=float)) / _SMALL_SIGNAL - at_one
    if np.any(np.median(batch) < 0):
        shortest = float(theory.knee(moments, 0.0))
        raise InputError(
            f"--variance_ratio {ratio:g} puts the knee at {shortest:.3g} or more, not at "
            f"{float(np.median(knee)):.3g}: give a smaller ratio"
        )
    batch = np.maximum(batch, 0.0)
    needed = theory.scaling_multiplier(schedule, np.maximum(horizon, 1.0), moments, batch)
    dense = theory.scaling_multiplier(DENSE, np.maximum(horizon, 1.0), moments, batch)
    return np.asarray(needed / dense)


def training_compute(
    flop_per_second: np.ndarray,
    multiplier: np.ndarray,
    data_coefficient: np.ndarray,
    parameters: float,
    data_exponent: float,
    seconds_per_step: float,
) -> np.ndarray:
    """C = F H K P^a in FLOP, with H = `multiplier` steps: the horizon itself, or m(h)."""
    points = data_coefficient * parameters**data_exponent
    return flop_per_second * multiplier * seconds_per_step * points


def measured_laws(path: Path, threshold: float) -> tuple[list[MeasuredLaw], str, float]:
    """The affine law and the free power of a report at a threshold, their name, the largest h.

    They are of dense rewards, and of the family with most runs where there are several.

    Raises:
        InputError: the file cannot be read, or has no law there, or none that its runs determine.
    """
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))["horizon_law"]
        # The theory takes a law from dense rewards to the schedule that the flags name.
        dense = [entry for entry in entries if schedule_of(entry["group"]) == DENSE]
        entries = next(iter(main_entries(dense)), [])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"--fits={path}: cannot be read as a fits.json: {error}") from None
    matching = [entry for entry in entries if abs(entry["threshold"] - threshold) < 1e-9]
    if not matching:
        there = ", ".join(f"{entry['threshold']:g}" for entry in entries) or "none"
        raise InputError(
            f"--threshold={threshold:g}: {path} has no horizon law there; it has {there}"
        )
    entry = matching[0]
    if entry.get("knee") is None and is_determined(entry, "b"):
        raise InputError(f"{path}: interactions do not grow with h, there is no multiplier")
    name = label_of_law(entry["group"], entry["threshold"])
    laws, missing = _determined_laws(entry)
    if not laws:
        raise InputError(f"{path}: the knee at a return of {threshold:g} is {known(entry, 'knee')}")
    return laws, f"{name}{missing}", float(entry["measured"][1])


def _determined_laws(entry: Mapping[str, Any]) -> tuple[list[MeasuredLaw], str]:
    """The laws of an entry that its runs determine, and why one of them is missing."""
    laws, missing = [], ""
    if is_determined(entry, "knee"):
        laws.append(MeasuredLaw("affine", entry["knee"], entry["knee_ci"]))
    else:
        missing = "; no affine law, it is not shown"
    free = entry.get("free_power") or {}
    lacking = [one for one in ("g", "knee") if not is_determined(free, one)]
    if lacking:
        return laws, f"{missing}; no free power, its {lacking[0]} is {known(free, lacking[0])}"
    power = (free["knee"], free["knee_ci"], free["g"], free["g_ci"])
    return [*laws, MeasuredLaw("free power", *power)], missing


def _given_laws() -> tuple[list[MeasuredLaw], str, float | None]:
    """The law that the flags name."""
    given = _KNEE.value
    if (_FITS.value is None) == (given is None):
        raise InputError("give one of --fits=REPORT/fits.json and --knee=NUMBER")
    if _FITS.value is not None:
        return measured_laws(Path(_FITS.value), _THRESHOLD.value)
    assert given is not None
    if not 1 < given < math.inf:
        raise InputError(f"--knee={given:g}: a knee is a horizon above 1")
    ends = None
    if _KNEE_CI.value is not None:
        ends = [_float("knee_ci", text) for text in _KNEE_CI.value]
        if len(ends) != 2 or not 1 < ends[0] <= given <= ends[1]:
            raise InputError("--knee_ci: give low,high about the knee, both above 1")
    return [MeasuredLaw("affine", given, ends)], "as given by --knee", None


def _float(flag: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise InputError(f"--{flag}: {text!r} is not a number") from None
    if not math.isfinite(value):
        raise InputError(f"--{flag}: {text} is not a finite number")
    return value


def _drawn(flag: str, text: str | None, generator: np.random.Generator) -> np.ndarray:
    """A positive number, or draws from a log-uniform range low:high."""
    if text is None:
        raise InputError(f"--{flag} is needed: a number or low:high (there is no agreed value)")
    ends = [_float(flag, part) for part in text.split(":")]
    if len(ends) > 2 or not 0 < ends[0] <= ends[-1] < float("inf"):
        raise InputError(f"--{flag}={text}: give a positive number or low:high")
    return log_uniform(ends[0], ends[-1], generator)


def log_uniform(low: float, high: float, generator: np.random.Generator) -> np.ndarray:
    """Draws whose logarithm is uniform, shape [--samples]."""
    return np.exp(generator.uniform(np.log(low), np.log(high), _SAMPLES.value))


def _summary(values: np.ndarray) -> str:
    low, middle, high = np.quantile(values, (0.025, 0.5, 0.975))
    return f"{number(middle)} {interval((low, high))}"


def _given_schedule() -> tuple[Schedule, float, float]:
    """The schedule with mu and A / (F v), which only schedules other than dense need."""
    try:
        schedule = schedules.parse(_SCHEDULE.value)
    except ValueError as error:
        raise InputError(f"--schedule: {error}") from None
    if schedule == DENSE:
        return schedule, 0.5, 1.0
    if _ACCURACY.value is None or _RATIO.value is None:
        raise InputError(
            f"--schedule={schedule} needs --accuracy (mu) and --variance_ratio (A / (F v))"
        )
    if not 0 < _ACCURACY.value < 1:
        raise InputError(f"--accuracy={_ACCURACY.value:g}: it must lie between 0 and 1")
    return schedule, _ACCURACY.value, _RATIO.value


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in [head, *rows]
    )
    return "\n".join(line.rstrip() for line in lines)


def multiplier_table(
    laws: Sequence[MeasuredLaw],
    horizons: Sequence[float],
    factor: tuple[Schedule, float, float],
    generator: np.random.Generator,
) -> str:
    """m(h) and the saving h / m(h) of each law at some horizons, as text."""
    head = ["h"]
    for law in laws:
        head += [f"m(h), {law.name}", "saving h / m(h)"]
    sampled = [law.sample(_SAMPLES.value, generator) for law in laws]
    rows = []
    for horizon in horizons:
        row = [number(horizon)]
        for law, samples in zip(laws, sampled, strict=True):
            centre = float(multipliers(law, np.array(horizon), factor))
            low, high = _ends(multipliers(samples, np.array(horizon), factor))
            saving = {"m": horizon / centre, "m_ci": [horizon / high, horizon / low]}
            row += [known({"m": centre, "m_ci": [low, high]}, "m"), known(saving, "m")]
        rows.append(row)
    return _table(head, rows)


def multipliers(
    law: MeasuredLaw, horizon: np.ndarray, factor: tuple[Schedule, float, float]
) -> np.ndarray:
    """Interactions at a horizon under a schedule over those at h = 1 with dense rewards."""
    schedule, accuracy, ratio = factor
    by_theory = schedule_factor(schedule, horizon, np.asarray(law.knee), accuracy, ratio)
    return np.asarray(law.multiplier(horizon) * by_theory)


def _ends(values: np.ndarray) -> list[float]:
    """The ends of a 95% interval of samples."""
    low, high = np.quantile(values, (0.025, 0.975)).tolist()
    return [low, high]


def compute_table(
    laws: Sequence[MeasuredLaw],
    factor: tuple[Schedule, float, float],
    generator: np.random.Generator,
) -> str:
    """Training compute for each published range of horizons, by both rules, as text.

    There is none by a law that does not determine the multiplier at the end of the range.
    """
    if _P.value is None:
        raise InputError("--parameters (P) is needed: the parameters of the model")
    flop = _drawn("flop_per_second (F)", _F.value, generator)
    points = _drawn("data_coefficient (K)", _K.value, generator)
    shared = (points, _P.value, _A.value, _STEP.value)
    rows = []
    for name, (low, high) in RANGES.items():
        steps = np.maximum(log_uniform(low, high, generator) / _STEP.value, 1.0)
        proportional = training_compute(flop, steps, *shared)
        row = [f"{name} {number(low)} to {number(high)}", _summary(proportional)]
        for law in laws:
            samples = law.sample(_SAMPLES.value, generator)
            compute = training_compute(flop, multipliers(samples, steps, factor), *shared)
            cells = [_summary(compute), _summary(proportional / compute)]
            is_known = determines(_ends(multipliers(samples, steps.max(), factor)))
            row += cells if is_known else [NOT_DETERMINED] * 2
        rows.append(row)
    head = ["H (subjective s)", "C = F H K P^a"]
    for law in laws:
        head += [f"with m(h), {law.name}", "saving"]
    return _table(head, rows)


def main(argv: Sequence[str]) -> None:
    """Print multipliers, savings and training compute."""
    if len(argv) > 1:
        raise InputError(f"{argv[1]!r}: all inputs are flags, see --helpshort")
    generator = np.random.default_rng(_SEED.value)
    factor = _given_schedule()
    laws, name, largest = _given_laws()
    horizons = [_float("horizons", text) for text in _HORIZONS.value]
    if not horizons or min(horizons) < 1:
        raise InputError("--horizons: give some, each at least 1")
    for flag, value in (("seconds_per_step", _STEP.value), ("P", _P.value)):
        if value is not None and not 0 < value < math.inf:
            raise InputError(f"--{flag}={value:g}: give a finite number above 0")
    if not math.isfinite(_A.value):
        raise InputError(f"--a={_A.value:g}: give a finite number")
    compute = compute_table(laws, factor, generator)
    print(f"Law: {name}")
    for law in laws:
        exponent = f", g {number(law.g)} {interval(law.g_ci)}" if law.name != "affine" else ""
        exact = "taken as exact" if law.knee_ci is None else interval(law.knee_ci)
        print(f"  {law.name}: knee {number(law.knee)} {exact}{exponent}")
    if factor[0] != DENSE:
        print(f"Rewards: {factor[0]}, by the theory of the noise at mu = {factor[1]:g}")
    print("\nScaling multiplier, over h = 1 with dense rewards")
    print(multiplier_table(laws, horizons, factor, generator))
    print(f"\nTraining compute, FLOP (median and 95%), P = {number(_P.value)}, a = {_A.value:g}")
    print(compute)
    span = "The horizons it was measured at are not known here."
    if largest is not None:
        span = f"It was measured up to h = {largest:g}."
    print("\n" + LIMITS.format(span=span, step=_STEP.value))


if __name__ == "__main__":
    cli.run(main, takes_arguments=True)

"""Every number that README.md and RESULTS.md state, by name, from the tables in docs/results.

A text is its template (`*.template.md` beside this file) with each `{{name}}` replaced. To change a
text, change its template and run `python -m tests.results`.
"""

import contextlib
import dataclasses
import functools
import io
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from analysis.data import read
from analysis.laws import LAWS, action_baselines, fit_laws
from analysis.laws.privileged_basis import basis_entries
from analysis.laws.synthetic import HorizonTruth, Noise, PowerLawTruth
from analysis.page.wording import interval, is_determined, number, percent
from analysis.plan import Plan, design_of
from launch.configs import scaling

CHECKOUT = Path(__file__).parents[2]
RESULTS = CHECKOUT / "docs" / "results"

Entry = dict[str, Any]


@functools.cache
def fitted(sweep: str, *keys: str) -> dict[str, list[Entry]]:
    """Entries of `fits.json` of some laws, fitted to a stored sweep, or to all in a folder.

    Args:
        sweep: folder of `docs/results`.
        keys: of the laws (`analysis.laws.LAWS`); what compares them is there too.
    """
    folder = RESULTS / sweep
    workdirs = sorted(path.parent for path in folder.rglob("sweep.json"))
    kinds = [kind for kind in LAWS if kind.key in keys]
    return fit_laws(read(workdirs), kinds).to_json()


def one(entries: Iterable[Entry], **wanted: Any) -> Entry:
    """The entry with these values, in its group or beside it; None stands for a column it lacks."""
    found = [
        entry
        for entry in entries
        if all(entry.get(name, entry["group"].get(name)) == v for name, v in wanted.items())
    ]
    assert len(found) == 1, f"{len(found)} entries with {wanted}"
    return found[0]


def show(entry: Entry, name: str) -> str:
    """A number and its interval; an error where the runs do not determine it."""
    assert is_determined(entry, name), f"{name} is not determined: {entry['group']}"
    return f"{number(entry[name])} {interval(entry[f'{name}_ci'])}"


def span(values: Iterable[float]) -> str:
    """The least and the largest of some numbers: `9.6 to 13`."""
    found = list(values)
    return f"{number(min(found))} to {number(max(found))}"


def p_value(value: float) -> str:
    """Two figures."""
    return f"{value:.2g}"


Numbers = dict[str, Callable[[], str]]


def _horizon() -> Numbers:
    """The README's table: all widths of `launch/configs/horizon.py` together."""

    def law(threshold: float) -> Entry:
        laws = fitted("horizon", "horizon_law")["horizon_law"]
        return one(laws, threshold=threshold, width=None, regressor="h-1")

    def knee(entry: Entry) -> str:
        return (
            show(entry, "knee")
            if entry["determined"]["knee"]
            else show(entry["free_power"], "knee")
        )

    numbers: Numbers = {}
    for name, threshold in (("50", 0.5), ("70", 0.7), ("85", 0.85)):
        found = functools.partial(law, threshold)
        numbers |= {
            f"horizon.{name}.knee": lambda found=found: knee(found()),
            f"horizon.{name}.b": lambda found=found: show(found(), "b"),
            f"horizon.{name}.g": lambda found=found: show(found()["free_power"], "g"),
            f"horizon.{name}.heldout": lambda found=found: ", ".join(
                percent(found()["heldout_error"][form]) for form in ("affine", "free")
            ),
            f"horizon.{name}.fit": lambda found=found: ", ".join(
                p_value(found()["fit_test"][form]) for form in ("affine", "free")
            ),
            f"horizon.{name}.runs": lambda found=found: "{runs}, {censored}".format(**found()),
        }
    return numbers


def _scaling() -> Numbers:
    """Exponents over three decades of size, and what learning from rewards adds."""
    conditions = {
        "1": {"algorithm": "vpg", "horizon": 1.0},
        "8": {"algorithm": "vpg", "horizon": 8.0},
        "32": {"algorithm": "vpg", "horizon": 32.0},
        "supervised": {"algorithm": "supervised"},
        "exact": {"algorithm": "exact"},
    }
    numbers: Numbers = {
        f"best.{name}": lambda wanted=wanted: show(
            one(fitted("scaling", "best_sizes")["best_sizes"], **wanted), BEST
        )
        for name, wanted in conditions.items()
    }
    numbers["best.sizes"] = lambda: span(
        size
        for wanted in conditions.values()
        for size in one(fitted("scaling", "best_sizes")["best_sizes"], **wanted)["parameters"]
    ).replace(" to ", " and ")
    numbers["best.supervised.change"] = lambda: _change("references", "supervised")
    for among in ("references", "horizons"):
        numbers[f"best.{among}.within"] = lambda among=among: number(
            _equality(among)["within"][BEST]
        )
    for threshold in (0.5, 0.7, 0.85):
        for of, over, name in (
            *(("h = 128", "h = 1", name) for name in ("ratio", "exponent_change")),
            ("h = 1", "exact", "ratio"),
        ):
            key = f"size.{of}.{over}.{threshold:g}.{name}".replace("h = ", "")
            numbers[key] = functools.partial(_ratio, "scaling", threshold, of, over, name)
    for sweep, key in (("scaling", "size"), ("scaling_cnn", "cnn")):
        name = f"{key}.32.1.0.5.ratio"
        numbers[name] = functools.partial(_ratio, sweep, 0.5, "h = 32", "h = 1", "ratio")
    return {
        **numbers,
        **{
            f"plan.{name}": lambda name=name: f"{_plan()[name]:.2f}"
            for name in ("alpha_n", "alpha_e", BEST)
        },
        "misfit.p": lambda: p_value(_power_law(algorithm="vpg", horizon=1.0)["joint_fit_test"]),
        "misfit.alpha_n": lambda: _without_sizes("alpha_n"),
        "misfit.alpha_e": lambda: _without_sizes("alpha_e"),
        **_parts(),
    }


BEST = "optimal_size_exponent"


def _equality(among: str) -> Entry:
    return one(fitted("scaling", "best_sizes")["best_size_equality"], among=among)


def _change(among: str, name: str) -> str:
    row = next(row for row in _equality(among)["conditions"] if row["name"] == name)
    return f"{number(row[f'{BEST}_change'])} {interval(row[f'{BEST}_change_ci'])}"


def _ratio(sweep: str, threshold: float, of: str, over: str, name: str) -> str:
    entries = fitted(sweep, "ratio_by_size")["ratio_by_size"]
    return show(one(entries, threshold=threshold, of=of, over=over), name)


def _power_law(**wanted: Any) -> Entry:
    entries = fitted("scaling", "power_law")["power_law"]
    return one((e for e in entries if not e.get("joint")), compute="NE", **wanted)


def _without_sizes(name: str) -> str:
    return span(row[name] for row in _power_law(algorithm="vpg", horizon=1.0)["without_size"])


@functools.cache
def _plan() -> dict[str, float]:
    """Half the widths of the intervals that `analysis.plan --draws=4` foresees for scaling.py."""
    design = design_of(scaling.get_config().to_dict())
    plan = Plan(HorizonTruth(threshold=0.7), PowerLawTruth(), Noise(), draws=4, seed=0)
    with contextlib.redirect_stdout(io.StringIO()):
        rows = plan.show(design).set_index("number")
    halves: dict[str, float] = ((rows["high"] - rows["low"]) / 2).to_dict()
    return halves


def _parts() -> Numbers:
    """The decomposition: ratios over widths, and parts at the largest one."""

    def ratios(threshold: float, name: str, widths: Iterable[int] = ()) -> str:
        entries = fitted("scaling", "decomposition")["decomposition"]
        kept = [entry for entry in entries if entry["threshold"] == threshold]
        kept = [one for one in kept if not widths or one["group"]["width"] in widths]
        return span(entry[name] for entry in kept if is_determined(entry, name))

    def part(name: str) -> str:
        entries = fitted("scaling", "decomposition")["decomposition"]
        return show(one(entries, threshold=0.7, width=3800), name)

    numbers: Numbers = {
        f"parts.{name}": functools.partial(part, name)
        for name in ("task", "action_noise", "horizon")
    }
    for threshold in (0.5, 0.7, 0.85):
        key = f"parts.{threshold:g}.predicted"
        numbers[key] = functools.partial(ratios, threshold, "predicted_h1_over_exact")
    numbers["parts.objective"] = functools.partial(ratios, 0.5, "exact_over_supervised")
    narrow = functools.partial(ratios, 0.85, "exact_over_supervised", (6, 9, 14))
    return {**numbers, "parts.narrow": narrow}


def _paper() -> Numbers:
    """The grid of the paper, on one GPU: to h = 511."""

    def law(threshold: float) -> Entry:
        laws = fitted("paper", "horizon_law")["horizon_law"]
        return one(laws, threshold=threshold, width=2500, regressor="h-1")

    numbers: Numbers = {}
    for threshold in (0.5, 0.7, 0.85):
        found = functools.partial(law, threshold)
        key = f"paper.{threshold:g}"
        numbers |= {
            f"{key}.multiplier": lambda found=found: show(found(), "multiplier"),
            f"{key}.knee": lambda found=found: show(found()["free_power"], "knee"),
            f"{key}.g": lambda found=found: show(found()["free_power"], "g"),
            f"{key}.fit": lambda found=found: ", ".join(
                p_value(found()["fit_test"][form]) for form in ("affine", "free")
            ),
            f"{key}.size": functools.partial(
                _ratio, "paper", threshold, "h = 511", "h = 1", "exponent_change"
            ),
        }
    return numbers


def _shapes() -> Numbers:
    """Errors of predicting the end of RL's curves, over that of the best shape."""

    def over_least(name: str) -> str:
        entries = fitted("scaling", "curve_shapes")["curve_shapes"]
        (joint,) = [e for e in entries if e.get("joint") and e["group"]["algorithm"] == "vpg"]
        return _plain(joint["over_least"]["others"][name], "ratio")

    names = ("sigmoid", "sigmoid_late", "power", "link")
    return {f"shapes.{name}": functools.partial(over_least, name) for name in names}


def _tasks() -> Numbers:
    """Knees of several tasks to a return of 0.5, and what each task's noise predicts."""

    def law(task: str) -> Entry:
        return one(fitted("tasks", "task_law")["task_law"], task=task, threshold=0.5)

    def over_tasks() -> Entry:
        found: Entry = fitted("tasks", "task_law")["task_law"][0]["prediction_over_tasks"]
        return found

    numbers: Numbers = {
        "tasks.ratio": lambda: _plain(over_tasks(), "knee_ratio"),
        "tasks.rank": lambda: _plain(over_tasks(), "knee_rank"),
        "tasks.within": lambda: number(over_tasks()["within_factor"]),
        "tasks.knees": lambda: span(law(task)["free_power"]["knee"] for task in TASKS.values()),
    }
    for task, label in TASKS.items():
        found = functools.partial(law, label)
        numbers[f"tasks.{task}.knee"] = lambda found=found: show(found()["free_power"], "knee")
        numbers[f"tasks.{task}.predicted"] = lambda found=found: _plain(found(), "predicted_knee")
    return numbers


_TEACHER = "teacher (10 classes), dimensions {}, label_noise {}"
TASKS = {
    "mnist": "mnist",
    "digits": "digits",
    "graded_digits": "graded_digits",
    "teacher4": "teacher (4 classes)",
    "teacher10": _TEACHER.format(16, 0.0),
    "teacher30": "teacher (30 classes)",
    "teacher10-hard": _TEACHER.format(64, 0.0),
    "teacher10-noise0.1": _TEACHER.format(16, 0.1),
    "teacher10-noise0.2": _TEACHER.format(16, 0.2),
}
"""The tasks whose knee to 0.5 is determined, as the law calls them."""


def _plain(entry: Entry, name: str) -> str:
    return f"{number(entry[name])} {interval(entry[f'{name}_ci'])}"


def _proxy() -> Numbers:
    """Gold scores of penalised runs less those of stopping early, at the same KL."""

    def law(error: str, rate: float) -> Entry:
        laws = fitted(f"proxy_{error}", "early_stopping")["early_stopping"]
        return next(one for one in laws if one["group"]["learning_rate"] == rate)

    def largest(error: str, rate: float) -> str:
        means = [
            (row[name], row[f"{name}_ci"])
            for row in law(error, rate)["coefficients"]
            for name in ("gold_along", "gold_end")
        ]
        value, ends = max(means, key=lambda one: abs(one[0]))
        return f"{number(value)} {interval(ends)}"

    return {
        "proxy.model": lambda: largest("digits", 3e-3),
        "proxy.labels50": lambda: largest("labels50", 3e-3),
        "proxy.labels200": lambda: largest("labels200", 3e-3),
        "proxy.noise": lambda: largest("noise", 3e-4),
        "proxy.gap": lambda: show(law("digits", 3e-3), "proxy_gap"),
        "proxy.gap.penalised": lambda: show(law("digits", 3e-3), "proxy_gap_penalised"),
    }


def _entropy() -> Numbers:
    """Which form predicts the course of entropy, and how much it moves about it."""

    def law(sweep: str) -> Entry:
        (found,) = fitted(sweep, "entropy_course")["entropy_course"]
        return found

    def over_least(sweep: str, least: str, other: str) -> str:
        found = law(sweep)["entropy"]
        assert found["best"] == least
        return _plain(found["over_least"][other], "ratio")

    return {
        "entropy.mnist": lambda: over_least("horizon", "entropy_sqrt_kl", "entropy_linear"),
        "entropy.digits": lambda: over_least("entropy_digits", "entropy_linear", "entropy_sqrt_kl"),
        "entropy.roughness": lambda: show(law("paper"), "roughness_ratio"),
    }


def _bits() -> Numbers:
    """What predicts the cost of a schedule: bits or noise."""

    def law() -> Entry:
        return one(fitted("sparsity", "bits_law")["bits_law"], width=24, threshold=0.7)

    return {"bits.over_steps": lambda: show(law(), "bits_over_steps")}


@functools.cache
def _baselines() -> dict[str, list[Entry]]:
    """Numbers of `analysis.action_baselines` for the stored sweeps."""
    workdirs = sorted((RESULTS / "action_baselines").iterdir())
    sweeps = [read([workdir]) for workdir in workdirs]
    return action_baselines.entries_of(
        action_baselines.by_baseline([one.name for one in workdirs], sweeps)
    )


def _action_baselines() -> Numbers:
    """The action part of the variance, what a baseline saves, and the normalisation bug."""

    def number_of(kind: str, name: str, **wanted: Any) -> str:
        entries = [
            entry
            for entry in _baselines()[kind]
            if all(entry[key] == value for key, value in wanted.items())
        ]
        assert len(entries) == 1, f"{len(entries)} with {wanted}"
        assert entries[0].get("verdict") != "undecided"
        return _plain(entries[0], name)

    def fell() -> str:
        normalised = [one for one in _baselines()["falls"] if "normalised" in one["of"]]
        others = [one for one in _baselines()["falls"] if one not in normalised]
        assert not any(one["fell"] for one in others)
        fell, runs = (sum(one[name] for one in normalised) for name in ("fell", "runs"))
        return f"{fell} of {runs}"

    numbers: Numbers = {"baseline.fell": fell}
    for horizon in (1, 4, 64):
        at = {"part": "action", "horizon": float(horizon)}
        name = f"baseline.action.{horizon}"
        numbers[name] = functools.partial(number_of, "parts", "share", **at)
    half = action_baselines.Baseline(fraction=0.5, normalise="advantage")
    wrong = dataclasses.replace(half, error=0.5)
    exact = action_baselines.Baseline(fraction=1.0)
    for horizon in (1, 4):
        for name, of in (("exact", exact), ("bug", half)):
            at = {"of": of.label, "horizon": float(horizon)}
            key = f"baseline.{name}.{horizon}"
            numbers[key] = functools.partial(number_of, "ratios", "ratio", **at)
    at = {"of": wrong.label, "horizon": 1.0}
    numbers["baseline.cosine"] = functools.partial(number_of, "bias", "first_cosine", **at)
    return numbers


def _basis() -> Numbers:
    """Excess kurtosis of the second hidden layer over that of rotations, at the end."""

    @functools.cache
    def entries() -> list[Entry]:
        return basis_entries(pd.read_csv(RESULTS / "privileged_basis" / "digits.csv"))

    def at_end(label: str) -> str:
        (entry,) = [one for one in entries() if (one["label"], one["layer"]) == (label, 2)]
        return _plain(entry, "end")

    names = {"linear.adam": "linear, adam", "linear.sgd": "linear, sgd", "relu.sgd": "relu, sgd"}
    return {f"basis.{name}": functools.partial(at_end, label) for name, label in names.items()}


def _sparsity() -> Numbers:
    """One law for horizon and schedule: what it predicts, best horizons, streaks, sizes."""

    def joint() -> list[Entry]:
        return fitted("sparsity", "joint_law")["joint_law"]

    def departures(*kinds: str) -> list[Entry]:
        return [d for e in joint() for d in e["departures"] if d["schedule"].startswith(kinds)]

    def holding(entries: list[Entry]) -> str:
        held = [e["ratio_ci"][0] <= 1 <= e["ratio_ci"][1] for e in entries]
        return f"{sum(held)} of {len(held)}"

    def best() -> list[Entry]:
        return [b for e in joint() for b in e["best_horizons"] if not b["edge"]]

    def over_delay() -> str:
        return span(b["measured"] / float(b["schedule"].split(":")[1]) for b in best())

    def inside() -> str:
        held = [b["measured_ci"][0] <= b["predicted"] <= b["measured_ci"][1] for b in best()]
        return f"{sum(held)} of {len(held)}"

    def streak(level: int, width: int) -> str:
        entry = one(joint(), threshold=0.7, width=width)
        found = next(d for d in entry["departures"] if d["schedule"] == f"streak:{level}")
        return _plain(found, "ratio")

    def changes(kinds: tuple[str, ...]) -> list[Entry]:
        entries = fitted("sparsity", "size_exponents")["size_exponents"]
        return [e for e in entries if e["schedule"].startswith(kinds)]

    law_kinds = ("dense", "revealed", "periodic")
    numbers: Numbers = {
        "joint.error": lambda: span(100 * e["error"] for e in joint()),
        "joint.slope": lambda: span(e["slope"] for e in joint()),
        "joint.slopes_with_1": lambda: _with_one(joint()),
        "joint.departures": lambda: holding(departures(*law_kinds)),
        "joint.departures.span": lambda: span(d["ratio"] for d in departures(*law_kinds)),
        "delay.over": over_delay,
        "delay.inside": inside,
        "size.sparse": lambda: _with_zero(changes(("revealed", "periodic", "streak:2"))),
        "size.streak3": lambda: span(e["change"] for e in changes(("streak:3",))),
    }
    for level in (2, 3):
        for width in (8, 24):
            key = f"streak.{level}.{width}"
            numbers[key] = functools.partial(streak, level, width)
    return numbers


def _with_one(laws: list[Entry]) -> str:
    held = [law["slope_ci"][0] <= 1 <= law["slope_ci"][1] for law in laws]
    return f"{sum(held)} of {len(held)}"


def _with_zero(laws: list[Entry]) -> str:
    held = [law["change_low"] <= 0 <= law["change_high"] for law in laws]
    return f"{sum(held)} of {len(held)}"


@functools.cache
def numbers() -> Numbers:
    """How each number is made, by its name."""
    return {
        **_horizon(),
        **_scaling(),
        **_paper(),
        **_shapes(),
        **_tasks(),
        **_proxy(),
        **_entropy(),
        **_bits(),
        **_action_baselines(),
        **_basis(),
        **_sparsity(),
    }


NAMED = re.compile(r"\{\{(.+?)\}\}")


def rendered(template: str) -> str:
    """A template with its numbers."""
    return NAMED.sub(lambda match: numbers()[match[1].strip()](), template)

"""The comparison of a report's settings with the paper's, and how the runs were made."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from analysis.data.families import label, schedules_in_order
from analysis.laws.horizon import main_entries
from analysis.laws.power.curves import EARLY_SHARE, RISEN_SHARE
from analysis.page.claims import Entry
from analysis.page.wording import NOT_DETERMINED, interval, is_determined, known, number
from mnist_horizon.errors import printable
from mnist_horizon.results import ResultsError, read_programs, read_sweep

Comparison = list[tuple[str, str | None, str]]


def title(frame: pd.DataFrame) -> str:
    """What was swept, in a line: the settings with several values, and on which task."""
    parts = []
    schedules = schedules_in_order(frame)
    if len(schedules) > 1:
        parts.append(f"{len(schedules)} reward schedules")
    for column, name in _SWEPT.items():
        if column in frame and (count := frame[column].nunique()) > 1:
            parts.append(f"{count} {name}")
    tasks = _values(frame, "task")
    if frame["horizon"].nunique() > 1:
        parts.append(f"horizons {frame['horizon'].min():g} to {frame['horizon'].max():g}")
    swept = ", ".join(parts) or "One setting"
    under = f", {schedules[0]} rewards" if len(schedules) == 1 else ""
    return f"{swept[0].upper()}{swept[1:]}: {tasks}{under}"


_SWEPT = {
    "optimizer": "optimisers",
    "batch": "batches",
    "parameters": "sizes",
}
"""Columns of what a sweep varies besides the horizon and the schedule, in plain words."""


def comparison(
    frame: pd.DataFrame,
    sweeps: Iterable[Mapping[str, Any]],
    horizon_law: Sequence[Entry],
    power_law: Sequence[Entry],
) -> Comparison:
    """Rows of setting, what the paper says (None: unknown), and what was done here."""
    sweeps = list(sweeps)
    imported = any("imported" in sweep for sweep in sweeps)
    rows: Comparison = [
        (
            "Task",
            "label MNIST digits one after another, a reward for each right label, timesteps "
            "independent",
            f"{'imported results of' if imported else 'the same on'} {_values(frame, 'task')}",
        ),
        (
            "Horizon",
            "set by the discount; its map to h is believed to be the same",
            "gamma = 1 - 2/(h + 1)",
        ),
        ("Horizons", "a list with h = 32 in it; the others unknown", _values(frame, "horizon")),
        ("Reward schedule", "dense", ", ".join(map(str, schedules_in_order(frame)))),
        ("Networks", "separate policy and value nets; the CNN's widths unknown", _networks(frame)),
        ("Algorithm", None, _algorithms(frame)),
        ("Optimiser", None, _values(frame, "optimizer")),
        ("Learning rates", None, _learning_rates(frame, sweeps)),
        ("Batch (interactions per update)", None, _values(frame, "batch")),
        ("Seeds", None, str(frame["seed"].nunique())),
        (
            "Left out of fits",
            "the first 1/64 of training",
            f"the first 1/{1 / EARLY_SHARE:.0f} of training and what comes before a size's return "
            f"has made {RISEN_SHARE:.0%} of its rise, in the power law",
        ),
    ]
    return rows + _results(horizon_law, power_law)


def _results(horizon_law: Sequence[Entry], power_law: Sequence[Entry]) -> Comparison:
    """What was found, by family where there are several."""
    groups = main_entries(horizon_law)
    shared = [law for law in power_law if law.get("joint") and law["compute"] == "NE"]

    def of_laws(text: Callable[[Entry], str]) -> str:
        return _by_family([(laws[0]["group"], [*map(text, laws)]) for laws in groups])

    exponents = _by_family([(law["group"], [_exponents(law)]) for law in shared])
    return [
        (
            "Interactions against horizon",
            "affine: a part of the task plus b h",
            of_laws(lambda law: f"return {law['threshold']:g}: {law['verdict']}") or "no fit",
        ),
        ("Constants of that law", None, of_laws(_constants) or "no fit"),
        (
            "Power law over horizons",
            "the horizon mostly changes the coefficient, not the exponent; table of constants "
            "unknown",
            exponents or "no shared fit",
        ),
    ]


def _by_family(records: Sequence[tuple[Mapping[str, Any], Sequence[str]]]) -> str:
    """Texts of each family, named where there are several."""
    names = [f"{label(_without_width(group))}: " * (len(records) > 1) for group, _ in records]
    texts = ("; ".join(texts) for _, texts in records)
    return ". ".join(f"{name}{text}" for name, text in zip(names, texts, strict=True))


def _without_width(group: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in group.items() if name != "width"}


def _constants(law: Entry) -> str:
    return f"return {law['threshold']:g}: a = {known(law, 'a')}, b = " + known(law, "b")


def _exponents(law: Entry) -> str:
    if not (is_determined(law, "alpha_n") or is_determined(law, "alpha_e")):
        return NOT_DETERMINED
    return (
        f"alpha_N = {known(law, 'alpha_n')}, alpha_E = {known(law, 'alpha_e')}, against free ones: "
        f"{law['verdict']}"
    )


def _values(frame: pd.DataFrame, column: str) -> str:
    values = sorted(frame[column].unique())
    shown = [f"{value:g}" if isinstance(value, float) else str(value) for value in values]
    return ", ".join(text for text in shown if text not in ("", "0")) or "not given"


def _networks(frame: pd.DataFrame) -> str:
    low, high = frame["parameters"].min(), frame["parameters"].max()
    return (
        f"{_values(frame, 'network')}, depth {_values(frame, 'depth')}, widths "
        f"{_values(frame, 'width')} ({low:,} to {high:,} parameters of the policy)"
    )


def _algorithms(frame: pd.DataFrame) -> str:
    return (
        f"{_values(frame, 'algorithm')}, baseline {_values(frame, 'baseline')}, GAE lambda "
        f"{_values(frame, 'gae_lambda')}, entropy coefficient {_values(frame, 'entropy_coef')}"
    )


def _learning_rates(frame: pd.DataFrame, sweeps: Iterable[Mapping[str, Any]]) -> str:
    rates = _values(frame, "learning_rate")
    rules = {
        f"{name.replace('_', ' ')} {value}"
        for sweep in sweeps
        if isinstance(optimizer := sweep.get("optimizer"), dict)
        for name, value in optimizer.items()
        if name not in ("name", "learning_rates")
    }
    return f"{rates} ({', '.join(sorted(rules))})" if rules else rates


def read_sweeps(workdirs: Sequence[Path]) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """`sweep.json` of each directory that has one, and a note for each that has none."""
    sweeps, notes = {}, []
    for workdir in workdirs:
        try:
            sweeps[str(workdir)] = read_sweep(workdir)
        except ResultsError as error:
            notes.append(f"settings are not shown: {error}")
    return sweeps, notes


def provenance(
    workdirs: Sequence[Path], frame: pd.DataFrame, unfinished: int
) -> tuple[list[tuple[str, str]], list[str]]:
    """Rows of what and value from `programs/*.json`, and notes on damaged or missing ones."""
    programs, notes = [], []
    for workdir in workdirs:
        records, damaged = read_programs(workdir)
        programs += records
        notes += damaged
        if not records and not _imported(workdir):
            notes.append(f"{workdir}: how it was run is not recorded there (programs/*.json)")
    runs = frame["run_id"].nunique()
    imported = [text for workdir in workdirs for text in _imported(workdir)]
    rows = [
        ("Read from", ", ".join(str(workdir) for workdir in workdirs)),
        *([("Imported from", ", ".join(imported))] if imported else []),
        ("Report made by", f"python -m analysis.report {' '.join(map(str, workdirs))}"),
        ("Runs", f"{runs} ({unfinished} not done)" if unfinished else f"{runs}, all done"),
        ("Interactions", number(float(frame.groupby("run_id")["interactions"].max().sum()))),
        ("Rows", f"{len(frame):,}"),
    ]
    if programs:
        done = sum(bool(program.get("done")) for program in programs)
        rows.append(("Programs", f"{len(programs)}, {done} done"))
        rows += [
            (name.replace("_", " ").capitalize(), value)
            for name in _facts(programs)
            if (value := _distinct(programs, name))
        ]
    return rows, notes


def _imported(workdir: Path) -> list[str]:
    """The files that a directory was imported from, with the start of their checksums."""
    try:
        imported = read_sweep(workdir).get("imported", {})
        return [f"{name} (SHA-256 {checksum[:12]})" for name, checksum in imported["files"].items()]
    except (ResultsError, KeyError, TypeError, AttributeError):
        return []


def _facts(programs: Sequence[Mapping[str, Any]]) -> list[str]:
    """What programs record besides the runs they hold, in the order of their records."""
    placement = ("program_id", "runs", "done", "width", "seeds", "variants")
    return [name for name in dict.fromkeys(n for p in programs for n in p) if name not in placement]


def _distinct(programs: Sequence[Mapping[str, Any]], name: str) -> str:
    """The distinct values of a fact over programs; a span where there are many numbers."""
    values = [program[name] for program in programs if name in program]
    if len(values) > 3 and all(isinstance(value, int | float) for value in values):
        return f"{interval((min(values), max(values)))[1:-1].replace(', ', ' to ')}"
    return "; ".join(dict.fromkeys(_plain(value) for value in values))


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key.replace('_', ' ')} {_plain(item)}" for key, item in value.items())
    if isinstance(value, list):
        return ", ".join(_plain(item) for item in value)
    return f"{value:.4g}" if isinstance(value, float) else printable(value)

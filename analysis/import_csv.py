"""Curves or crossings of others' making, into a working directory that every command reads.

    python -m analysis.import_csv FILE [FILE ...] --workdir=DIR --map=interactions=frames,\
return_mean=score,horizon=h [--set=parameters=1700000] [--thresholds=1000,5000]

Files are CSV, Parquet, TensorBoard's event files (a folder of runs) or W&B's CSV export. A row is
the return of a run after some interactions; with `--crossings` it is the interactions in which a
run reached a threshold, or was observed without reaching it (`censored`). `docs/foreign_results.md`
has an example of each; `analysis.data.conversion` says how absent columns are filled.

Written are `sweep.json` (what was imported, by which rules, and the thresholds) and one table. All
of it is checked first: the directory is written whole, or not at all.
"""

import json
import math
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from absl import flags

from analysis.data.conversion import Rules, convert, proposed_thresholds
from analysis.data.crossings import THRESHOLDS
from analysis.data.foreign import FORMATS, ForeignTable, read
from mnist_horizon import cli, files
from mnist_horizon.errors import InputError
from mnist_horizon.results import write_results

FLAGS = flags.FLAGS


def define_flags() -> None:
    """Define the command's flags (not on import: other commands have some of the same name)."""
    flags.DEFINE_string("workdir", None, "The working directory to write, new or empty.")
    flags.DEFINE_list("map", [], "Columns of the files by the results' names: interactions=frames.")
    flags.DEFINE_list("set", [], "Values of all rows by the results' names: parameters=1700000.")
    flags.DEFINE_list("multiply", [], "Factors of columns, such as interactions=1e6.")
    flags.DEFINE_list("settings", [], "Columns of the files that set runs apart and are no others.")
    flags.DEFINE_list("thresholds", [], "Returns to reach, in the files' units.")
    flags.DEFINE_bool("lower_is_better", False, "Returns are losses or costs: they are negated.")
    flags.DEFINE_bool("averaged", False, "A return is the mean since the row before, not a value.")
    flags.DEFINE_bool("crossings", False, "Rows are interactions to thresholds, not curves.")
    flags.DEFINE_enum("format", "auto", ["auto", *FORMATS], "Format of the files.")


def import_files(
    paths: Sequence[Path],
    workdir: Path,
    rules: Rules,
    thresholds: Sequence[float] = (),
    form: str = "auto",
) -> list[str]:
    """Write what the files hold into a new working directory; returns lines that say what was done.

    Args:
        paths: files of one format.
        workdir: the directory, absent or empty.
        rules: how the table is to be understood.
        thresholds: returns to reach, in the files' units; by default `THRESHOLDS`, for returns in
            [0, 1] of which some run reaches one.
        form: one of `foreign.FORMATS`, or "auto".

    Raises:
        InputError: the files or the directory do not allow it; nothing was written.
        OSError: the directory cannot be written.
    """
    if workdir.exists() and not (workdir.is_dir() and not any(workdir.iterdir())):
        raise InputError(f"--workdir: {workdir} exists and is not an empty folder: choose another")
    wanted = {*rules.columns.values(), *rules.settings}
    foreign = read(paths, form, wanted)
    frame, filled = convert(foreign, rules)
    chosen = _thresholds(frame, rules, thresholds)
    record = {"imported": _record(foreign, rules, filled), "thresholds": chosen}
    _write(workdir, frame, rules, record)
    what = "crossings" if rules.crossings else "rows"
    runs = frame["run_id"].nunique()
    lines = [f"{len(frame)} {what} of {runs} run{'s' * (runs != 1)}, to returns of "]
    lines[0] += ", ".join(f"{value:g}" for value in chosen)
    lines += [f"  {name}: {rule}" for name, rule in filled.items()]
    return [*lines, f"imported: {workdir} (python -m analysis.report {workdir})"]


def _thresholds(frame: pd.DataFrame, rules: Rules, given: Sequence[float]) -> list[float]:
    """The thresholds to store, in order, negated where lower is better."""
    if rules.crossings:
        if given:
            raise InputError("--thresholds: a table of crossings has its own")
        return [float(value) for value in sorted(frame["threshold"].unique())]
    if given:
        return sorted({-value if rules.lower_is_better else value for value in given})
    returns = frame["return_mean"]
    if returns.between(0, 1).all() and returns.max() >= min(THRESHOLDS):
        return list(THRESHOLDS)
    sign = -1 if rules.lower_is_better else 1
    low, high = sorted((sign * returns.min(), sign * returns.max()))
    proposed = ",".join(f"{sign * value:g}" for value in proposed_thresholds(returns))
    raise InputError(
        f"--thresholds: name the returns to reach, these lie from {low:g} to {high:g}; at 50, 70 "
        f"and 85% of the way: --thresholds={proposed}"
    )


def _record(foreign: ForeignTable, rules: Rules, filled: Mapping[str, str]) -> dict[str, Any]:
    """What was imported and how, for `sweep.json`."""
    return {
        "files": foreign.checksums,
        "map": {**foreign.roles, **rules.columns},
        "set": dict(rules.values),
        "multiply": dict(rules.factors),
        "settings": list(rules.settings),
        "lower_is_better": rules.lower_is_better,
        "crossings": rules.crossings,
        "filled": dict(filled),
    }


def _write(workdir: Path, frame: pd.DataFrame, rules: Rules, record: Mapping[str, Any]) -> None:
    """Write the directory beside its place, then move it there."""
    workdir.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{workdir.name}.", dir=workdir.parent))
    try:
        folder = "crossings" if rules.crossings else "results"
        write_results(draft / folder / "imported.parquet", frame, rules.schema)
        files.write_text(draft / "sweep.json", json.dumps(record, indent=1, allow_nan=False))
        draft.chmod(0o755)
        draft.replace(workdir)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def pairs(flag: str, texts: Sequence[str]) -> dict[str, str]:
    """The parts of a flag NAME=VALUE,NAME=VALUE.

    Raises:
        InputError: a part has no `=`, or a name is given twice.
    """
    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = (part.strip() for part in text.partition("="))
        if not (name and equals and value):
            raise InputError(f"--{flag}: {text!r} is not NAME=VALUE")
        if name in found:
            raise InputError(f"--{flag}: {name} is given twice")
        found[name] = value
    return found


def number(flag: str, text: str) -> float:
    """A finite number of a flag.

    Raises:
        InputError: it is none.
    """
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(f"--{flag}: {text!r} is not a finite number")
    return value


def main(argv: Sequence[str]) -> None:
    """Import the files named, and say what was filled by a rule."""
    if len(argv) < 2 or not FLAGS.workdir:
        raise InputError("name files and a place: python -m analysis.import_csv FILE --workdir=DIR")
    factors = pairs("multiply", FLAGS.multiply)
    values = pairs("set", FLAGS.set)
    if FLAGS.averaged:
        values = {"averaged": "true", **values}
    rules = Rules(
        columns=pairs("map", FLAGS.map),
        values=values,
        factors={name: number("multiply", text) for name, text in factors.items()},
        settings=FLAGS.settings,
        lower_is_better=FLAGS.lower_is_better,
        crossings=FLAGS.crossings,
    )
    thresholds = [number("thresholds", text) for text in FLAGS.thresholds]
    workdir = cli.folder(FLAGS.workdir)
    try:
        lines = import_files(
            [Path(name) for name in argv[1:]], workdir, rules, thresholds, FLAGS.format
        )
    except OSError as error:
        raise InputError(f"{workdir}: cannot be written: {error}") from error
    print("\n".join(lines))


if __name__ == "__main__":
    define_flags()
    cli.run(main, takes_arguments=True)

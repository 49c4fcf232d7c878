"""A table of others' making in the columns of the results: names, types, defaults and checks.

A column is taken, in this order, from `Rules.columns` (the user's names), `Rules.values` (one value
for all rows), the table's column of that name, what the format says, or a default:

| column | default |
|---|---|
| `task` | the file's name |
| `network`, `algorithm` | not given |
| `schedule`, `schedule_level` | `dense`, 1 |
| `horizon` | `(1 + discount) / (1 - discount)` |
| `discount` | `1 - 2 / (horizon + 1)` |
| `width` | `parameters` |
| `flops_per_interaction` | 6 x `parameters` |
| `averaged` | no: a row has the value at its interactions |
| `run_id` | the columns that say how runs differ, with their values |
| `seed` | the number of the run among those that agree in all else, from 0 on |

`parameters`, one of `horizon` and `discount`, `interactions` and `return_mean` have none.
"""

import difflib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from analysis.data.foreign import ForeignTable
from mnist_horizon.errors import InputError
from mnist_horizon.horizon import discount_from_horizon, horizon_from_discount
from mnist_horizon.results import (
    CROSSINGS_SCHEMA,
    DEFAULTS,
    READ_SCHEMA,
    REQUIRED_COLUMNS,
    REQUIRED_CROSSING_COLUMNS,
    RUN_COLUMNS,
    json_object,
)
from mnist_horizon.schedules import make, parse

FLOPS_PER_PARAMETER = 6.0
"""Training FLOPs per interaction and parameter: 2 of the forward pass, 4 of the backward pass."""

_TRUE, _FALSE = ("true", "yes", "1", "1.0"), ("false", "no", "0", "0.0", "")
_LARGEST_WHOLE = 2.0**53  # above, floats do not hold every whole number
_MOST_NAMES = 12


@dataclass(frozen=True)
class Rules:
    """How a table is to be understood.

    Attributes:
        columns: the table's columns by the results' names.
        values: values of all rows by the results' names.
        factors: what a column is multiplied by, by the results' names.
        settings: columns of the table that become settings of the runs.
        lower_is_better: whether returns and thresholds are losses or costs; they are negated.
        crossings: whether a row is a run that reached, or did not reach, a threshold.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, str] = field(default_factory=dict)
    factors: Mapping[str, float] = field(default_factory=dict)
    settings: Sequence[str] = ()
    lower_is_better: bool = False
    crossings: bool = False

    @property
    def schema(self) -> pa.Schema:
        """The columns of the results that the table is brought into."""
        return CROSSINGS_SCHEMA if self.crossings else READ_SCHEMA

    @property
    def required(self) -> tuple[str, ...]:
        """The columns that cannot be absent in the end."""
        return REQUIRED_CROSSING_COLUMNS if self.crossings else REQUIRED_COLUMNS

    @property
    def measured(self) -> tuple[str, str]:
        """What the rows of a run differ in, and what is measured there."""
        return ("threshold", "interactions") if self.crossings else ("interactions", "return_mean")

    @property
    def negated(self) -> str:
        """The column that is negated where lower is better."""
        return "threshold" if self.crossings else "return_mean"


def convert(foreign: ForeignTable, rules: Rules) -> tuple[pd.DataFrame, dict[str, str]]:
    """The table in the columns of the results.

    Returns:
        Rows with the required columns of `rules.schema` and those others that were given, sorted by
        run; and for each column that was not given by what rule it was filled.

    Raises:
        InputError: a column is missing or unknown, a value is missing, not a number or impossible,
            runs cannot be told apart, or a run's rows contradict each other.
    """
    given = _given(foreign, rules)
    if foreign.has_gaps:
        given = given[given[rules.measured[1]].notna()]
    frame = pd.DataFrame(
        {name: _typed(name, given[name], rules) for name in given}, index=given.index
    )
    for name, factor in rules.factors.items():
        if name not in frame or frame[name].dtype != float:
            raise InputError(f"--multiply={name}: there is no such column of numbers to multiply")
        frame[name] = frame[name] * factor
        if pa.types.is_integer(rules.schema.field(name).type):
            frame[name] = np.rint(frame[name])  # 0.0242306 million is a rounded number
    if rules.lower_is_better:
        frame[rules.negated] = -frame[rules.negated]
    frame, filled = _with_defaults(frame, foreign.table.loc[frame.index], rules)
    for field_ in rules.schema:
        if pa.types.is_integer(field_.type) and field_.name in frame:
            frame[field_.name] = _whole(field_.name, frame[field_.name], field_.name in DEFAULTS)
    _check_values(frame, rules)
    frame = _with_settings(frame, foreign.table, rules)
    frame, rule = _with_runs(frame, foreign.table, list(given), rules)
    _check_runs(frame, rules)
    order = ["run_id", rules.measured[0]]
    return frame.sort_values(order, kind="stable", ignore_index=True), {**filled, **rule}


def _given(foreign: ForeignTable, rules: Rules) -> pd.DataFrame:
    """The columns that the user, the table or its format gives, under the results' names."""
    table = foreign.table
    for flag, names in (("map", rules.columns), ("set", rules.values)):
        for name in names:
            _check_name(f"--{flag}={name}", name, rules.schema.names, "column of the results")
    for name, column in rules.columns.items():
        _check_name(f"--map={name}={column}", column, list(table), "column of the table")
    for column in rules.settings:
        _check_name(f"--settings={column}", column, list(table), "column of the table")
        if column in rules.schema.names:
            raise InputError(f"--settings={column}: it is a column of the results already")
    if both := sorted(set(rules.columns) & set(rules.values)):
        raise InputError(f"{both[0]}: give it by --map or by --set, not by both")
    columns = {}
    for name in rules.schema.names:
        source = rules.columns.get(name) or (name if name in table else foreign.roles.get(name))
        if name in rules.values:
            columns[name] = pd.Series(rules.values[name], index=table.index, dtype=object)
        elif source in table:
            columns[name] = table[source]
    for name in dict.fromkeys([*rules.measured, "parameters"]):
        if name not in columns:
            raise _missing(name, table)
    if not {"horizon", "discount"} & set(columns):
        raise _missing("horizon", table)
    return pd.DataFrame(columns)


def _missing(name: str, table: pd.DataFrame) -> InputError:
    names = [column for column in table if column not in ("file", "row")]
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.4)
    hint = f" (perhaps {near[0]})" if near else ""
    one_value = {
        "parameters": ", or give the size of all networks by --set=parameters=NUMBER",
        "horizon": ", map discount, or give one of all runs by --set=horizon=NUMBER",
        "threshold": ", or give one of all rows by --set=threshold=NUMBER",
    }
    return InputError(
        f"the table has no column {name}: name it by --map={name}=COLUMN{hint}"
        f"{one_value.get(name, '')}; it has {', '.join(names[:_MOST_NAMES])}"
        f"{', ...' * (len(names) > _MOST_NAMES)}"
    )


def _check_name(flag: str, name: str, known: Sequence[str], what: str) -> None:
    """Refuse an unknown name, with the nearest that is known."""
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.0)
        raise InputError(f"{flag}: no {what} is named {name!r}; the nearest is {near[0]}")


def _typed(name: str, values: pd.Series, rules: Rules) -> pd.Series:
    """A column in the type that the schema gives it (whole numbers as floats)."""
    kind = rules.schema.field(name).type
    text = values.astype(object).where(values.notna(), "").map(_text)
    if pa.types.is_string(kind):
        return text
    if pa.types.is_boolean(kind):
        lower = text.str.lower()
        if len(bad := text[~lower.isin((*_TRUE, *_FALSE))]):
            raise InputError(f"{name}: {_where(bad)} is neither true nor false")
        return lower.isin(_TRUE)
    optional = name in DEFAULTS
    numbers = pd.to_numeric(text, errors="coerce").astype(float)
    bad = text[~np.isfinite(numbers) & ~((text == "") & optional)]
    if len(bad):
        problem = "is empty" if bad.iloc[0] == "" else "is not a finite number"
        raise InputError(f"{name}: {_where(bad)} {problem}")
    return numbers


def _text(value: Any) -> str:
    """A cell as text; whole floats without their point, so that 1.0 and 1 are one value."""
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value).strip()


def _where(bad: pd.Series) -> str:
    """The first bad value and its row."""
    value = f"{bad.iloc[0]!r} in " if bad.iloc[0] != "" else ""
    return f"{value}row {bad.index[0] + 1}"


def _whole(name: str, numbers: pd.Series, optional: bool) -> pd.Series:
    """Whole numbers; refuses others."""
    numbers = numbers.astype(float)
    if optional:
        numbers = numbers.fillna(float(DEFAULTS[name]))
    near = np.rint(numbers)
    bad = numbers[(np.abs(numbers - near) > 1e-6) | (np.abs(numbers) > _LARGEST_WHOLE)]
    if len(bad):
        hint = f"; in thousands or millions? --multiply={name}=1e6" if name != "seed" else ""
        raise InputError(f"{name}: {bad.iloc[0]:g} is not a whole number{hint}")
    return near.astype(np.int64)


def _with_defaults(
    frame: pd.DataFrame, table: pd.DataFrame, rules: Rules
) -> tuple[pd.DataFrame, dict[str, str]]:
    """Fill what a rule gives; the rules that were used, by column."""
    filled: dict[str, str] = {}

    def fill(name: str, rule: str, values: Any) -> None:
        if name not in frame:
            frame[name] = values
            filled[name] = rule

    fill("task", "the file's name", table["file"])
    fill("network", "not given", "")
    fill("algorithm", "not given", "")
    if "schedule" in frame and "schedule_level" not in frame:
        parsed = {text: _schedule(text) for text in frame["schedule"].unique()}
        frame["schedule_level"] = frame["schedule"].map(lambda text: parsed[text][1])
        frame["schedule"] = frame["schedule"].map(lambda text: parsed[text][0])
    fill("schedule", "dense", "dense")
    fill("schedule_level", "1", 1.0)
    if "discount" in frame and not frame["discount"].between(0, 1, inclusive="left").all():
        raise InputError("discount: it must lie from 0 to below 1")
    if "horizon" not in frame:
        rule = "(1 + discount) / (1 - discount)"
        fill("horizon", rule, horizon_from_discount(frame["discount"].to_numpy(float)))
    if frame["horizon"].min() < 1:
        raise InputError(f"horizon: {frame['horizon'].min():g} is below 1")
    rule = "1 - 2 / (horizon + 1)"
    fill("discount", rule, discount_from_horizon(frame["horizon"].to_numpy(float)))
    fill("width", "the parameters", frame["parameters"])
    rule = f"{FLOPS_PER_PARAMETER:g} x parameters"
    fill("flops_per_interaction", rule, FLOPS_PER_PARAMETER * frame["parameters"])
    fill("averaged", "no: a row has the value at its interactions", False)
    if rules.crossings:
        fill("censored", "every run reached its threshold", False)
    return frame, filled


def _schedule(text: str) -> tuple[str, float]:
    try:
        schedule = parse(text)
    except ValueError as error:
        raise InputError(f"schedule: {error}") from None
    return schedule.kind, schedule.level


def _check_values(frame: pd.DataFrame, rules: Rules) -> None:
    """Refuse numbers that no run can have."""
    least = frame["interactions"].min()
    if least < 0 or (rules.crossings and least == 0):
        raise InputError(f"interactions: {least:g} is {'negative' if least < 0 else 'no count'}")
    for name in ("parameters", "flops_per_interaction", "width"):
        if frame[name].min() <= 0:
            raise InputError(f"{name}: {frame[name].min():g} is not above 0")
    for kind, level in set(zip(frame["schedule"], frame["schedule_level"], strict=True)):
        try:
            make(kind, float(level))
        except ValueError as error:
            raise InputError(f"schedule: {error}") from None


def _with_settings(frame: pd.DataFrame, table: pd.DataFrame, rules: Rules) -> pd.DataFrame:
    """`settings` as JSON with the columns named by the user, so that groups are kept apart."""
    texts = frame["settings"] if "settings" in frame else pd.Series("", index=frame.index)
    known = {text: _settings(text) for text in texts.unique()}
    if not rules.settings:
        return frame
    columns = {name: table.loc[frame.index, name].map(_text) for name in rules.settings}
    cells = pd.DataFrame(columns).to_dict("records")
    joined = [
        json.dumps({**known[text], **cell}, sort_keys=True)
        for text, cell in zip(texts, cells, strict=True)
    ]
    return frame.assign(settings=joined)


def _settings(text: str) -> dict[str, Any]:
    settings = json_object(text or "{}")
    if settings is None:
        raise InputError(f"settings: {text[:60]!r} is not a JSON object")
    return settings


def _with_runs(
    frame: pd.DataFrame, table: pd.DataFrame, given: Sequence[str], rules: Rules
) -> tuple[pd.DataFrame, dict[str, str]]:
    """Name the runs and number their seeds, where the table does not."""
    filled: dict[str, str] = {}
    agreeing = [name for name in RUN_COLUMNS if name in frame and name not in ("run_id", "seed")]
    if "run_id" not in frame:
        if rules.crossings and "seed" not in frame:  # each row of a threshold is a run
            frame = frame.assign(seed=_number_within(frame, [*agreeing, "threshold"]))
            filled["seed"] = "the number of the row among those that agree in all else"
            given = [*given, "seed"]
        parts = {name: frame[name] for name in given if name in RUN_COLUMNS and name != "settings"}
        parts |= {name: table.loc[frame.index, name] for name in ("file", *rules.settings)}
        telling = [name for name, values in parts.items() if values.nunique() > 1]
        texts = [name + "=" + parts[name].map(_text) for name in telling]
        names = pd.concat(texts, axis=1).agg(",".join, axis=1) if texts else "run"
        frame = frame.assign(run_id=names)
        filled["run_id"] = ", ".join(telling) or "one run"
    elif (frame["run_id"] == "").any():
        raise InputError("run_id: some rows have none")
    if "seed" not in frame:
        runs = frame.drop_duplicates("run_id")
        numbers = pd.Series(_number_within(runs, agreeing).to_numpy(), index=runs["run_id"])
        frame = frame.assign(seed=frame["run_id"].map(numbers))
        filled["seed"] = "the number of the run among those that agree in all else"
    return frame, filled


def _number_within(rows: pd.DataFrame, columns: Sequence[str]) -> pd.Series:
    """The number of each row among those with the same values, from 0 on, in the table's order."""
    return rows.groupby(list(columns), dropna=False, sort=False).cumcount()


def _check_runs(frame: pd.DataFrame, rules: Rules) -> None:
    """Refuse rows that are given twice, runs with several values of a setting, and empty runs."""
    key, _ = rules.measured
    twice = frame[frame.duplicated(["run_id", key])]
    if len(twice):
        row = twice.iloc[0]
        raise InputError(
            f"run {row['run_id']} has several rows at {key} {row[key]:g}: name the column that "
            f"tells its runs apart by --map=run_id=COLUMN (each row a run: --map=run_id=row)"
        )
    columns = [name for name in RUN_COLUMNS if name in frame and name != "run_id"]
    counts = frame.groupby("run_id")[columns].nunique(dropna=False).max()
    if len(several := counts[counts > 1]):
        raise InputError(
            f"{several.index[0]}: a run has several values of it: name the column that tells runs "
            "apart by --map=run_id=COLUMN"
        )
    last = frame.groupby("run_id")["interactions"].max()
    if len(empty := last[last == 0]):
        raise InputError(f"run {empty.index[0]} has no row after 0 interactions")


def proposed_thresholds(returns: Collection[float]) -> list[float]:
    """Returns at 50, 70 and 85% of the way from the lowest to the highest, to three figures."""
    low, high = min(returns), max(returns)
    return [float(f"{low + share * (high - low):.3g}") for share in (0.5, 0.7, 0.85)]

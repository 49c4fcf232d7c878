"""Which runs belong together: the settings of a run, families of runs, their names and rates.

A run's identity is its axes (width, horizon, schedule, learning rate, seed) and its settings, as
the user gave them. Whatever follows from these by a rule is not part of it: parameters and FLOPs
from the width, the discount from the horizon, an entropy coefficient scaled by the schedule. All
grouping of results uses `split`, so that a law, a figure and a table are about the same runs.
"""

import hashlib
import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from analysis.data.crossings import run_scores
from mnist_horizon.algorithms import REFERENCES
from mnist_horizon.results import RUN_COLUMNS, json_object, learning_settings
from mnist_horizon.schedules import Schedule, make

COLUMNS: dict[str, tuple[str, ...]] = {
    "width": ("width", "parameters", "flops_per_interaction"),
    "horizon": ("horizon", "discount"),
    "schedule": ("schedule", "schedule_level"),
    "learning_rate": ("learning_rate",),
    "seed": ("run_id", "seed"),
    "task": ("task", "task_settings", "parameters", "flops_per_interaction"),
    "batch": ("batch", "environments", "rollout_length"),
    "optimizer": ("optimizer",),
    "algorithm": ("algorithm", "flops_per_interaction"),
    "kl_coef": ("kl_coef", "flops_per_interaction"),
}
"""What may vary within a group, with the columns of a table that vary with it."""

SETTINGS: dict[str, str] = {
    "task": "task",
    "batch": "batch",
    "optimizer": "optimizer.name",
    "algorithm": "algorithm.name",
    "kl_coef": "kl_coef",
}
"""Paths in `settings` of what may vary but is not an axis."""

MOST_SLUG = 100
"""Characters of a label in a file name; with what stands around it, 255 are allowed."""

_NOT_KEPT = re.compile(r"[^A-Za-z0-9 .,:;=()+_@/-]")

COEFFICIENTS = ("entropy_coef", "kl_coef")
"""Columns that hold the user's value times the schedule's mean discount (`sweeps.plan`)."""


@dataclass(frozen=True)
class Group:
    """Rows that agree in everything but what was allowed to vary.

    Attributes:
        settings: every column held fixed, with its value.
        rows: the rows.
    """

    settings: dict[str, Any]
    rows: pd.DataFrame

    @property
    def threshold(self) -> float:
        """The return to reach, of a group of crossings."""
        return float(self.rows["threshold"].iloc[0])

    @property
    def label(self) -> str:
        """The group in a few words, for notes."""
        return label_of_law(self.settings, self.threshold if "threshold" in self.rows else None)


def split(table: pd.DataFrame, *varying: str, by_threshold: bool = True) -> Iterator[Group]:
    """Groups of rows that agree in every setting but those named, in a fixed order.

    Seeds and learning rates always vary.

    Args:
        table: one row per run, per run and threshold, or per run and evaluation.
        varying: keys of `COLUMNS`.
        by_threshold: whether rows with different thresholds form different groups.
    """
    varying = (*varying, "seed", "learning_rate")
    columns = {name for key in varying for name in COLUMNS[key]} | {"settings", *COEFFICIENTS}
    fixed = [name for name in RUN_COLUMNS if name in table and name not in columns]
    keys = table[fixed].assign(**_settings_as_given(table, varying))
    if by_threshold and "threshold" in table:
        keys["threshold"] = table["threshold"]
    number = keys.groupby([*keys], dropna=False, sort=True).ngroup().to_numpy()
    # Sorted once: to look for the rows of each of many groups takes the square of their number.
    order = np.argsort(number, kind="stable")
    first = np.flatnonzero(np.diff(number[order], prepend=-1))
    settings_of_groups = keys.drop(columns="threshold", errors="ignore").iloc[order[first]]
    groups = zip(settings_of_groups.to_dict("records"), np.split(order, first[1:]), strict=False)
    for given, places in groups:
        rows = table.iloc[places]
        settings = {name: value for name, value in given.items() if not _is_absent(name, value)}
        if "learning_rate" in rows:
            rates = [float(rate) for rate in np.unique(rows["learning_rate"])]
            settings["learning_rate"] = rates[0] if len(rates) == 1 else rates
        yield Group(settings, rows)


def same_settings(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two groups hold the same settings fixed; learning rates are not compared."""
    first, second = (
        {name: group[name] for name in group if name != "learning_rate"} for group in (one, other)
    )
    return first == second


def rows_of(table: pd.DataFrame, settings: Mapping[str, Any], *varying: str) -> pd.DataFrame:
    """The rows of a group of `split` by its settings, of all thresholds."""
    for group in split(table, *varying, by_threshold=False):
        if same_settings(group.settings, settings):
            return group.rows
    return table[:0]


def is_reference(table: pd.DataFrame) -> pd.Series:
    """Whether each row is of a run that RL is compared with (`mnist_horizon.algorithms`)."""
    if "algorithm" not in table:
        return pd.Series(False, index=table.index)
    return table["algorithm"].isin(REFERENCES)


def without_references(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of RL; of a table without any, all rows."""
    reference = is_reference(table)
    return table if reference.all() or not reference.any() else table[~reference]


def with_references(
    table: pd.DataFrame, *varying: str, by_threshold: bool = True
) -> Iterator[tuple[Group, pd.DataFrame]]:
    """Groups of RL as `split` gives them, each with the references that it may be compared with.

    These differ from the group in the algorithm alone: rows of the same sweep, or of a sweep of
    their own. Where several have one seed, the one is taken whose settings are the group's own.
    Groups without a reference are left out.

    Args:
        table: as of `split`.
        varying: keys of `COLUMNS`, as of `split`.
        by_threshold: as of `split`.
    """
    table = table.reset_index(drop=True)
    reference = is_reference(table)
    if not reference.any() or reference.all():
        return
    of_row: dict[int, pd.DataFrame] = {}  # what a group may be compared with, by any row of it
    for whole in split(table, *varying, "algorithm", by_threshold=by_threshold):
        compared = reference[whole.rows.index]
        if compared.any():
            of_row |= dict.fromkeys(whole.rows.index, whole.rows[compared])
    for group in split(table[~reference], *varying, by_threshold=by_threshold):
        if (found := of_row.get(group.rows.index[0])) is not None:
            yield group, _closest(found, group.rows)


def references_of(table: pd.DataFrame, settings: Mapping[str, Any], *varying: str) -> pd.DataFrame:
    """The references of a group of RL by its settings, of all thresholds (`with_references`)."""
    for group, references in with_references(table, *varying, by_threshold=False):
        if same_settings(group.settings, settings):
            return references
    return table[:0]


def _closest(references: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """References without those that other rows than these share all settings with."""
    shared = [name for name in ("settings", *COEFFICIENTS) if name in rows]
    agreeing = sum((references[name].isin(rows[name].unique()).astype(int) for name in shared), 0)
    runs = references.assign(agreeing=agreeing).drop_duplicates("run_id")
    best = runs.sort_values("agreeing", ascending=False, kind="stable")
    best = best.drop_duplicates(["algorithm", "width", "seed"])
    return references[references["run_id"].isin(best["run_id"])]


def _settings_as_given(table: pd.DataFrame, varying: Collection[str]) -> dict[str, Any]:
    """The settings that have no columns of their own, without those that vary.

    Rows with `settings` are distinguished by them; rows without (older tables and those written by
    other tools) by the coefficients that the user set; not where the algorithm varies, since
    cross-entropy has none.
    """
    columns: dict[str, Any] = {}
    texts = table["settings"] if "settings" in table else pd.Series("", index=table.index)
    if (texts != "").any():
        paths = [SETTINGS[name] for name in varying if name in SETTINGS]
        known = {text: _without(text, paths) for text in texts.unique()}
        columns["settings"] = texts.map(known)
    for name in COEFFICIENTS if "algorithm" not in varying else ():
        if name in table and name not in varying and (texts == "").any():
            columns[name] = coefficient_as_given(table, name).where(texts == "")
    if "kl_coef" not in varying and (swept := _swept_kl_coef(table, texts)) is not None:
        columns["kl_coef"] = columns.get("kl_coef", swept).where(texts == "", swept)
    return columns


def _swept_kl_coef(table: pd.DataFrame, texts: pd.Series) -> pd.Series | None:
    """The KL coefficient of runs whose `settings` have none, as of an axis; None where all are 0.

    It is NaN, absent, for the others, whose settings or columns give it.
    """
    if "kl_coef" not in table:
        return None
    without = {text: text != "" and json.loads(text).get("kl_coef") == 0 for text in texts.unique()}
    swept = texts.map(without).astype(bool)
    if not (swept & (table["kl_coef"] > 0)).any():
        return None
    given = (table["kl_coef"] / _mean_discounts(table)).map(lambda value: float(f"{value:.6g}"))
    return given.where(swept)


def _without(text: str, paths: Iterable[str]) -> str:
    """`settings` without what only describes how a run was measured, and without some paths."""
    if not text:
        return ""
    settings = json.loads(learning_settings(text))
    for path in paths:
        group, _, name = path.partition(".")
        if not name:
            settings.pop(group, None)
        elif isinstance(settings.get(group), dict):
            settings[group].pop(name, None)
    return json.dumps(settings, sort_keys=True)


def coefficient_as_given(table: pd.DataFrame, name: str) -> pd.Series:
    """A coefficient before it was scaled by the schedule's mean discount, of each row.

    Where dividing by the mean discount gives one value for all horizons of a set of rows that
    agree in all else, it is that value; where it does not, the column holds what was set.
    """
    if not {"schedule", "schedule_level", "discount"} <= set(table):
        return table[name]
    unscaled = (table[name] / _mean_discounts(table)).map(lambda value: float(f"{value:.6g}"))
    varying = {name, *(column for one in ("width", "horizon", "seed") for column in COLUMNS[one])}
    others = [column for column in RUN_COLUMNS if column in table and column not in varying]
    others = [column for column in others if column not in (*COEFFICIENTS, "learning_rate")]
    constant = unscaled.groupby([table[column] for column in others], dropna=False)
    return unscaled.where(constant.transform("nunique") == 1, table[name])


def _mean_discounts(table: pd.DataFrame) -> pd.Series:
    """The mean discount of each row's schedule, by which its coefficients were multiplied."""
    factor = pd.Series(1.0, index=table.index)
    for (kind, level), rows in table.groupby(["schedule", "schedule_level"]):
        schedule = make(str(kind), float(level))
        if schedule.period > 1:
            factor[rows.index] = schedule.mean_discount(rows["discount"].to_numpy(float))
    return factor


def schedule_of(settings: Mapping[str, Any]) -> Schedule:
    """The schedule of a group's settings (or of a row)."""
    return make(str(settings["schedule"]), float(settings["schedule_level"]))


def schedule_names(table: pd.DataFrame) -> pd.Series:
    """The schedule of each row as a config writes it."""
    rows = list(zip(table["schedule"], table["schedule_level"], strict=True))
    names = {(kind, level): str(make(kind, float(level))) for kind, level in set(rows)}
    return pd.Series([names[row] for row in rows], index=table.index, dtype=object)


def schedules_in_order(table: pd.DataFrame) -> list[Schedule]:
    """The distinct schedules: the rarest reward first, then longer delays, then the others."""
    pairs = set(zip(table["schedule"], table["schedule_level"], strict=True))
    return in_order(make(kind, float(level)) for kind, level in pairs)


def in_order(schedules: Iterable[Schedule]) -> list[Schedule]:
    """Schedules by whether their rewards add up, by delay and by level."""
    return sorted(schedules, key=lambda s: (not s.adds_up, s.period, s.level, s.kind))


def task_label(settings: Mapping[str, Any]) -> str:
    """The task of a group, with its number of classes where that is a setting of it."""
    known = json_object(settings.get("task_settings") or "{}") or {}
    task = str(settings["task"])
    return f"{task} ({known['classes']} classes)" if "classes" in known else task


def task_labels(rows: pd.DataFrame) -> pd.Series:
    """The task of each row, for readers: with the settings that tasks of the same label differ in.

    Args:
        rows: with `task` and, where known, `task_settings`.
    """
    names = [name for name in ("task", "task_settings") if name in rows]
    tasks = rows[names].drop_duplicates()
    tasks = tasks.assign(label=[task_label(task) for task in tasks.to_dict("records")])
    for _, same in tasks.groupby("label"):
        if len(same) > 1:
            tasks.loc[same.index, "label"] += _differing_settings([*same["task_settings"]])
    return rows[names].merge(tasks, "left", on=names)["label"].set_axis(rows.index)


def label(settings: Mapping[str, Any], columns: Sequence[str] = ()) -> str:
    """A group in a few words: task, schedule and width if held fixed, then the columns named."""
    parts = [task_label(settings)]
    if "schedule" in settings:
        parts.append(str(schedule_of(settings)))
    parts += [f"width {settings['width']}"] if "width" in settings else []
    return ", ".join([*parts, *(f"{name} {settings[name]}" for name in columns)])


def label_of_law(settings: Mapping[str, Any], threshold: float | None = None) -> str:
    """A fit's group in a few words, with the return to reach."""
    pooled = "" if "width" in settings else ", all widths"
    to_return = "" if threshold is None else f", return {threshold:g}"
    return f"{label(settings)}{pooled}{to_return}"


def slug(text: str) -> str:
    """A label as part of a file name; a checksum stands for letters of other alphabets and more."""
    kept = re.sub(r"[^a-z0-9.]+", "-", text.lower()).strip("-.")
    if len(kept) <= MOST_SLUG and not _NOT_KEPT.search(text):
        return kept
    return (
        f"{kept[:MOST_SLUG]}-{hashlib.sha256(text.encode(errors='surrogatepass')).hexdigest()[:8]}"
    )


@dataclass(frozen=True)
class Family:
    """Runs that differ in size, horizon, learning rate and seed only.

    Attributes:
        label: what distinguishes the family from the others, for readers.
        slug: the same for file names; empty where there is only one family.
        settings: the value of every column that is held fixed.
        frame: its rows.
    """

    label: str
    slug: str
    settings: dict[str, Any]
    frame: pd.DataFrame

    @property
    def several_learning_rates(self) -> bool:
        """Whether some size and horizon has runs with several learning rates."""
        return has_several_rates(self.frame)

    @property
    def is_reference(self) -> bool:
        """Whether they are runs that RL is compared with."""
        return self.settings.get("algorithm") in REFERENCES

    def select(self, table: pd.DataFrame) -> pd.DataFrame:
        """Rows of another table that belong to the family's runs."""
        return table[table["run_id"].isin(self.frame["run_id"])] if len(table) else table

    def matches(self, group: Mapping[str, Any]) -> bool:
        """Whether a fit's group lies in this family."""
        return all(
            group[name] == value
            for name, value in self.settings.items()
            if name in group and name != "learning_rate"
        )


def _numbered(name: str, form: str, earlier: Sequence[str]) -> str:
    """A name with the number of its repetition, if it has been given before."""
    number = earlier.count(name)
    return name + form.format(number) if number else name


def families(frame: pd.DataFrame) -> list[Family]:
    """The families of runs in tidy results, those with most runs first."""
    groups = list(split(frame, "width", "horizon"))
    names = dict.fromkeys(name for group in groups for name in group.settings)
    not_named = {*COLUMNS["schedule"], *COLUMNS["task"], "settings", "learning_rate"}
    not_named |= {"environments", "rollout_length"}
    varying = [name for name in names if name not in not_named and _varies(groups, name)]
    differing = _differing_settings([str(group.settings.get("settings", "")) for group in groups])
    result = []
    for group, more in zip(groups, differing, strict=True):
        text = label(group.settings, [name for name in varying if name in group.settings]) + more
        result.append(Family(text, slug(text), group.settings, group.rows))
    result = [
        replace(
            one,
            label=_numbered(one.label, " ({})", [other.label for other in result[:place]]),
            slug=_numbered(one.slug, "-{}", [other.slug for other in result[:place]]),
        )
        for place, one in enumerate(result)
    ]
    if len(result) == 1:
        result = [Family(result[0].label, "", result[0].settings, result[0].frame)]
    return sorted(result, key=lambda family: -family.frame["run_id"].nunique())


def _differing_settings(texts: Sequence[str]) -> list[str]:
    """For each `settings` those of its values that differ between them, in words: ", data web".

    Without those that have a column of results, which names the family. A setting that only some
    have, at its default in the others, is named where it is; but where a table has none at all
    (those of older versions), only what all have.
    """
    flat: list[dict[str, Any]] = []
    for text in texts:
        settings = json.loads(text or "{}")
        values = {name: value for name, value in settings.items() if not isinstance(value, dict)}
        for group, inner in settings.items():
            if isinstance(inner, dict):
                values |= {f"{group}.{name}": value for name, value in inner.items()}
        flat.append(values)
    have_columns = [path for path in SETTINGS.values() if "." in path]
    names = [name for values in flat for name in values if name not in have_columns]
    names = list(dict.fromkeys(names))
    names = [
        name
        for name in names
        if (all(flat) or all(name in values for values in flat))
        and len({json.dumps(values.get(name)) for values in flat}) > 1
    ]
    return [
        "".join(f", {name} {values[name]}" for name in names if name in values) for values in flat
    ]


def _varies(groups: Sequence[Group], name: str) -> bool:
    return len({json.dumps(group.settings.get(name)) for group in groups}) > 1


def has_several_rates(frame: pd.DataFrame) -> bool:
    """Whether some width and horizon has runs at several learning rates."""
    if "learning_rate" not in frame:
        return False
    return bool(frame.groupby(["width", "horizon"])["learning_rate"].nunique().max() > 1)


def with_chosen_rates(table: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Keep one learning rate per seed where several were tried: the best on the other seeds.

    For each width, horizon and the other settings, the rate of a seed is the one whose runs have
    the highest score (`crossings.run_scores`, the return averaged over log E) on the *other* seeds:
    the score of the best of several noisy runs is biased, unless the choice excludes its seed.
    The score averages the log interactions to every return, so that one rate serves all
    thresholds, curves and figures.

    Args:
        table: tidy results, or crossings (whose column `score` is taken).

    Returns:
        The rows kept, and a note that states the rule where it was needed.
    """
    if "learning_rate" not in table or table["learning_rate"].nunique() < 2:
        return table, []
    kept: set[str] = set()
    tried: set[float] = set()
    for runs in _cells(table):
        rates = runs["learning_rate"].unique()
        tried |= set(map(float, rates)) if len(rates) > 1 else set()
        kept |= set(runs["run_id"] if len(rates) == 1 else _chosen_runs(runs, "learning_rate"))
    if not tried:
        return table, []
    note = (
        f"learning rates {', '.join(f'{rate:g}' for rate in sorted(tried))}: for each width and "
        "horizon a seed's run is the one at the rate with the highest return, averaged over log "
        "interactions, on the other seeds"
    )
    return table[table["run_id"].isin(kept)].reset_index(drop=True), [note]


def with_rates_of_shortest_horizon(table: pd.DataFrame) -> pd.DataFrame:
    """One learning rate for all horizons of a seed: the one chosen at the shortest horizon.

    Rates of a cell are numbered from the lowest: a rule may scale them with the horizon.
    """
    cells = [
        runs.assign(number=runs["learning_rate"].rank(method="dense")) for runs in _cells(table)
    ]
    runs = pd.concat(cells, ignore_index=True)
    shortest = runs[runs["horizon"] == runs["horizon"].min()]
    chosen = shortest[shortest["run_id"].isin(set(_chosen_runs(shortest, "number")))]
    number = chosen.set_index("seed")["number"]
    kept = runs[runs["number"] == runs["seed"].map(number)]
    return table[table["run_id"].isin(kept["run_id"])].reset_index(drop=True)


def _cells(table: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Runs, one row each with its `score`, that differ only in seed and learning rate."""
    runs = table.drop_duplicates("run_id").drop(columns="threshold", errors="ignore")
    if "score" not in runs:
        runs = runs.assign(score=runs["run_id"].map(run_scores(table)))
    for group in split(runs):
        yield group.rows


def _chosen_runs(runs: pd.DataFrame, rate: str) -> Iterator[str]:
    """Ids of the runs at each seed's chosen rate."""
    score = runs.pivot_table(index="seed", columns=rate, values="score", dropna=False)
    others = score.sum() - score.fillna(0.0)
    count = score.notna().sum() - score.notna()
    criterion = (others / count.where(count > 0)).where(score.notna())
    criterion = criterion.where(criterion.notna().any(axis=1), score, axis=0)
    for seed, chosen in criterion.idxmax(axis=1).items():
        yield from runs.loc[(runs["seed"] == seed) & (runs[rate] == chosen), "run_id"]


def _is_absent(name: str, value: Any) -> bool:
    """Whether a row has no value of a setting that only some rows have as a column."""
    if name == "averaged":  # imported rows may be values at a point; all others are means
        return bool(value)
    return (name == "settings" and not value) or (name in COEFFICIENTS and np.isnan(value))

"""Comparisons of horizon laws: of several optimisers, of several tasks.

Only runs that share all other settings are compared.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace

import pandas as pd

from analysis.data.families import (
    split,
    task_labels,
    with_chosen_rates,
    with_rates_of_shortest_horizon,
)
from analysis.laws.horizon import HorizonLaw, fit_horizon_laws, without_delays
from analysis.laws.knee_prediction import TaskLaw, with_agreement
from analysis.laws.law import Fits


def fit_optimizer_laws(table: pd.DataFrame) -> Fits:
    """Horizon laws in h - 1 by optimiser and by how its learning rate was chosen.

    The rate is chosen at each horizon, and where there are several once at h = 1.

    Args:
        table: interactions to threshold with every learning rate tried.
    """
    if "optimizer" not in table or table["optimizer"].nunique() < 2:
        return Fits()
    table, _ = without_delays(table)  # `horizon_law` notes which schedules have no such law
    if table.empty:
        return Fits()
    groups = split(table, "horizon", "optimizer", by_threshold=False)
    several = (group.rows for group in groups if group.rows["optimizer"].nunique() > 1)
    laws = [law for rows in several for law in _by_optimizer(rows)]
    if laws:
        return Fits(tuple(laws))
    return Fits((), ("no comparison of optimisers: no two of them share all other settings",))


def _by_optimizer(rows: pd.DataFrame) -> Iterator[HorizonLaw]:
    for optimizer, runs in rows.groupby("optimizer"):
        tables = {"each horizon": with_chosen_rates(runs)[0]}
        if runs.groupby("horizon")["learning_rate"].nunique().max() > 1:
            tables["h = 1"] = with_rates_of_shortest_horizon(runs)
        for rates, table in tables.items():
            for law in fit_horizon_laws(table, regressors=("h-1",), profiles=False).entries:
                yield replace(law, labels={"optimizer": str(optimizer), "rates": rates})


def fit_task_laws(table: pd.DataFrame) -> Fits:
    """Horizon laws in h - 1 under `dense` by task, at the width that most tasks have.

    Each has the knee that the task's gradient noise predicts, where it was measured at h = 1.

    Args:
        table: interactions to threshold, one run per seed (`data.crossings`).
    """
    if "schedule" not in table:
        return Fits()
    dense = table[table["schedule"] == "dense"]
    groups = [
        (group, tasks)
        for group in split(dense, "horizon", "task", by_threshold=False)
        if (tasks := task_labels(group.rows)).nunique() > 1
    ]
    if not groups:
        return Fits()
    width = max((tasks.nunique(), group.settings["width"]) for group, tasks in groups)[1]
    result: list[TaskLaw] = []
    for group, tasks in groups:
        laws = []
        for task in sorted(tasks.unique()) if group.settings["width"] == width else ():
            rows = group.rows[tasks == task]
            found = fit_horizon_laws(rows, regressors=("h-1",)).entries
            laws += [TaskLaw.of(law, task, rows) for law in found]
        result += with_agreement(laws)
    return Fits(tuple(result))


def by_label(laws: Iterable[HorizonLaw], *names: str) -> dict[tuple[str, ...], list[HorizonLaw]]:
    """Laws by the values of some of their labels, in the order in which they come."""
    groups: dict[tuple[str, ...], list[HorizonLaw]] = {}
    for law in laws:
        groups.setdefault(tuple(law.labels[name] for name in names), []).append(law)
    return groups

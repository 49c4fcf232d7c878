"""What else moves the horizon's cost: size under each schedule, the optimiser, the task.

Each is a table with one row a value of the factor; intervals are Student's t over seeds, each seed
giving one number (its runs share observations).
"""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from analysis.data.crossings import choose_learning_rates
from analysis.laws.horizon import HorizonLaw, fit_horizon_laws
from analysis.laws.schedule import in_order, schedule_names
from analysis.stats.intervals import t_factor
from mnist_horizon.results import RUN_COLUMNS
from mnist_horizon.schedules import parse

_WIDTH = ("width", "parameters", "flops_per_interaction")
_RULES = ("learning_rate", "entropy_coef", "kl_coef")
_RUN = ("run_id", "seed", "horizon", "discount")


def mean_with_interval(values: np.ndarray) -> tuple[float, float, float]:
    """Mean over seeds and the ends of its 95% interval (NaN with one seed), shape [seed]."""
    values = np.asarray(values, dtype=float)
    if len(values) < 2:
        return float(values.mean()), float("nan"), float("nan")
    reach = t_factor(len(values)) * values.std(ddof=1) / np.sqrt(len(values))
    return float(values.mean()), float(values.mean() - reach), float(values.mean() + reach)


def fixed_columns(table: pd.DataFrame, *varying: str) -> list[str]:
    """Columns of settings that a factor holds fixed."""
    aside = (*_RUN, *_RULES, *varying)
    return [name for name in RUN_COLUMNS if name in table and name not in aside]


def size_exponents(table: pd.DataFrame) -> pd.DataFrame:
    """How E falls with size under each schedule, and whether as it does under `dense`.

    With the smallest and the largest width, `exponent = log(E_small / E_large) / log(N_large /
    N_small)` averaged over the horizons at which every seed at both widths, and under `dense` too,
    reaches the threshold. If sparsity moves only the coefficient of the power law in N, it is the
    same for all schedules: `change` (exponent less that of `dense`, the same horizons and seeds)
    is 0.

    Args:
        table: interactions to threshold, one learning rate a run.

    Returns:
        One row a group, threshold and schedule: the columns held fixed, `schedule`, `horizons`
        (how many), `exponent`, `exponent_low`, `exponent_high`, `change`, `change_low`,
        `change_high`; empty where there are not several widths and schedules.
    """
    fixed = fixed_columns(table, *_WIDTH, "schedule", "schedule_level")
    table = table.assign(name=schedule_names(table))
    found = []
    for key, rows in table.groupby([*fixed, "threshold"], dropna=False):
        if rows["width"].nunique() < 2 or "dense" not in set(rows["name"]):
            continue
        group = dict(zip([*fixed, "threshold"], key, strict=True))
        found += [{**group, **row} for row in _size_rows(rows)]
    return pd.DataFrame(found)


def _size_rows(rows: pd.DataFrame) -> list[dict[str, Any]]:
    sizes = rows.groupby("width")["parameters"].first()
    small, large = sizes.index.min(), sizes.index.max()
    span = np.log(sizes[large] / sizes[small])
    log_e = np.log(rows["interactions"]).where(~(rows["censored"] | rows["early"]))
    exact = rows.assign(log_e=log_e).pivot_table(
        index=["name", "horizon"], columns=["width", "seed"], values="log_e", dropna=False
    )
    exact = exact[[small, large]].dropna()
    exponents = (exact[small] - exact[large]).dropna(axis=1) / span  # [schedule horizon, seed]
    found = []
    dense = exponents.loc["dense"] if "dense" in exponents.index.get_level_values(0) else None
    names = set(exponents.index.get_level_values(0))
    for schedule in in_order([parse(name) for name in names]):
        own = exponents.loc[str(schedule)]
        if dense is None or own.index.intersection(dense.index).empty:
            continue
        shared = own.index.intersection(dense.index)
        own, beside = own.loc[shared].mean(), dense.loc[shared].mean()
        row: dict[str, Any] = {"schedule": str(schedule), "horizons": len(shared)}
        for name, values in (("exponent", own), ("change", own - beside)):
            ends = mean_with_interval(values.to_numpy())
            row |= dict(zip((name, f"{name}_low", f"{name}_high"), ends, strict=True))
        found.append(row)
    return found


def with_rate_of_shortest_horizon(table: pd.DataFrame) -> pd.DataFrame:
    """One learning rate for all horizons of a seed: the one chosen at the shortest horizon.

    Chosen as `choose_learning_rates` does, by the other seeds. Runs at another rate are left out.
    """
    shortest = table[table["horizon"] == table["horizon"].min()]
    chosen, _ = choose_learning_rates(shortest)
    keys = [name for name in fixed_columns(table) if name != "batch"]
    keys = [*keys, "seed", "threshold", "learning_rate"]
    return table.merge(chosen[keys].drop_duplicates(), on=keys)


def optimizer_laws(table: pd.DataFrame) -> dict[tuple[str, str], list[HorizonLaw]]:
    """Horizon laws in h - 1 by optimiser and by how its learning rate was chosen.

    Args:
        table: interactions to threshold with every learning rate tried.

    Returns:
        By `(optimizer, rates)`, rates "each horizon" or "h = 1": one law a threshold; empty where
        no two optimisers share all other settings.
    """
    found: dict[tuple[str, str], list[HorizonLaw]] = {}
    for optimizer, rows in comparable_optimizers(table).groupby("optimizer"):
        tables = {"each horizon": rows}
        if rows.groupby("horizon")["learning_rate"].nunique().max() > 1:
            tables["h = 1"] = with_rate_of_shortest_horizon(rows)
        for rates, part in tables.items():
            laws = fit_horizon_laws(part, regressors=("h-1",), profiles=False).entries
            found[str(optimizer), rates] = [law for law in laws if "width" in law.group]
    return found


def comparable_optimizers(table: pd.DataFrame) -> pd.DataFrame:
    """Rows of the first group of settings that was run with several optimisers."""
    fixed = fixed_columns(table, "optimizer")
    for _, rows in table.groupby(fixed, dropna=False):
        if rows["optimizer"].nunique() > 1:
            return rows
    return table.iloc[:0]


def task_label(task: str, settings: str) -> str:
    """A task for readers, with its number of classes where that is a setting of it."""
    try:
        known = json.loads(settings or "{}")
    except ValueError:
        known = {}
    return f"{task} ({known['classes']} classes)" if "classes" in known else task


def task_laws(laws: Sequence[HorizonLaw]) -> dict[str, list[HorizonLaw]]:
    """Horizon laws in h - 1 under `dense` by task, at the width that most tasks have."""
    single = [
        law
        for law in laws
        if law.regressor == "h-1" and "width" in law.group and law.group["schedule"] == "dense"
    ]
    tasks: dict[int, set[str]] = {}
    for law in single:
        label = task_label(law.group["task"], law.group.get("task_settings", ""))
        tasks.setdefault(law.group["width"], set()).add(label)
    if not tasks:
        return {}
    width = max(tasks, key=lambda one: (len(tasks[one]), one))
    found: dict[str, list[HorizonLaw]] = {}
    for law in single:
        if law.group["width"] == width:
            label = task_label(law.group["task"], law.group.get("task_settings", ""))
            found.setdefault(label, []).append(law)
    return found if len(found) > 1 else {}

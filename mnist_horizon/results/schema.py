"""The columns of the tables, and the settings that are a run's identity."""

import functools
import json
from typing import Any

import pyarrow as pa

from mnist_horizon.files import parse_json

_TEXT = ("run_id", "task", "task_settings", "network", "algorithm", "baseline", "optimizer")
_MORE_TEXT = ("schedule", "precision", "settings")
GOLD_COLUMNS = ("gold_mean", "test_gold", "test_return")
"""Measured of a task that pays a proxy of its score alone; NaN of others."""

TASK_COLUMNS = (*GOLD_COLUMNS, "test_score")
"""Measured of some tasks alone, the last of those with scores of their own; NaN of others."""

BIAS_COLUMNS = ("bias_cosine", "bias_length")
"""Measured where a loss is biased alone (`action_baselines`); NaN elsewhere."""

SCHEMA = pa.schema(
    [(name, pa.string()) for name in (*_TEXT, *_MORE_TEXT)]
    + [("schedule_level", pa.float64())]
    + [
        (name, pa.int64())
        for name in ("depth", "width", "parameters", "environments", "rollout_length", "batch")
    ]
    + [
        (name, pa.float64())
        for name in (
            *("flops_per_interaction", "horizon", "discount", "gae_lambda"),
            *("learning_rate", "entropy_coef", "kl_coef"),
        )
    ]
    + [("phase_visible", pa.bool_())]
    + [(name, pa.int64()) for name in ("seed", "interactions", "updates")]
    + [
        (name, pa.float64())
        for name in (
            *("return_mean", "reward_mean", "train_accuracy", "test_accuracy"),
            *("entropy", "kl_initial"),
        )
    ]
    + [("test_examples", pa.int64())]
    + [(name, pa.float64()) for name in TASK_COLUMNS]
)
"""Columns of a results table; `docs/results_on_disk.md` lists their meaning and units."""

READ_SCHEMA = SCHEMA.append(pa.field("averaged", pa.bool_()))
"""Columns of any results table. Rows of a sweep are means over the interactions since the row
before; imported rows may be values at a point, and say so in `averaged`."""

NOISE_SCHEMA = pa.schema(
    [(name, pa.string()) for name in ("run_id", "task", "schedule", "baseline", "settings")]
    + [(name, pa.float64()) for name in ("schedule_level", "horizon", "discount")]
    + [(name, pa.int64()) for name in ("width", "seed", "batch", "interactions")]
    + [
        (name, pa.float64())
        for name in (
            *("total", "future", "action", "state", "signal"),
            *("predicted_total", "predicted_future", "predicted_action", "predicted_state"),
            *("fisher", "score_variance"),
            *BIAS_COLUMNS,
        )
    ]
)
"""Columns of a noise table: parts of tr Cov of the per-timestep gradient, `signal` is |m|^2.

`fisher` is tr F and `score_variance` v = Var(c), absent in older tables. `bias_cosine` and
`bias_length` compare the mean gradient with the exact one.
"""

FRONTIER_SCHEMA = pa.schema(
    [(name, pa.string()) for name in ("run_id", "kind", "task", "settings")]
    + [("width", pa.int64()), ("seed", pa.int64())]
    + [(name, pa.float64()) for name in ("parameter", "kl", "gold", "proxy")]
)
"""Columns of a table of the best policies by KL from a run's initial policy, on the test examples.

`kind` is `proxy_optimum` or `gold_optimum` (`parameter` tau) or `best_of_n` (`parameter` n).
"""

MEASURED_COLUMNS = (
    *("interactions", "updates", "return_mean", "reward_mean", "train_accuracy", "test_accuracy"),
    *("entropy", "kl_initial", "test_examples"),
    *TASK_COLUMNS,
)

RUN_COLUMNS = tuple(name for name in READ_SCHEMA.names if name not in MEASURED_COLUMNS)
"""Columns that hold one value per run: its id, its settings and its seed."""

REQUIRED_COLUMNS = (
    *("run_id", "task", "network", "algorithm", "schedule", "schedule_level", "width"),
    *("parameters", "flops_per_interaction", "horizon", "discount", "seed", "interactions"),
    "return_mean",
)

CROSSINGS_SCHEMA = pa.schema(
    [field for field in READ_SCHEMA if field.name in RUN_COLUMNS]
    + [("threshold", pa.float64()), ("interactions", pa.float64())]
    + [("censored", pa.bool_()), ("left_censored", pa.bool_())]
)
"""Columns of a table of crossings, for runs whose curves are not known (`analysis.import_csv`)."""

REQUIRED_CROSSING_COLUMNS = (
    *(name for name in REQUIRED_COLUMNS if name != "return_mean"),
    *("threshold", "censored"),
)

_OPTIONAL_NOISE_COLUMNS = ("settings", "fisher", "score_variance", *BIAS_COLUMNS)
REQUIRED_NOISE_COLUMNS = tuple(
    name for name in NOISE_SCHEMA.names if name not in _OPTIONAL_NOISE_COLUMNS
)

DEFAULTS: dict[str, Any] = {
    "task_settings": "{}",
    "baseline": "",
    "optimizer": "",
    "precision": "",
    "settings": "",
    "depth": 0,
    "environments": 0,
    "rollout_length": 0,
    "batch": 0,
    "gae_lambda": 1.0,
    "learning_rate": 0.0,
    "entropy_coef": 0.0,
    "kl_coef": 0.0,
    "phase_visible": False,
    "averaged": True,
    "updates": 0,
    "reward_mean": float("nan"),
    "train_accuracy": float("nan"),
    "test_accuracy": float("nan"),
    "entropy": float("nan"),
    "kl_initial": float("nan"),
    "test_examples": 0,
    **dict.fromkeys(TASK_COLUMNS, float("nan")),
    "left_censored": False,
    "fisher": float("nan"),
    "score_variance": float("nan"),
    **dict.fromkeys(BIAS_COLUMNS, float("nan")),
}
"""Values of the optional columns where a table lacks them (0 and "": not given)."""

DERIVED_COLUMNS = (
    *("parameters", "flops_per_interaction", "discount"),
    *("learning_rate", "entropy_coef", "kl_coef"),
)
"""Columns that follow from a run's axes and its `settings`, not part of its identity."""

OBSERVATION_SETTINGS = (
    *("budget", "evaluations", "test_sample", "stop_at_return", "noise"),
    *("policies_every", "max_program_bytes"),
)
"""Settings that say how long and how closely a run is observed, not how it learns."""


def json_object(text: str) -> dict[str, Any] | None:
    """The JSON object in a cell of `settings` or `task_settings`; None where it holds none."""
    try:
        value = parse_json(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


@functools.lru_cache(maxsize=4096)
def learning_settings(text: str) -> str:
    """The column `settings` without `OBSERVATION_SETTINGS`: what decides how a run learns.

    Args:
        text: JSON with sorted keys, or "" where a table has none.

    Returns:
        JSON with sorted keys; text that is not a JSON object is unchanged.
    """
    settings = json_object(text)
    if settings is None:
        return text
    kept = {name: value for name, value in settings.items() if name not in OBSERVATION_SETTINGS}
    return json.dumps(kept, sort_keys=True)


def conform(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Give a table the columns, types and order of the schema; absent values take their default."""
    columns = []
    for field in schema:
        default = DEFAULTS.get(field.name)
        if field.name not in table.column_names:
            columns.append(pa.repeat(pa.scalar(default, field.type), table.num_rows))
            continue
        column = table.column(field.name).cast(field.type)
        columns.append(column if default is None else column.fill_null(default))
    return pa.Table.from_arrays(columns, schema=schema)

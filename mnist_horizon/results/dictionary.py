"""The data dictionary: what each column of the tables means, and in which unit it is.

`markdown` makes the tables of `docs/results_on_disk.md` of these texts and of the schema:
`python -m tests.docs` writes them there, after a column was added or a text changed.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from mnist_horizon.results.schema import (
    CROSSINGS_SCHEMA,
    DEFAULTS,
    FRONTIER_SCHEMA,
    NOISE_SCHEMA,
    READ_SCHEMA,
    REQUIRED_COLUMNS,
    REQUIRED_CROSSING_COLUMNS,
    REQUIRED_NOISE_COLUMNS,
)

Text = tuple[str, str]
"""A column's unit ("" where it has none) and its meaning."""

RESULTS: dict[str, Text] = {
    "run_id": ("", "the run's id"),
    "task": ("", "name of the task"),
    "task_settings": ("", "settings of the task that say what the data are, as JSON"),
    "network": (
        "",
        "name of the network, and its activation where that is not leaky ReLU: `mlp-tanh`",
    ),
    "algorithm": (
        "",
        "`vpg`, `ppo`, or a reference: `supervised` (cross-entropy) or `exact` (no sampled "
        "actions), whose `horizon` is 1 and `schedule` `dense`",
    ),
    "baseline": ("", "what centres the rewards or returns"),
    "optimizer": ("", "name of the optimiser"),
    "schedule": ("", "name of the reward schedule, without its level"),
    "precision": ("", "precision of products: `f32`, `tf32` or `bf16`"),
    "settings": (
        "",
        "every setting of the spec that is not an axis, as the user gave it, as JSON",
    ),
    "schedule_level": ("", "p or k of the schedule; 1 for `dense`"),
    "depth": ("layers", "hidden layers of the policy network"),
    "width": ("units", "width of the policy network"),
    "parameters": ("", "parameters N of the policy network, all of them"),
    "environments": ("", "environments that a run steps together"),
    "rollout_length": ("steps", "steps per environment and update"),
    "batch": ("interactions", "interactions per update: environments x rollout length"),
    "flops_per_interaction": ("FLOPs", "counted training FLOPs"),
    "horizon": ("steps", "h"),
    "discount": (
        "",
        "gamma; training rounds it to single precision, which changes the horizon by less than 1%",
    ),
    "gae_lambda": ("", "lambda of generalised advantage estimation"),
    "learning_rate": ("", "at the start of the run and width 64, by the rules of the config"),
    "entropy_coef": (
        "reward per nat",
        "coefficient of the entropy bonus at the start of the run",
    ),
    "kl_coef": ("reward per nat", "coefficient of the KL penalty at the start of the run"),
    "phase_visible": ("", "whether the policy sees the phase of the reward"),
    "seed": ("", "seed of the run"),
    "interactions": ("interactions", "since the start of the run, at this row"),
    "updates": ("updates", "likewise"),
    "return_mean": (
        "reward per step",
        "expected reward of the stochastic policy, over the interactions since the row before",
    ),
    "reward_mean": ("reward per step", "reward received, over the same"),
    "train_accuracy": (
        "",
        "share of right answers (the label) of the greedy policy, on the same batches, whatever "
        "the scores are",
    ),
    "test_accuracy": ("", "the same on `test_examples` examples of the test split"),
    "entropy": ("nats per step", "entropy of the policy"),
    "kl_initial": (
        "nats per step",
        "KL divergence from the initial policy, on the same test examples",
    ),
    "test_examples": (
        "examples",
        "how many test examples the row's `test_accuracy` and `kl_initial` are from; 0: not given, "
        "in imported tables and in those of older versions (these took the whole split)",
    ),
    "gold_mean": (
        "score",
        "of a task that pays a proxy of its score: the policy's expected score, over the same "
        "interactions as `return_mean`, which is its expected pay; NaN of other tasks, as the next "
        "two",
    ),
    "test_gold": ("score", "expected score on the test examples of `kl_initial`"),
    "test_return": ("pay", "expected pay on the same"),
    "test_score": (
        "score",
        "of a task with scores of its own: mean score of the greedy policy on the test examples of "
        "`test_accuracy`; NaN of other tasks, where it is that accuracy. Tables made before there "
        "was this column have the greedy score in the columns of accuracy",
    ),
    "averaged": (
        "",
        "whether the measured columns are means over the interactions since the row before; they "
        "are measured at the row itself if not, in imported tables. Sweeps do not write it",
    ),
}
CROSSINGS: dict[str, Text] = {
    "threshold": ("reward per step", "the return to reach"),
    "interactions": ("interactions", "that it took, or where the run ended"),
    "censored": ("", "whether the run ended before it reached the return"),
    "left_censored": ("", "whether it was above the return from the start"),
}
_PART = ("squared gradient", "trace of the covariance, and its parts")
_PREDICTED = (
    "squared gradient",
    "the theory's predictions of these; NaN for scores between 0 and 1",
)
NOISE: dict[str, Text] = {
    **dict.fromkeys(("total", "future", "action", "state"), _PART),
    "signal": ("squared gradient", "squared norm of the true gradient"),
    **{f"predicted_{part}": _PREDICTED for part in ("total", "future", "action", "state")},
    "fisher": ("squared gradient", "trace of F, the covariance of the score grad log pi"),
    "score_variance": ("squared reward", "variance v of the score c"),
    "bias_cosine": (
        "",
        "cosine of the mean gradient with the exact one, where only the advantage is normalised",
    ),
    "bias_length": ("", "its length in units of the exact one's"),
}
FRONTIER: dict[str, Text] = {
    "kind": (
        "",
        "`proxy_optimum` (most pay at its KL), `gold_optimum` (most score), `best_of_n`",
    ),
    "parameter": ("", "tau of an optimum, n of best of n"),
    "kl": ("nats", "of that policy, from the initial one"),
    "gold": ("score", "of that policy"),
    "proxy": ("pay", "of that policy"),
}


@dataclass(frozen=True)
class Table:
    """A kind of table.

    Attributes:
        schema: names and types of its columns.
        required: the columns that a table must have.
        texts: of the columns that are its own; the others are those of a results table.
    """

    schema: pa.Schema
    required: Sequence[str]
    texts: Mapping[str, Text] = field(repr=False)


TABLES = {
    "results": Table(READ_SCHEMA, REQUIRED_COLUMNS, RESULTS),
    "crossings": Table(CROSSINGS_SCHEMA, REQUIRED_CROSSING_COLUMNS, CROSSINGS),
    "noise": Table(NOISE_SCHEMA, REQUIRED_NOISE_COLUMNS, NOISE),
    "frontier": Table(FRONTIER_SCHEMA, FRONTIER_SCHEMA.names, FRONTIER),
}
"""By the folder of a working directory in which they lie."""


def markdown(table: Table) -> str:
    """A table in Markdown of the table's columns; those that share all they say are in one row.

    Raises:
        KeyError: a column has no text.
    """
    rows: dict[tuple[str, ...], list[str]] = {}
    for column in table.schema:
        unit, meaning = _text(table, column.name)
        absent = "required" if column.name in table.required else _shown(DEFAULTS[column.name])
        rows.setdefault((str(column.type), unit, absent, meaning), []).append(f"`{column.name}`")
    lines = ["| column | type | unit | where absent | meaning |", "|---|---|---|---|---|"]
    lines += [f"| {' | '.join((', '.join(names), *cells))} |" for cells, names in rows.items()]
    return "\n".join(lines) + "\n"


def _text(table: Table, column: str) -> Text:
    if column in table.texts:
        return table.texts[column]
    if column in RESULTS:
        return "", "as in a results table"
    raise KeyError(f"the column {column!r} has no text in {__name__}")


def _shown(value: Any) -> str:
    """What is read where a column is absent."""
    if isinstance(value, str):
        return f'`"{value}"`'
    if isinstance(value, bool):
        return str(value).lower()
    return "NaN" if math.isnan(value) else f"{value:g}"

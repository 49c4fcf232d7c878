"""Rows of a program's tables: what was measured, and the columns that are the same for a run."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow

from mnist_horizon import networks
from mnist_horizon.horizon import discount_from_horizon
from mnist_horizon.results import BIAS_COLUMNS, TASK_COLUMNS
from mnist_horizon.sweeps import plan
from mnist_horizon.sweeps.plan import Run
from mnist_horizon.sweeps.spec import SweepSpec
from mnist_horizon.tasks import Task, identity_settings


def run_columns(spec: SweepSpec, run: Run, task: Task) -> dict[str, Any]:
    """Columns that hold one value per run."""
    shape, variant = task.train.images.shape[1:], run.variant
    fixed, spec = spec.fixed_settings(), spec.of(run.variant.reference)
    settings = identity_settings(spec.task, spec.task_settings)
    return {
        "run_id": run.run_id(spec),
        "task": spec.task,
        "task_settings": json.dumps(settings, sort_keys=True),
        "network": spec.network.name + spec.network.suffix,
        "algorithm": spec.algorithm.name,
        "baseline": spec.baseline,
        "optimizer": spec.optimizer.name,
        "schedule": variant.schedule.kind,
        "schedule_level": variant.schedule.level,
        "precision": spec.precision,
        "depth": spec.network.depth,
        "width": run.width,
        "parameters": networks.count_parameters(spec.network_spec(run.width), task.classes, shape),
        "environments": spec.batch.environments,
        "rollout_length": spec.batch.rollout_length,
        "batch": spec.batch_size,
        "flops_per_interaction": float(
            plan.flops_per_interaction(spec, run.width, task.classes, shape)
        ),
        "horizon": variant.horizon,
        "discount": discount_from_horizon(variant.horizon),
        "gae_lambda": spec.algorithm.gae_lambda,
        "learning_rate": plan.run_learning_rate(spec, variant),
        "entropy_coef": plan.run_coefficient(spec.entropy_coef, variant),
        "kl_coef": plan.run_coefficient(plan.run_kl_coef(spec, variant), variant),
        "phase_visible": spec.phase_visible,
        "settings": json.dumps(fixed, sort_keys=True),
        "seed": run.seed,
    }


def table_rows(
    measured: Sequence[Mapping[str, Any]],
    columns: Sequence[Mapping[str, Any]],
    schema: pyarrow.Schema,
) -> list[dict[str, Any]]:
    """Rows of a table in the order of runs and interactions.

    Args:
        measured: what was measured, with the number of the run in the program as `run`.
        columns: what each of the program's runs has in all of its rows (`run_columns`).
        schema: the columns of the table.
    """
    unmeasured = dict.fromkeys((*TASK_COLUMNS, *BIAS_COLUMNS), math.nan)
    full = ({**unmeasured, **columns[row["run"]], **row} for row in measured)
    chosen = [{name: row[name] for name in schema.names} for row in full]
    return sorted(chosen, key=_order)


def _order(row: Mapping[str, Any]) -> tuple[str, int]:
    return row["run_id"], row["interactions"]

"""Small sweeps that the tests of the runner share, and what they compare."""

import itertools
import json
from pathlib import Path
from typing import Any

from mnist_horizon import tasks
from mnist_horizon.sweeps import SweepSpec, plan, runner, spec_from
from mnist_horizon.sweeps.plan import Run

TINY: dict[str, Any] = {
    "task": {"name": "digits"},
    "widths": (4,),
    "horizons": (1.0, 3.0),
    "seeds": 2,
    "budget": 20 * 64,
    "evaluations": 4,
    "batch": {"environments": 4, "rollout_length": 16},
    "optimizer": {"learning_rates": (3e-2,)},
}
"""One program of two seeds and two horizons, 20 updates, seconds to compile."""


def tiny(**changes: Any) -> SweepSpec:
    return spec_from({**TINY, **changes})


def all_runs(spec: SweepSpec) -> list[Run]:
    """Every run of the sweep, sorted, listed one by one."""
    variants = sorted(itertools.chain(*plan._variants(spec)))
    axes = itertools.product(sorted(spec.widths), variants, range(spec.seeds))
    return [Run(*place) for place in axes]


def run(spec: SweepSpec, folder: Path, checkpoint_seconds: float = 60.0) -> runner.Outcome:
    task = tasks.load(spec.task, spec.task_settings)
    return runner.run_sweep(spec, folder, task, checkpoint_seconds)


def outputs(folder: Path) -> dict[str, bytes]:
    """What must not depend on how often a sweep was stopped: tables and policies, by name."""
    found = [*folder.glob("results/*"), *folder.glob("policies/*"), *folder.glob("noise/*")]
    found += folder.glob("kept/*")
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def records(folder: Path) -> dict[str, dict[str, Any]]:
    """The records of the programs by id."""
    found = map(json.loads, (path.read_text() for path in folder.glob("programs/*.json")))
    return {record["program_id"]: record for record in found}

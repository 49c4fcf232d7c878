"""Small synthetic sweeps in a working directory, whole or spoilt, for the tests of the report."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from analysis.laws.synthetic import Design, Noise, PowerLawTruth, simulate
from mnist_horizon.results import NOISE_SCHEMA, write_results

TRUTH = PowerLawTruth(n_c=0.4, knee=12.0, middle=1e8, link_slope=0.6)
"""Interactions to any return are affine in h, with the knee of E_c."""

DESIGN = Design(horizons=(1, 7, 31), widths=(8, 32, 128), seeds=3, budget=1_000_000, evaluations=24)

SMALL = Design(horizons=(1, 7, 31), widths=(32,), seeds=2, budget=400_000, evaluations=12)
"""For reports of which only one thing is looked at."""


def sweep_frame(
    design: Design = DESIGN, noise: Noise | None = None, truth: PowerLawTruth = TRUTH
) -> pd.DataFrame:
    """Tidy rows of a synthetic sweep, with entropy and KL."""
    frame = simulate(truth, design, np.random.default_rng(5), noise)
    return frame.assign(
        task="digits",
        batch=256,
        baseline="expected_reward",
        entropy=2.3 * (1 - frame["return_mean"]),
        kl_initial=2.2 * frame["return_mean"],
    )


def two_rates(frame: pd.DataFrame) -> pd.DataFrame:
    """The runs at 1e-3, and again at 3e-3 with half the return."""
    worse = frame.assign(run_id=frame["run_id"] + "-b", learning_rate=3e-3)
    worse["return_mean"] *= 0.5
    return pd.concat([frame.assign(learning_rate=1e-3), worse], ignore_index=True)


def write_sweep(workdir: Path, frame: pd.DataFrame, done: bool = True, **spec: Any) -> Path:
    """Write a working directory: one table, one program's record and the settings."""
    write_results(workdir / "results" / "program.parquet", frame)
    record = {
        "program_id": "program",
        "runs": sorted(frame["run_id"].unique()),
        "done": done,
        "cut": {"groups": 3, "runs_per_group": 9},
        "versions": {"python": "3.11.2", "jax": "0.10.2"},
        "commit": "0123abc",
        "device": {"platform": "cpu", "kind": "cpu", "count": 1},
    }
    (workdir / "programs").mkdir()
    (workdir / "programs" / "program.json").write_text(json.dumps(record))
    budget = int(frame["interactions"].max())
    settings = {"task": {"name": "digits"}, "budget": budget, **spec}
    (workdir / "sweep.json").write_text(json.dumps(settings))
    return workdir


def noise_rows(frame: pd.DataFrame, rows: Sequence[int] = (0, 8, 23)) -> pd.DataFrame:
    """A noise table for some runs: measurements a known factor above the predictions.

    Args:
        frame: tidy results.
        rows: which evaluations of each run of width 32.
    """
    table = frame[(frame["width"] == 32)].groupby("run_id").nth(list(rows))
    future = 1e-3 + (table["horizon"] - 2 + 1 / table["horizon"]) / 4
    factor = 1 + 0.05 * table["seed"]
    parts = {"future": future, "action": 1.0, "state": 0.2, "total": future + 1.2}
    measured = {name: value * factor for name, value in parts.items()}
    predicted = {f"predicted_{name}": value for name, value in parts.items()}
    table = table.assign(signal=0.1, **measured, **predicted)
    return table[[name for name in NOISE_SCHEMA.names if name in table]]

"""Tables as others might have written them, for the tests of the import."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from analysis.data.conversion import Rules

COLUMNS = {
    "horizon": "h",
    "interactions": "frames",
    "return_mean": "episode return",
}
RULES = Rules(columns=COLUMNS, values={"parameters": "1000", "task": "maze"})
THRESHOLDS = (0.0, 150.0)
KNEE = 21.0


def curves(horizons: tuple[int, ...] = (1, 9, 41), seeds: int = 3, rows: int = 16) -> pd.DataFrame:
    """Returns from -200 to 500 at points of training; interactions are affine in h, knee 21."""
    rng = np.random.default_rng(1)
    table: list[dict[str, Any]] = []
    for horizon in horizons:
        for seed in range(seeds):
            needed = 2e5 * (1 + (horizon - 1) / (KNEE - 1)) * np.exp(0.05 * rng.standard_normal())
            for frames in np.geomspace(2e4, 4e6, rows).astype(int):
                score = -200 + 700 / (1 + (needed / frames) ** 1.2)
                table.append(
                    {"h": horizon, "seed": seed, "frames": frames, "episode return": score}
                )
    return pd.DataFrame(table)


def crossings() -> pd.DataFrame:
    """Interactions of runs to two thresholds; one run of h = 41 did not reach the second."""
    rng = np.random.default_rng(2)
    table: list[dict[str, Any]] = []
    for horizon in (1, 9, 41):
        for seed in range(3):
            needed = 1000 * (1 + (horizon - 1) / (KNEE - 1)) * np.exp(0.05 * rng.standard_normal())
            for threshold in (10, 20):
                stopped = horizon == 41 and seed == 2 and threshold == 20
                steps = needed * threshold / 10 * (0.5 if stopped else 1)
                table.append(
                    {"h": horizon, "seed": seed, "score": threshold, "steps": steps, "cut": stopped}
                )
    return pd.DataFrame(table)


CROSSING_RULES = Rules(
    columns={"horizon": "h", "interactions": "steps", "threshold": "score", "censored": "cut"},
    values={"parameters": "1000", "task": "maze"},
    crossings=True,
)


def losses(runs: int = 240) -> pd.DataFrame:
    """One row a run: a loss of a model of a size of its own, after a budget of its own."""
    rng = np.random.default_rng(3)
    size = (10 ** rng.uniform(7.6, 10.2, runs)).astype(int)
    tokens = (10 ** rng.uniform(9.0, 11.6, runs)).astype(int)
    loss = 1.8 + 482 / size**0.35 + 2085 / tokens**0.37 + 0.004 * rng.standard_normal(runs)
    return pd.DataFrame({"model size": size, "tokens": tokens, "loss": loss.round(4)})


LOSS_RULES = Rules(
    columns={
        "run_id": "row",
        "parameters": "model size",
        "interactions": "tokens",
        "return_mean": "loss",
    },
    values={"horizon": "1", "task": "text"},
    lower_is_better=True,
)


def wandb_export(path: Path) -> Path:
    """What W&B writes for two runs: wide, with ranges, empty where nothing was logged."""
    path.write_text(
        '"Step","run-a - eval/return","run-a - eval/return__MIN","run-a - eval/return__MAX",'
        '"run - b - eval/return","run - b - eval/return__MIN","run - b - eval/return__MAX",'
        '"run-a - _step"\n'
        '"10","0.1","0.1","0.1","","","","10"\n'
        '"20","0.4","0.4","0.4","0.2","0.2","0.2","20"\n'
        '"30","","","","0.9","0.9","0.9","30"\n'
    )
    return path

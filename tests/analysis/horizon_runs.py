"""Interactions to threshold drawn from laws of horizon and batch, without learning curves."""

import numpy as np
import pandas as pd

from analysis.laws.horizon_forms import HorizonData, horizon_data
from analysis.laws.regressors import regressor_values
from analysis.laws.synthetic import HorizonTruth, Noise

HORIZONS = np.array([1.0, 3, 7, 15, 31, 63, 127])

NONE = Noise(seed=0.0, run=1e-9, run_at_largest=1e-9)


def table_of(
    rng: np.random.Generator,
    truth: HorizonTruth,
    noise: Noise | None = None,
    seeds: int = 4,
    widths: tuple[int, ...] = (64,),
    horizons: np.ndarray = HORIZONS,
    budget: float = np.inf,
) -> pd.DataFrame:
    """Interactions to threshold with the noise of synthetic runs, without drawing their curves."""
    noise = noise or Noise()
    horizons = np.asarray(horizons, dtype=float)
    share = np.log(horizons) / (np.log(horizons.max()) or 1.0)
    spread = noise.run + (noise.run_at_largest - noise.run) * share
    rows = []
    for width in widths:
        mean = np.log(truth.interactions(horizons, width))
        for seed in range(seeds):
            effect = noise.seed * rng.standard_normal()
            log_e = mean + effect + spread * rng.standard_normal(len(horizons))
            rows.append(
                pd.DataFrame(
                    {
                        "run_id": [f"w{width}-h{h:g}-s{seed}" for h in horizons],
                        "horizon": horizons,
                        "interactions": np.minimum(np.exp(log_e), budget),
                        "censored": np.exp(log_e) > budget,
                        "seed": seed,
                        "width": width,
                    }
                )
            )
    settings = {"task": "synthetic", "schedule": "dense", "schedule_level": 1.0, "threshold": 0.7}
    return pd.concat(rows, ignore_index=True).assign(left_censored=False, **settings)


def data_of(table: pd.DataFrame) -> HorizonData:
    """The runs of a table as the forms are fitted to them."""
    data, _ = horizon_data(table)
    assert data is not None
    return data


STEPS, CONSTANT, GROWTH = 40.0, 500.0, 60.0
"""Of the law of the batch: S_min, n_0 and n_1."""


def over_batches(
    rng: np.random.Generator,
    spread: float,
    batches: tuple[int, ...],
    constant: float = CONSTANT,
    seeds: int = 4,
) -> pd.DataFrame:
    """Interactions to threshold of some batches, with these noise constants."""
    rows = []
    for batch in batches:
        for seed in range(seeds):
            for horizon in (1.0, 7.0, 31.0, 127.0):
                x = regressor_values(np.array([horizon]), "variance_horizon")[0]
                needed = STEPS * (batch + constant + GROWTH * x)
                rows.append(
                    {
                        "run_id": f"b{batch}-h{horizon:g}-s{seed}",
                        "batch": batch,
                        "environments": 1,
                        "rollout_length": batch,
                        "seed": seed,
                        "horizon": horizon,
                        "interactions": needed * np.exp(spread * rng.standard_normal()),
                    }
                )
    settings = {"task": "t", "schedule": "dense", "schedule_level": 1.0, "width": 8}
    frame = pd.DataFrame(rows).assign(threshold=0.7, censored=False, left_censored=False)
    return frame.assign(**settings)


def over_tasks(seeds: int = 2) -> pd.DataFrame:
    """Two tasks, the second with the shorter knee."""
    rng = np.random.default_rng(0)
    rows = {
        task: table_of(rng, HorizonTruth(knee=knee), seeds=seeds).assign(task=task)
        for task, knee in (("one", 30.0), ("two", 10.0))
    }
    return pd.concat(
        [table.assign(run_id=f"{task}-" + table["run_id"]) for task, table in rows.items()]
    )


def tasks_with_costs(
    knees: dict[str, float], factor: float = 1.0, spread: float = 0.0, seeds: int = 4
) -> pd.DataFrame:
    """Tasks with these knees, whose noise at h = 1 predicts them times a factor.

    Args:
        knees: by task.
        factor: predicted over true knee.
        spread: of the log cost over seeds.
        seeds: of each task.
    """
    rng = np.random.default_rng(0)
    tables = []
    for task, knee in knees.items():
        table = table_of(rng, HorizonTruth(knee=knee), NONE, seeds=seeds)
        at_one = table["horizon"] == 1
        x = regressor_values(np.array([factor * knee]), "variance_horizon")[0]
        cost = np.exp(spread * rng.standard_normal(len(table))) / x
        columns = {"task": task, "horizon_cost": np.where(at_one, cost, np.nan)}
        tables.append(table.assign(run_id=f"{task}-" + table["run_id"], **columns))
    return pd.concat(tables, ignore_index=True)


def over_optimizers(seeds: int = 2) -> pd.DataFrame:
    """Two optimisers at two learning rates each, of which the lower is better at all horizons."""
    rng = np.random.default_rng(0)
    tables = []
    for optimizer in ("adam", "sgd"):
        for rate, score in ((1e-3, 0.7), (2e-3, 0.5)):
            table = table_of(
                rng, HorizonTruth(), seeds=seeds, horizons=np.array([1.0, 3, 7, 15, 31, 127])
            )
            names = {"optimizer": optimizer, "learning_rate": rate, "score": score}
            run_id = f"{optimizer}-{rate}-" + table["run_id"]
            slower = table["interactions"] * (1 if rate == 1e-3 else 1.5)
            tables.append(table.assign(run_id=run_id, interactions=slower, **names))
    return pd.concat(tables, ignore_index=True)

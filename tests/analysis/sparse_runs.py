"""Interactions to threshold drawn from a law of horizon and schedule with known constants."""

import numpy as np
import pandas as pd

from analysis.laws.schedule import ScheduleMean
from mnist_horizon.horizon import discount_from_horizon
from mnist_horizon.schedules import parse

SCHEDULES = (
    *("dense", "revealed:0.25", "revealed:0.0625", "periodic:2", "periodic:4", "periodic:16"),
    "streak:2",
)
HORIZONS = (1.0, 3.0, 7.0, 15.0, 31.0, 63.0)


def theta(s_min: float, noise_scale: float, share: float, accuracy: float) -> np.ndarray:
    """Parameters of `ScheduleMean` from the constants themselves."""
    odds = [np.log(share / (1 - share)), np.log(accuracy / (1 - accuracy))]
    return np.array([np.log(s_min), np.log(noise_scale), *odds])


def crossings(
    truth: np.ndarray,
    rng: np.random.Generator,
    *,
    schedules: tuple[str, ...] = SCHEDULES,
    streak_costs: float = 1.0,
    budget: float = np.inf,
    width: int = 32,
    seeds: int = 4,
    batch: int = 256,
    threshold: float = 0.7,
) -> pd.DataFrame:
    """A table as `data.interactions_to_threshold` returns it."""
    parsed = tuple(parse(name) for name in schedules)
    shared = 0.08 * rng.standard_normal(seeds)
    frames = []
    for schedule in parsed:
        horizon = np.tile(HORIZONS, seeds)
        seed = np.repeat(np.arange(seeds), len(HORIZONS))
        same = np.zeros(len(horizon), dtype=int)
        sizes = np.full(len(horizon), float(batch))
        log_e = ScheduleMean((schedule,), same, horizon, sizes, threshold)(truth)[0]
        log_e = log_e + shared[seed] + 0.06 * rng.standard_normal(len(seed))
        log_e += np.log(streak_costs) * (not schedule.adds_up)
        rows = pd.DataFrame({"horizon": horizon, "seed": seed, "interactions": np.exp(log_e)})
        rows = rows.assign(schedule=schedule.kind, schedule_level=schedule.level)
        names = [f"{schedule}-w{width}-h{h:g}-s{s}" for h, s in zip(horizon, seed, strict=True)]
        # By rule, as a sweep does: other than between schedules and horizons they must not split.
        frames.append(rows.assign(run_id=names, learning_rate=0.02 / np.sqrt(horizon)))
    table = pd.concat(frames, ignore_index=True)
    table = table.assign(
        censored=table["interactions"] > budget,
        left_censored=False,
        interactions=np.minimum(table["interactions"], budget),
        discount=discount_from_horizon(table["horizon"].to_numpy()),
        entropy_coef=0.1 / table["schedule_level"].to_numpy(),
    )
    return table.assign(
        task="synthetic",
        network="mlp",
        algorithm="vpg",
        optimizer="adam",
        width=width,
        parameters=100 * width,
        flops_per_interaction=600.0 * width,
        batch=batch,
        threshold=threshold,
    )

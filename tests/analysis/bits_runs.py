"""Runs that need the same bits, or the same steps without noise, under every schedule."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from mnist_horizon import theory
from mnist_horizon.schedules import parse

ACCURACY = 0.6
ENDS = np.unique(np.geomspace(1e2, 1e7, 160).astype(int))
SCHEDULES = ("dense", "revealed:0.25", "periodic:4", "streak:2")


def needed(name: str, horizon: float, same: str) -> float:
    """Interactions at this accuracy until 10,000 bits, or steps without noise, are gathered."""
    schedule = parse(name)
    if same == "bits":
        return 1e4 / float(schedule.bits(ACCURACY))
    moments = theory.moments_from_ratio(1.0, ACCURACY, 1e-6)
    return 1e4 * 1e-6 * float(theory.noise_over_signal(schedule, horizon, moments))


def bits_runs(
    same: str,
    rng: np.random.Generator,
    horizons: Sequence[float] = (1.0, 8.0),
    seeds: int = 4,
    noise: float = 0.05,
) -> pd.DataFrame:
    """Returns that stay at `ACCURACY` and jump to 0.95 when enough is gathered."""
    frames = []
    for name in SCHEDULES:
        kind, _, level = name.partition(":")
        for horizon in horizons:
            for seed in range(seeds):
                at = needed(name, horizon, same) * np.exp(noise * rng.standard_normal())
                rows = {"interactions": ENDS, "return_mean": np.where(at > ENDS, ACCURACY, 0.95)}
                frames.append(
                    pd.DataFrame(rows).assign(
                        run_id=f"{name}-h{horizon:g}-s{seed}",
                        schedule=kind,
                        schedule_level=float(level or 1.0),
                        horizon=horizon,
                        seed=seed,
                    )
                )
    return pd.concat(frames, ignore_index=True).assign(
        task="made",
        network="mlp",
        algorithm="vpg",
        width=16,
        parameters=12_800,
        discount=0.0,
        flops_per_interaction=1.0,
    )

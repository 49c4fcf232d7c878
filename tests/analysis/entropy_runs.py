"""Runs whose entropy and KL follow known courses."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from analysis.data.crossings import place_in_interval

ENDS = np.unique(np.geomspace(1e3, 1e6, 60).astype(int))


def root_kl(entropy: np.ndarray) -> np.ndarray:
    """sqrt(KL), linear in the entropy."""
    return 1.5 - 0.6 * entropy


def entropy_runs(
    fall: Callable[[np.ndarray], np.ndarray],
    rng: np.random.Generator,
    horizons: Sequence[float] = (1.0, 7.0),
    seeds: int = 4,
    noise: float = 0.002,
    kl_noise: float = 0.002,
) -> pd.DataFrame:
    """Entropy `2.3 fall(E)`, E in units of the budget, and KL so that sqrt(KL) is linear in it."""
    places = place_in_interval(ENDS.astype(float)) / ENDS[-1]
    frames = []
    for horizon in horizons:
        for seed in range(seeds):
            scale = np.exp(0.05 * rng.standard_normal())
            entropy = 2.3 * fall(places * scale)
            kl = root_kl(2.3 * fall(ENDS / ENDS[-1] * scale)) ** 2
            frames.append(
                pd.DataFrame(
                    {
                        "run_id": f"h{horizon:g}-s{seed}",
                        "horizon": horizon,
                        "seed": seed,
                        "interactions": ENDS,
                        "entropy": entropy + noise * rng.standard_normal(len(ENDS)),
                        "kl_initial": kl + kl_noise * rng.standard_normal(len(ENDS)),
                    }
                )
            )
    return pd.concat(frames, ignore_index=True).assign(
        task="made",
        network="mlp",
        algorithm="vpg",
        schedule="dense",
        schedule_level=1.0,
        width=16,
        parameters=12_800,
        return_mean=0.5,
    )


def linear(share: np.ndarray) -> np.ndarray:
    """A straight fall to a tenth, then level."""
    return np.maximum(1 - share, 0.1)


def logarithmic(share: np.ndarray) -> np.ndarray:
    """A fall in log E."""
    return np.clip(1 - np.log(1 + 300 * share) / np.log(301), 0.02, 1.0)

"""Made runs that are paid a proxy: gold rises and falls with sqrt KL, by a known difference."""

import numpy as np
import pandas as pd

ENDS = np.unique(np.geomspace(256, 256_000, 30).astype(int))


def gold_of(kl: np.ndarray) -> np.ndarray:
    """`0.5 + 0.3 d - 0.15 d^2`, d the square root of KL: highest at KL 1."""
    d = np.sqrt(kl)
    return 0.5 + 0.3 * d - 0.15 * d**2


def proxy_runs(
    generator: np.random.Generator,
    *,
    shift: float = 0.0,
    noise: float = 0.004,
    coefficients: tuple[float, ...] = (0.0, 0.1, 0.5),
    seeds: int = 4,
    learning_rate: float = 1e-3,
) -> pd.DataFrame:
    """Runs whose KL grows to 4, or with coefficient c to 0.3 / c; `shift` is added to their gold.

    `noise` is the deviation of a penalised run's gold as a whole, one number for each run; that of
    the others deviates by half as much times sqrt KL, every proxy by a quarter.
    """
    frames = []
    progress = np.log(ENDS / ENDS[0]) / np.log(ENDS[-1] / ENDS[0])
    for coefficient in coefficients:
        for seed in range(seeds):
            kl = progress * min(4.0, 0.3 / coefficient if coefficient else 4.0)
            own = shift + noise * generator.standard_normal()
            other = 0.5 * noise * generator.standard_normal() * np.sqrt(kl)
            gold = gold_of(kl) + (own if coefficient else other)
            proxy = 0.2 + 0.2 * np.sqrt(kl) + 0.25 * noise * generator.standard_normal()
            rows = {"interactions": ENDS, "kl_initial": kl, "test_gold": gold}
            rows |= {"test_return": proxy, "return_mean": proxy}
            name = f"proxy-lr{learning_rate:g}-kl{coefficient:g}-s{seed}"
            frame = pd.DataFrame(rows).assign(run_id=name, kl_coef=coefficient, seed=seed)
            frames.append(frame)
    frame = pd.concat(frames, ignore_index=True)
    return frame.assign(
        task="proxy", task_settings="{}", network="mlp", algorithm="vpg", schedule="dense",
        schedule_level=1.0, width=64, parameters=4810, flops_per_interaction=1e4, horizon=1.0,
        discount=0.0, learning_rate=learning_rate, batch=256, settings='{"kl_coef": 0.0}',
        test_examples=360, baseline="expected_reward", optimizer="adam", precision="f32",
        updates=frame["interactions"] // 256, entropy=1.0, reward_mean=frame["return_mean"],
    )  # fmt: skip


def frontiers_of(frame: pd.DataFrame) -> pd.DataFrame:
    """Best policies of these runs: 0.1 more proxy than they have, gold of best of n 0.05 more."""
    kl = np.linspace(0, 5, 400)
    parts = []
    for run_id in frame["run_id"].unique():
        for kind, more in (("proxy_optimum", 0.0), ("gold_optimum", 0.2), ("best_of_n", 0.05)):
            rows = {"kl": kl, "gold": gold_of(kl) + more, "proxy": 0.3 + 0.2 * np.sqrt(kl)}
            part = pd.DataFrame(rows).assign(run_id=run_id, kind=kind, parameter=np.arange(400.0))
            parts.append(part)
    return pd.concat(parts, ignore_index=True)

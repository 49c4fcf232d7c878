"""Interactions to threshold of RL and of its references, with known parts."""

import json
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

TASK, OBJECTIVE, ACTIONS, STEP = 10_000.0, 6_000.0, 24_000.0, 1_000.0
"""Interactions of supervised learning, what the exact gradient and RL at h = 1 need more, and what
each further step of horizon does."""

LEVELS: Mapping[str, float] = {
    "supervised": TASK,
    "exact": TASK + OBJECTIVE,
    "vpg": TASK + OBJECTIVE + ACTIONS,
}


def settings_of(algorithm: str, **more: object) -> str:
    """The column `settings` of a sweep of this algorithm."""
    return json.dumps({"algorithm": {"name": algorithm}, **more}, sort_keys=True)


def runs_of(
    algorithm: str,
    effects: Sequence[float],
    horizons: Sequence[float] = (1.0,),
    width: int = 64,
    settings: str = settings_of("vpg"),
    slowness: np.ndarray | float = 1.0,
) -> pd.DataFrame:
    """Runs of one algorithm.

    Args:
        algorithm: of `LEVELS`.
        effects: by which factor each seed is slower.
        horizons: of RL.
        width: of the network; the level of a width is that of 64 times 64 / width.
        settings: the column `settings`.
        slowness: factor of each run, shape [seed, horizon].
    """
    h = np.asarray(horizons, dtype=float)
    level = (LEVELS[algorithm] + STEP * (h - 1)) * 64 / width
    needed = level * np.asarray(effects)[:, None] * slowness
    seeds, places = (grid.ravel() for grid in np.indices(needed.shape))
    ids = [f"w{width}-{algorithm}-h{h[p]:g}-s{s}" for s, p in zip(seeds, places, strict=True)]
    columns = {"task": "synthetic", "network": "mlp", "schedule": "dense", "schedule_level": 1.0}
    numbers = {"parameters": 100 * width, "flops_per_interaction": 600.0 * width}
    return pd.DataFrame({"run_id": ids, "seed": seeds, "horizon": h[places]}).assign(
        **columns,
        **numbers,
        discount=1 - 2 / (h[places] + 1),
        algorithm=algorithm,
        width=width,
        settings=settings,
        threshold=0.7,
        interactions=needed.ravel(),
        censored=False,
        left_censored=False,
        fell_back=False,
    )


def sweep(
    rng: np.random.Generator,
    seeds: int = 4,
    horizons: Sequence[float] = (1.0, 3.0, 7.0, 15.0, 31.0),
    widths: Sequence[int] = (64,),
    names: Sequence[str] = ("supervised", "exact"),
    shared: float = 0.2,
    own: float = 0.03,
    alone: bool = False,
) -> pd.DataFrame:
    """RL and its references, with effects of the seed that all of them share.

    Args:
        rng: source of the noise.
        seeds: how many.
        horizons: of RL.
        widths: of the networks.
        names: which references.
        shared: spread of log E between seeds.
        own: spread of log E of the runs of a seed.
        alone: whether the references are sweeps of their own.
    """
    parts = []
    for width in widths:
        effects = np.exp(shared * rng.standard_normal(seeds))
        for name in (*names, "vpg"):
            h = horizons if name == "vpg" else (1.0,)
            slowness = np.exp(own * rng.standard_normal((seeds, len(h))))
            settings = settings_of(name if alone else "vpg")
            parts.append(runs_of(name, effects, h, width, settings, slowness))
    return pd.concat(parts, ignore_index=True)


def noise_of(table: pd.DataFrame, action: float = 30.0, state: float = 10.0) -> pd.DataFrame:
    """Noise rows along the runs of RL, the same everywhere: B = 100, |m|^2 = 0.2."""
    runs = table[table["algorithm"] == "vpg"]
    rows = []
    for row in runs.to_dict("records"):
        for share in (0.1, 0.5, 0.9, 2.0):
            rows.append({**row, "interactions": int(share * row["interactions"])})
    names = ["run_id", "task", "schedule", "schedule_level", "horizon", "discount", "width", "seed"]
    future = {"future": 0.0, "total": action + state}
    parts = {"action": action, "state": state, "signal": 0.2, "batch": 100, "baseline": "none"}
    return pd.DataFrame(rows)[[*names, "interactions"]].assign(**parts, **future)

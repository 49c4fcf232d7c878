"""Learning curves of known shapes."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from analysis.data.crossings import place_in_interval

ENDS = np.unique(np.geomspace(1e3, 1e6, 45).astype(int))


def sigmoid(
    interactions: np.ndarray,
    start: float = 0.1,
    end: float = 0.93,
    middle: float = 3e4,
    slope: float = 1.1,
) -> np.ndarray:
    """R_0 + (R_max - R_0) / (1 + (E_mid/E)^c)."""
    return start + (end - start) / (1 + (middle / interactions) ** slope)


def power(
    interactions: np.ndarray, end: float = 0.95, scale: float = 150.0, exponent: float = 0.35
) -> np.ndarray:
    """R_max - (E_c/E)^alpha."""
    return end - (scale / interactions) ** exponent


def asleep(interactions: np.ndarray) -> np.ndarray:
    """The same, after a start at chance that lasts about 1/200 of the training."""
    risen = -np.expm1(-((interactions / 4e3) ** 2))
    return 0.1 + (power(interactions) - 0.1) * risen


def curve_frame(
    shape: Callable[[np.ndarray], np.ndarray],
    generator: np.random.Generator,
    *,
    widths: Sequence[int] = (16,),
    horizons: Sequence[float] = (1.0,),
    seeds: int = 4,
    noise: float = 0.002,
    shift: float = 0.03,
    ends: np.ndarray = ENDS,
    algorithm: str = "vpg",
) -> pd.DataFrame:
    """Runs of one shape; seeds are ahead or behind by `shift` in log E, rows have `noise`."""
    places = place_in_interval(ends.astype(float))
    frames = []
    for width in widths:
        for horizon in horizons:
            for seed in range(seeds):
                moved = places * np.exp(shift * generator.standard_normal())
                returns = shape(moved) + noise * generator.standard_normal(len(ends))
                name = f"{algorithm}-w{width}-h{horizon:g}-s{seed}"
                rows = {"interactions": ends, "return_mean": returns, "horizon": horizon}
                frames.append(pd.DataFrame(rows).assign(run_id=name, width=width, seed=seed))
    frame = pd.concat(frames, ignore_index=True)
    parameters = 800 * frame["width"]
    return frame.assign(
        task="made",
        network="mlp",
        algorithm=algorithm,
        schedule="dense",
        schedule_level=1.0,
        discount=(frame["horizon"] - 1) / (frame["horizon"] + 1),
        parameters=parameters,
        flops_per_interaction=6.0 * parameters,
    )

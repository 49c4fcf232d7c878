"""The batch as a factor: the horizon law at one width for B from 32 to 2048.

    for B in 32 128 512 2048; do
        python -m launch.sweep --config=launch/configs/batch.py:$B --workdir=runs/batch$B
    done
    python -m analysis.report runs/batch32 runs/batch128 runs/batch512 runs/batch2048

Time on 2 cores: 1 to 2 minutes each with other load. Expected to 0.7: knees of 10, 11, 16
and 36. `batch.py:$B,digits` runs in seconds, on the embedded digits. A rollout is at least
four times as long as the largest horizon, so small batches have only the short horizons: one
environment of B steps up to B = 512, four of 512 beyond.
"""

import ml_collections

from launch.configs import choose, horizon, quickstart

SIZES = ("32", "64", "128", "256", "512", "1024", "2048")
BASES = {"mnist": horizon, "digits": quickstart}


def get_config(argument: str = "512") -> ml_collections.ConfigDict:
    """One width, 4 seeds, horizons up to a quarter of the rollout; `argument` is B or B,digits."""
    size, _, task = argument.partition(",")
    batch = int(choose(size, SIZES))
    config = BASES[choose(task or "mnist", BASES)].get_config()
    config.widths = (40,)
    config.batch.rollout_length = min(batch, 512)
    config.batch.environments = max(1, batch // 512)
    longest = config.batch.rollout_length / 4
    config.horizons = tuple(h for h in horizon.get_config().horizons if h <= longest)
    # Steps of Adam shrink as the square root of the batch where noise dominates.
    config.optimizer.learning_rates = (2e-2 * (batch / 512) ** 0.5,)
    config.budget = 1_000_000
    config.noise.samples = 1024
    config.noise.every = 4
    return config

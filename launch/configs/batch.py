"""The batch as a factor: the horizon law at one width for B from 32 to 2048.

    for B in 32 128 512 2048; do
        python -m launch.sweep --config=launch/configs/batch.py:$B --workdir=runs/batch$B
    done
    python -m analysis.report runs/batch32 runs/batch128 runs/batch512 runs/batch2048

A rollout is at least four times as long as the largest horizon, so small batches have only the
short horizons: one environment of B steps up to B = 512, four of 512 beyond.
"""

import ml_collections

from launch.configs import horizon


def get_config(batch: str = "512") -> ml_collections.ConfigDict:
    """One width, 4 seeds, horizons up to a quarter of the rollout."""
    config = horizon.get_config()
    config.widths = (40,)
    size = int(batch)
    config.batch.rollout_length = min(size, 512)
    config.batch.environments = max(1, size // 512)
    longest = config.batch.rollout_length / 4
    config.horizons = tuple(h for h in config.horizons if h <= longest)
    # Steps of Adam shrink as the square root of the batch where noise rules.
    config.optimizer.learning_rates = (2e-2 * (size / 512) ** 0.5,)
    config.budget = 500_000
    config.noise.every = 4
    return config

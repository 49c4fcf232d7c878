"""The paper's question on MNIST: interactions needed against horizon and model size.

    python -m launch.sweep --config=launch/configs/horizon.py --workdir=runs/horizon
    python -m analysis.report runs/horizon

Time on 2 cores: 11 to 13 minutes with other load. Expected: knees of 16, 13 and 15 at returns of
0.5, 0.7 and 0.85; a free exponent whose interval holds 1; 15 runs, most of width 4, short of 0.85.

MNIST comes from tensorflow-datasets, or with `--config.task.data_dir=FOLDER` from IDX files.
"""

import ml_collections

from launch.configs import default_config
from mnist_horizon.sweeps import RATE_RULE


def get_config() -> ml_collections.ConfigDict:
    """7 horizons, 5 widths over 2 decades of parameters, 4 seeds: 140 runs of 1 million steps."""
    config = default_config()
    config.widths = (4, 13, 40, 128, 405)
    config.horizons = (1.0, 3.0, 7.0, 15.0, 31.0, 63.0, 127.0)
    config.seeds = 4
    # 4 x the largest horizon and more: what the window's end cuts off is below gamma^512 = 3e-4.
    config.batch.rollout_length = 512
    config.budget = 1_000_000
    config.evaluations = 48
    config.noise.samples = 1024
    # Without a bonus one digit may never be chosen again: most runs at h >= 31 stall near 0.85.
    config.entropy_coef = 0.1
    config.optimizer.update(RATE_RULE)
    return config

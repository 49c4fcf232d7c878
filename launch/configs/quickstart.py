"""The paper's horizon result on the embedded digits, in about a minute, without a download.

    python -m launch.sweep --config=launch/configs/quickstart.py --workdir=runs/quickstart
    python -m analysis.report runs/quickstart

Time on 2 cores: a minute for both, or two with the installation (`make quickstart`). Expected: 72
runs, none short of a return of 0.85; knees near 16; a free exponent whose interval holds 1.
"""

import ml_collections

from launch.configs import default_config
from mnist_horizon.sweeps import RATE_RULE


def get_config() -> ml_collections.ConfigDict:
    """1,797 real 8x8 digits: 6 horizons, 3 widths, 4 seeds."""
    config = default_config()
    config.task = ml_collections.ConfigDict({"name": "digits"})
    config.widths = (8, 32, 128)
    config.horizons = (1.0, 3.0, 7.0, 15.0, 31.0, 63.0)
    config.seeds = 4
    config.batch.rollout_length = 256
    config.budget = 204_800
    config.entropy_coef = 0.1
    config.optimizer.update(RATE_RULE)
    return config

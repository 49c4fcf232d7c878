"""The smallest sweep that has every axis: takes seconds, used by the tests.

    python -m launch.sweep --config=launch/configs/smoke.py --workdir=runs/smoke

Time on 2 cores: about 10 s, most of it compilation. Expected: returns of 0.1 to 0.4, the highest of
width 8 under dense rewards.
"""

import ml_collections

from launch.configs import default_config


def get_config() -> ml_collections.ConfigDict:
    """Digits, 2 widths, 2 horizons, 2 schedules, 2 seeds, 40 updates of 64 interactions."""
    config = default_config()
    config.task = ml_collections.ConfigDict({"name": "digits"})
    config.widths = (4, 8)
    config.horizons = (1.0, 3.0)
    config.schedules = ("dense", "periodic:2")
    config.seeds = 2
    config.batch.environments = 4
    config.batch.rollout_length = 16
    config.optimizer.learning_rates = (3e-2,)
    config.budget = 2560
    config.evaluations = 6
    return config

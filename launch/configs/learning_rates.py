"""A check of the learning-rate rule of `horizon.py` at both ends of both axes.

    python -m launch.sweep --config=launch/configs/learning_rates.py --workdir=runs/rates
    python -m analysis.report runs/rates

The corners of `horizon.py` with its rate, half and twice that. Time on 2 cores: 4 minutes with
other load. Expected: to a return of 0.7 the rule's rate (the middle one) is within 1.5
times the interactions of the best at every corner.
"""

import ml_collections

from launch.configs import horizon


def get_config() -> ml_collections.ConfigDict:
    """3 rates, 3 horizons, 3 widths, 2 seeds, half the interactions."""
    config = horizon.get_config()
    config.widths = (4, 40, 405)
    config.horizons = (1.0, 31.0, 127.0)
    config.seeds = 2
    config.budget = 500_000
    (rate,) = config.optimizer.learning_rates
    config.optimizer.learning_rates = (rate / 2, rate, rate * 2)
    return config

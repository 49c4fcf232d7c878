"""How the policy's entropy falls along training, with and without a bonus.

    for B in 0 0.1; do
        python -m launch.sweep --config=launch/configs/entropy.py:$B --workdir=runs/entropy_$B
    done
    python -m analysis.report runs/entropy_0 runs/entropy_0.1

On the embedded digits. Time on 2 cores: 10 to 17 seconds each, report 9 seconds. Expected: with the
bonus, entropy is predicted best as linear in interactions; without, it is undecided.
docs/entropy.md has what was found on MNIST too.
"""

import ml_collections

from launch.configs import choose, default_config
from mnist_horizon.sweeps import RATE_RULE

BONUSES = {"0": 0.0, "0.1": 0.1, "0.3": 0.3}


def get_config(bonus: str = "0.1") -> ml_collections.ConfigDict:
    """3 widths, 3 horizons, 4 seeds: 36 runs with this coefficient of the entropy bonus."""
    config = default_config()
    config.task = ml_collections.ConfigDict({"name": "digits"})
    config.widths = (8, 32, 128)
    config.horizons = (1.0, 8.0, 32.0)
    config.entropy_coef = BONUSES[choose(bonus, BONUSES)]
    config.batch.rollout_length = 256
    config.budget = 204_800
    config.evaluations = 60
    config.optimizer.update(RATE_RULE)
    return config

"""The optimiser as a factor: Adam against plain SGD, the rate tuned for each horizon and not.

for O in adam sgd; do
    python -m launch.sweep --config=launch/configs/optimizer.py:$O --workdir=runs/optimizer_$O
done
python -m analysis.report runs/optimizer_adam runs/optimizer_sgd
"""

import ml_collections

from launch.configs import horizon

RATES = {"adam": (5e-3, 1e-2, 2e-2, 4e-2), "sgd": (0.1, 0.3, 1.0, 3.0)}


def get_config(optimizer: str = "adam") -> ml_collections.ConfigDict:
    """One width, 4 rates at every horizon, 4 seeds; no rule over horizons."""
    config = horizon.get_config()
    config.widths = (40,)
    config.optimizer.name = optimizer
    config.optimizer.learning_rates = RATES[optimizer]
    config.optimizer.critical_horizon = 0.0
    config.budget = 500_000
    config.noise.samples = 0
    return config

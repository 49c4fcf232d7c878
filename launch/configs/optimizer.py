"""The optimiser as a factor: Adam against plain SGD, the rate tuned for each horizon or fixed.

    for O in adam sgd; do
        python -m launch.sweep --config=launch/configs/optimizer.py:$O --workdir=runs/optimizer_$O
    done
    python -m analysis.report runs/optimizer_adam runs/optimizer_sgd

Time on 2 cores: 3 to 6 minutes each with other load. Expected to 0.7, tuned for each
horizon: knees of 9 (Adam) and 37 (SGD). `optimizer.py:adam,digits` runs in seconds, on the embedded
digits.
"""

import ml_collections

from launch.configs import choose, horizon, quickstart

BASES = {"mnist": horizon, "digits": quickstart}
RATES = {
    "adam": (2.5e-3, 5e-3, 1e-2, 2e-2, 4e-2, 8e-2),
    "sgd": (0.1, 0.3, 1.0, 3.0, 10.0, 30.0),
}


def get_config(argument: str = "adam") -> ml_collections.ConfigDict:
    """One width, 6 constant rates at every horizon, 4 seeds; `argument` is adam, or adam,digits."""
    optimizer, _, task = argument.partition(",")
    rates = RATES[choose(optimizer, RATES)]
    config = BASES[choose(task or "mnist", BASES)].get_config()
    config.widths = (40,)
    config.horizons = horizon.get_config().horizons
    config.batch.rollout_length = 512
    config.optimizer.name = optimizer
    config.optimizer.learning_rates = rates
    config.optimizer.critical_horizon = 0.0
    config.optimizer.decay_interactions = 0.0
    config.budget = 500_000
    config.noise.samples = 0
    return config

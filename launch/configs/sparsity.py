"""Horizon and sparsity together on MNIST: which schedule and horizon need how many interactions.

    python -m launch.sweep --config=launch/configs/sparsity.py --workdir=runs/sparsity
    python -m analysis.report runs/sparsity

`--config=launch/configs/sparsity.py:digits` runs in minutes, on the embedded digits (`make
sparsity`). Time on 2 cores: 11 minutes of processor time, 19 with other load. Expected: the joint
law within 8 to 12% of the pairs of horizon and schedule, its slope 1; RESULTS.md has the numbers.

The grid is complete: pairs that need more than the budget by theory stay in it, censored, up to a
factor of about 10 at a return of 0.85. Delays go up to 16, whose best horizon is near 26.
"""

import ml_collections

from launch.configs import choose, horizon, quickstart

BASES = {"mnist": horizon, "digits": quickstart}


def get_config(task: str = "mnist") -> ml_collections.ConfigDict:
    """7 horizons, 9 schedules, 2 widths, 4 seeds: 504 runs."""
    config = BASES[choose(task, BASES)].get_config()
    config.schedules = (
        "dense",
        "revealed:0.25",
        "revealed:0.0625",
        "periodic:2",
        "periodic:4",
        "periodic:16",
        "streak:2",
        "streak:3",
        "streak:4",
    )
    config.horizons = (1.0, 3.0, 7.0, 15.0, 31.0, 63.0, 127.0)
    config.widths = (8, 24)
    config.noise.samples = 0
    config.stop_at_return = 0.85
    if task == "digits":
        config.horizons = (1.0, 3.0, 7.0, 15.0, 31.0, 63.0)
        config.widths = (8, 32, 128)
        config.batch.rollout_length = 256
    return config

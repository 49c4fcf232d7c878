"""Action-dependent baselines: what they save by horizon, and what a normalisation bug does.

    python -m launch.examples action_baselines

trains the seven versions below on the embedded digits and writes their report: about 2 minutes on
2 cores. One by one:

    python -m launch.sweep --config=launch/configs/action_baselines.py:exact --workdir=runs/ab_exact
    python -m analysis.action_baselines runs/ab_none runs/ab_exact ...

`none` and `normalised` have no action-dependent baseline; `exact` has phi = E[A | x, a]; `both` and
`advantage` have half of that, with advantage and correction, or with the advantage alone, over the
standard deviation of the batch's advantages. `wrong` and `wrong_advantage` are the same two for a
phi that is too large by `ERROR` for the first class. All have one rate: the steps of Adam hardly
depend on the gradient's scale. docs/action_baselines.md has what was found.
"""

import ml_collections

from launch.configs import choose, default_config
from mnist_horizon.sweeps import RATE_RULE

ERROR = 0.5

VARIANTS = {
    "none": {},
    "exact": {"fraction": 1.0},
    "normalised": {"normalise": "both"},
    "both": {"fraction": 0.5, "normalise": "both"},
    "advantage": {"fraction": 0.5, "normalise": "advantage"},
    "wrong": {"fraction": 0.5, "error": ERROR, "normalise": "both"},
    "wrong_advantage": {"fraction": 0.5, "error": ERROR, "normalise": "advantage"},
}
"""`action_baseline.*` of each version."""


def get_config(variant: str = "exact") -> ml_collections.ConfigDict:
    """One width, 4 horizons, 6 seeds: 24 runs with this baseline."""
    config = default_config()
    config.task = ml_collections.ConfigDict({"name": "digits"})
    config.widths = (64,)
    config.horizons = (1.0, 4.0, 16.0, 64.0)
    config.seeds = 6
    config.action_baseline.update(VARIANTS[choose(variant, VARIANTS)])
    config.batch.rollout_length = 256
    config.budget = 204_800
    config.evaluations = 60
    config.noise.update({"samples": 1024, "every": 4})
    config.optimizer.update(RATE_RULE)
    return config

"""Action-dependent baselines: what they save by horizon, and what a normalisation bug does.

    for V in none exact normalised both advantage; do
        python -m launch.sweep --config=launch/configs/action_baselines.py:$V --workdir=runs/ab_$V
    done
    python -m analysis.action_baselines runs/ab_none runs/ab_exact runs/ab_both runs/ab_advantage

On the embedded digits. `none` and `normalised` have no action-dependent baseline; `exact` has
phi = E[A | x, a]; `both` and `advantage` have half of that, with advantage and correction, or with
the advantage alone, over the standard deviation of the batch's advantages. All have one rate: the
steps of Adam hardly depend on the gradient's scale. `digits` is `exact`.
Time on 2 cores: 10 to 15 CPU seconds each. docs/action_baselines.md has what was found.
"""

import ml_collections

from launch.configs import choose, default_config
from mnist_horizon.sweeps import RATE_RULE

VARIANTS = {
    "none": (0.0, "none"),
    "exact": (1.0, "none"),
    "normalised": (0.0, "both"),
    "both": (0.5, "both"),
    "advantage": (0.5, "advantage"),
    "digits": (1.0, "none"),
}
"""Fraction f, and what is normalised."""


def get_config(variant: str = "exact") -> ml_collections.ConfigDict:
    """One width, 4 horizons, 6 seeds: 24 runs with this baseline."""
    config = default_config()
    config.task = ml_collections.ConfigDict({"name": "digits"})
    config.widths = (64,)
    config.horizons = (1.0, 4.0, 16.0, 64.0)
    config.seeds = 6
    fraction, normalise = VARIANTS[choose(variant, VARIANTS)]
    config.action_baseline.update({"fraction": fraction, "normalise": normalise})
    config.batch.rollout_length = 256
    config.budget = 204_800
    config.evaluations = 60
    config.noise.update({"samples": 1024, "every": 8})
    config.optimizer.update(RATE_RULE)
    return config

"""The exponents: RL at four horizons beside supervised learning, over three decades of size.

    python -m launch.sweep --config=launch/configs/scaling.py --workdir=runs/scaling
    python -m analysis.report runs/scaling

Time: 85 minutes on 2 cores that were shared with other work; report 50 seconds. Expected: the power
of N in E(h = 128) / E(h = 1) within 0.1 of 0, the exponent of the best size in compute 0.27 at
h = 1 and 0.26 for supervised learning, no power law for all sizes (RESULTS.md; the tables are kept
in docs/results/scaling).

`scaling.py:cnn` has a convolutional network on MNIST, at fewer sizes: 18 minutes. Expected: h = 32
needs as many times the interactions of h = 1 as with MLPs; its exponents are not determined.
`scaling.py:digits` is a small version on the embedded digits, sweep and report in 2 to 3 minutes:
the exact gradient needs 1.1 times the interactions of supervised learning, and RL at h = 1 1.3 to
2.3 times those.
"""

import ml_collections

from launch.configs import choose, default_config
from mnist_horizon.sweeps import RATE_RULE

VERSIONS = ("mnist", "cnn", "digits")


def get_config(version: str = "mnist") -> ml_collections.ConfigDict:
    """12 widths, N from 3,190 to 3.0 million; 4 horizons, both references, 4 seeds: 288 runs."""
    choose(version, VERSIONS)
    config = default_config()
    # Close to each other where the best sizes lie (`analysis.laws.frontier`).
    config.widths = (4, 6, 9, 14, 20, 30, 45, 65, 100, 300, 1000, 3800)
    config.horizons = (1.0, 8.0, 32.0, 128.0)
    config.seeds = 4
    config.budget = 4_194_304
    # The best size grows slowly: wide runs are needed where they are cheap, at small returns.
    config.budget_width = 192
    config.evaluations = 64
    config.noise.samples = 1024
    config.entropy_coef = 0.1
    config.optimizer.update(RATE_RULE)
    # As launch/configs/tuned.py found them.
    config.optimizer.rule = "sqrt_width"
    config.optimizer.critical_horizon = 18.0
    config.optimizer.learning_rates = (0.0216,)
    config.references.supervised = (0.0224,)
    config.references.exact = (0.0238,)
    if version == "cnn":
        config.network.name = "cnn"
        config.widths = (2, 3, 4, 6, 8, 12, 16)
        config.horizons = (1.0, 32.0)
        config.budget = 262_144
        config.budget_width = 0
        config.noise.samples = 0
        config.optimizer.learning_rates = (0.0075,)  # tuned.py:cnn, widths 2 and 8
        config.references.supervised = (0.0065,)
        config.references.exact = (0.0065,)
    if version == "digits":
        config.task = ml_collections.ConfigDict({"name": "digits"})
        config.widths = (8, 32, 128)
        config.horizons = (1.0, 8.0, 32.0)
        config.batch.rollout_length = 256
        config.budget = 204_800
        config.budget_width = 0
        config.evaluations = 40
        config.optimizer.learning_rates = (0.034,)  # tuned.py:digits
        config.references.supervised = (0.039,)
        config.references.exact = (0.033,)
    return config

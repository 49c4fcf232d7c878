"""A proxy of the reward: does a penalty on KL do what stopping early does?

    python -m launch.sweep --config=launch/configs/proxy.py:initial --workdir=runs/proxy_initial
    python -m launch.sweep --config=launch/configs/proxy.py:digits --workdir=runs/proxy
    python -m analysis.report runs/proxy

The first command trains the initial policy by supervised learning on few examples; it takes
seconds. The second pays the probability that a reward model gives to the action, one trained on 20
labels, and measures the true score beside it.
"""

import ml_collections

from launch.configs import choose, default_config

VERSIONS = ("digits", "initial")


def get_config(version: str = "digits") -> ml_collections.ConfigDict:
    """1,797 real 8x8 digits: 6 coefficients of the penalty, 8 seeds, one initial policy."""
    config = default_config()
    config.batch.rollout_length = 256
    config.test_sample = 0
    if choose(version, VERSIONS) == "initial":
        return _initial(config)
    config.task = ml_collections.ConfigDict({"name": "proxy", "error": "model", "labels": 20})
    config.initial_policy.workdir = "runs/proxy_initial"
    config.initial_policy.run = "digits-mlp1-w64-h1-dense-lr0.01-s0"
    config.kl_coefs = (0.0, 0.01, 0.03, 0.1, 0.2, 0.4)
    config.seeds = 8
    config.optimizer.learning_rates = (3e-3,)
    config.budget = 256_000
    config.evaluations = 60
    return config


def _initial(config: ml_collections.ConfigDict) -> ml_collections.ConfigDict:
    """Supervised learning on the first batches, to a return of about 0.5."""
    config.task = ml_collections.ConfigDict({"name": "digits"})
    config.algorithm.name = "supervised"
    config.seeds = 1
    config.optimizer.learning_rates = (1e-2,)
    config.budget = 2_560
    return config

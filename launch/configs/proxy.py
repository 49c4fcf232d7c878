"""A proxy of the reward: does a penalty on KL do what stopping early does?

    python -m launch.examples proxy

or, one by one,

    python -m launch.sweep --config=launch/configs/proxy.py:initial --workdir=runs/proxy_initial
    python -m launch.sweep --config=launch/configs/proxy.py:digits --workdir=runs/proxy
    python -m analysis.report runs/proxy

The first command trains the initial policy by supervised learning on few examples, to an expected
score of 0.59; it takes seconds. The second pays the probability that a reward model gives to the
action, a regression on 20 labels whose best action is right on half of the test examples, and
measures the true score beside it. `digits` alone begins from a random policy where
`--config.initial_policy.run=` and `--config.initial_policy.workdir=` are empty.

Other versions have another proxy, or batch: `labels50` and `labels200` (better reward models),
`noise` and `heavy` (the score plus noise frozen for each example and action, normal or of heavy
tails), `bonus` (plus 1.2 for one class), `batch` (as `digits`, with 1,024 interactions an update).
Gold counts as the same within 0.02: 2 answers in 100. docs/proxy.md has what was found.

Processor time: 17 to 21 seconds a sweep (`batch` 57), 10 seconds its report.
"""

import ml_collections

from launch.configs import choose, default_config

PROXIES = {
    "digits": {"error": "model", "labels": 20},
    "labels50": {"error": "model", "labels": 50},
    "labels200": {"error": "model", "labels": 200},
    "batch": {"error": "model", "labels": 20},
    "noise": {"error": "gaussian", "size": 1.0},
    "heavy": {"error": "heavy", "size": 1.0},
    "bonus": {"error": "bonus", "size": 1.2},
}
VERSIONS = (*PROXIES, "initial")
INITIAL_RUN = "digits-mlp1-w64-h1-dense-lr0.01-s0"


def get_config(version: str = "digits") -> ml_collections.ConfigDict:
    """1,797 real 8x8 digits: 6 coefficients of the penalty, 2 learning rates, 6 seeds."""
    config = default_config()
    config.batch.rollout_length = 256
    config.test_sample = 0
    if choose(version, VERSIONS) == "initial":
        return _initial(config)
    settings = {"name": "proxy", "error": "model", "size": 1.0, "labels": 100}
    config.task = ml_collections.ConfigDict({**settings, **PROXIES[version]})
    config.initial_policy.workdir = "runs/proxy_initial"
    config.initial_policy.run = INITIAL_RUN
    config.kl_coefs = (0.0, 0.01, 0.03, 0.1, 0.2, 0.4)
    config.seeds = 6
    config.optimizer.learning_rates = (3e-4, 3e-3)
    config.budget = 256_000
    config.evaluations = 60
    if version == "batch":
        config.batch.rollout_length = 1024
        config.budget = 1_024_000
    return config


def _initial(config: ml_collections.ConfigDict) -> ml_collections.ConfigDict:
    """Supervised learning on the first 15 batches."""
    config.task = ml_collections.ConfigDict({"name": "digits"})
    config.algorithm.name = "supervised"
    config.seeds = 1
    config.optimizer.learning_rates = (1e-2,)
    config.budget = 3_840
    return config

"""Learning rates that are right: the search for them, and the check that they are.

    python -m launch.tune --config=launch/configs/tuned.py --workdir=runs/tuned
    python -m launch.sweep --config=launch/configs/tuned.py:check --workdir=runs/rates
    python -m analysis.report runs/rates

`tuned.py:digits` and `tuned.py:check,digits` are small versions on the embedded digits.
"""

import ml_collections

from launch.configs import choose, default_config
from mnist_horizon.sweeps import RATE_RULE

FACTORS = (0.7, 1.0, 1.4)
"""Rates of the check, in units of the rule's."""

TASKS = ("mnist", "digits")


def get_config(argument: str = "mnist") -> ml_collections.ConfigDict:
    """The search on mnist or digits; with `check` or `check,digits` the sweep that checks."""
    what, _, task = argument.rpartition(",")
    if task == "check":
        what, task = "check", "mnist"
    config = _base(choose(task, TASKS))
    if what:
        choose(what, ("check",))
        return _check(config)
    config.tuning = ml_collections.ConfigDict({"references": ("supervised", "exact")})
    return config


def _base(task: str) -> ml_collections.ConfigDict:
    """What search and check share: both ends of widths and horizons, and what lies between."""
    config = default_config()
    config.widths = (4, 40, 400)
    config.horizons = (1.0, 8.0, 32.0, 128.0)
    config.budget = 131_072
    config.entropy_coef = 0.1
    config.optimizer.update(RATE_RULE)
    if task == "digits":
        config.task = ml_collections.ConfigDict({"name": "digits"})
        config.widths = (8, 128)
        config.horizons = (1.0, 32.0)
        config.batch.rollout_length = 256
        config.budget = 65_536
    return config


def _check(config: ml_collections.ConfigDict) -> ml_collections.ConfigDict:
    """Three rates about the rule's, at both ends of widths and horizons, and both references."""
    ends = lambda values: (values[0], values[-1])  # noqa: E731
    config.widths, config.horizons = ends(config.widths), ends(config.horizons)
    (rate,) = config.optimizer.learning_rates
    config.optimizer.learning_rates = tuple(factor * rate for factor in FACTORS)
    config.references.supervised = config.optimizer.learning_rates
    config.references.exact = config.optimizer.learning_rates
    config.seeds = 8
    config.budget *= 8
    return config

"""One named sweep per file; each file's docstring gives command, time and expected numbers."""

from collections.abc import Iterable

import ml_collections

from mnist_horizon.errors import SweepError
from mnist_horizon.sweeps import TEST_SAMPLE


def default_config() -> ml_collections.ConfigDict:
    """The settings that most sweeps share; a config file changes the ones that differ."""
    config = ml_collections.ConfigDict()
    config.task = ml_collections.ConfigDict({"name": "mnist", "data_dir": ""})
    network = {"name": "mlp", "depth": 1, "activation": "leaky_relu"}
    config.network = ml_collections.ConfigDict(network)
    config.widths = (64,)
    config.horizons = (1.0,)
    config.schedules = ("dense",)
    config.seeds = 4
    config.algorithm = ml_collections.ConfigDict(
        {"name": "vpg", "gae_lambda": 1.0, "epochs": 4, "minibatches": 4, "clip": 0.2}
    )
    config.references = ml_collections.ConfigDict({"supervised": (), "exact": ()})
    config.baseline = "expected_reward"
    config.optimizer = ml_collections.ConfigDict(
        {
            "name": "adam",
            "learning_rates": (1e-3,),
            "rule": "constant",
            "critical_horizon": 0.0,
            "decay_interactions": 0.0,
        }
    )
    config.entropy_coef = 0.0
    config.kl_coef = 0.0
    config.kl_coefs = ()
    config.initial_policy = ml_collections.ConfigDict({"workdir": "", "run": ""})
    config.action_baseline = ml_collections.ConfigDict(
        {"fraction": 0.0, "error": 0.0, "normalise": "none"}
    )
    config.batch = ml_collections.ConfigDict({"environments": 1, "rollout_length": 512})
    config.noise = ml_collections.ConfigDict({"samples": 0, "every": 8})
    config.budget = 1_000_000
    config.budget_width = 0
    config.stop_at_return = 0.0
    config.thresholds = ()
    config.evaluations = 40
    config.test_sample = TEST_SAMPLE
    config.policies_every = 0
    config.precision = "f32"
    config.phase_visible = False
    config.max_program_bytes = 8 * 2**30
    return config


def choose(name: str, choices: Iterable[str]) -> str:
    """The name given after a config file's colon, if it is one of the choices.

    Raises:
        SweepError: it is not.
    """
    if name not in choices:
        raise SweepError(f"--config: {name!r} after the colon: choose among {', '.join(choices)}")
    return name

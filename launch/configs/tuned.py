"""Learning rates that are right: the search for them, and the check that they are.

    python -m launch.tune --config=launch/configs/tuned.py --workdir=runs/tuned
    python -m launch.sweep --config=launch/configs/tuned.py:check,mnist,runs/tuned/rule.json \
        --workdir=runs/rates
    python -m analysis.report runs/rates

`tuned.py:digits` and `tuned.py:check,digits[,RULE]` are small versions on the embedded digits,
`tuned.py:cnn` has convolutional networks.
Without a rule's file the check is of `RATE_RULE`. Time on 2 cores: an hour by `--dry_run`; digits
50 s of CPU time. Expected: `sqrt_width`, a decay over 200,000 interactions and a bonus of 0.1, on
both; at width 64 and h = 1 a rate near 0.02 on MNIST and 0.034 on digits, h_c of 15 to 20.
"""

from pathlib import Path

import ml_collections

from launch.configs import choose, default_config
from mnist_horizon import files
from mnist_horizon.errors import SweepError
from mnist_horizon.sweeps import RATE_RULE

FACTORS = (0.7, 1.0, 1.4)
"""Rates of the check, in units of the rule's."""

VERSIONS = ("mnist", "cnn", "digits")

FOUND = (
    *("optimizer.learning_rates", "optimizer.rule", "optimizer.critical_horizon"),
    *("optimizer.decay_interactions", "entropy_coef"),
    *("references.supervised", "references.exact"),
)
"""Fields of a config that a search finds, and so all that a `rule.json` may set."""


def get_config(argument: str = "mnist") -> ml_collections.ConfigDict:
    """The search, or with `check[,VERSION[,RULE]]` the sweep that checks its rates."""
    what, _, rest = argument.partition(",")
    if what == "check":
        version, _, rule = (rest or "mnist").partition(",")
        return _check(_base(choose(version, VERSIONS)), rule)
    config = _base(choose(argument, VERSIONS))
    config.tuning = ml_collections.ConfigDict({"references": ("supervised", "exact")})
    return config


def _base(version: str) -> ml_collections.ConfigDict:
    """What search and check share: both ends of widths and horizons, and what lies between."""
    config = default_config()
    config.widths = (4, 40, 400)
    config.horizons = (1.0, 8.0, 32.0, 128.0)
    config.budget = 98_304
    config.entropy_coef = 0.1
    config.optimizer.update(RATE_RULE)
    if version == "cnn":
        config.network.name = "cnn"
        config.widths = (2, 8, 32)
        config.horizons = (1.0, 32.0)
    if version == "digits":
        config.task = ml_collections.ConfigDict({"name": "digits"})
        config.widths = (8, 128)
        config.horizons = (1.0, 32.0)
        config.batch.rollout_length = 256
        config.budget = 65_536
    return config


def _check(config: ml_collections.ConfigDict, rule: str = "") -> ml_collections.ConfigDict:
    """Three rates about the rule's, at both ends of widths and horizons, and both references."""
    rates = {"references.supervised": RATE_RULE["learning_rates"]}
    rates |= {"references.exact": RATE_RULE["learning_rates"]}
    rates |= {"optimizer.learning_rates": RATE_RULE["learning_rates"]}
    found = _read(rule) if rule else {}
    config.update_from_flattened_dict({**rates, **found})
    for name in rates:
        group, _, field = name.partition(".")
        config[group][field] = tuple(f * rate for rate in config[group][field] for f in FACTORS)
    config.widths = (config.widths[0], config.widths[-1])
    config.horizons = (config.horizons[0], config.horizons[-1])
    config.seeds = 8
    config.budget *= 8 if config.task.name == "mnist" else 4
    return config


def _read(rule: str) -> dict[str, object]:
    """The fields of a `rule.json`, by their names with dots.

    Raises:
        SweepError: it cannot be read, or sets a field that a search does not find.
    """
    try:
        fields = files.read_json(Path(rule))["config"].items()
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        raise SweepError(f"--config: {rule}: not the rule.json of a search") from None
    if others := [name for name, _ in fields if name not in FOUND]:
        raise SweepError(f"--config: {rule}: {others[0]!r} is no field that a search finds")
    return {name: tuple(value) if isinstance(value, list) else value for name, value in fields}

"""One named sweep per file; each file's docstring gives command, time and expected numbers."""

from collections.abc import Iterable

import ml_collections

from mnist_horizon.errors import SweepError
from mnist_horizon.sweeps import TEST_SAMPLE, SweepSpec


def default_config() -> ml_collections.ConfigDict:
    """Every field, at its default or what most sweeps share; a config file changes what differs."""
    spec = SweepSpec(
        task="mnist",
        task_settings={"data_dir": ""},
        widths=(64,),
        horizons=(1.0,),
        seeds=4,
        budget=1_000_000,
        test_sample=TEST_SAMPLE,
    )
    return ml_collections.ConfigDict(spec.to_config())


def choose(name: str, choices: Iterable[str]) -> str:
    """The name given after a config file's colon, if it is one of the choices.

    Raises:
        SweepError: it is not.
    """
    if name not in choices:
        raise SweepError(f"--config: {name!r} after the colon: choose among {', '.join(choices)}")
    return name

"""Are single hidden units a privileged basis? Activation functions and optimisers, along training.

    for A in leaky_relu relu tanh linear; do for O in adam sgd; do
        python -m launch.sweep --config=launch/configs/privileged_basis.py:$A,$O,digits \\
            --workdir=runs/basis/$A-$O
    done; done
    python -m analysis.privileged_basis runs/basis/* --out=runs/basis/report

An argument is left out for leaky_relu, adam and mnist; `:digits` alone is the first of the eight.

Time on 2 cores: 6 to 11 s each.
"""

from collections.abc import Sequence

import ml_collections

from launch.configs import choose, default_config
from mnist_horizon.networks import ACTIVATIONS

RATES = {"adam": 5e-3, "sgd": 1.0}
"""At which all four activation functions reach a return of 0.8 or more on the digits."""

TASKS = ("mnist", "digits")


def get_config(argument: str = "") -> ml_collections.ConfigDict:
    """Two hidden layers of 64 units, h = 1, 32 seeds; policies kept at 6 points of training."""
    chosen = [part for part in argument.split(",") if part]
    for part in chosen:
        choose(part, (*ACTIVATIONS, *RATES, *TASKS))
    config = default_config()
    config.task.name = _one_of(TASKS, chosen)
    if config.task.name == "digits":
        config.task = ml_collections.ConfigDict({"name": "digits"})
    config.network.depth = 2
    config.network.activation = _one_of(tuple(ACTIVATIONS), chosen)
    config.seeds = 32
    config.optimizer.name = _one_of(tuple(RATES), chosen)
    config.optimizer.learning_rates = (RATES[config.optimizer.name],)
    config.batch.rollout_length = 256
    config.budget = 102_400
    config.evaluations = 20
    config.policies_every = 4
    return config


def _one_of(names: Sequence[str], chosen: Sequence[str]) -> str:
    """The last of the names that was chosen; the first if none was."""
    return next((part for part in reversed(chosen) if part in names), names[0])

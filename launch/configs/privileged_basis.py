"""Are single hidden units a privileged basis? Activation functions and optimisers, along training.

    for A in leaky_relu relu tanh linear; do for O in adam sgd; do
        python -m launch.sweep --config=launch/configs/privileged_basis.py:$A,$O,digits \\
            --workdir=runs/basis/$A-$O
    done; done
    python -m analysis.privileged_basis runs/basis/* --out=runs/basis/report

Each argument may be left out, for leaky_relu, adam and mnist; `:digits` alone is a version, too.

Processor time: 9 to 14 s a sweep (on MNIST 26 to 33), 20 s the report of all eight. Expected on the
digits, in the second hidden layer: the excess kurtosis less that of rotations is -0.45 to -0.91
with Adam, 0.56 and 0.65 with SGD and rectifiers, -0.64 with SGD and tanh, and with SGD and a linear
network 0.03 [-0.04, 0.09]. docs/privileged_basis.md has what was found.
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

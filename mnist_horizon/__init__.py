"""MNIST as a discounted reinforcement-learning task: horizon, sparsity, and what they cost.

    import mnist_horizon as mh

    curves = mh.train("digits", widths=[32], horizons=[1, 3, 7, 15, 31], seeds=4, budget=200_000)
    curves.plot()
    law = curves.horizon_law(threshold=0.85)

| | |
|---|---|
| `train` | train over widths, horizons, schedules and seeds; returns `Curves` with each `Policy` |
| `make_train`, `TrainSpec`, `RunParams` | the pure functions underneath: init, update, evaluate |
| `tasks`, `schedules`, `networks`, `optimizers` | the registered names, and how to register more |
| `environment`, `adapters` | single environments; adapters to gymnax and Gymnasium |
| `results` | the tables and policies of a working directory |

Each is imported on first use.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mnist_horizon import (
        adapters,
        environment,
        networks,
        optimizers,
        results,
        schedules,
        tasks,
    )
    from mnist_horizon.api import Curves, Policy, train
    from mnist_horizon.training import RunParams, TrainSpec, make_train

__version__ = "0.1.0"

__all__ = [
    "Curves",
    "Policy",
    "RunParams",
    "TrainSpec",
    "adapters",
    "environment",
    "make_train",
    "networks",
    "optimizers",
    "results",
    "schedules",
    "tasks",
    "train",
]

_MODULES = {
    **dict.fromkeys(("Curves", "Policy", "train"), "mnist_horizon.api"),
    **dict.fromkeys(("RunParams", "TrainSpec", "make_train"), "mnist_horizon.training"),
}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(importlib.import_module(_MODULES[name]), name)
    if name in __all__:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

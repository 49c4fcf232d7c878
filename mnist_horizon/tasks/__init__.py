"""The tasks: labelled data on the device, by name.

A task is one frozen dataclass in one file of this folder, with one registration::

    @register("parity")
    @dataclass(frozen=True)
    class Parity:
        bits: int = 8

        def load(self) -> LoadedTask: ...

Every file here is imported below, so that a new one needs no other edit. Users may define their own
tasks in a config file or any module that is imported before `load` is called.
"""

import importlib
import pkgutil

from mnist_horizon.tasks.registry import (
    describe,
    get,
    identity_settings,
    load,
    name_of,
    names,
    register,
    settings_of,
)
from mnist_horizon.tasks.scaling import scaled, standardised
from mnist_horizon.tasks.task import (
    Examples,
    LoadedTask,
    Task,
    TaskError,
    in_sampling_order,
    make_examples,
)

__all__ = [
    "Examples",
    "LoadedTask",
    "Task",
    "TaskError",
    "describe",
    "get",
    "identity_settings",
    "in_sampling_order",
    "load",
    "make_examples",
    "name_of",
    "names",
    "register",
    "scaled",
    "settings_of",
    "standardised",
]

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")

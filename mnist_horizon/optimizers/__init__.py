"""Optimisers, by name.

An optimiser is one function in one file of this folder, with one registration::

    @register("lion")
    def lion() -> optax.GradientTransformation:
        return optax.scale_by_lion()

Every file here is imported below, so that a new one needs no other edit; the memory of its state is
counted from the state itself. Users may define their own in a config file or any module that is
imported before its name is used.
"""

import importlib
import pkgutil

from mnist_horizon.optimizers.optimizer import OptimizerError, build, name_of, names, register

__all__ = ["OptimizerError", "build", "name_of", "names", "register"]

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")

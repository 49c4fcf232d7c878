"""Optimisers by name."""

from collections.abc import Callable
from typing import TypeVar

import optax

from mnist_horizon.errors import InputError
from mnist_horizon.registry import Registry

Maker = Callable[[], optax.GradientTransformation]
Function = TypeVar("Function", bound=Maker)


class OptimizerError(InputError):
    """An optimiser's name is invalid; the message is one line for the user."""


_registry: Registry[Maker] = Registry("optimizer", "optimizer.name", error=OptimizerError)


def register(name: str) -> Callable[[Function], Function]:
    """Function decorator that registers an optimiser as `name`.

    The function takes no arguments and returns a transformation that turns gradients into a
    direction: the trainer subtracts the learning rate, by rule and schedule, times the direction.
    The transformation sees the pair (policy's, value net's parameters), the second of them {} where
    there is none. Each part of its state that follows the tree of parameters has the parameters'
    shapes (runs are stacked along another axis in the first layer's kernels).

    Raises:
        OptimizerError: the name belongs to another function. Registering the same function again is
            accepted, since a config file may be read twice.
    """

    def decorate(function: Function) -> Function:
        _registry.add(name, function)
        return function

    return decorate


def build(name: str) -> optax.GradientTransformation:
    """The transformation registered as `name`.

    Raises:
        OptimizerError: there is none; the message lists the names.
    """
    return _registry.get(name)()


def name_of(entry: Maker) -> str:
    """The name of a function, which is registered first if necessary, under its own name."""
    return _registry.name_of(entry)


def names() -> list[str]:
    """All registered names, sorted."""
    return _registry.names()

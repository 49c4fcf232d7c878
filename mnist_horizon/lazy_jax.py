"""JAX for modules that trace, and that programs without JAX read too: imported on first use.

Importing JAX takes a second. The analysis computes with a schedule's theory, in NumPy, and never
traces, so the modules that it reads take `jax`, `jnp` and `Array` from here, and `pytree` registers
their records with JAX as soon as anything imports it. All other modules import JAX itself.
"""

import importlib
import importlib.abc
import sys
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar

Class = TypeVar("Class", bound=type)

if TYPE_CHECKING:
    import jax
    import jax.numpy as jnp
    from jax import Array
else:

    class _Module:
        """A module that is imported when one of its names is used."""

        def __init__(self, name: str) -> None:
            self._name = name

        def __getattr__(self, name: str) -> Any:
            return getattr(importlib.import_module(self._name), name)

    class _ArrayType(type):
        def __instancecheck__(cls, instance: object) -> bool:
            return "jax" in sys.modules and isinstance(instance, sys.modules["jax"].Array)

    class Array(metaclass=_ArrayType):
        """Stands for `jax.Array` in signatures: has the same instances."""

    jax, jnp = _Module("jax"), _Module("jax.numpy")


def when_imported(action: Callable[[], object]) -> None:
    """Call a function once JAX is imported: now, or right after its import by anyone."""
    if _AFTER_IMPORT.is_done:
        action()
    else:
        _AFTER_IMPORT.actions.append(action)


def pytree(cls: Class) -> Class:
    """Class decorator: register a frozen dataclass as a JAX pytree.

    Its fields are the children; one of `field(metadata={"static": True})` is part of the structure.
    """
    when_imported(lambda: jax.tree_util.register_dataclass(cls))
    return cls


class _AfterImport(importlib.abc.MetaPathFinder):
    """Finds JAX where the other finders do, and calls `actions` after its import."""

    def __init__(self) -> None:
        self.actions: list[Callable[[], object]] = []
        self.is_done = hasattr(sys.modules.get("jax"), "tree_util")

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != "jax":
            return None
        others = (finder for finder in sys.meta_path if finder is not self)
        spec = next(filter(None, (one.find_spec(name, path, target) for one in others)), None)
        if spec is not None and spec.loader is not None:
            load = spec.loader.exec_module

            def load_and_act(module: ModuleType) -> None:
                load(module)
                self.is_done = True
                while self.actions:
                    self.actions.pop(0)()

            spec.loader.exec_module = load_and_act  # type: ignore[method-assign]
        return spec


_AFTER_IMPORT = _AfterImport()
if not _AFTER_IMPORT.is_done:
    sys.meta_path.insert(0, _AFTER_IMPORT)

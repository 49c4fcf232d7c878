"""Tasks by name, and their settings checked against the fields of the task's dataclass."""

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, get_type_hints

from mnist_horizon.jax_settings import own_settings
from mnist_horizon.registry import Registry
from mnist_horizon.tasks.task import LoadedTask, TaskError, check, content_checksum

SETTING_TYPES = (bool, int, float, str)

Class = TypeVar("Class", bound=type)

_registry: Registry[type] = Registry("task", "task.name", error=TaskError)


def register(name: str) -> Callable[[Class], Class]:
    """Class decorator that registers a task as `name`.

    The class is a frozen dataclass. Its fields are the task's settings: bool, int, float or str,
    each with a default; `field(default="", metadata={"place": True})` marks one that says where the
    data are stored, not what they are. Its method `load(self) -> LoadedTask` does the work; it and
    `__post_init__` raise `TaskError` for impossible settings.

    Raises:
        TaskError: the class is not of this form, or the name belongs to another class. Registering
            the same class again is accepted, since a config file may be read twice. The name, which
            becomes part of the names of files, must be plain; its parts may be joined by '/'.
    """

    def decorate(cls: Class) -> Class:
        _check_form(name, cls)
        _registry.add(name, cls)
        return cls

    return decorate


def get(name: str) -> type:
    """The class registered as `name`.

    Raises:
        TaskError: there is none; the message lists the names.
    """
    return _registry.get(name)


def name_of(entry: type) -> str:
    """The name of a class, which is registered first if necessary, under its own name."""
    return _registry.name_of(entry)


def names() -> list[str]:
    """All registered names, sorted."""
    return _registry.names()


@own_settings()
def load(name: str, settings: Mapping[str, Any]) -> LoadedTask:
    """Load the task `name` with these settings, defaults for the rest (`describe`).

    Raises:
        TaskError: unknown name or setting, wrong type, impossible value, or invalid data.
    """
    try:
        loaded = _make(name, settings).load()
    except MemoryError as error:
        raise TaskError(f"task {name!r} does not fit into the memory: {error}") from None
    return describe(name, settings, loaded)


@own_settings()
def describe(name: str, settings: Mapping[str, Any], loaded: LoadedTask) -> LoadedTask:
    """A loaded task, checked, with what a sweep records about it.

    The provenance gains the task's name, its settings, the optimal return where it is known (else
    None), and each split's size and `content` checksum, which says whether two loads gave the same
    data whatever their source.

    Raises:
        TaskError: the data do not match the fields of a task.
    """
    check(name, loaded.task)
    splits = {"train": loaded.task.train, "test": loaded.task.test}
    provenance = {
        "task": name,
        "settings": settings_of(name, settings),
        **loaded.provenance,
        "optimal_return": loaded.optimal_return,
        "examples": {split: int(part.labels.shape[0]) for split, part in splits.items()},
        "content": {split: content_checksum(part) for split, part in splits.items()},
    }
    return dataclasses.replace(loaded, provenance=provenance)


def settings_of(name: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """All settings of a task, defaults filled in, as JSON values.

    Raises:
        TaskError: as `load`, for the settings alone.
    """
    return dataclasses.asdict(_make(name, settings))


def identity_settings(name: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that say what the data are: `settings_of` without places such as `data_dir`.

    Raises:
        TaskError: as `settings_of`.
    """
    places = {field.name for field in dataclasses.fields(get(name)) if field.metadata.get("place")}
    return {key: value for key, value in settings_of(name, settings).items() if key not in places}


def _make(name: str, settings: Mapping[str, Any]) -> Any:
    cls = get(name)
    hints = get_type_hints(cls)
    types = {field.name: hints[field.name] for field in dataclasses.fields(cls)}
    checked = {}
    for key, value in settings.items():
        if key not in types:
            accepted = f"it has {', '.join(types)}" if types else "it has no settings"
            raise TaskError(f"task.{key}: unknown setting of task {name!r}; {accepted}")
        checked[key] = _convert(key, value, types[key])
    return cls(**checked)


def _convert(key: str, value: Any, wanted: type) -> Any:
    """Value of a setting; a whole number is accepted as a float, nothing else changes type."""
    if wanted is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if type(value) is not wanted:
        raise TaskError(
            f"task.{key} must be of type {wanted.__name__}, not {value!r} ({type(value).__name__})"
        )
    if isinstance(value, float) and not math.isfinite(value):
        raise TaskError(f"task.{key} must be a finite number, not {value}")
    return value


def _check_form(name: str, cls: type) -> None:
    parameters = getattr(cls, "__dataclass_params__", None)
    if parameters is None or not parameters.frozen or not callable(getattr(cls, "load", None)):
        raise TaskError(
            f"task {name!r}: {cls.__qualname__} must be a frozen dataclass with a method load"
        )
    types = get_type_hints(cls)
    for field in dataclasses.fields(cls):
        if types[field.name] not in SETTING_TYPES or field.default is dataclasses.MISSING:
            raise TaskError(
                f"task {name!r}: setting {field.name} must be a bool, int, float or str "
                "with a default"
            )

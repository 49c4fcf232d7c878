"""Tasks by name, and their settings checked against the fields of the task's dataclass."""

import dataclasses
import itertools
import math
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, get_type_hints

from mnist_horizon.jax_settings import own_settings
from mnist_horizon.registry import Registry
from mnist_horizon.settings import Setting, did_you_mean, of
from mnist_horizon.tasks.scaling import AS_GIVEN, WAYS, check_way, scaled
from mnist_horizon.tasks.task import LoadedTask, TaskError, check, content_checksum

SETTING_TYPES = (bool, int, float, str)
OBSERVATIONS = "observations"
"""A setting that every task has whose class has no field of this name (`scaling.scaled`)."""
_OF_EVERY_TASK = Setting(
    "task.observations", "text", AS_GIVEN, "How observations are scaled (every task).", WAYS
)

Class = TypeVar("Class", bound=type)

_registry: Registry[type] = Registry("task", "task.name", error=TaskError)


def register(name: str) -> Callable[[Class], Class]:
    """Class decorator that registers a task as `name`.

    The class is a frozen dataclass. Its fields are the task's settings: bool, int, float or str,
    each with a default. `mnist_horizon.settings.setting` gives one its line in `--help`, and marks
    one that says where the data are stored, not what they are. Its method
    `load(self) -> LoadedTask` does the work; it and `__post_init__` raise `TaskError` for
    impossible settings. Every task has the setting `observations` as well (`scaling.scaled`),
    unless its class has a field of that name.

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
        return describe(name, settings, _make(name, settings).load())
    except MemoryError as error:
        raise TaskError(f"task {name!r} does not fit into the memory: {error}") from None


def load_or_stand_in(name: str, settings: Mapping[str, Any]) -> tuple[LoadedTask, str]:
    """A task; where its data are not there, arrays of zeros in their shapes, to plan with.

    A task's class may have a method `stand_in` that gives these.

    Returns:
        The task, and why its data cannot be loaded ("" where they were).

    Raises:
        TaskError: as `load`, where the task has no `stand_in`.
    """
    try:
        return load(name, settings), ""
    except TaskError as error:
        task = _make(name, settings)
        if not hasattr(task, "stand_in"):
            raise
        stand_in = LoadedTask(task.stand_in(), provenance={})
        return describe(name, settings, stand_in), str(error)


@own_settings()
def describe(name: str, settings: Mapping[str, Any], loaded: LoadedTask) -> LoadedTask:
    """A loaded task, checked, its observations scaled, with what a sweep records about it.

    The provenance gains the task's name, its settings, the optimal return where it is known (else
    None), and each split's size and `content` checksum, which says whether two loads gave the same
    data whatever their source.

    Raises:
        TaskError: the data do not match the fields of a task.
    """
    check(name, loaded.task)
    if (how := _observations(name, settings)) != AS_GIVEN:
        loaded = dataclasses.replace(loaded, task=scaled(loaded.task, how))
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

    `observations` is among them where it is not `as_given`, which older versions lack.

    Raises:
        TaskError: as `load`, for the settings alone.
    """
    own, how = dataclasses.asdict(_make(name, settings)), _observations(name, settings)
    return own if how == AS_GIVEN else {**own, OBSERVATIONS: how}


def all_settings() -> list[Setting]:
    """The settings of all registered tasks, each with the tasks that have it."""
    by_task = {name: of(get(name), "task.") for name in names()}
    found: list[Setting] = []
    for one in itertools.chain.from_iterable(by_task.values()):
        owners = ", ".join(name for name, settings in by_task.items() if one in settings)
        about = dataclasses.replace(one, meaning=f"{one.meaning} (task {owners})".strip())
        if about not in found:
            found.append(about)
    return [_OF_EVERY_TASK, *found]


def identity_settings(name: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that say what the data are: `settings_of` without places such as `data_dir`.

    Raises:
        TaskError: as `settings_of`.
    """
    places = {field.name for field in dataclasses.fields(get(name)) if field.metadata.get("place")}
    return {key: value for key, value in settings_of(name, settings).items() if key not in places}


def _make(name: str, settings: Mapping[str, Any]) -> Any:
    cls = get(name)
    _observations(name, settings)
    hints = get_type_hints(cls)
    types = {field.name: hints[field.name] for field in dataclasses.fields(cls)}
    checked = {}
    for key, value in settings.items():
        if key in types:
            checked[key] = _convert(key, value, types[key])
        elif key != OBSERVATIONS:
            near = did_you_mean(key, [*of(cls, "task."), _OF_EVERY_TASK])
            advice = f": {near}" if near else f"; it has {', '.join((*types, OBSERVATIONS))}"
            raise TaskError(f"task.{key}: unknown setting of task {name!r}{advice}")
    return cls(**checked)


def _observations(name: str, settings: Mapping[str, Any]) -> str:
    """How observations are scaled, checked; a class with a field of this name does it itself."""
    if OBSERVATIONS in {field.name for field in dataclasses.fields(get(name))}:
        return AS_GIVEN
    return check_way(settings.get(OBSERVATIONS, AS_GIVEN))


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

"""Schedules by name, and parsed from text."""

import inspect
import re
from collections.abc import Callable
from typing import TypeVar

from mnist_horizon.registry import Registry
from mnist_horizon.schedules.schedule import Schedule

Class = TypeVar("Class", bound=type)

_registry: Registry[type[Schedule]] = Registry("schedule", "schedules", ValueError)


def register(kind: str) -> Callable[[Class], Class]:
    """Class decorator that registers a schedule as `kind`, which it sets on the class.

    Raises:
        ValueError: the name is not one of lower-case letters and underscores (in a run's id the
            level's first digit ends it), the class lacks a method that every schedule needs, or the
            name belongs to another class. Registering the same class again is accepted, since a
            config file may be read twice.
    """

    def decorate(cls: Class) -> Class:
        if not re.fullmatch(r"[a-z]+(_[a-z]+)*", kind):
            raise ValueError(
                f"schedule {kind!r}: a name has lower-case letters, and underscores between them"
            )
        if not (isinstance(cls, type) and issubclass(cls, Schedule)) or inspect.isabstract(cls):
            lacking = ", ".join(sorted(getattr(cls, "__abstractmethods__", ())))
            raise ValueError(
                f"schedule {kind!r}: {cls.__qualname__} must be a subclass of Schedule"
                + f" and have {lacking}" * bool(lacking)
            )
        _registry.add(kind, cls)
        cls.kind = kind
        return cls

    return decorate


def kinds() -> list[str]:
    """The names of all registered schedules, sorted."""
    return _registry.names()


def forms() -> list[str]:
    """How each registered schedule is written, with the name of its level: `periodic:k`."""
    return [_form(name) for name in kinds()]


def make(kind: str, level: float = 1.0) -> Schedule:
    """The schedule of a name and a level (1 for those that take none).

    Raises:
        ValueError: the name is unknown or the level impossible; one line says what is accepted.
    """
    cls, level = _registry.get(kind), float(level)
    cls.check_level(level)
    return cls(level)


def parse(text: str) -> Schedule:
    """Read a schedule from a config: `dense`, `revealed:p`, `periodic:k` and so on.

    Raises:
        ValueError: there is no such schedule; the message says what is accepted.
    """
    kind, separator, level = text.partition(":")
    if kind not in kinds() or bool(_registry.get(kind).level_name) != bool(separator):
        quoted = list(map(repr, forms()))
        accepted = " or ".join([", ".join(quoted[:-1]), quoted[-1]])
        raise ValueError(f"unknown schedule {text!r}: write {accepted}")
    try:
        return make(kind, float(level) if separator else 1.0)
    except ValueError as error:
        raise ValueError(f"schedule {text!r}: {error}") from None


def _form(kind: str) -> str:
    name = _registry.get(kind).level_name
    return f"{kind}:{name}" if name else kind

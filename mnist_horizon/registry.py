"""Things that are known by name, such as tasks, networks and optimisers.

A package whose `__init__` imports every file of its folder and a `Registry` make adding one thing a
matter of one file. A user's own may be registered in any module that is imported before the name is
used, such as a config file.
"""

import inspect
from collections.abc import Callable
from types import FunctionType
from typing import Any, Generic, TypeVar

from mnist_horizon.errors import InputError
from mnist_horizon.files import PLAIN_NAME, is_name

Entry = TypeVar("Entry", bound=Callable[..., Any])


class Registry(Generic[Entry]):
    """Classes or functions of one kind, by name.

    Args:
        kind: what messages call an entry, such as "network".
        field: the setting that holds a name, such as "network.name".
        error: what is raised.
    """

    def __init__(self, kind: str, field: str, error: type[ValueError] = InputError) -> None:
        self._kind, self._field, self._error = kind, field, error
        self._entries: dict[str, Entry] = {}

    def add(self, name: str, entry: Entry) -> None:
        """Make an entry known as `name`.

        Raises:
            InputError: the name is no plain name (its parts may be joined by `/`), as it becomes
                part of the names of files, or it belongs to another entry. The same one again is
                accepted, since a config file may be read twice.
        """
        if not all(map(is_name, name.split("/"))):
            raise self._error(f"{self._kind} {name!r}: its name must be plain: {PLAIN_NAME}")
        known = self._entries.get(name)
        if known is not None and _origin(known) != _origin(entry):
            raise self._error(
                f"{self._kind} {name!r} is already registered by {known.__qualname__}"
            )
        self._entries[name] = entry

    def get(self, name: str) -> Entry:
        """The entry registered as `name`.

        Raises:
            InputError: there is none; the message lists the names.
        """
        if name not in self._entries:
            choices = ", ".join(self.names())
            raise self._error(
                f"{self._field}: unknown {self._kind} {name!r}: choose from {choices}"
            )
        return self._entries[name]

    def names(self) -> list[str]:
        """All registered names, sorted."""
        return sorted(self._entries)

    def name_of(self, entry: Entry) -> str | None:
        """The name under which an entry, or the same read again, is registered; None if it is not.

        A class that is not the one registered is looked for by where it is written.
        """
        origin = _origin(entry)
        names = (name for name, known in self._entries.items() if _origin(known) == origin)
        return next(names, None)


def _origin(entry: Any) -> tuple[str, frozenset[str]]:
    """Where an entry was written; the same after its file is read again."""
    written = list(vars(entry).values()) if isinstance(entry, type) else [entry]
    functions = [inspect.unwrap(one) for one in written if isinstance(one, FunctionType)]
    return entry.__qualname__, frozenset(one.__code__.co_filename for one in functions)

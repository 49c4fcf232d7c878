"""Things that are known by name, such as tasks, networks and optimisers.

A package whose `__init__` imports every file of its folder and a `Registry` make adding one thing a
matter of one file. A user's own may be registered in any module that is imported before the name is
used, such as a config file.
"""

import inspect
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from mnist_horizon.errors import InputError

Entry = TypeVar("Entry", bound=Callable[..., Any])


class Registry(Generic[Entry]):
    """Classes or functions of one kind, by name.

    Args:
        kind: what messages call an entry, such as "network".
        field: the setting that holds a name, such as "network.name".
        method: of a class, the method whose code tells in which file the class is written; None
            where entries are functions.
        error: what is raised.
    """

    def __init__(
        self,
        kind: str,
        field: str,
        method: str | None = None,
        error: type[InputError] = InputError,
    ) -> None:
        self._kind, self._field, self._method, self._error = kind, field, method, error
        self._entries: dict[str, Entry] = {}

    def add(self, name: str, entry: Entry) -> None:
        """Make an entry known as `name`.

        Raises:
            InputError: the name belongs to another entry. The same one again is accepted, since a
                config file may be read twice.
        """
        known = self._entries.get(name)
        if known is not None and self._origin(known) != self._origin(entry):
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

    def _origin(self, entry: Entry) -> tuple[str, str]:
        """Where an entry was written; the same after its file is read again."""
        written: Any = getattr(entry, self._method) if self._method else entry
        return entry.__qualname__, inspect.unwrap(written).__code__.co_filename

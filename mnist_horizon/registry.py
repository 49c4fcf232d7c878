"""Parts that are selected by name, such as tasks, networks and optimisers.

Each kind has a package whose `__init__` imports every file of its folder, so that a new part needs
one file. Users may register their own in any module that is imported before the name is used, such
as a config file.
"""

import inspect
import itertools
import re
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
        error: class of the errors raised.
    """

    def __init__(self, kind: str, field: str, error: type[ValueError] = InputError) -> None:
        self._kind, self._field, self._error = kind, field, error
        self._entries: dict[str, Entry] = {}

    def add(self, name: str, entry: Entry) -> None:
        """Register an entry as `name`.

        Raises:
            InputError: the name is not plain (its parts may be joined by `/`), as names of files
                must be, or it belongs to another entry. Registering the same entry again is
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

    def name_of(self, entry: Entry) -> str:
        """The name of an entry, which is registered first if necessary, under its own name.

        Where that name belongs to another entry, such as an older definition in a notebook, a
        number is added to it.
        """
        for name, known in self._entries.items():
            if known is entry:
                return name
        base = re.sub(r"[^a-z0-9]+", "_", entry.__name__.lower()).strip("_")
        candidates = itertools.chain([base], (f"{base}_{n}" for n in itertools.count(2)))
        name = next(candidate for candidate in candidates if candidate not in self._entries)
        self.add(name, entry)
        return name


def _origin(entry: Any) -> tuple[str, frozenset[str]]:
    """Where an entry was written; the same after its file is read again."""
    written = list(vars(entry).values()) if isinstance(entry, type) else [entry]
    functions = [inspect.unwrap(item) for item in written if isinstance(item, FunctionType)]
    return entry.__qualname__, frozenset(item.__code__.co_filename for item in functions)

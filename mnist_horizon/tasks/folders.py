"""The four IDX files of a data set in a folder, wherever downloads and archives put them.

They are looked for in the folder itself, then in the folders below it: torchvision's
`MNIST/raw`, EMNIST's `gzip`, an archive's folder of its own name; and each file also in a folder
that is named as the file is, as some archives unpack. A folder below that is named after another
data set is never taken.
"""

import itertools
import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mnist_horizon.tasks.file_kinds import kind_of_file
from mnist_horizon.tasks.task import TaskError

LEVELS = 3
"""How far below the folder the files are looked for."""

MOST_FOLDERS = 2000
"""A folder with more folders below it holds many other things: a nearer one must be named."""

_MOST_LISTED, _MOST_OTHER_FILES = 3, 200

Names = Mapping[str, Sequence[str]]
"""The names that the file of each part of a data set may have, in the order of preference."""


@dataclass(frozen=True)
class Wanted:
    """What is looked for.

    Attributes:
        names: of the files.
        own: names of folders of this data set, as `plain` makes them.
        others: names of folders of other data sets.
    """

    names: Names
    own: Collection[str]
    others: Collection[str]


@dataclass(frozen=True)
class _Place:
    """A folder with its files and folders by name, and whose data the folder's name promises."""

    folder: Path
    files: tuple[str, ...]
    folders: tuple[str, ...]
    is_own: bool = False
    is_others: bool = False

    def parts(self, names: Names) -> dict[str, list[Path]]:
        """For each part the files that may be meant."""
        return {part: list(self._candidates(accepted)) for part, accepted in names.items()}

    def _candidates(self, accepted: Sequence[str]) -> Iterator[Path]:
        yield from (self.folder / name for name in accepted if name in self.files)
        for name in accepted:
            if name in self.folders:
                within = _below(self.folder / name)
                yield from (within.folder / inner for inner in accepted if inner in within.files)


def find(folder: Path, wanted: Wanted) -> dict[str, list[Path]]:
    """The files of each part; those of a part are in one place, and should be equal.

    Raises:
        TaskError: there are none, or several folders have them; one line that names what is there.
    """
    places = _places(folder, wanted)
    first = next(places)
    found = {first.folder: first.parts(wanted.names)}
    if all(found[first.folder].values()):
        return found[first.folder]
    below = list(places)
    found |= {place.folder: place.parts(wanted.names) for place in below}
    complete = [place for place in below if all(found[place.folder].values())]
    mine = [place for place in complete if place.is_own]
    mine = mine or [place for place in complete if not place.is_others]
    distinct = {os.path.realpath(place.folder): place for place in mine}
    if len(distinct) > 1:
        listed = _listed([str(place.folder) for place in mine])
        raise TaskError(f"{folder}: several folders have the files, name the one meant: {listed}")
    if not distinct:
        raise TaskError(_problem([first, *below], found, wanted))
    return found[mine[0].folder]


def named(collection: Path, name: str, own: Collection[str]) -> Path | None:
    """The folder `name` in a collection, or one of the data set's other names; None without one.

    Raises:
        TaskError: the collection cannot be read, or has several other names.
    """
    if (collection / name).exists():
        return collection / name
    found = [folder for folder in _strictly(collection).folders if plain(folder) in own]
    if len(found) > 1:
        listed = _listed(found)
        raise TaskError(f"{collection}: several folders have the name, set task.data_dir: {listed}")
    return collection / found[0] if found else None


def plain(name: str) -> str:
    """A folder's name in lower case, without what separates its words: `Fashion-MNIST`."""
    return re.sub(r"[-_ /.]", "", name).lower()


def _places(folder: Path, wanted: Wanted) -> Iterator[_Place]:
    """The folder and those below it, breadth first, without those that are named as a file."""
    names = {name for accepted in wanted.names.values() for name in accepted}
    level, count = [_strictly(folder)], 1
    for _ in range(LEVELS):
        yield from level
        below = []
        for place in level:
            for name in (name for name in place.folders if name not in names):
                count += 1
                if count > MOST_FOLDERS:
                    raise TaskError(f"{folder}: has too many folders in it: name a nearer one")
                kind = plain(name)
                is_own = kind in wanted.own or (place.is_own and kind not in wanted.others)
                is_others = kind in wanted.others or (place.is_others and kind not in wanted.own)
                below.append(_below(place.folder / name, is_own, is_others))
        level = below
    yield from level


def _strictly(folder: Path) -> _Place:
    """A folder that must be readable."""
    try:
        return _scan(folder)
    except OSError as error:
        raise TaskError(f"{folder}: cannot be read ({error.strerror})") from None


def _below(folder: Path, is_own: bool = False, is_others: bool = False) -> _Place:
    """A folder that is not needed: empty if it cannot be read."""
    try:
        return replace(_scan(folder), is_own=is_own, is_others=is_others)
    except OSError:
        return _Place(folder, (), ())


def _scan(folder: Path) -> _Place:
    """A folder's content, by name, without hidden files."""
    with os.scandir(folder) as entries:
        visible = sorted((e for e in entries if e.name[0] != "."), key=lambda entry: entry.name)
        files = tuple(entry.name for entry in visible if entry.is_file())
        return _Place(folder, files, tuple(entry.name for entry in visible if entry.is_dir()))


def _problem(
    places: Sequence[_Place], found: Mapping[Path, dict[str, list[Path]]], wanted: Wanted
) -> str:
    """Which file is missing, and what is there instead."""
    best = max(
        (place for place in places if not place.is_others),
        key=lambda place: sum(map(bool, found[place.folder].values())),
    )
    missing = next(part for part, paths in found[best.folder].items() if not paths)
    name = wanted.names[missing][0].removesuffix(".gz")
    text = f"{_listed([str(best.folder)])}: has no {name} (gzipped or not), one of four IDX files"
    if any(found[best.folder].values()):
        return text
    others = [str(place.folder) for place in places if all(found[place.folder].values())]
    if others:
        return f"{text}; in {_listed(others)} are those of another data set"
    files = (place.folder / name for place in places for name in place.files)
    kinds = [_shown(path, best.folder) for path in itertools.islice(files, _MOST_OTHER_FILES)]
    kinds = [kind for kind in kinds if kind]
    return f"{text}, nor below it" + ("" if not kinds else f"; but {_listed(kinds)}")


def _shown(path: Path, folder: Path) -> str:
    """What a file is and the way out; "" of a text that is no table, and of what is not known."""
    kind = kind_of_file(path) or ""
    if kind.startswith("text") and path.suffix.lower() != ".csv":
        return ""
    return kind and f"{path.relative_to(folder)} is {kind}"


def _listed(texts: Sequence[str]) -> str:
    more = len(texts) - _MOST_LISTED
    # A folder of others' making may have names with line breaks and codes for terminals.
    plainly = [text if text.isprintable() else repr(text) for text in texts[:_MOST_LISTED]]
    return ", ".join(plainly) + (f" and {more} more" if more > 0 else "")

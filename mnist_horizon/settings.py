"""Fields of configs described in one place: the default, a line of meaning, and the choices.

A field of a settings dataclass is declared as `rate: float = setting(0.1, "Its meaning.")`. The
listing of `--help`, the table in the documentation, the check of names and the suggestions for
misspelt fields are all made from these declarations.
"""

import dataclasses
import difflib
import functools
import textwrap
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any, get_args, get_origin, get_type_hints

NEEDED = dataclasses.MISSING
"""The default of a field that a config must give."""

Choices = Collection[str] | Callable[[], Collection[str]]

_KINDS = {bool: "True or False", int: "whole number", float: "number", str: "text"}


def setting(
    default: Any, meaning: str, choices: Choices = (), name: str = "", place: bool = False
) -> Any:
    """A field of a frozen dataclass of settings.

    Args:
        default: its default; `NEEDED` for none.
        meaning: one sentence, with the unit where it has one.
        choices: the names that it may hold, or a function that gives them when they are asked for:
            those of a registry may become more.
        name: what a config calls it, where that is not the field's own name.
        place: whether it says where data are stored, not what they are.
    """
    metadata = {"meaning": meaning, "choices": choices, "name": name, "place": place}
    return dataclasses.field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Setting:
    """A field as users see it.

    Attributes:
        name: dotted, as in `--config.NAME=VALUE`.
        kind: its type in words.
        default: its value where a config does not give it; `NEEDED` if it must.
        meaning: one sentence.
    """

    name: str
    kind: str
    default: Any
    meaning: str
    _choices: Choices = ()

    @property
    def choices(self) -> tuple[str, ...]:
        """The names that it may hold now; empty where it is not one of a list."""
        return tuple(self._choices() if callable(self._choices) else self._choices)

    @property
    def shown_default(self) -> str:
        """The default as it is written on a command line; empty if there is none."""
        if self.default is NEEDED:
            return ""
        return (
            self.default if self.default and isinstance(self.default, str) else repr(self.default)
        )


@functools.cache
def of(cls: type, prefix: str = "") -> tuple[Setting, ...]:
    """The settings of a dataclass, those of nested ones with their dotted names, in order.

    Args:
        cls: the dataclass; fields that hold a dict are left out.
        prefix: of all names, such as `"tuning."`.
    """
    found: list[Setting] = []
    hints = get_type_hints(cls)
    for field in dataclasses.fields(cls):
        name, wanted, facts = prefix + field.name, hints[field.name], field.metadata
        is_group: bool = dataclasses.is_dataclass(wanted)
        if is_group:
            found += of(wanted, f"{name}.")
        elif kind := _kind(wanted):
            name = facts.get("name") or name
            about = facts.get("meaning", ""), facts.get("choices", ())
            found.append(Setting(name, kind, field.default, *about))
    return tuple(found)


def _kind(wanted: Any) -> str:
    """A type in words; empty for those that no single setting has."""
    if get_origin(wanted) is tuple:
        return f"list of {_KINDS[get_args(wanted)[0]]}s"
    return _KINDS.get(wanted, "")


def nearest(name: str, settings: Iterable[Setting]) -> list[str]:
    """Names of settings that a misspelt or misplaced field may stand for, the likeliest first."""
    names = [one.name for one in settings]
    last = [one.rpartition(".")[2] for one in names]
    wanted = name.rpartition(".")[2]
    near = difflib.get_close_matches(wanted, dict.fromkeys(last), n=1, cutoff=0.7)
    near = near or [part for part in last if len(wanted) > 2 and wanted in part]
    return [full for full, part in zip(names, last, strict=True) if part in near]


def did_you_mean(name: str, settings: Iterable[Setting]) -> str:
    """`did you mean A or B?`; empty where nothing is near."""
    near = nearest(name, settings)
    return f"did you mean {' or '.join(near)}?" if near else ""


def as_text(settings: Iterable[Setting], width: int = 80) -> str:
    """A listing for a terminal, in the form of absl's flags."""
    lines: list[str] = []
    for one in settings:
        default = one.shown_default
        facts = [one.kind, f"default: {default}" if default else "must be given"]
        facts += [f"one of: {', '.join(one.choices)}"] if one.choices else []
        for text, indent in ((f"{one.name}: {one.meaning}", 2), (f"({'; '.join(facts)})", 4)):
            lines += textwrap.wrap(
                text,
                width,
                initial_indent=" " * indent,
                subsequent_indent=" " * 4,
                break_long_words=False,
                break_on_hyphens=False,
            )
    return "\n".join(lines)


def as_markdown(settings: Iterable[Setting]) -> str:
    """A table for the documentation."""
    rows = ["| field | type | default | choices | meaning |", "|---|---|---|---|---|"]
    for one in settings:
        choices = ", ".join(f"`{choice}`" for choice in one.choices)
        default = f"`{one.shown_default}`" if one.shown_default else "must be given"
        cells = (f"`{one.name}`", one.kind, default, choices, one.meaning)
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(rows)

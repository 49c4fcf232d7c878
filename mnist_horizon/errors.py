"""Errors in a user's input: one line that says what to change."""

import re
from collections.abc import Collection

CONTROLS = r"\x00-\x1f\x7f-\x9f" "\u2028\u2029\u202a-\u202e\u2066-\u2069"
"""Characters that a terminal obeys or that reorder a text, as part of a regular expression."""

_UNPRINTABLE = re.compile(f"[{CONTROLS}\ud800-\udfff]")


class InputError(ValueError):
    """The input is invalid; the message is one line. Commands print it and exit with code 2."""


class SweepError(InputError):
    """A sweep's settings, its working directory or a command's flags are invalid."""


def printable(text: object) -> str:
    """Text from elsewhere for a terminal or a page: control characters as Python writes them."""
    return _UNPRINTABLE.sub(lambda found: ascii(found.group())[1:-1], str(text))


def check_choice(field: str, value: str, choices: Collection[str]) -> None:
    """Refuse a value that is not one of the choices.

    Raises:
        InputError: with the field's name and the choices.
    """
    if value not in choices:
        raise InputError(f"{field} must be one of {', '.join(choices)}, not {value!r}")

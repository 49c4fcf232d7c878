"""Errors in a user's input: one line that says what to change."""

from collections.abc import Collection


class InputError(ValueError):
    """The input is invalid; the message is one line. Commands print it and exit with code 2."""


class SweepError(InputError):
    """A sweep's settings, its working directory or a command's flags are invalid."""


def check_choice(field: str, value: str, choices: Collection[str]) -> None:
    """Refuse a value that is not one of the choices.

    Raises:
        InputError: with the field's name and the choices.
    """
    if value not in choices:
        raise InputError(f"{field} must be one of {', '.join(choices)}, not {value!r}")

"""What is wrong with a user's input, said in one line that names what to change."""

from collections.abc import Collection


class InputError(ValueError):
    """The input is at fault; the message is one line. Commands print it and exit with code 2."""


class SweepError(InputError):
    """A sweep's settings, its working directory or a command's flags are at fault."""


def check_choice(field: str, value: str, choices: Collection[str]) -> None:
    """Refuse a value that is none of the choices.

    Raises:
        InputError: with the field's name and the choices.
    """
    if value not in choices:
        raise InputError(f"{field} must be one of {', '.join(choices)}, not {value!r}")

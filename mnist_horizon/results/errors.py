"""Errors in results."""

from mnist_horizon.errors import InputError, printable


class ResultsError(InputError):
    """There is nothing to read, or it cannot be written; the message is one line."""


def one_line(error: BaseException) -> str:
    """What an error says, on one line of bounded length."""
    return printable(" ".join(str(error).split()))[:200]

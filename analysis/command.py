"""How analysis commands run: absl flags; what is wrong with the input is one line, exit 2."""

import sys
from collections.abc import Callable, Sequence

from absl import app, flags

from mnist_horizon.results import ResultsError

BAD_INPUT = 2


class InputError(Exception):
    """The input is at fault; the message is one line that says what to change."""


def run(main: Callable[[Sequence[str]], None]) -> None:
    """Run a command's `main` with the arguments that are no flags, the program's name first."""

    def guarded(argv: Sequence[str]) -> None:
        try:
            main(argv)
        except (InputError, ResultsError) as error:
            refuse(error)

    app.run(guarded, flags_parser=_parse_flags)


def refuse(error: BaseException) -> None:
    """Print what is wrong as one line and exit with the code for bad input."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    # A config file's own exception comes as a traceback in the message; its last line says what.
    text = lines[-1] if "Traceback (most recent call last):" in lines else " ".join(lines)
    print(f"error: {text or type(error).__name__}", file=sys.stderr)
    sys.exit(BAD_INPUT)


def _parse_flags(argv: Sequence[str]) -> list[str]:
    try:
        rest: list[str] = flags.FLAGS(argv)
    except Exception as error:  # a config file that a flag names may raise anything
        refuse(error)
        raise
    return rest

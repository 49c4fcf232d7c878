"""How commands run: absl flags, exit codes, and one-line messages for invalid input."""

import io
import os
import re
import resource
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from absl import app, flags

from mnist_horizon.errors import InputError

DONE, FAILED, BAD_INPUT, INTERRUPTED, CANNOT_WRITE = range(5)
"""Exit codes of all commands; each command's docstring says which it uses."""

_ERROR_CLASS = re.compile(r"mnist_horizon(\.\w+)+: ")


def run(main: Callable[[Sequence[str]], int | None], takes_arguments: bool = False) -> None:
    """Run a command; invalid input is reported as one line on stderr, with exit code 2.

    Args:
        main: takes the arguments that are not flags, the program's name first; returns the exit
            code (None for 0), and raises `InputError` for invalid input.
        takes_arguments: whether arguments that are not flags are accepted.
    """

    _take_any_environment()

    def guarded(argv: Sequence[str]) -> None:
        try:
            sys.exit(main(argv))
        except (InputError, flags.Error) as error:
            refuse(error)

    def parse(argv: Sequence[str]) -> list[str]:
        try:
            rest: list[str] = flags.FLAGS(argv)
            if len(rest) > 1 and not takes_arguments:
                message = f"unexpected argument {rest[1]!r}: flags are written --name=value"
                raise InputError(message)
            return rest
        except Exception as error:  # a config file may raise any exception
            refuse(error)
            raise AssertionError("unreachable") from None

    app.run(guarded, flags_parser=parse)


def _take_any_environment() -> None:
    """Draw without a display, and print names that the terminal's encoding lacks as escapes.

    The kernel of a notebook gives the commands that it starts a backend of its own, which may be
    missing here; Matplotlib then refuses to be imported.
    """
    os.environ["MPLBACKEND"] = "agg"
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def refuse(error: BaseException) -> None:
    """Print an error as one line and exit with the code for bad input."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    # An exception in a config file has a traceback as its message; the last line is the error.
    if "Traceback (most recent call last):" in lines:
        text = _ERROR_CLASS.sub("", lines[-1], count=1)
    else:
        text = " ".join(lines)
    print(f"error: {text or type(error).__name__}", file=sys.stderr)
    sys.exit(BAD_INPUT)


def define_config() -> flags.FlagHolder:
    """Define `--config`; fields that the file lacks (a task's settings) are accepted too."""
    from ml_collections import config_flags  # not at the top: not every command has a config

    return config_flags.DEFINE_config_file(
        "config",
        help_string="The sweep: a file with get_config(), such as launch/configs/quickstart.py.",
        lock_config=False,
        accept_new_attributes=True,
    )


def settings_of(config: Any) -> dict[str, Any]:
    """The fields of `--config`, which ml-collections reads only on access.

    Args:
        config: the value of a flag that `config_flags.DEFINE_config_file` defined.

    Raises:
        InputError: no config was given, or its file cannot be read.
    """
    if config is None:
        raise InputError("--config: name a sweep, such as --config=launch/configs/quickstart.py")
    try:
        settings: dict[str, Any] = config.to_dict()
    except OSError as error:  # a missing file is noticed only here
        raise InputError(f"--config: {str(error).strip().splitlines()[-1].strip()}") from None
    except AttributeError:
        raise InputError("--config: get_config() must return a ConfigDict") from None
    return settings


def folder(text: str) -> Path:
    """The folder that a flag names; a shell leaves the `~` of --workdir=~/runs to the command."""
    return Path(os.path.expanduser(text))  # noqa: PTH111  Path's raises where there is no home


def peak_bytes() -> int:
    """Peak memory of this process so far; `ru_maxrss` is in bytes on macOS, in KiB elsewhere."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak

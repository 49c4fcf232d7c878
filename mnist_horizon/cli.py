"""How commands run: absl flags, exit codes, and one-line messages for invalid input."""

import os
import re
import resource
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from absl import app, flags

from mnist_horizon import helptext, interruption, terminal
from mnist_horizon.errors import InputError, printable
from mnist_horizon.settings import Setting

DONE, FAILED, BAD_INPUT = 0, 1, 2
INTERRUPTED, CANNOT_WRITE, UNEXPECTED = interruption.EXIT_CODE, 4, 5
"""Exit codes of all commands; each command's docstring says which it uses.

Any command may end with 4 where what it prints cannot be written, and with 5: an error that nobody
foresaw, with its traceback in `problems.log` of the working directory, or on stderr.
"""

_ERROR_CLASS = re.compile(r"mnist_horizon(\.\w+)+: ")


def run(
    main: Callable[[Sequence[str]], int | None],
    takes_arguments: bool = False,
    fields: Callable[[], Sequence[Setting]] = tuple,
) -> None:
    """Run a command; invalid input is reported as one line on stderr, with exit code 2.

    `--help` lists the flags, and the fields of `--config` with those of the parts that the file
    given as `--config` registers; the exit code is 0. Losing stdout or stderr does not stop it
    (`terminal`).

    Args:
        main: takes the arguments that are not flags, the program's name first; returns the exit
            code (None for 0), and raises `InputError` for invalid input.
        takes_arguments: whether arguments that are not flags are accepted.
        fields: gives the fields of `--config`, where the command has it.
    """

    terminal.keep_streams()
    _take_any_environment()

    def guarded(argv: Sequence[str]) -> None:
        try:
            code = main(argv)
        except (InputError, flags.Error) as error:
            refuse(error)
        except (Exception, SystemExit) as error:  # whatever nobody foresaw
            code = _report_unexpected(error)
        sys.exit(_when_all_is_told(code or DONE))

    def parse(argv: Sequence[str]) -> list[str]:
        asked, given = helptext.split(argv)
        try:
            helptext.check_fields(given)
            rest: list[str] = flags.FLAGS(given)
            if asked:
                _load_parts()
            elif len(rest) > 1 and not takes_arguments:
                message = f"unexpected argument {rest[1]!r}: flags are written --name=value"
                raise InputError(message)
        except Exception as error:  # a config file may raise any exception
            refuse(error)
            raise AssertionError("unreachable") from None
        except SystemExit as error:
            if _is_of_a_config(error):
                refuse(InputError(f"--config: the file ends the process (exit code {error.code})"))
            raise
        if asked:
            helptext.show(asked, fields())
            sys.exit(_when_all_is_told(DONE))
        return rest

    try:
        app.run(guarded, flags_parser=parse)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(INTERRUPTED)


def _take_any_environment() -> None:
    """Draw without a display, and print names that the terminal's encoding lacks as escapes.

    The kernel of a notebook gives the commands that it starts a backend of its own, which may be
    missing here; Matplotlib then refuses to be imported.
    """
    os.environ["MPLBACKEND"] = "agg"
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")


def refuse(error: BaseException) -> None:
    """Print an error as one line and exit with the code for bad input."""
    lines = helptext.plain(error).splitlines()
    # An exception in a config file has a traceback as its message; the last line is the error.
    if "Traceback (most recent call last):" in lines:
        text = _ERROR_CLASS.sub("", lines[-1], count=1)
    else:
        text = " ".join(lines)
    print(f"error: {printable(text or type(error).__name__)}", file=sys.stderr)
    sys.exit(BAD_INPUT)


def _report_unexpected(error: BaseException) -> int:
    """Say an error in one line, note its traceback; returns the exit code."""
    text = "".join(traceback.format_exception(error))
    path = terminal.problems.note(text)
    if path is None:
        sys.stderr.write(text)
    where = f": its traceback is in {path}" if path else ""
    said = " ".join(f"{type(error).__name__}: {error}".split())
    print(f"error: unexpected {said}{where}: please report it", file=sys.stderr)
    return UNEXPECTED


def _when_all_is_told(code: int) -> int:
    """The exit code of a command that ends with this one, once what it printed has arrived."""
    error = terminal.stdout_error()
    if code != DONE or error is None:
        return code
    print(f"error: what was printed could not be written: {error.strerror}", file=sys.stderr)
    return CANNOT_WRITE


def _is_of_a_config(error: SystemExit) -> bool:
    """Whether it was raised while a config file was read, and not by a flag such as `--help`."""
    modules = (
        frame.f_globals.get("__name__") for frame, _ in traceback.walk_tb(error.__traceback__)
    )
    return "ml_collections.config_flags.config_flags" in modules


def _load_parts() -> None:
    """Read the file that was given as `--config`, which may register parts."""
    if "config" in flags.FLAGS and flags.FLAGS["config"].value is not None:
        settings_of(flags.FLAGS["config"].value)


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

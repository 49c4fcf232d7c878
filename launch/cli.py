"""`--config=FILE --config.FIELD=VALUE`: from a config file to a validated spec, or one clear line.

ml-collections reads the flags; the spec's own validation says what is wrong with them.
"""

import resource
import sys
from collections.abc import Callable, Sequence
from typing import Any

from absl import app, flags
from ml_collections import config_flags

from mnist_horizon.errors import InputError, SweepError
from mnist_horizon.sweeps.spec import SweepSpec, spec_from

DONE, FAILED, BAD_INPUT, INTERRUPTED, CANNOT_WRITE = range(5)

USER_ERRORS = (InputError, flags.Error)


def define() -> flags.FlagHolder:
    """Define `--config`; fields that a file lacks (a task's own settings) may be given too."""
    return config_flags.DEFINE_config_file(
        "config",
        help_string="The sweep: a file with get_config(), such as launch/configs/quickstart.py.",
        lock_config=False,
        accept_new_attributes=True,
    )


def spec(config: Any) -> SweepSpec:
    """The validated spec of a config.

    Raises:
        SweepError: a field is unknown, of the wrong type or impossible.
    """
    if config is None:
        raise SweepError("--config: name a sweep, such as --config=launch/configs/quickstart.py")
    try:
        settings = config.to_dict()
    except OSError as error:  # a file that is not there is said only here
        raise SweepError(f"--config: {str(error).strip().splitlines()[-1].strip()}") from None
    except AttributeError:
        raise SweepError("--config: get_config() must return a ConfigDict") from None
    return spec_from(settings)


def peak_bytes() -> int:
    """Most memory that this process has held so far; the system tells bytes on macOS, KiB else."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def run(main: Callable[[Sequence[str]], int]) -> None:
    """Run a command: what is wrong with the input is one line on stderr and exit code 2."""

    def guarded(argv: Sequence[str]) -> None:
        try:
            sys.exit(main(argv))
        except USER_ERRORS as error:
            _refuse(error)

    app.run(guarded, flags_parser=_parse_flags)


def _parse_flags(argv: Sequence[str]) -> list[str]:
    """Parse flags; what a config file or an override raises ends in one line, not a traceback."""
    try:
        rest: list[str] = flags.FLAGS(argv)
        if len(rest) > 1:
            raise SweepError(f"unexpected argument {rest[1]!r}: flags are written --name=value")
        return rest
    except Exception as error:  # a config file may raise anything
        _refuse(error)
        raise AssertionError("unreachable") from None


def _refuse(error: BaseException) -> None:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    # A config file's own exception comes as a traceback in the message; its last line says what.
    text = lines[-1] if "Traceback (most recent call last):" in lines else " ".join(lines)
    text = text.removeprefix(f"{SweepError.__module__}.{SweepError.__name__}: ")
    print(f"error: {text or type(error).__name__}", file=sys.stderr)
    sys.exit(BAD_INPUT)

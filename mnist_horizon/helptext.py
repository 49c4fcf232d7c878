"""What commands say of their flags: `--help`, and one line about one that does not exist."""

import re
import sys
from collections.abc import Sequence

from absl import app, flags

from mnist_horizon.settings import Setting, as_text, nearest

HELP = ("--help", "--helpshort", "-help", "-h", "-?")
FULL = ("--helpfull", "-helpfull")
XML = ("--helpxml", "-helpxml")

_FIELD = r"(?:[a-zA-Z_]\w*)(?:\.[a-zA-Z_]\w*|\[\d+\])*"
"""What ml-collections can set: names joined by dots, and places in lists."""

_PLAINER = (
    (
        r"""'(\w+)'\s*Did you mean "(\w+)" instead of "\1"\?""",
        r"\1: unknown field: did you mean \2?",
    ),
    (r"'(\w+)'", r"\1: unknown field"),
    (r"Attribute .* does not exist.* lookup: (\S+)", r"\1: unknown field"),
    (
        r"flag --config\.(\S+?)=.*Failed to parse .* as a ConfigDict.*",
        r"--config.\1: a group of fields: give one of them, as in --config.\1.FIELD=VALUE",
    ),
)
"""Messages of ml-collections, and the same with neither its quotes nor its classes."""


def split(argv: Sequence[str]) -> tuple[str, list[str]]:
    """The help flag among a command's arguments, empty if there is none, and the others."""
    end = argv.index("--") if "--" in argv else len(argv)
    asked = [text for text in argv[1:end] if text in (*HELP, *FULL, *XML)]
    rest = [text for place, text in enumerate(argv) if place >= end or text not in asked]
    return (asked[0] if asked else ""), rest


def show(asked: str, fields: Sequence[Setting]) -> None:
    """Print what a help flag asks for.

    Args:
        asked: the flag.
        fields: those of `--config`, for commands that have it.
    """
    if asked in XML:
        flags.FLAGS.write_help_in_xml_format(sys.stdout)
        return
    if "config" in flags.FLAGS:  # it is defined by a module of the library, not by the command
        flags.FLAGS.register_key_flag_for_module(sys.argv[0], flags.FLAGS["config"])
    app.usage(shorthelp=asked not in FULL, writeto_stdout=True)
    if fields:
        print("\nfields of --config, each changed by --config.FIELD=VALUE:\n")
        print(as_text(fields))
    if asked not in FULL:
        print("\nTry --helpfull to get a list of all flags.")


def check_fields(argv: Sequence[str]) -> None:
    """Refuse `--config.FIELD` where FIELD cannot be the name of a field.

    Raises:
        flags.Error: such a flag was given.
    """
    for text in argv:
        flag, *_ = text.partition("=")
        name = flag.lstrip("-").removeprefix("config.")
        if re.match("--?config\\.", flag) and not re.fullmatch(_FIELD, name):
            raise flags.Error(f"{flag}: no name of a field: names are of letters and _")


def plain(error: BaseException) -> str:
    """The message of an error, without empty lines and the odd quotes of ml-collections."""
    if isinstance(error, flags.UnrecognizedFlagError):
        known = [Setting(name, "", "", "") for name in flags.FLAGS]
        wanted = str(error.flagname)
        near = [f"--{name}" for name in nearest(wanted.replace("-", "_"), known)]
        advice = f": did you mean {' or '.join(near)}?" if near else "; --help lists all"
        return f"--{wanted}: unknown flag{advice}"
    while error.args and isinstance(error.args[0], BaseException):  # one in another
        error = error.args[0]
    text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    for pattern, plainer in _PLAINER:
        if found := re.fullmatch(pattern, " ".join(text.split())):
            return found.expand(plainer)
    text = f"KeyError: {error}" if isinstance(error, KeyError) else text
    return "\n".join(line.strip() for line in text.splitlines() if line.strip())

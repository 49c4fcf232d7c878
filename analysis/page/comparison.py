"""Commands that compare sweeps outside the report: sentences, numbers and figures in a folder.

Such a command, `python -m analysis.NAME WORKDIR [MORE ...] [--out=DIR]`, has a function from
working directories to a `Comparison`. It prints the sentences and writes `fits.json` and `figures/`
into DIR, by default NAME/ in the first working directory.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from absl import flags

from analysis.page.claims import Claim
from mnist_horizon import files
from mnist_horizon.errors import InputError

if TYPE_CHECKING:
    from analysis.figures.theme import Drawn


@dataclass(frozen=True)
class Comparison:
    """What is compared.

    Attributes:
        entries: numbers, in `fits.json` under the command's name.
        claims: sentences, in `fits.json` with the section NAME, its words joined by `-`.
        figures: drawn figures, by file name.
        notes: what was left out, printed first.
    """

    entries: Any
    claims: Sequence[Claim]
    figures: Mapping[str, "Drawn"]
    notes: Sequence[str] = field(default_factory=tuple)


def define_flags(name: str) -> None:
    """Define the command's flags (not on import: other commands have some of the same name)."""
    flags.DEFINE_string("out", None, f"Folder; default: {name}/ in the first working directory.")


def write(name: str, comparison: Comparison, out: Path) -> list[str]:
    """Write figures, numbers and sentences; returns the lines to print."""
    from analysis.figures import theme  # a second, of commands that draw

    for figure, drawn in comparison.figures.items():
        theme.save(*drawn, out / "figures", figure)
    section = name.replace("_", "-")
    said = [{"section": section, **claim.to_json()} for claim in comparison.claims]
    text = json.dumps({name: comparison.entries, "claims": said}, indent=1)
    files.write_text(out / "fits.json", text)
    lines = [f"note: {note}" for note in comparison.notes]
    return [
        *lines,
        *(claim.text for claim in comparison.claims),
        f"figures, numbers and sentences: {out}",
    ]


def main(name: str, compare: Callable[[Sequence[Path]], Comparison], argv: Sequence[str]) -> None:
    """Compare the working directories that are named, and write and print what comes out.

    Raises:
        InputError: none is named, they cannot be compared, or a file cannot be read or written.
    """
    workdirs = [Path(one) for one in argv[1:]]
    if not workdirs:
        usage = f"python -m analysis.{name} WORKDIR [MORE ...] [--out=DIR]"
        raise InputError(f"name a sweep's working directory: {usage}")
    given = flags.FLAGS.out
    out = Path(given) if given else files.inside(workdirs[0], name)
    files.check_no_links(out, ["."])
    try:
        print("\n".join(write(name, compare(workdirs), out)))
    except OSError as error:
        raise InputError(f"{out}: cannot be written: {error}") from error

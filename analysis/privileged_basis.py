"""Are single hidden units a privileged basis? Excess kurtosis over units against random rotations.

    python -m analysis.privileged_basis WORKDIR [MORE ...] [--out=DIR]

reads the policies that sweeps of `launch/configs/privileged_basis.py` kept along training, prints
sentences on each condition and hidden layer, and writes `fits.json` (the numbers and the sentences)
and `figures/privileged_basis.png`, `.svg` and `.csv` (with the values after the activation function
as well), by default into privileged_basis/ of the first directory.
docs/privileged_basis.md says what is computed and how to read it.

Exit codes: 0 done; 2 a working directory keeps no policies, or what it holds cannot be read.
"""

import json
from collections.abc import Sequence
from pathlib import Path

from absl import flags

from analysis.data.activations import read_conditions
from mnist_horizon import cli, files
from mnist_horizon.errors import InputError

NAME, SECTION = "privileged_basis", "privileged-basis"


def define_flags() -> None:
    """Define the command's flags (not on import: other commands have some of the same name)."""
    flags.DEFINE_string("out", None, f"Folder; default: {NAME}/ in the first working directory.")


def write_basis(workdirs: Sequence[Path], out: Path) -> list[str]:
    """Write figure, table and sentences; returns the lines to print.

    Raises:
        InputError: no policies were kept, or a file cannot be read.
    """
    conditions, notes = read_conditions(workdirs)
    # Imported only now, so that a folder without policies is refused in less time.
    from analysis.figures import theme
    from analysis.figures.privileged_basis import kurtosis_along_training
    from analysis.laws.privileged_basis import basis_entries, basis_table
    from analysis.page.privileged_basis_claims import privileged_basis_claims

    table = basis_table(conditions)
    entries = basis_entries(table)
    claims = privileged_basis_claims(entries)
    figure, _ = kurtosis_along_training(table)
    theme.save(figure, table, out / "figures", NAME)
    said = [{"section": SECTION, **claim.to_json()} for claim in claims]
    files.write_text(out / "fits.json", json.dumps({NAME: entries, "claims": said}, indent=1))
    lines = [f"note: {note}" for note in notes] + [claim.text for claim in claims]
    return [*lines, f"figure, numbers and sentences: {out}"]


def main(argv: Sequence[str]) -> None:
    """Write figure, table and sentences, and print the sentences."""
    workdirs = [Path(name) for name in argv[1:]]
    if not workdirs:
        raise InputError(
            f"name a sweep's working directory: python -m analysis.{NAME} WORKDIR [--out=DIR]"
        )
    given = flags.FLAGS.out
    out = Path(given) if given else files.inside(workdirs[0], NAME)
    files.check_no_links(out, ["."])
    try:
        print("\n".join(write_basis(workdirs, out)))
    except OSError as error:
        raise InputError(f"{out}: cannot be written: {error}") from error


if __name__ == "__main__":
    define_flags()
    cli.run(main, takes_arguments=True)

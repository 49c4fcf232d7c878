"""Are single hidden units a privileged basis? Excess kurtosis over units against random rotations.

    python -m analysis.privileged_basis WORKDIR [MORE ...] [--out=DIR]

reads the policies that sweeps of `launch/configs/privileged_basis.py` kept along training, prints a
sentence for each condition and hidden layer, and writes `privileged_basis.png`, `.svg`, the numbers
as `privileged_basis.csv` (values after the activation function as well) and the sentences with
their numbers as `claims.json`, by default into privileged_basis/ of the first directory.
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

NAME = "privileged_basis"


def define_flags() -> None:
    """Define the command's flags (not on import: other commands have some of the same name)."""
    flags.DEFINE_string("out", None, f"Folder; default: {NAME}/ in the first working directory.")


def write_basis(workdirs: Sequence[Path], out: Path) -> list[str]:
    """Write figure, table and claims; returns the lines to print.

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
    claims = privileged_basis_claims(basis_entries(table))
    figure, _ = kurtosis_along_training(table)
    theme.save(figure, table, out, NAME)
    text = json.dumps([claim.to_json() for claim in claims], indent=1)
    files.write_text(out / "claims.json", text)
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

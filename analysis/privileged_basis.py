"""Are single hidden units a privileged basis? Excess kurtosis over units against random rotations.

    python -m analysis.privileged_basis WORKDIR [MORE ...] [--out=DIR]

reads the policies that sweeps of `launch/configs/privileged_basis.py` kept along training, prints
sentences on each condition and hidden layer, and writes `fits.json` (the numbers and the sentences)
and `figures/privileged_basis.png`, `.svg` and `.csv` (with the values after the activation function
as well), by default into privileged_basis/ of the first directory.
docs/privileged_basis.md says what is computed and how to read it.

Exit codes: 0 done; 2 a working directory keeps no policies, or what it holds cannot be read.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from analysis.data.activations import read_conditions
from analysis.page import comparison
from mnist_horizon import cli

NAME = "privileged_basis"


def compare(workdirs: Sequence[Path]) -> comparison.Comparison:
    """What the policies that sweeps kept say of a privileged basis.

    Raises:
        InputError: no policies were kept, or a file cannot be read.
    """
    conditions, notes = read_conditions(workdirs)
    # Imported only now, so that a folder without policies is refused in less time.
    from analysis.figures.privileged_basis import kurtosis_along_training
    from analysis.laws.privileged_basis import basis_entries, basis_table
    from analysis.page.privileged_basis_claims import privileged_basis_claims

    table = basis_table(conditions)
    entries = basis_entries(table)
    figure, _ = kurtosis_along_training(table)
    # The whole table: values after the activation function too.
    drawn = {NAME: (figure, table)}
    return comparison.Comparison(entries, privileged_basis_claims(entries), drawn, notes)


if __name__ == "__main__":
    comparison.define_flags(NAME)
    cli.run(partial(comparison.main, NAME, compare), takes_arguments=True)

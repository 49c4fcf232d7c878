"""What action-dependent baselines save by horizon, and what a normalisation bug does.

    python -m analysis.action_baselines WORKDIR [MORE ...] [--out=DIR]

reads sweeps that differ in `action_baseline` alone (`launch/configs/action_baselines.py`), in any
order, prints sentences, and writes `fits.json` (the numbers and the sentences),
`figures/action_baselines.*` and, where the sweep without such a baseline is among them,
`figures/variance_parts.*`, by default into action_baselines/ of the first directory.
docs/action_baselines.md says what is compared and how to read it.

Exit codes: 0 done; 2 a sweep differs in more, nothing can be compared, or a file cannot be read.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from analysis.page import comparison
from mnist_horizon import cli
from mnist_horizon.errors import InputError

NAME = "action_baselines"


def compare(workdirs: Sequence[Path]) -> comparison.Comparison:
    """What the sweeps say of action-dependent baselines.

    Raises:
        InputError: the sweeps cannot be compared, or a file cannot be read.
    """
    # Imported only now, so that `--help` and mistakes take less time.
    from analysis.data.measurements import read
    from analysis.figures import action_baselines as figures
    from analysis.laws.action_baselines import Baseline, by_baseline, entries_of
    from analysis.laws.law import plain
    from analysis.page.action_baselines_claims import action_baseline_claims

    sweeps = by_baseline([str(one) for one in workdirs], [read([one]) for one in workdirs])
    entries = entries_of(sweeps)
    if not (entries["ratios"] or entries["parts"]):
        raise InputError("nothing to compare: give the sweep without an action-dependent baseline")
    drawn = {NAME: figures.action_baselines(sweeps)}
    if entries["parts"]:
        drawn["variance_parts"] = figures.parts_along_training(sweeps[Baseline()])
    return comparison.Comparison(plain(entries), action_baseline_claims(entries), drawn)


if __name__ == "__main__":
    comparison.define_flags(NAME)
    cli.run(partial(comparison.main, NAME, compare), takes_arguments=True)

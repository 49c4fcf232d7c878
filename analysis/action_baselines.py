"""What action-dependent baselines save by horizon, and what a normalisation bug does.

    python -m analysis.action_baselines WORKDIR [MORE ...] [--out=DIR]

reads sweeps that differ in `action_baseline` alone (`launch/configs/action_baselines.py`), in any
order, prints sentences, and writes `fits.json` (the numbers and the sentences),
`figures/action_baselines.*` and, where the sweep without such a baseline is among them,
`figures/variance_parts.*`, by default into action_baselines/ of the first directory.
docs/action_baselines.md says what is compared and how to read it.

Exit codes: 0 done; 2 a sweep differs in more, nothing can be compared, or a file cannot be read.
"""

import json
from collections.abc import Sequence
from pathlib import Path

from absl import flags

from mnist_horizon import cli, files
from mnist_horizon.errors import InputError

NAME, SECTION = "action_baselines", "action-baselines"


def define_flags() -> None:
    """Define the command's flags (not on import: other commands have some of the same name)."""
    flags.DEFINE_string("out", None, f"Folder; default: {NAME}/ in the first working directory.")


def write_comparison(workdirs: Sequence[Path], out: Path) -> list[str]:
    """Write figures, numbers and sentences; returns the lines to print.

    Raises:
        InputError: the sweeps cannot be compared, or a file cannot be read.
    """
    # Imported only now, so that `--help` and mistakes take less time.
    from analysis.data.measurements import read
    from analysis.figures import action_baselines as figures
    from analysis.figures import theme
    from analysis.laws.action_baselines import Baseline, by_baseline, entries_of
    from analysis.laws.law import plain
    from analysis.page.action_baselines_claims import action_baseline_claims

    sweeps = by_baseline([str(one) for one in workdirs], [read([one]) for one in workdirs])
    entries = entries_of(sweeps)
    if not (entries["ratios"] or entries["parts"]):
        raise InputError("nothing to compare: give the sweep without an action-dependent baseline")
    claims = action_baseline_claims(entries)
    theme.save(*figures.action_baselines(sweeps), out / "figures", NAME)
    if entries["parts"]:
        drawn = figures.parts_along_training(sweeps[Baseline()])
        theme.save(*drawn, out / "figures", "variance_parts")
    said = [{"section": SECTION, **claim.to_json()} for claim in claims]
    text = json.dumps({NAME: plain(entries), "claims": said}, indent=1)
    files.write_text(out / "fits.json", text)
    return [*(claim.text for claim in claims), f"figures, numbers and sentences: {out}"]


def main(argv: Sequence[str]) -> None:
    """Write figures, numbers and sentences, and print the sentences."""
    workdirs = [Path(name) for name in argv[1:]]
    if not workdirs:
        raise InputError(
            f"name sweeps' folders: python -m analysis.{NAME} WORKDIR [MORE ...] [--out=DIR]"
        )
    given = flags.FLAGS.out
    out = Path(given) if given else files.inside(workdirs[0], NAME)
    files.check_no_links(out, ["."])
    try:
        print("\n".join(write_comparison(workdirs, out)))
    except OSError as error:
        raise InputError(f"{out}: cannot be written: {error}") from error


if __name__ == "__main__":
    define_flags()
    cli.run(main, takes_arguments=True)

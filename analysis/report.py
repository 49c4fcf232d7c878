"""The report of one or more sweeps: one page, the fits as JSON, every figure with its numbers.

    python -m analysis.report WORKDIR [MORE ...] [--out=DIR]     # default: WORKDIR/report

writes `fits.json`, `figures/*.png, *.svg, *.csv` and `report.html` (one file, no network), in
this order. It works on an unfinished sweep. What the runs do not allow is noted and left out; if
there is nothing to read, the exit code is 2.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from absl import flags

from analysis.data import read
from analysis.stats.processes import side_by_side
from mnist_horizon import cli, files
from mnist_horizon.errors import InputError

if TYPE_CHECKING:
    from analysis.page.writing import Report

_OUT = flags.DEFINE_string(
    "out", None, "Folder of the report; default: report/ in the first working directory."
)
_VERBOSE = flags.DEFINE_boolean("verbose", False, "Print every sentence of the page.")


def write_report(workdirs: Sequence[Path], out: Path) -> "Report":
    """Write the report of some working directories.

    Raises:
        ResultsError: there is nothing to read.
    """
    measured = read(workdirs)
    # Imported only now, so that a folder without results is refused in half the time.
    from analysis.laws import law_jobs, together

    jobs = law_jobs(measured)
    with side_by_side(jobs) as results:
        from analysis.page.writing import in_order, write_files  # Matplotlib, meanwhile

        fits = together(in_order(results, "fitting laws", len(jobs)))
    return write_files(measured, fits, workdirs, out)


def main(argv: Sequence[str]) -> None:
    """Write the report and print its key sentences and where it is."""
    workdirs = [Path(name) for name in argv[1:]]
    if not workdirs:
        raise InputError(
            "name a sweep's working directory: python -m analysis.report WORKDIR [--out=DIR]"
        )
    out = cli.folder(_OUT.value) if _OUT.value else files.inside(workdirs[0], "report")
    files.check_no_links(out, ["."])
    try:
        report = write_report(workdirs, out)
    except OSError as error:
        raise InputError(f"{out}: cannot be written: {error}") from error
    print("\n".join(report.lines(_VERBOSE.value)))


if __name__ == "__main__":
    cli.run(main, takes_arguments=True)

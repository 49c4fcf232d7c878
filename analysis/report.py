"""The report of one or more sweeps: one page, the fits as JSON, every figure with its numbers.

    python -m analysis.report WORKDIR [MORE ...] [--out=DIR]     # default: WORKDIR/report

writes `report.html` (one file, no network), `fits.json` and `figures/*.png, *.svg, *.csv`. It works
on an unfinished sweep. What the runs do not allow is noted and left out; if there is nothing to
read, the exit code is 2.
"""

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from absl import flags

from analysis.data import Family, Measurements, families, read
from analysis.data.noise import agreement, horizon_coefficients, noise_scale
from analysis.laws import fit_laws
from analysis.laws.horizon import main_entries
from analysis.page.claims import Claim
from analysis.page.factor_claims import batch_claims, noise_claims
from analysis.page.factors import factor_sections
from analysis.page.facts import comparison, provenance, read_sweeps
from analysis.page.figures import FamilyFits, save_figures
from analysis.page.horizon_claims import horizon_claims, in_short
from analysis.page.page import FamilySection, Page
from analysis.page.power_claims import power_law_claims
from mnist_horizon import cli, files
from mnist_horizon.errors import InputError

_OUT = flags.DEFINE_string(
    "out", None, "Folder of the report; default: report/ in the first working directory."
)

FAMILIES_WITH_FIGURES = 4
"""Number of families (task, schedule, batch, ...) with figures: those with most runs."""

Entries = dict[str, Any]


def write_report(workdirs: Sequence[Path], out: Path) -> list[str]:
    """Write the report of some working directories; returns the lines of its summary.

    Raises:
        ResultsError: there is nothing to read.
    """
    measured = read(workdirs)
    fits = fit_laws(measured)
    entries = fits.to_json()
    notes = [*measured.notes, *fits.notes, *_noise_notes(measured.noise)]
    _write_fits(out, entries, notes)  # first, so that what stops the figures does not stop the fits
    by_family = families(measured.frame)
    sections = []
    for number, family in enumerate(by_family):
        fitted = FamilyFits.of(family, measured, fits)
        section = FamilySection(family.label, family_claims(family, entries, fitted.noise))
        if number < FAMILIES_WITH_FIGURES:
            section.figures += save_figures(fitted, out / "figures")
        sections.append(section)
    notes += _notes_on_figures(by_family)
    sections = [*factor_sections(fits, measured, out / "figures"), *sections]
    page, notes = _page(workdirs, measured, sections, entries, notes)
    _write_fits(out, entries, notes)
    _write(out / "report.html", page.html())
    return _summary(sections, len(notes))


def _noise_notes(noise: pd.DataFrame) -> list[str]:
    """What is missing of the gradient's noise."""
    if len(noise):
        return [*noise_scale(noise)[1], *agreement(noise)[1]]
    return [
        "no gradient variance: none was measured; a sweep with --config.noise.samples above 0"
        " measures it"
    ]


def _notes_on_figures(found: Sequence[Family]) -> list[str]:
    """Which figures are not drawn, and why."""
    notes = [
        f"{family.label}: no figure of the learning-rate rule, each size and horizon has one rate; "
        "it needs several optimizer.learning_rates"
        for family in found
        if not family.several_learning_rates
    ]
    if len(found) > FAMILIES_WITH_FIGURES:
        notes.append(
            f"figures are drawn for {FAMILIES_WITH_FIGURES} of {len(found)} families of runs, "
            "those with most runs; give fewer working directories for the others"
        )
    return notes


def family_claims(family: Family, entries: Entries, noise: pd.DataFrame) -> dict[str, list[Claim]]:
    """The claims of a family by heading; empty where nothing could be fitted."""
    matching = [law for law in entries["horizon_law"] if family.matches(law["group"])]
    laws = next(iter(main_entries(matching)), [])
    claims = {"": in_short(laws)} if laws else {}
    for law in laws:
        width = law["group"].get("width")
        runs = f"width {width}" if width else "all widths together"
        censored = f", {law['censored']} of them right-censored" if law["censored"] else ""
        heading = f"To a return of {law['threshold']:g} ({runs}, {law['runs']} runs{censored}):"
        claims[heading] = horizon_claims(law)
    power = [
        entry
        for entry in entries["power_law"]
        if entry["compute"] == "NE" and family.matches(entry["group"])
    ]
    if power:
        heading = "The power law in size, with compute as parameters x interactions:"
        claims[heading] = power_law_claims(power)
    batch = [law for law in entries["batch_law"] if family.matches(law["group"])]
    if batch:
        found = [claim for law in batch for claim in batch_claims(law)]
        claims["What of this depends on the batch:"] = found
    if not noise.empty:
        width = noise["width"].max()
        noise = noise[noise["width"] == width]
        found = noise_claims(agreement(noise)[0], horizon_coefficients(noise)[0])
        claims[f"The noise of the gradient at width {width}, against the theory:"] = found
    return claims


def _page(
    workdirs: Sequence[Path],
    measured: Measurements,
    sections: Sequence[FamilySection],
    entries: Entries,
    notes: Sequence[str],
) -> tuple[Page, list[str]]:
    """The page, and all notes with those on settings and provenance."""
    frame, unfinished = measured.frame, len(measured.unfinished)
    sweeps, sweep_notes = read_sweeps(workdirs)
    rows, program_notes = provenance(workdirs, frame, unfinished)
    all_notes = list(dict.fromkeys([*notes, *sweep_notes, *program_notes]))
    tasks = ", ".join(sorted(frame["task"].unique()))
    horizon_law, power_law = entries["horizon_law"], entries["power_law"]
    page = Page(
        title=f"Interactions against horizon: {tasks}",
        subtitle=f"{_count(frame, 'run_id', 'run')}: {_count(frame, 'width')}, "
        f"{_count(frame, 'horizon')}, {_count(frame, 'seed')}"
        + (f"; {unfinished} runs are not done" if unfinished else ""),
        families=sections,
        horizon_law=horizon_law,
        power_law=power_law,
        comparison=comparison(frame, sweeps.values(), horizon_law, power_law),
        provenance=rows,
        sweeps=sweeps,
        notes=all_notes,
    )
    return page, all_notes


def _count(frame: pd.DataFrame, column: str, name: str = "") -> str:
    """How many different values a column has, in words: 1 width, 3 widths."""
    count = frame[column].nunique()
    return f"{count} {name or column}{'s' * (count != 1)}"


def _summary(sections: Sequence[FamilySection], notes: int) -> list[str]:
    """The lines that are printed: each claim of the family with most runs."""
    lines = []
    for heading, claims in sections[0].claims.items():
        indent = "  " if heading else ""
        lines += [heading] * bool(heading) + [f"{indent}{claim.text}" for claim in claims]
    if not lines:
        lines.append("These runs allow no fit.")
    if notes:
        lines.append(f"{notes} notes on what is missing are at the end of the page.")
    return lines


def _write_fits(out: Path, entries: Entries, notes: Sequence[str]) -> None:
    """Write `fits.json`."""
    text = json.dumps({**entries, "notes": notes}, indent=1, allow_nan=False)
    _write(out / "fits.json", text + "\n")


def _write(path: Path, text: str) -> None:
    """Replace a file at once, so that two reports of a sweep at the same time do not conflict."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".", dir=path.parent) as folder:
        draft = Path(folder) / path.name
        draft.write_text(text)
        draft.replace(path)


def main(argv: Sequence[str]) -> None:
    """Write the report and print its key sentences and where it is."""
    workdirs = [Path(name) for name in argv[1:]]
    if not workdirs:
        raise InputError(
            "name a sweep's working directory: python -m analysis.report WORKDIR [--out=DIR]"
        )
    out = Path(_OUT.value) if _OUT.value else files.inside(workdirs[0], "report")
    files.check_no_links(out, ["."])
    try:
        lines = write_report(workdirs, out)
    except OSError as error:
        raise InputError(f"{out}: cannot be written: {error}") from error
    print("\n".join(lines))
    print(f"report: {out / 'report.html'}")


if __name__ == "__main__":
    cli.run(main, takes_arguments=True)

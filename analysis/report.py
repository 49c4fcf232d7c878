"""The report of one or more sweeps: one page, the fits as JSON, every figure with its numbers.

    python -m analysis.report WORKDIR [MORE ...] [--out=DIR]     # default: WORKDIR/report

writes `report.html` (one file, no network), `fits.json` and `figures/*.png, *.svg, *.csv`. It works
on an unfinished sweep. What the runs do not allow is noted and left out; only where there is
nothing to read does it end with exit code 2.
"""

import json
import math
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from absl import flags

from analysis.data.crossings import choose_learning_rates, interactions_to_threshold
from analysis.data.curves import Family, families
from analysis.data.noise import agreement, horizon_coefficients, noise_scale
from analysis.laws.batch import BatchLaw, fit_batch_laws
from analysis.laws.horizon import HorizonLaws, fit_horizon_laws
from analysis.laws.power.single import PowerLaws, fit_all
from analysis.page.claims import (
    Claim,
    batch_claims,
    horizon_claims,
    in_short,
    noise_claims,
    power_law_claims,
)
from analysis.page.factors import add_factors, coefficients_before_rule
from analysis.page.facts import comparison, main_laws, provenance, read_sweeps
from analysis.page.figures import FamilyFits, save_figures
from analysis.page.page import FamilySection, Page
from mnist_horizon import cli, files
from mnist_horizon.errors import InputError
from mnist_horizon.results import Results, ResultsError, read_noise, read_results

_OUT = flags.DEFINE_string(
    "out", None, "Folder of the report; default: report/ in the first working directory."
)

FAMILIES_WITH_FIGURES = 4
"""Families (task, schedule, batch, ...) whose figures are drawn, those with most runs."""


@dataclass(frozen=True)
class Fits:
    """All fits to the results of some working directories.

    Attributes:
        crossings: interactions to threshold, one learning rate a run.
        horizon: horizon laws.
        power: power laws.
        batch: laws over several batches.
        noise: gradient-noise rows; empty where none were measured.
        notes: what could not be given.
    """

    crossings: pd.DataFrame
    horizon: HorizonLaws
    power: PowerLaws
    batch: list[BatchLaw]
    noise: pd.DataFrame
    notes: list[str]

    def to_json(self) -> dict[str, Any]:
        """`fits.json`: valid JSON, what is no finite number is null."""
        return {
            "horizon_law": [_finite(law.to_json()) for law in self.horizon.entries],
            "power_law": [_finite(entry) for entry in self.power.to_json()],
            "batch_law": [_finite(law.to_json()) for law in self.batch],
            "notes": self.notes,
        }

    def of(self, family: Family) -> FamilyFits:
        """The part that belongs to a family, horizon laws in h - 1 only."""
        power = PowerLaws(
            tuple(fit for fit in self.power.single if family.matches(fit.group)),
            tuple(fit for fit in self.power.joint if family.matches(fit.group)),
            (),
        )
        laws = [law for law in self.horizon.entries if family.matches(law.group)]
        return FamilyFits(
            crossings=family.select(self.crossings),
            horizon=[law for law in laws if law.regressor == "h-1"],
            power=power,
            noise=self.noise[self.noise["run_id"].isin(family.frame["run_id"])]
            if len(self.noise)
            else self.noise,
        )


def fit_results(results: Results, workdirs: Sequence[Path], generator: np.random.Generator) -> Fits:
    """Fit everything that the results allow.

    Args:
        results: what was read.
        workdirs: where gradient-noise tables may be.
        generator: of the power law's starts.
    """
    crossings = interactions_to_threshold(results.frame)
    horizon = fit_horizon_laws(crossings)
    power = fit_all(results.frame, generator)
    batch, batch_notes = fit_batch_laws(crossings)
    try:
        measured = read_noise(workdirs)
        noise = measured.frame
        noise_notes = [*measured.notes, *noise_scale(noise)[1], *agreement(noise)[1]]
    except ResultsError:
        noise = pd.DataFrame()
        noise_notes = [
            "no gradient variance: none was measured; a sweep with --config.noise.samples above 0"
            " measures it"
        ]
    notes = [*results.notes, *horizon.notes, *power.notes, *batch_notes, *noise_notes]
    return Fits(
        crossings=choose_learning_rates(crossings)[0],
        horizon=horizon,
        power=power,
        batch=batch,
        noise=noise,
        notes=list(dict.fromkeys(notes)),
    )


def write_report(workdirs: Sequence[Path], out: Path) -> list[str]:
    """Write the report of some working directories; returns the lines of its summary.

    Raises:
        ResultsError: there is nothing to read.
    """
    results = read_results(workdirs)
    results = replace(results, frame=coefficients_before_rule(results.frame))
    fits = fit_results(results, workdirs, np.random.default_rng(0))
    entries = fits.to_json()
    found = families(results.frame)
    sections = []
    for number, family in enumerate(found):
        own = fits.of(family)
        section = FamilySection(family.label, family_claims(family, entries, own.noise))
        if number < FAMILIES_WITH_FIGURES:
            section.figures += save_figures(family, own, results.unfinished, out / "figures")
        if not family.several_learning_rates:
            entries["notes"].append(
                f"{family.label}: no figure of the learning-rate rule, each size and horizon has "
                "one rate; it needs several optimizer.learning_rates"
            )
        sections.append(section)
    if len(found) > FAMILIES_WITH_FIGURES:
        entries["notes"].append(
            f"figures are drawn for {FAMILIES_WITH_FIGURES} of {len(found)} families of runs, "
            "those with most runs; give fewer working directories for the others"
        )
    tried = interactions_to_threshold(results.frame)
    both = add_factors(
        tried, fits.crossings, fits.horizon.entries, fits.batch, fits.noise, out / "figures"
    )
    sections = both.sections + sections
    entries |= {name: _finite(found) for name, found in both.entries.items()}
    entries["notes"] += both.notes
    page = _page(workdirs, results, sections, entries)
    _write(out / "fits.json", json.dumps(entries, indent=1, allow_nan=False) + "\n")
    _write(out / "report.html", page.html())
    return _summary(sections, len(page.notes))


def family_claims(
    family: Family, entries: dict[str, Any], noise: pd.DataFrame
) -> dict[str, list[Claim]]:
    """The claims of a family by heading; empty where nothing could be fitted."""
    laws = main_laws([law for law in entries["horizon_law"] if family.matches(law["group"])])
    claims = {"": in_short(laws)} if laws else {}
    for law in laws:
        width = law["group"].get("width")
        runs = f"width {width}" if width else "all widths together"
        censored = f", {law['censored']} of them not there yet" if law["censored"] else ""
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
        claims["What of this belongs to the batch:"] = found
    if not noise.empty:
        width = noise["width"].max()
        noise = noise[noise["width"] == width]
        found = noise_claims(agreement(noise)[0], horizon_coefficients(noise)[0])
        claims[f"The noise of the gradient at width {width}, against the theory:"] = found
    return claims


def _page(
    workdirs: Sequence[Path],
    results: Results,
    sections: Sequence[FamilySection],
    entries: dict[str, Any],
) -> Page:
    frame = results.frame
    sweeps, sweep_notes = read_sweeps(workdirs)
    rows, program_notes = provenance(workdirs, frame, len(results.unfinished))
    entries["notes"] = list(dict.fromkeys([*entries["notes"], *sweep_notes, *program_notes]))
    tasks = ", ".join(sorted(frame["task"].unique()))
    return Page(
        title=f"Interactions against horizon: {tasks}",
        subtitle=f"{_count(frame, 'run_id', 'run')}: {_count(frame, 'width')}, "
        f"{_count(frame, 'horizon')}, {_count(frame, 'seed')}"
        + (f"; {len(results.unfinished)} runs are not done" if results.unfinished else ""),
        families=sections,
        horizon_law=entries["horizon_law"],
        power_law=entries["power_law"],
        comparison=comparison(frame, sweeps.values(), entries["horizon_law"], entries["power_law"]),
        provenance=rows,
        sweeps=sweeps,
        notes=entries["notes"],
    )


def _count(frame: pd.DataFrame, column: str, name: str = "") -> str:
    """How many different values a column has, in words: 1 width, 3 widths."""
    count = frame[column].nunique()
    return f"{count} {name or column}{'s' * (count != 1)}"


def _summary(sections: Sequence[FamilySection], notes: int) -> list[str]:
    """What goes to the terminal: each claim of the family with most runs."""
    lines = []
    for heading, claims in sections[0].claims.items():
        indent = "  " if heading else ""
        lines += [heading] * bool(heading) + [f"{indent}{claim.text}" for claim in claims]
    if not lines:
        lines.append("These runs allow no fit.")
    if notes:
        lines.append(f"{notes} notes on what could not be given are at the end of the page.")
    return lines


def _finite(value: Any) -> Any:
    """A value as JSON can hold it: numbers that are not finite become None."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _write(path: Path, text: str) -> None:
    """Put a whole file in place, also while another report of the same sweep does the same."""
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

"""The files of a report: `fits.json`, then figures and their numbers, then the page."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pandas as pd
from tqdm import tqdm

from analysis.data.measurements import Measurements
from analysis.data.noise import agreement, noise_scale
from analysis.laws import AllFits
from analysis.page import calculator, explorer
from analysis.page.compare import Compared, compare
from analysis.page.content import Content
from analysis.page.facts import comparison, provenance, read_sweeps, title
from analysis.page.page import Page, Tools, headlines
from analysis.page.questions import sections
from analysis.page.section import Section
from analysis.stats.processes import side_by_side
from mnist_horizon import files

if TYPE_CHECKING:
    from analysis.page.explorer_charts import FixedParts

Item = TypeVar("Item")


@dataclass(frozen=True)
class Report:
    """What was said and where it is.

    Attributes:
        sections: of the page.
        compared: several working directories side by side.
        notes: what is missing.
        page: the file.
    """

    sections: Sequence[Section]
    compared: Compared | None
    notes: Sequence[str]
    page: Path

    def lines(self, verbose: bool = False) -> list[str]:
        """What is printed: the sentences at the top of the page, or all of them."""
        said = list(self.compared.claims) if self.compared else []
        said += headlines(self.sections)
        lines = [claim.text if claim.decided else f"Not decided. {claim.text}" for claim in said]
        lines = lines or ["These runs allow no fit."]
        if verbose:
            for section in self.sections:
                lines += [section.question, *(f"  {claim.text}" for claim in section.claims)]
        if self.notes:
            lines.append(f"{len(self.notes)} notes on what is missing are at the end of the page.")
        return [*lines, f"report: {self.page}"]


def write_files(
    measured: Measurements, fits: AllFits, workdirs: Sequence[Path], out: Path
) -> Report:
    """Write the report of what was read from some working directories.

    Args:
        measured: the tables.
        fits: the laws fitted to them.
        workdirs: what was read.
        out: folder of the report.

    Raises:
        OSError: a file cannot be written.
        ProcessError: a process that makes the page's parts was killed; `fits.json` is written.
    """
    content = Content.of(measured, fits)
    found = sections(content)
    compared = compare(workdirs)
    sweeps, sweep_notes = read_sweeps(workdirs)
    unfinished = len(measured.unfinished)
    rows, program_notes = provenance(workdirs, measured.frame, unfinished)
    notes = [*measured.notes, *fits.notes, *_noise_notes(measured.noise)]
    notes = list(dict.fromkeys([*notes, *sweep_notes, *program_notes]))
    _write_fits(out / "fits.json", content, found, notes)
    figures = [partial(one.save, out / "figures") for section in found for one in section.figures]
    jobs: list[Callable[[], Any]] = [_fixed_parts, *figures]  # the longest first
    with side_by_side(jobs) as made:
        fixed, *_ = in_order(made, "drawing figures", len(jobs))
    page = Page(
        title=title(measured.frame),
        subtitle=_subtitle(measured),
        sections=found,
        directory=out / "figures",
        compared=(compared.claims, compared.table) if compared else None,
        comparison=comparison(
            measured.frame,
            sweeps.values(),
            content.entries["horizon_law"],
            content.entries["power_law"],
        ),
        provenance=rows,
        sweeps=sweeps,
        notes=notes,
        tools=_tools(measured, fits, content, fixed),
    )
    files.write_text(out / "report.html", page.html(), is_locked=False)
    return Report(found, compared, notes, out / "report.html")


def _write_fits(
    path: Path, content: Content, found: Sequence[Section], notes: Sequence[str]
) -> None:
    """Write the laws, every sentence of the page, and what is missing."""
    said = [{"section": one.key, **claim.to_json()} for one in found for claim in one.claims]
    entries = {**content.entries, "claims": said, "notes": notes}
    text = json.dumps(entries, indent=1, allow_nan=False) + "\n"
    files.write_text(path, text, is_locked=False)


def _fixed_parts() -> "FixedParts":
    """What is the same in every report."""
    from analysis.page.explorer_charts import fixed_parts  # Altair: where it is needed alone

    return fixed_parts()


def _tools(measured: Measurements, fits: AllFits, content: Content, fixed: "FixedParts") -> Tools:
    """The explorer and the calculator, where there is something to play with."""
    parts = {
        "explore": ("Look for yourself", explorer.explorer(measured, fits, fixed.charts)),
        "calculate": ("What would my settings need?", calculator.calculator(content.entries)),
    }
    html = "\n".join(
        f'<h2 id="{key}">{title}</h2>\n{part}' for key, (title, part) in parts.items() if part
    )
    scripts = f"<script>{fixed.scripts}</script>" if html else ""
    return Tools(html, scripts, explorer.STYLE.read_text(encoding="utf-8"))


def in_order(results: Iterator[tuple[int, Item]], what: str, count: int) -> list[Item]:
    """All results by their numbers, with a progress bar where a person is watching."""
    found = dict(tqdm(results, what, count, leave=False, disable=None))
    return [found[number] for number in range(count)]


def _noise_notes(noise: pd.DataFrame) -> list[str]:
    """What is missing of the gradient's noise."""
    if len(noise):
        return [*noise_scale(noise)[1], *agreement(noise)[1]]
    return [
        "no gradient variance: none was measured; a sweep with --config.noise.samples above 0"
        " measures it"
    ]


def _subtitle(measured: Measurements) -> str:
    frame, unfinished = measured.frame, len(measured.unfinished)
    parts = [_count(frame, name) for name in ("width", "horizon", "seed")]
    text = f"{_count(frame, 'run_id', 'run')}: {', '.join(parts)}"
    return f"{text}; {unfinished} runs are not done" if unfinished else text


def _count(frame: pd.DataFrame, column: str, name: str = "") -> str:
    """How many different values a column has, in words: 1 width, 3 widths."""
    count = frame[column].nunique()
    return f"{count} {name or column}{'s' * (count != 1)}"

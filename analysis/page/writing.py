"""The files of a report: `fits.json`, then figures and their numbers, then the page."""

import json
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import pandas as pd
from tqdm import tqdm

from analysis.data.measurements import Measurements
from analysis.data.noise import agreement, noise_scale
from analysis.laws import LAWS, AllFits, fit_laws
from analysis.page import calculator, explorer
from analysis.page.compare import Compared, compare
from analysis.page.content import Content
from analysis.page.facts import comparison, provenance, read_sweeps, title
from analysis.page.page import Page, Tools, headlines
from analysis.page.processes import begun, side_by_side
from analysis.page.questions import sections
from analysis.page.section import Section

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


def write_files(measured: Measurements, workdirs: Sequence[Path], out: Path) -> Report:
    """Write the report of what was read from some working directories.

    What no measurements decide is made in another process while the laws are fitted.

    Raises:
        OSError: a file cannot be written.
        ProcessError: a process of the report was killed.
    """
    with begun(explorer.fixed_parts) as fixed_parts:
        fits = fit_laws(measured, _with_bar(LAWS, "fitting laws", len(LAWS)))
        return _write_fitted(measured, fits, workdirs, out, fixed_parts)


def _write_fitted(
    measured: Measurements,
    fits: AllFits,
    workdirs: Sequence[Path],
    out: Path,
    fixed_parts: Callable[[], explorer.FixedParts],
) -> Report:
    """The same once the laws are fitted: `fits.json`, before anything that could fail."""
    content = Content.of(measured, fits)
    found = sections(content)
    compared = compare(workdirs)
    sweeps, sweep_notes = read_sweeps(workdirs)
    unfinished = len(measured.unfinished)
    rows, program_notes = provenance(workdirs, measured.frame, unfinished)
    notes = [*measured.notes, *fits.notes, *_noise_notes(measured.noise)]
    notes = list(dict.fromkeys([*notes, *sweep_notes, *program_notes]))
    said = [{"section": one.key, **claim.to_json()} for one in found for claim in one.claims]
    text = json.dumps(
        {**content.entries, "claims": said, "notes": notes}, indent=1, allow_nan=False
    )
    _write(out / "fits.json", text + "\n")
    jobs = [partial(one.save, out / "figures") for section in found for one in section.figures]
    for _ in _with_bar(side_by_side(jobs), "drawing figures", len(jobs)):
        pass
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
        tools=_tools(measured, fits, content, fixed_parts),
    )
    _write(out / "report.html", page.html())
    return Report(found, compared, notes, out / "report.html")


def _tools(
    measured: Measurements,
    fits: AllFits,
    content: Content,
    fixed_parts: Callable[[], explorer.FixedParts],
) -> Tools:
    """The explorer and the calculator, where there is something to play with."""
    fixed = fixed_parts()
    parts = {
        "explore": ("Look for yourself", explorer.explorer(measured, fits, fixed.charts)),
        "calculate": ("What would my settings need?", calculator.calculator(content.entries)),
    }
    html = "\n".join(
        f'<h2 id="{key}">{title}</h2>\n{part}' for key, (title, part) in parts.items() if part
    )
    scripts = f"<script>{fixed.scripts}</script>" if html else ""
    return Tools(html, scripts, explorer.STYLE.read_text())


def _with_bar(items: Iterable[Item], what: str, total: int) -> Iterable[Item]:
    """The items, with a progress bar where a person is watching."""
    bar: Iterable[Item] = tqdm(items, what, total, leave=False, disable=None)
    return bar


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


def _write(path: Path, text: str) -> None:
    """Replace a file at once, so that two reports of a sweep at the same time do not conflict."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".", dir=path.parent) as folder:
        draft = Path(folder) / path.name
        draft.write_text(text)
        draft.replace(path)

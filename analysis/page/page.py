"""The page of a report: one HTML file that holds everything, images and scripts included."""

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from string import Template
from typing import Any

from analysis.page.claims import Claim
from analysis.page.section import Detail, PlannedFigure, Section, Table

_TEMPLATE = Path(__file__).with_name("template.html")

HEADLINES = 3
"""Sentences at the top of a page."""


@dataclass(frozen=True)
class Tools:
    """What a reader can play with: HTML, and the scripts and styles that it needs once."""

    html: str = ""
    scripts: str = ""
    style: str = ""


@dataclass(frozen=True)
class Page:
    """Everything on the page.

    Attributes:
        title: heading.
        subtitle: what was read, in one line.
        sections: by question, the most important first.
        directory: folder of the figures, which are drawn.
        compared: sentences and a table on several working directories.
        comparison: rows of setting, paper, ours (None in the middle: unknown).
        provenance: rows of name and value.
        sweeps: `sweep.json` by working directory.
        notes: what is missing, and why.
        tools: explorer and calculator.
    """

    title: str
    subtitle: str
    sections: Sequence[Section]
    directory: Path
    compared: tuple[Sequence[Claim], Table] | None
    comparison: Sequence[tuple[str, str | None, str]]
    provenance: Sequence[tuple[str, str]]
    sweeps: Mapping[str, Any]
    notes: Sequence[str]
    tools: Tools

    def html(self) -> str:
        """The page as text; every text from outside of this module is escaped."""
        return Template(_TEMPLATE.read_text(encoding="utf-8")).substitute(
            title=escape(self.title),
            subtitle=escape(self.subtitle),
            compared=self._compared(),
            answer=self._answer(),
            links="".join(
                f'<a href="#{one.key}">{one.key.capitalize().replace("-", " ")}</a>'
                for one in self.sections
            ),
            sections="\n".join(self._section(one) for one in self.sections),
            tools=self.tools.html,
            about=self._about(),
            scripts=self.tools.scripts,
            style=self.tools.style,
        )

    def _compared(self) -> str:
        if self.compared is None:
            return ""
        claims, table = self.compared
        return f"<h2>Side by side</h2>{_claims(claims)}{_table(table)}"

    @property
    def first(self) -> Section | None:
        """The section whose figure is at the top; None where none has a figure."""
        with_figure = [one for one in self.sections if one.figure]
        return next((one for one in with_figure if one.is_result), next(iter(with_figure), None))

    def _answer(self) -> str:
        found = headlines(self.sections)
        lead = _claims(found) if found else "<p>These runs allow no fit; the notes say why.</p>"
        figure = self.first.figure if self.first else None
        return lead + (self._figure(figure) if figure else "") + _caution(self.sections)

    def _section(self, section: Section) -> str:
        parts = [f'<h2 id="{section.key}">{escape(section.question)}</h2>']
        said = headlines(self.sections)  # what is at the top is not said twice
        unsaid = [claim for claim in section.answers if claim not in said]
        more = unsaid if section is self.first else unsaid[:1]
        parts += [_claims(more)] if more else []
        if len(unsaid) < len(section.answers) or section is self.first:
            parts.append('<p class="soft">See <a href="#answer">the top of the page</a>.</p>')
        if section.figure and section is not self.first:
            parts.append(self._figure(section.figure))
        parts += [self._detail(detail) for detail in section.details]
        return "\n".join(parts)

    def _detail(self, detail: Detail) -> str:
        content = [_claims(detail.claims)] if detail.claims else []
        content += [self._figure(figure) for figure in detail.figures]
        content += [_table(table) for table in detail.tables]
        return _folded(detail.title, "\n".join(content)) if content else ""

    def _figure(self, figure: PlannedFigure) -> str:
        """The smaller of the two files as an image, so that its ids cannot conflict."""
        files = [self.directory / f"{figure.name}.{ending}" for ending in ("svg", "png")]
        width = _points_wide(files[0].read_bytes()) * 4 / 3
        path = min(files, key=lambda file: file.stat().st_size)
        kind = {"svg": "svg+xml", "png": "png"}[path.suffix[1:]]
        source = f"data:image/{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"
        # At most 1.35 times its size in print, at least half of it: a small screen scrolls.
        style = f"max-width:{1.35 * width:.0f}px;min-width:{0.62 * width:.0f}px"
        caption, name = escape(figure.caption), escape(figure.name.replace("_", " "))
        wide = " wide" if 0.62 * width > _PHONE else ""
        return (
            f'<figure><div class="scroll{wide}" tabindex="0" role="group" aria-label="{name}">'
            f'<img src="{source}" style="{style}" alt="{caption}"></div>'
            f"<figcaption>{caption} <code>{escape(figure.name)}.csv</code></figcaption></figure>"
        )

    def _about(self) -> str:
        paper = [(what, known or "unknown", ours) for what, known, ours in self.comparison]
        parts = [
            _folded(
                "What is known of the paper, and what was done here",
                _table(Table(("", "the paper", "here"), paper)),
            ),
            _folded("How it was run", self._provenance()),
        ]
        if self.notes:
            items = "".join(f"<li>{escape(note)}</li>" for note in self.notes)
            title = f"{len(self.notes)} notes: what could not be computed, and what it would need"
            parts.append(_folded(title, f"<ul>{items}</ul>"))
        return _folded("What the task is, and where it comes from", _TASK) + "\n".join(parts)

    def _provenance(self) -> str:
        parts = [_table(Table(("what", "value"), self.provenance))]
        for workdir, spec in self.sweeps.items():
            text = f"<pre>{escape(json.dumps(spec, indent=1))}</pre>"
            parts.append(_folded(f"Settings of the sweep in {workdir}", text))
        return "\n".join(parts)


_PHONE = 340
"""Pixels of a figure that a phone shows without scrolling."""

_TASK = """<p class="soft">Each timestep of the task is an independent example to label, so that
a long horizon adds only noise. Hilton, Tang and Schulman (2023, arXiv 2301.13442) found on MNIST
that the interactions needed are the sum of a part inherent to the task and a part proportional to
the horizon. The numbers of figures are in figures/*.csv, those of every fit in fits.json.</p>"""


def headlines(sections: Sequence[Section]) -> list[Claim]:
    """The sentences at the top: the first of each section, then more; what is decided first."""
    results = [one for one in sections if one.is_result and one.answers]
    found = [one.answers[0] for one in results]
    found += [claim for one in results for claim in one.answers[1:]]
    return sorted(found, key=lambda claim: not claim.decided)[:HEADLINES]


def _caution(sections: Sequence[Section]) -> str:
    """How many statements there are, and that they share runs."""
    claims = [claim for one in sections for claim in one.claims if claim.numbers]
    if not claims:
        return ""
    return (
        '<p class="soft">The horizon h is the number of steps over which rewards count, a return '
        "the expected reward per step. Of the 95% intervals (over seeds) of the "
        f"{len(claims)} statements on this page about 1 in 20 misses the true value; statements on "
        "several returns share their runs.</p>"
    )


def _claims(claims: Iterable[Claim]) -> str:
    items = "".join(
        f"<li{'' if claim.decided else ' class=open'}>{escape(claim.text)}</li>" for claim in claims
    )
    return f'<ul class="claims">{items}</ul>'


def _folded(title: str, content: str) -> str:
    return f"<details><summary>{escape(title)}</summary>\n{content}</details>"


def _table(table: Table) -> str:
    header = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in table.head)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in table.rows
    )
    caption = f"<caption>{escape(table.caption)}</caption>" if table.caption else ""
    return (
        f'<div class="scroll" tabindex="0"><table>{caption}<thead><tr>{header}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _points_wide(svg: bytes) -> float:
    """Width of one of our SVG files, in points."""
    return float(svg.split(b"<svg", 1)[1].split(b'width="', 1)[1].split(b"pt", 1)[0])

"""The page of a report: one HTML file that holds everything, images included."""

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from string import Template
from typing import Any

from analysis.data.families import label
from analysis.page.claims import Claim
from analysis.page.wording import interval, number, percent, with_interval

_TEMPLATE = Path(__file__).with_name("template.html")

Entry = Mapping[str, Any]


@dataclass(frozen=True)
class PageFigure:
    """A figure on the page: where its SVG is, and what it shows."""

    path: Path
    caption: str


@dataclass
class FamilySection:
    """The part of the page on one family of runs: claims by heading, and figures."""

    label: str
    claims: dict[str, list[Claim]] = field(default_factory=dict)
    figures: list[PageFigure] = field(default_factory=list)


@dataclass(frozen=True)
class Page:
    """Everything on the page.

    Attributes:
        title: heading.
        subtitle: what was read, in one line.
        families: sections, the one with most runs first.
        horizon_law: entries of `fits.json`.
        power_law: entries of `fits.json`.
        comparison: rows of setting, paper, ours (None in the middle: unknown).
        provenance: rows of name and value.
        sweeps: `sweep.json` by working directory.
        notes: what is missing, and why.
    """

    title: str
    subtitle: str
    families: Sequence[FamilySection]
    horizon_law: Sequence[Entry]
    power_law: Sequence[Entry]
    comparison: Sequence[tuple[str, str | None, str]]
    provenance: Sequence[tuple[str, str]]
    sweeps: Mapping[str, Entry]
    notes: Sequence[str]

    def html(self) -> str:
        """The page as text; every text from outside of this module is escaped."""
        return Template(_TEMPLATE.read_text()).substitute(
            title=escape(self.title),
            subtitle=escape(self.subtitle),
            answer=self._answer(),
            figures=self._figures(),
            tables=self._tables(),
            comparison=_table(
                ("", "the paper", "ours"),
                [(what, known or "unknown", ours) for what, known, ours in self.comparison],
            ),
            provenance=self._provenance(),
            notes=_list(self.notes) if self.notes else "<p>Nothing was left out.</p>",
        )

    def _answer(self) -> str:
        parts = []
        for family in self.families:
            if len(self.families) > 1:
                parts.append(f"<h3>{escape(family.label)}</h3>")
            for heading, claims in family.claims.items():
                items = "".join(_claim(claim) for claim in claims)
                parts += [f"<p>{escape(heading)}</p>"] * bool(heading)
                parts.append(f'<ul class="claims">{items}</ul>')
        return "\n".join(parts) or "<p>These runs allow no fit; the notes list what is missing.</p>"

    def _figures(self) -> str:
        parts = []
        for family in self.families:
            if len(self.families) > 1 and family.figures:
                parts.append(f"<h3>{escape(family.label)}</h3>")
            parts += [_figure(figure) for figure in family.figures]
        return "\n".join(parts)

    def _tables(self) -> str:
        parts = []
        if self.horizon_law:
            parts.append(
                "<h3>Horizon law</h3><p>Interactions to a threshold of return, E = a + b x. Errors "
                "are those of the largest horizons, predicted by a fit without them. An end that "
                "the data do not determine is called unbounded.</p>"
            )
            parts.append(_horizon_table(self.horizon_law))
        if self.power_law:
            parts.append(
                "<h3>Power law</h3><p>I<sup>-beta</sup> = (N_c/N)<sup>alpha_N</sup> + "
                "(E_c/E)<sup>alpha_E</sup> with I the least compute at the same return. NE: compute"
                " is parameters x interactions; flops: counted training FLOPs.</p>"
            )
            parts.append(_power_table(self.power_law))
        return "\n".join(parts) or "<p>Nothing could be fitted.</p>"

    def _provenance(self) -> str:
        parts = [_table(("what", "value"), self.provenance)]
        for workdir, spec in self.sweeps.items():
            text = escape(json.dumps(spec, indent=1))
            summary = f"<summary>Settings of the sweep in {escape(workdir)}</summary>"
            parts.append(f"<details>{summary}<pre>{text}</pre></details>")
        return "\n".join(parts)


def _claim(claim: Claim) -> str:
    return f"<li{'' if claim.decided else ' class=open'}>{escape(claim.text)}</li>"


def _list(items: Iterable[str]) -> str:
    return "<ul>" + "".join(f"<li>{escape(item)}</li>" for item in items) + "</ul>"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], kind: str = "") -> str:
    header = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    table = f"<table{f' class={kind}' if kind else ''}><thead><tr>{header}</tr></thead>"
    return f'<div class="scroll">{table}<tbody>{body}</tbody></table></div>'


def _figure(figure: PageFigure) -> str:
    """The SVG as a separate image, so that its styles and ids cannot conflict with the page's."""
    data = figure.path.read_bytes()
    width = _points_wide(data) * 4 / 3
    source = f"data:image/svg+xml;base64,{base64.b64encode(data).decode()}"
    # At most 1.35 times its size in print, at least half of it: a small screen scrolls.
    style = f"max-width:{1.35 * width:.0f}px;min-width:{0.62 * width:.0f}px"
    caption = escape(figure.caption)
    return (
        f'<figure><div class="scroll"><img src="{source}" style="{style}" alt="{caption}"></div>'
        f"<figcaption>{caption} <code>{escape(figure.path.with_suffix('.csv').name)}</code>"
        "</figcaption></figure>"
    )


def _points_wide(svg: bytes) -> float:
    """Width of one of our SVG files, in points."""
    return float(svg.split(b"<svg", 1)[1].split(b'width="', 1)[1].split(b"pt", 1)[0])


def _horizon_table(entries: Sequence[Entry]) -> str:
    head = (
        *("runs of", "width", "return", "x", "a", "b", "knee (steps)", "exponent g", "form"),
        *("error: affine", "proportional", "free", "R2", "runs (censored)"),
    )
    rows = []
    for entry in entries:
        errors = entry["heldout_error"]
        free = entry.get("free_power")
        width = entry["group"].get("width", "all")
        rows.append(
            (
                label(_runs_of(entry)),
                str(width),
                f"{entry['threshold']:g}",
                entry["regressor"].replace("_", " "),
                with_interval(entry, "a"),
                with_interval(entry, "b"),
                with_interval(entry, "knee") if entry.get("knee") else "none",
                with_interval(free, "g") if free else "-",
                entry["verdict"],
                *(percent(errors[form]) if form in errors else "-" for form in _FORMS),
                f"{entry['r2']:.3f}" if "r2" in entry else "-",
                f"{entry['runs']} ({entry['censored']})",
            )
        )
    return _table(head, rows, "numbers")


_FORMS = ("affine", "proportional", "free")


def _runs_of(entry: Entry) -> dict[str, Any]:
    """The settings that a table's first column names; the width has a column of its own."""
    return {name: value for name, value in entry["group"].items() if name != "width"}


def _power_table(entries: Sequence[Entry]) -> str:
    head = (
        *("runs of", "horizon", "compute", "alpha_N", "alpha_E", "beta", "N_c", "E_c"),
        *("size exponent", "starts agreeing", "runs"),
    )
    names = ("alpha_n", "alpha_e", "beta", "n_c", "e_c", "optimal_size_exponent")
    rows = []
    for entry in entries:
        joint = entry.get("joint", False)
        rows.append(
            (
                label(_runs_of(entry)),
                "all, shared" if joint else f"{entry['group']['horizon']:g}",
                entry["compute"],
                *(with_interval(entry, name) for name in names),
                f"{entry['starts_agreeing']} of {entry['starts']}",
                str(entry["runs"]),
            )
        )
    shared = [
        f"h = {one['horizon']:g}: E_c = {number(one['e_c'])} {interval(one.get('e_c_ci'))}"
        for entry in entries
        if entry.get("joint") and entry["compute"] == "NE"
        for one in entry["e_c_by_horizon"]
    ]
    below = f"<p>E_c with shared exponents: {escape('; '.join(shared))}.</p>" if shared else ""
    return _table(head, rows, "numbers") + below

"""One page of several reports: `python -m analysis.gallery FOLDER`.

FOLDER has a `gallery.json`, a list of `{"name", "question", "section", "figure", "report"}`: a
report's folder (within FOLDER), and what is shown of it, the sentences of one section and the first
figure of a name. Writes FOLDER/index.html, which links to the reports. `launch.examples` makes the
list and the reports.

Exit code 2: the list cannot be read, or a report lacks what it names; nothing is written.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

from mnist_horizon import cli, files
from mnist_horizon.errors import InputError

LIST, PAGE = "gallery.json", "index.html"
SENTENCES = 2
"""Of a section, decided ones first."""


@dataclass(frozen=True)
class Shown:
    """One report on the page.

    Attributes:
        question: the heading.
        claims: sentences, and whether each is decided.
        figure: its PNG, relative to the page.
        report: the report's page, relative to the page; the figure where the report has none.
    """

    question: str
    claims: Sequence[tuple[str, bool]]
    figure: str
    report: str


def read(folder: Path) -> list[Shown]:
    """What the list of a folder names.

    Raises:
        InputError: the list, a report, its section or its figure is not there.
    """
    try:
        entries = files.read_json(folder / LIST)
        return [_shown(folder, **entry) for entry in entries]
    except (OSError, ValueError, TypeError, AttributeError, LookupError) as error:
        raise InputError(f"{folder / LIST}: not the list of a gallery: {error}") from None


def _shown(folder: Path, name: str, question: str, section: str, figure: str, report: str) -> Shown:
    place = files.inside(folder, *Path(report).parts)
    fits: dict[str, Any] = files.read_json(place / "fits.json")
    claims = [
        (str(claim["text"]), bool(claim["decided"]))
        for claim in fits["claims"]
        if claim["section"] == section
    ]
    claims = list(dict.fromkeys(sorted(claims, key=lambda claim: not claim[1])))
    figures = sorted((place / "figures").glob(f"{files.check_name(figure)}*.png"))
    if not claims or not figures:
        missing = f"section {section!r}" if not claims else f"figure {figure!r}"
        raise InputError(f"{place}: the report of {name} has no {missing}")
    drawn = figures[0].relative_to(folder).as_posix()
    has_page = (place / "report.html").exists()
    return Shown(
        question, claims[:SENTENCES], drawn, f"{report}/report.html" if has_page else drawn
    )


def page(shown: Sequence[Shown]) -> str:
    """The page, one part for each report."""
    parts = "\n".join(_part(one) for one in shown)
    return _PAGE.replace("$parts", parts)


def _part(one: Shown) -> str:
    said = "".join(
        f"<li>{'' if decided else '<b>Not decided.</b> '}{escape(text)}</li>"
        for text, decided in one.claims
    )
    question = escape(one.question)
    # Quoted, a path is no address of another kind: `javascript:` would be executed.
    report, figure = (quote(path, errors="surrogateescape") for path in (one.report, one.figure))
    return (
        f"<section><h2>{question}</h2><ul>{said}</ul>"
        f'<a href="{report}"><img src="{figure}" alt="{question}"></a>'
        f'<p><a href="{report}">The report</a></p></section>'
    )


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Small experiments</title>
<style>
body { margin: 0 auto; max-width: 64rem; padding: .5rem 1rem 4rem; color: #1b1b1b;
  background: #ffffff; font: 16px/1.5 system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.2rem; margin-top: 2.2rem; }
li { max-width: 48rem; overflow-wrap: anywhere; } a { color: #0068a3; }
img { display: block; max-width: 100%; height: auto; border: 1px solid #d9dce1; }
</style></head><body>
<h1>Small experiments</h1>
<p>One question each, on 1,797 real digits. Brackets are 95% intervals over seeds.</p>
$parts
</body></html>
"""


def main(argv: Sequence[str]) -> None:
    """Write the page and print where it is."""
    if len(argv) != 2:
        raise InputError("name one folder with a gallery.json: python -m analysis.gallery FOLDER")
    folder = Path(argv[1])
    text = page(read(folder))
    files.check_no_links(folder, ["."])
    files.write_text(folder / PAGE, text)
    print(f"gallery: {folder / PAGE}")


if __name__ == "__main__":
    cli.run(main, takes_arguments=True)

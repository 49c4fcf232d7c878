"""The page is one file; what it does not make itself is escaped."""

import base64
import re
from pathlib import Path
from typing import Any

import pytest

from analysis.page.claims import Claim
from analysis.page.page import HEADLINES, Page, Tools, headlines
from analysis.page.section import Detail, Section, Table
from tests.analysis.page.test_section import planned

BAD = "<script>alert('x')</script>"
SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="200pt" height="100pt"></svg>'


@pytest.fixture(name="folder")
def _folder(tmp_path: Path) -> Path:
    for name in ("first", "second", BAD.replace("/", "")):
        (tmp_path / f"{name}.svg").write_text(SVG)
        (tmp_path / f"{name}.png").write_bytes(b"0" * 1000)
    return tmp_path


def page(folder: Path, **changes: Any) -> Page:
    given: dict[str, Any] = {
        **{"title": "A title", "subtitle": "A subtitle", "sections": [], "directory": folder},
        **{"compared": None, "comparison": [], "provenance": [], "sweeps": {}, "notes": []},
        "tools": Tools(),
    }
    return Page(**{**given, **changes})


def section(key: str, *answers: Claim, figure: str = "", **changes: Any) -> Section:
    shown = planned(figure) if figure else None
    return Section(key, f"What of {key}?", answers, shown, **changes)


def test_an_empty_page_says_that_nothing_could_be_fitted(folder):
    html = page(folder).html()
    for text in ("A title", "A subtitle", "These runs allow no fit"):
        assert text in html
    assert "None" not in html
    assert "notes: what could not be computed" not in html
    assert "$" not in re.sub(r"<style>.*</style>", "", html, flags=re.S)


def test_everything_that_is_given_is_escaped(folder):
    claim, table = Claim(BAD, True), Table([BAD], [[BAD]], BAD)
    figure = planned(BAD.replace("/", ""))
    detail = Detail(BAD, [claim], [figure], [table])
    html = page(
        folder,
        title=BAD,
        subtitle=BAD,
        sections=[Section("key", BAD, [claim], figure, [detail])],
        compared=([claim], table),
        comparison=[(BAD, BAD, BAD)],
        provenance=[(BAD, BAD)],
        sweeps={BAD: {BAD: BAD}},
        notes=[BAD],
    ).html()
    assert "<script" not in html
    assert html.count("&lt;script&gt;") > 15


def test_the_top_has_the_first_sentence_of_each_section_then_more_and_what_is_decided_first():
    a, b, c, d = (Claim(text, True) for text in "abcd")
    undecided = Claim("e", False)
    other = section("curves", d, is_result=False)
    assert headlines([section("x", a, c), section("y", b), other]) == [a, b, c]
    assert headlines([section("x", a, c), section("y", undecided), other]) == [a, c, undecided]
    many = [section(str(n), Claim(str(n), True)) for n in range(HEADLINES + 2)]
    assert len(headlines(many)) == HEADLINES == 3
    assert headlines([section("empty"), other]) == []


def test_the_figure_of_the_first_section_is_at_the_top_and_only_there(folder):
    sections = [
        section("x", Claim("Known.", True), figure="first"),
        section("y", Claim("Open.", False), figure="second"),
    ]
    html = page(folder, sections=sections).html()
    top, rest = html.split('<nav aria-label="Sections">')
    assert top.count("<img") == 1
    assert rest.count("<img") == 1
    assert "<code>first.csv</code>" in top
    assert "<li>Known.</li><li class=open>Open.</li>" in top
    assert '<a href="#y">Y</a>' in rest
    assert 'href="#answer"' in rest


def test_images_are_the_smaller_file_with_their_caption_as_text(folder):
    html = page(folder, sections=[section("x", figure="first")]).html()
    found = re.search(
        r'<img src="data:image/svg\+xml;base64,([^"]+)" style="([^"]+)" alt="([^"]+)"', html
    )
    assert found is not None
    assert base64.b64decode(found[1]).decode() == SVG
    assert found[2] == "max-width:360px;min-width:165px"  # 200 pt are 267 px
    assert found[3] == "What it shows"
    (folder / "first.png").write_bytes(b"1")
    assert (
        "data:image/png;base64,MQ==" in page(folder, sections=[section("x", figure="first")]).html()
    )


def test_what_is_folded_is_in_details_and_what_is_empty_is_not_there(folder):
    full = Detail("In numbers", tables=[Table(["a"], [["1"]], "A caption")])
    html = page(folder, sections=[section("x", details=[full, Detail("Empty")])]).html()
    assert "<details><summary>In numbers</summary>" in html
    assert '<th scope="col">a</th>' in html
    assert "<caption>A caption</caption>" in html
    assert "Empty" not in html


def test_the_page_counts_its_statements_with_intervals(folder):
    known = Claim("The knee is 3.", True, numbers={"knee": (3.0, [2.0, 4.0])})
    html = page(folder, sections=[section("x", known, known, Claim("Words.", True))]).html()
    assert "of the 2 statements on this page" in html
    assert "statements on this page" not in page(folder).html()


def test_what_the_paper_does_not_say_is_unknown(folder):
    html = page(folder, comparison=[("Seeds", None, "4")], sweeps={"runs/a": {"budget": 7}}).html()
    assert "<td>Seeds</td><td>unknown</td><td>4</td>" in html
    assert "Settings of the sweep in runs/a" in html
    assert "&quot;budget&quot;: 7" in html


def test_several_directories_stand_first_and_tools_are_placed(folder):
    table = Table(["horizon", "ratio"], [["1", "2"]])
    tools = Tools("<div>play</div>", "<script>1</script>", ".tool { color: red; }")
    html = page(folder, compared=([Claim("b needs twice.", True)], table), tools=tools).html()
    assert html.index("Side by side") < html.index('id="answer"')
    assert html.index("<div>play</div>") < html.index("<script>1</script>")
    assert ".tool { color: red; }" in html[: html.index("</style>")]

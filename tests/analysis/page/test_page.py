"""The page is one file; what it does not make itself is escaped."""

import base64
import re
from pathlib import Path
from typing import Any

import pytest

from analysis.page.claims import Claim
from analysis.page.page import FamilySection, Page, PageFigure
from tests.analysis.page.entries import LAW

BAD = "<script>alert('x')</script>"
SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="200pt" height="100pt"></svg>'


@pytest.fixture(name="figure")
def _figure(tmp_path: Path) -> PageFigure:
    path = tmp_path / "curves.svg"
    path.write_text(SVG)
    return PageFigure(path, "What it shows")


def page(**changes: Any) -> Page:
    given: dict[str, Any] = {
        **{"title": "A title", "subtitle": "A subtitle", "families": [], "horizon_law": []},
        **{"power_law": [], "comparison": [], "provenance": [], "sweeps": {}, "notes": []},
    }
    return Page(**{**given, **changes})


def test_an_empty_page_says_that_nothing_could_be_fitted_and_nothing_left_out():
    html = page().html()
    for text in ("A title", "A subtitle", "These runs allow no fit", "Nothing could be fitted"):
        assert text in html
    assert "Nothing was left out" in html
    assert "$" not in re.sub(r"<style>.*</style>", "", html, flags=re.S)


def test_everything_that_is_given_is_escaped(figure):
    claim = FamilySection(BAD, {BAD: [Claim(BAD, True)]}, [PageFigure(figure.path, BAD)])
    html = page(
        title=BAD,
        subtitle=BAD,
        families=[claim, claim],
        comparison=[(BAD, BAD, BAD)],
        provenance=[(BAD, BAD)],
        sweeps={BAD: {BAD: BAD}},
        notes=[BAD],
        horizon_law=[{**LAW, "group": {**LAW["group"], "task": BAD}, "runs": 3, "censored": 0}],
    ).html()
    assert "<script" not in html
    assert html.count("&lt;script&gt;") > 15


def test_claims_stand_by_heading_and_what_is_open_is_marked():
    section = FamilySection("one", {"": [Claim("Known.", True)], "Of b:": [Claim("Open.", False)]})
    html = page(families=[section]).html()
    assert '<ul class="claims"><li>Known.</li></ul>' in html
    assert '<p>Of b:</p>\n<ul class="claims"><li class=open>Open.</li></ul>' in html
    assert "<h3>one</h3>" not in html
    assert "<h3>one</h3>" in page(families=[section, section]).html()


def test_figures_are_images_within_the_page(figure):
    html = page(families=[FamilySection("one", {}, [figure])]).html()
    found = re.search(r'<img src="data:image/svg\+xml;base64,([^"]+)" style="([^"]+)"', html)
    assert found is not None
    assert base64.b64decode(found[1]).decode() == SVG
    assert found[2] == "max-width:360px;min-width:165px"  # 200 pt are 267 px
    assert "What it shows <code>curves.csv</code>" in html


def test_tables_hold_the_laws_with_their_open_ends():
    horizon = {**LAW, "runs": 28, "censored": 2, "r2": 0.987, "knee_ci": [15.0, None]}
    html = page(horizon_law=[horizon]).html()
    for cell in ("21 [15, unbounded]", "0.8 [0.7, 0.9]", "28 (2)", "0.987", "22%", "all"):
        assert f"<td>{cell}</td>" in html
    names = ("alpha_n", "alpha_e", "beta", "n_c", "e_c", "optimal_size_exponent")
    power = {
        **{"group": {**LAW["group"], "horizon": 7.0}, "compute": "NE", "runs": 9},
        **{"starts": 64, "starts_agreeing": 60, **dict.fromkeys(names, 0.5)},
    }
    e_c = [{"horizon": 7, "e_c": 3.0, "e_c_ci": [None, 5.0]}]
    shared = {**power, "joint": True, "e_c_by_horizon": e_c}
    html = page(power_law=[power, shared]).html()
    for cell in ("<td>7</td>", "<td>all, shared</td>", "60 of 64", "0.5 (no interval)"):
        assert cell in html
    assert "E_c with shared exponents: h = 7: E_c = 3 [unbounded, 5]." in html


def test_what_the_paper_does_not_say_is_unknown():
    html = page(comparison=[("Seeds", None, "4")], sweeps={"runs/a": {"budget": 7}}).html()
    assert "<td>Seeds</td><td>unknown</td><td>4</td>" in html
    assert "Settings of the sweep in runs/a" in html
    assert "&quot;budget&quot;: 7" in html

"""The page in a real browser: no errors, no requests, no sideways scrolling, small or wide."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from analysis import report
from analysis.laws.synthetic import Design
from tests.analysis.page.chromium import Page, browser
from tests.analysis.page.interactive import OVER, WIDTHS
from tests.analysis.report_sweeps import sweep_frame, write_sweep

pytestmark = pytest.mark.slow

IMAGES = "[...document.images].filter((image) => image.naturalWidth > 0).length"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("browser")
    design = Design(horizons=(1, 7, 31), widths=(8, 32), seeds=2, budget=400_000, evaluations=12)
    report.write_report([write_sweep(folder / "sweep", sweep_frame(design))], folder / "out")
    return folder / "out" / "report.html"


@pytest.fixture
def tab(tmp_path: Path) -> Iterator[Page]:
    with browser(tmp_path) as opened:
        yield opened


@pytest.mark.parametrize("width", WIDTHS)
def test_the_page_opens_without_errors_or_requests(page, width, tab):
    tab.open(page, width)
    assert tab.console == []
    assert tab.requests == []
    assert tab.evaluate(IMAGES) == len(list(page.parent.glob("figures/*.svg")))
    assert tab.evaluate(OVER) <= 0
    assert tab.evaluate("innerWidth") == width


def test_a_page_that_breaks_these_rules_is_found_out(tab, tmp_path):
    bad = tmp_path / "bad.html"
    wide = '<div style="width: 3000px">wide</div>'
    script = "<script>console.error('broken')</script>"
    bad.write_text(f'<title>bad</title>{wide}{script}<img src="http://127.0.0.1:9/image.png">')
    tab.open(bad, WIDTHS[0])
    assert any("broken" in line for line in tab.console)
    assert any("127.0.0.1:9" in address for address in tab.requests)
    assert tab.evaluate(OVER) > 1000
    assert tab.evaluate(IMAGES) == 0

"""The page in a real browser: no errors, no requests, no sideways scrolling, small or wide."""

import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from html import escape
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from analysis import report
from analysis.laws.synthetic import Design
from tests.analysis.report_sweeps import sweep_frame, write_sweep

pytestmark = pytest.mark.slow

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
PHONE, WIDE = 390, 1600

# Says in the title of the page around it how far it is wider than its window, and how many images
# are there.
PROBE = """<script>addEventListener("load", () => { const page = document.documentElement;
parent.document.title = JSON.stringify({over: page.scrollWidth - page.clientWidth,
window: innerWidth,
images: [...document.images].filter((image) => image.naturalWidth > 0).length}); });</script>"""

# Browsers make no window under 500 pixels, but a frame of any width.
AROUND = """<!doctype html><title></title>
<iframe srcdoc="%s" style="width: %dpx; height: 1200px; border: 0"></iframe>"""


@dataclass(frozen=True)
class Visit:
    """What a browser made of a page: console messages, addresses asked for, what PROBE says."""

    console: list[str]
    requests: list[str]
    probe: dict[str, int]


def visit(page: Path, width: int, scratch: Path) -> Visit:
    """Open a page without a window, with a profile of its own."""
    if CHROMIUM is None:
        pytest.skip("chromium is not installed (Debian package chromium)")
    around = page.with_name(f"around-{page.name}")
    around.write_text(AROUND % (escape(page.read_text() + PROBE), width))
    log = scratch / "net.json"
    quiet = ("--no-first-run", "--disable-background-networking", "--disable-component-update")
    command = [
        *(CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", *quiet),
        *("--disable-sync", "--disable-dev-shm-usage", "--enable-logging=stderr"),
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
        *(f"--user-data-dir={scratch / 'profile'}", f"--log-net-log={log}"),
        *("--window-size=1700,1300", "--dump-dom", around.as_uri()),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    title = re.search(r"<title>(\{.*?\})</title>", done.stdout)
    assert title is not None, f"the page did not load: {done.stderr[-2000:]}"
    console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    return Visit(console, requested(log), json.loads(title[1]))


def requested(log: Path) -> list[str]:
    """Addresses of the web that pages asked for, by a browser's network log.

    The browser's own requests (updates, time) have no page's origin as their initiator.
    """
    text = log.read_text()
    if not text.rstrip().endswith("}"):  # cut short where the browser left in a hurry
        text = text.rstrip().rstrip(",") + "]}"
    starts = [event.get("params", {}) for event in json.loads(text)["events"]]
    by_pages = [one for one in starts if one.get("initiator", _OWN) != _OWN]
    assert any(one.get("initiator") == _OWN for one in starts), "the log has no initiators"
    addresses = [one.get("url", "") for one in by_pages]
    return [one for one in addresses if urlsplit(one).scheme in ("http", "https", "ws", "wss")]


_OWN = "not an origin"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("browser")
    design = Design(horizons=(1, 7, 31), widths=(8, 32), seeds=2, budget=400_000, evaluations=12)
    report.write_report([write_sweep(folder / "sweep", sweep_frame(design))], folder / "out")
    return folder / "out" / "report.html"


@pytest.mark.parametrize("width", [PHONE, WIDE])
def test_the_page_opens_without_errors_or_requests(page, width, tmp_path):
    found = visit(page, width, tmp_path)
    assert found.console == []
    assert found.requests == []
    assert found.probe["images"] == len(list(page.parent.glob("figures/*.svg")))
    assert found.probe["over"] <= 0
    assert found.probe["window"] == width


def test_a_page_that_breaks_these_rules_is_found_out(tmp_path):
    bad = tmp_path / "bad.html"
    wide = '<div style="width: 3000px">wide</div>'
    script = "<script>console.error('broken')</script>"
    bad.write_text(f'<title>bad</title>{wide}{script}<img src="http://127.0.0.1:9/image.png">')
    found = visit(bad, PHONE, tmp_path)
    assert any("broken" in line for line in found.console)
    assert any("127.0.0.1:9" in address for address in found.requests)
    assert found.probe["over"] > 1000
    assert found.probe["images"] == 0

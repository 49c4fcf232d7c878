"""The explorer: its data, and in a browser what its controls change."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.data.curves import placed
from analysis.data.measurements import Measurements
from analysis.laws import AllFits
from analysis.page import explorer as module
from analysis.page.explorer import as_script, explorer, explorer_data, refused, rounded
from tests.analysis.page.chromium import Page, browser
from tests.analysis.page.interactive import (
    DESIGN,
    OVER,
    WIDTHS,
    dense,
    fixed_parts,
    sparse,
    write_page,
)

TEMPLATE = Path(module.__file__).with_name("template.html")


def data_of(measured: Measurements, fits: AllFits | None = None) -> dict:
    return explorer_data(measured, fits or AllFits())[0]


def of(measured: Measurements, fits: AllFits) -> str:
    """The explorer with the charts that a report gives it."""
    return explorer(measured, fits, fixed_parts().charts)


def test_every_run_is_there_with_its_curve_and_crossings():
    measured, fits = dense()
    data = data_of(measured, fits)
    assert len(data["runs"]) == 18
    curves = placed(measured.curves)
    table = measured.crossings.set_index(["run_id", "threshold"])
    for family, run, width, horizon, seed, interactions, states, place, returns in data["runs"]:
        assert family == 0
        assert (width, horizon) in {(w, h) for w in DESIGN.widths for h in DESIGN.horizons}
        rows = curves[curves["run_id"] == run]
        assert (rows["seed"] == seed).all()
        assert len(data["places"][place]) == len(returns)
        assert 25 < len(returns) <= module.MAX_ROWS < len(rows)
        ends = rows.iloc[[0, -1]]
        assert [returns[0], returns[-1]] == pytest.approx(ends["return_mean"].tolist(), rel=1e-3)
        where = [data["places"][place][0], data["places"][place][-1]]
        assert where == pytest.approx(ends["interactions"].tolist(), rel=1e-3)
        for number, threshold in enumerate(data["thresholds"]):
            row = table.loc[(run, threshold)]
            assert interactions[number] == pytest.approx(row["interactions"], rel=1e-3)
            assert (states[number] == 1) == row["censored"]
    assert len(data["places"]) == 1, "runs with the same rows share their places"
    assert any(1 in run[6] for run in data["runs"]), "the sweep has no censored run"


def test_numbers_have_four_digits_and_are_short():
    assert [rounded(12345.678), rounded(0.123456), rounded(7.0)] == [12350, 0.1235, 7]
    assert isinstance(rounded(7.0), int)
    assert [rounded(np.nan), rounded(np.inf), rounded(None)] == [None, None, None]


def test_means_are_of_all_seeds_and_say_where_they_are_bounds():
    measured, _ = dense()
    at = {
        (width, threshold, horizon): (mean, low, censored, seeds)
        for _, width, threshold, horizon, mean, low, _, censored, seeds in data_of(measured)[
            "means"
        ]
    }
    table = measured.crossings
    cell = table[(table["width"] == 8) & (table["horizon"] == 7) & (table["threshold"] == 0.5)]
    mean, low, censored, seeds = at[8, 0, 7]
    assert mean == pytest.approx(np.exp(np.log(cell["interactions"]).mean()), rel=1e-3)
    assert (censored, seeds) == (0, 3)
    assert low < mean
    bounds = [row for row in at.values() if row[2]]
    assert bounds
    assert all(row[1] is None for row in bounds)


def test_lines_are_those_of_laws_of_one_width_for_each_regressor():
    measured, fits = dense()
    lines = data_of(measured, fits)["laws"]
    laws = [law for law in fits["horizon_law"] if "width" in law.group]
    assert len(lines) == len(laws) == 2 * (2 + 3)
    family, width, threshold, kind, regressor, points = lines[0]
    assert (family, width, threshold, kind, regressor) == (0, 8, 0, 0, "h-1")
    horizons, interactions, low, high = np.array(points).T
    assert [horizons[0], horizons[-1]] == [1, 31]
    np.testing.assert_allclose(interactions, laws[0].affine.predict(horizons), rtol=2e-3)
    assert (low < interactions).all()
    assert (interactions < high).all()


def test_the_law_of_horizon_and_schedule_is_drawn_at_each_schedule_that_it_is_of():
    measured, fits = sparse()
    data = data_of(measured, fits)
    assert data["families"][0] == "dense"
    assert len(data["families"]) == 5
    drawn = {data["families"][line[0]] for line in data["laws"] if line[3] == 1}
    assert drawn == {"dense", "revealed:0.25", "periodic:4", "periodic:16"}
    (delayed,) = [line for line in data["laws"] if data["families"][line[0]] == "periodic:16"]
    horizons, interactions, low, high = np.array(delayed[5]).T
    rows = pd.DataFrame({"horizon": horizons}).assign(schedule="periodic", schedule_level=16.0)
    np.testing.assert_allclose(interactions, fits["joint_law"][0].predict(rows), rtol=2e-3)
    assert (low < interactions).all()
    assert (interactions < high).all()


def test_a_refused_law_is_not_drawn(monkeypatch):
    tests = {"affine": 1e-4, "free": 0.5}
    assert refused({"bands": {"form": "affine"}, "fit_test": tests})
    assert not refused({"bands": {"form": "free"}, "fit_test": tests})
    assert not refused({"bands": {"form": "free"}, "fit_test": {"free": None}})
    monkeypatch.setattr(module, "refused", lambda entry: True)
    for measured, fits in (dense(), sparse()):
        assert data_of(measured, fits)["laws"] == []


def test_many_runs_are_cut_and_the_page_says_so(monkeypatch):
    measured, _ = dense()
    monkeypatch.setattr(module, "MAX_RUNS", 13)
    data, notes = explorer_data(measured, AllFits())
    assert {run[4] for run in data["runs"]} == {0, 1}
    assert notes == ["Runs and curves of 2 of 3 seeds are drawn here; means and laws are of all of "
                     "them."]  # fmt: skip
    assert {row[-1] for row in data["means"]} == {3}


def test_many_kinds_of_runs_are_cut_and_the_page_says_so(monkeypatch):
    measured, fits = sparse()
    monkeypatch.setattr(module, "MAX_RUNS", 13)
    data, notes = explorer_data(measured, fits)
    assert len(data["families"]) == 2
    assert {run[0] for run in data["runs"]} == {0, 1}
    assert any(note.startswith("2 of 5 kinds of runs can be chosen here") for note in notes)


def test_unfinished_runs_are_counted():
    measured, _ = dense()
    _, notes = explorer_data(replace(measured, unfinished=frozenset({"one", "two"})), AllFits())
    assert notes == ["2 runs are not done."]


def test_a_return_that_was_not_a_goal_of_a_run_has_no_number():
    measured, _ = dense()
    table = measured.crossings
    run = table["run_id"].iloc[0]
    table = table[(table["run_id"] != run) | (table["threshold"] != 0.7)]
    (row,) = [one for one in data_of(replace(measured, crossings=table))["runs"] if one[1] == run]
    assert row[5][1] is None
    assert row[6][1] is None
    assert None not in (row[5][0], row[5][2])


def test_nothing_to_show_gives_nothing():
    measured, fits = dense()
    assert explorer(replace(measured, crossings=measured.crossings[:0]), fits, {}) == ""


def test_no_text_of_the_data_can_end_its_script():
    measured, _ = dense()
    bad = "</script><b>&x"
    tables = {
        name: getattr(measured, name).assign(run_id=lambda rows: bad + rows["run_id"])
        for name in ("frame", "curves", "crossings")
    }
    text = of(replace(measured, **tables), AllFits())
    assert bad not in text
    assert text.count("</script>") == 3
    inside = re.search(r"data-explorer-data>(.*?)</script>", text, re.S)
    assert inside is not None
    assert json.loads(inside[1])["runs"][0][1].startswith(bad)
    assert json.loads(as_script({"a": "<!-- <script>"})) == {"a": "<!-- <script>"}


def test_the_fragment_is_small_and_names_no_address():
    text = of(*dense())
    assert "http" not in text
    assert not re.search(r"\b(src|href)=", text)
    assert "<noscript>" in text
    assert len(text) < 40_000 + 18 * module.MAX_ROWS * 8


def test_vegas_scripts_are_one_script_that_can_be_inlined():
    text = fixed_parts().scripts
    assert "window.vegaEmbed" in text
    assert "</script" not in text
    assert len(text) < 1_000_000


def _channel(value: int) -> float:
    share = value / 255
    return share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4


def _contrast(one: str, other: str) -> float:
    """Ratio of luminances (WCAG 2.1) of two colours #rrggbb."""
    lights = sorted(
        sum(
            weight * _channel(int(colour[place : place + 2], 16))
            for weight, place in ((0.2126, 1), (0.7152, 3), (0.0722, 5))
        )
        for colour in (one, other)
    )
    return (lights[1] + 0.05) / (lights[0] + 0.05)


def test_the_colours_of_the_style_are_the_pages_and_have_contrast():
    schemes = [
        dict(re.findall(r"--(\w+): (#\w{6})", block))
        for block in re.findall(r":root \{(.*?)\}", TEMPLATE.read_text(), re.S)
    ]
    assert len(schemes) == 2
    used = set(re.findall(r"var\(--(\w+)\)", module.STYLE.read_text()))
    for scheme in schemes:
        assert used <= set(scheme)
        for text in ("ink", "soft"):
            assert _contrast(scheme[text], scheme["paper"]) >= 4.5
            assert _contrast(scheme[text], scheme["card"]) >= 4.5
        assert _contrast(scheme["mark"], scheme["paper"]) >= 3, "sliders and the focus"


# In a browser

DRAWN = "document.querySelector('[data-explorer]').dataset.drawn"
MARKS = """[...document.querySelectorAll(
'[data-chart] :is(.mark-symbol, .mark-line, .mark-rule) :is(path, line)')]
.map((mark) => mark.getAttribute('transform') + mark.getAttribute('d')).join()"""


@pytest.fixture(scope="module")
def tab(tmp_path_factory) -> Iterator[Page]:
    with browser(tmp_path_factory.mktemp("browser")) as page:
        yield page


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("explorer")
    return write_page(
        folder / "page.html", f"<script>{fixed_parts().scripts}</script>", of(*dense())
    )


def choose(tab: Page, control: str, value: str) -> None:
    """Choose an option of a select, and wait until it is drawn."""
    tab.evaluate(
        f"""(() => {{ const select = document.querySelector('[data-control="{control}"]');
        document.querySelector('[data-explorer]').dataset.drawn = "";
        select.value = {json.dumps(value)};
        select.dispatchEvent(new Event("change", {{bubbles: true}})); }})()"""
    )
    assert str(json.loads(tab.wait_for(DRAWN))[control]) == value


@pytest.mark.slow
@pytest.mark.parametrize("width", WIDTHS)
def test_it_opens_without_errors_requests_or_anything_cut_off(tab, path, width):
    tab.open(path, width)
    tab.wait_for(DRAWN)
    assert tab.console == []
    assert tab.requests == []
    assert tab.evaluate("innerWidth") == width
    assert tab.evaluate(OVER) <= 0
    boxes = tab.evaluate(
        """[...document.querySelectorAll('.explorer-chart svg')].map((svg) => {
        const part = svg.getBoundingClientRect(), all = svg.closest('.explorer-chart');
        return [part.width, all.clientWidth, part.height, all.clientHeight]; })"""
    )
    assert len(boxes) == 2
    for part, whole, height, space in boxes:
        assert 0.9 * whole <= part <= whole + 1
        assert height <= space + 1
    tops = tab.evaluate(
        "[...document.querySelectorAll('.explorer-chart')].map((one) => one.offsetTop)"
    )
    assert (tops[0] < tops[1]) == (width < 800), "charts are stacked on small screens only"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("control", "value"),
    [
        ("threshold", "0"),
        ("width", "8"),
        ("axis", "h-1"),
        ("axis", "variance_horizon"),
        ("horizon", "7"),
    ],
)
def test_each_control_changes_what_is_drawn(tab, path, control, value):
    tab.open(path, 1280)
    tab.wait_for(DRAWN)
    before = tab.evaluate(MARKS)
    choose(tab, control, value)
    assert tab.evaluate(MARKS) != before
    assert tab.console == []


@pytest.mark.slow
def test_what_is_drawn_is_what_was_chosen(tab, path):
    measured, _ = dense()
    tab.open(path, 1280)
    tab.wait_for(DRAWN)
    choose(tab, "threshold", "2")
    choose(tab, "horizon", "31")
    table = measured.crossings
    here = table[(table["width"] == 32) & (table["threshold"] == 0.85)]
    lines = "document.querySelectorAll('[data-chart=curves] .mark-line path').length"
    assert tab.evaluate(lines) == 3
    state = tab.evaluate("document.querySelector('.explorer-state').textContent")
    assert f"width 32, to a return of 0.85: {len(here)} runs" in state
    assert f"{int(here['censored'].sum())} of them right-censored" in state
    assert "Solid blue line: law of the horizon." in state
    runs = tab.evaluate(
        "document.querySelectorAll('[data-chart=crossings] .layer_4_marks path').length"
    )
    assert runs == len(here)
    choose(tab, "width", "8")
    state = tab.evaluate("document.querySelector('.explorer-state').textContent")
    assert "9 of them right-censored. No law is drawn" in state


@pytest.mark.slow
def test_schedules_can_be_chosen(tab, tmp_path):
    page = tmp_path / "page.html"
    write_page(page, f"<script>{fixed_parts().scripts}</script>", of(*sparse()))
    tab.open(page, 1280)
    tab.wait_for(DRAWN)
    choose(tab, "family", "4")
    state = tab.evaluate("document.querySelector('.explorer-state').textContent")
    assert state.startswith("streak:2, width 32")
    assert "No law is drawn" in state
    assert tab.console == []


@pytest.mark.slow
def test_pointing_at_a_run_marks_it_in_both_charts_and_shows_its_numbers(tab, path):
    tab.open(path, 1280)
    tab.wait_for(DRAWN)
    x, y = tab.evaluate(
        """(() => { const dots = document.querySelectorAll(
        '[data-chart=crossings] .layer_4_marks path');
        const box = dots[0].getBoundingClientRect();
        return [box.x + box.width / 2, box.y + box.height / 2]; })()"""
    )
    tab.move_to(x, y)
    thick = """[...document.querySelectorAll('[data-chart=curves] .mark-line path')]
    .filter((line) => Number(line.getAttribute('stroke-width')) > 3).length"""
    tab.wait_for(f"{thick} === 1")
    tip = tab.wait_for("document.querySelector('#vg-tooltip-element.visible')?.textContent")
    assert "run" in tip
    assert "interactions" in tip
    assert "seed" in tip
    tab.move_to(1, 1)
    tab.wait_for(f"{thick} === 0")
    tab.evaluate("document.querySelector('[data-explorer]').dataset.drawn = ''")
    tab.move_to(x, y, click=True)
    assert json.loads(tab.wait_for(DRAWN))["horizon"] == "1"


@pytest.mark.slow
def test_it_can_be_used_with_the_keyboard(tab, path):
    tab.open(path, 390)
    tab.wait_for(DRAWN)
    seen = []
    for _ in range(5):
        tab.press("Tab")
        seen.append(tab.evaluate("document.activeElement.dataset.control"))
    assert seen == ["threshold", "width", "axis", "horizon", "run"]
    labels = tab.evaluate(
        "[...document.querySelectorAll('select')].map((one) => one.labels[0].textContent.trim())"
    )
    assert all(labels)
    tab.evaluate("document.querySelector('[data-explorer]').dataset.drawn = ''")
    tab.press("ArrowDown")
    chosen = json.loads(tab.wait_for(DRAWN))["run"]
    assert chosen
    state = tab.evaluate("document.querySelector('.explorer-state').textContent")
    assert f"Highlighted: {chosen}" in state


@pytest.mark.slow
def test_without_scripts_it_says_where_the_numbers_are(tab, path):
    tab.open(path, 1280, scripts=False)
    page = tab.call("DOM.getDocument", depth=-1)["root"]["nodeId"]
    body = tab.call("DOM.querySelector", nodeId=page, selector=".explorer-body")["nodeId"]
    note = tab.call("DOM.querySelector", nodeId=page, selector=".explorer noscript p")["nodeId"]
    assert tab.call("DOM.getBoxModel", nodeId=note)["model"]["height"] > 10
    with pytest.raises(AssertionError, match="getBoxModel"):
        tab.call("DOM.getBoxModel", nodeId=body)

"""The calculator: which laws it offers, and in a browser the numbers that it gives."""

import copy
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.laws.prediction_bands import horizon_curve
from analysis.page.calculator import REACH, calculator
from analysis.page.wording import NOT_DETERMINED, number
from mnist_horizon import theory
from mnist_horizon.moments import Moments
from mnist_horizon.schedules import make
from tests.analysis.page.chromium import Page, browser
from tests.analysis.page.interactive import OVER, WIDTHS, dense, sparse, write_page

MEASURED = {"dense": dense, "sparse": sparse}


def entries(name: str) -> dict[str, Any]:
    return copy.deepcopy(MEASURED[name]()[1].to_json())


def laws_of(found: dict[str, Any]) -> list[dict[str, Any]]:
    """The laws that a calculator offers."""
    text = calculator(found)
    if not text:
        return []
    inside = re.search(r"data-calculator-data>(.*?)</script>", text, re.S)
    assert inside is not None
    return list(json.loads(inside[1])["laws"])


def usable(found: dict[str, Any]) -> dict[str, Any]:
    """The entry of width 32 at a return of 0.7 in h - 1."""
    (entry,) = [
        one
        for one in found["horizon_law"]
        if one["group"].get("width") == 32 and one["threshold"] == 0.7 and one["regressor"] == "h-1"
    ]
    return entry


def test_laws_of_one_width_in_h_are_offered_with_their_own_numbers():
    found = entries("dense")
    laws = laws_of(found)
    settings = {(law["width"], law["threshold"]) for law in laws}
    assert (32, 0.7) in settings
    assert len(laws) == len(settings)
    entry = usable(found)
    (law,) = [one for one in laws if (one["width"], one["threshold"]) == (32, 0.7)]
    assert law["estimate"]["a"] == pytest.approx(entry["a"], rel=1e-12)
    assert law["estimate"]["b"] == pytest.approx(entry["b"], rel=1e-12)
    assert law["flops"] == entry["group"]["flops_per_interaction"]
    assert law["parameters"] == entry["group"]["parameters"]
    assert law["measured"] == [1, 31]
    assert law["name"] == "dense"


@pytest.mark.parametrize(
    "change",
    [
        {"determined": {"a": False, "b": True}},
        {"determined": {"a": True, "b": False}},
        {"fit_test": {"affine": 1e-4, "free": 1e-4}},
    ],
)
def test_a_law_that_is_refused_or_not_determined_is_not_offered(change):
    found = entries("dense")
    before = laws_of(found)
    usable(found).update(change)
    after = laws_of(found)
    assert len(after) == len(before) - 1
    assert (32, 0.7) not in {(law["width"], law["threshold"]) for law in after}


@pytest.mark.parametrize("name", ["s_min", "noise_scale"])
def test_a_law_of_horizon_and_schedule_needs_its_scale(name):
    found = entries("sparse")
    assert [law["kind"] for law in laws_of(found)].count("schedule") == 1
    found["joint_law"][0]["determined"][name] = False
    assert [law["kind"] for law in laws_of(found)].count("schedule") == 0


def test_a_sweep_without_a_usable_law_has_no_calculator():
    assert calculator({}) == ""
    assert calculator({"horizon_law": [], "joint_law": []}) == ""
    pooled = [one for one in entries("dense")["horizon_law"] if "width" not in one["group"]]
    assert pooled
    assert calculator({"horizon_law": pooled}) == ""


def test_a_law_of_schedules_knows_what_was_measured():
    (law,) = [one for one in laws_of(entries("sparse")) if one["kind"] == "schedule"]
    assert law["name"] == "all schedules together"
    assert law["batch"] == 256
    assert law["measured"] == [1, 63]
    assert law["measured_levels"] == {
        "revealed": [0.25, 1], "periodic": [1, 16], "streak": [1, 2]
    }  # fmt: skip
    assert "periodic:16" in law["departures"]


def test_laws_of_runs_that_differ_have_names_that_differ():
    found = entries("dense")
    other = copy.deepcopy(usable(found))
    other["group"]["optimizer"] = "muon"
    found["horizon_law"].append(other)
    names = {law["name"] for law in laws_of(found)}
    assert len(names) == 2
    assert any("muon" in name for name in names)
    third = copy.deepcopy(other)
    third["group"]["settings"] = '{"more": 1}'
    found["horizon_law"].append(third)
    assert len({law["name"] for law in laws_of(found)}) == 3


def test_the_fragment_names_no_address_and_no_text_ends_its_script():
    found = entries("dense")
    for entry in found["horizon_law"]:
        entry["group"]["schedule"] = "dense"
        entry["group"]["network"] = "</script><b>"
    usable(found)["group"]["network"] = "</script><i>"
    text = calculator(found)
    assert "http" not in text
    assert not re.search(r"\b(src|href)=", text)
    assert text.count("</script>") == 2
    assert "<noscript>" in text
    assert len(text) < 40_000


# In a browser


@pytest.fixture(scope="module")
def tab(tmp_path_factory) -> Iterator[Page]:
    with browser(tmp_path_factory.mktemp("browser")) as page:
        yield page


@pytest.fixture(scope="module")
def paths(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("calculator")
    return {
        name: write_page(folder / f"{name}.html", calculator(entries(name))) for name in MEASURED
    }


def choose(tab: Page, **settings: Any) -> None:
    """Set selects and numbers as a reader would."""
    for name, value in settings.items():
        found = tab.evaluate(
            f"""(() => {{ const root = document.querySelector('[data-calculator]');
            const select = root.querySelector('[data-control="{name}"]');
            const one = select || root.querySelector('[data-number="{name}"]');
            one.value = {json.dumps(str(value))};
            one.dispatchEvent(new Event(select ? "change" : "input", {{bubbles: true}}));
            return one.value; }})()"""
        )
        assert found == str(value), f"{name} cannot be {value}"


def result(tab: Page, name: str) -> tuple[float, float, float]:
    """Value and interval that are shown."""
    shown = tab.evaluate(f"""({{...document.querySelector('[data-result="{name}"]').dataset}})""")
    return float(shown["value"]), float(shown["low"]), float(shown["high"])


def text(tab: Page, name: str) -> str:
    return str(tab.evaluate(f"""document.querySelector('[data-result="{name}"]').textContent"""))


@pytest.mark.slow
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", MEASURED)
def test_it_opens_without_errors_requests_or_anything_cut_off(tab, paths, name, width):
    tab.open(paths[name], width)
    assert tab.console == []
    assert tab.requests == []
    assert tab.evaluate("innerWidth") == width
    assert tab.evaluate(OVER) <= 0
    assert "[" in text(tab, "samples")


@pytest.mark.slow
def test_closed_forms_agree_with_the_theory(tab, paths):
    levels = [("dense", 1.0), ("revealed", 0.0625), ("revealed", 1.0), ("periodic", 1.0)]
    levels += [("periodic", 4.0), ("periodic", 64.0)]
    policies = [(60.0, 0.5, 0.4), (3.0, 0.2, 0.5), (900.0, 0.95, 0.03), (25.0, 0.4, 0.84)]
    cases, expected = [], []
    for kind, level in levels:
        for scale, share, accuracy in policies:
            fisher = scale / (accuracy * (1 - accuracy))
            at = Moments(accuracy, fisher, share * fisher, 1.0, 1.0)
            for horizon in (1.0, 1.5, 7.0, 63.0, 1024.0):
                numbers = {"noise_scale": scale, "share": share, "accuracy": accuracy}
                cases.append([kind, level, horizon, numbers])
                expected.append(theory.noise_over_signal(make(kind, level), horizon, at))
    tab.open(paths["sparse"], 1280)
    found = tab.evaluate(f"{json.dumps(cases)}.map((one) => horizonCalculator.noiseScale(...one))")
    np.testing.assert_allclose(found, expected, rtol=1e-9)


@pytest.mark.slow
def test_a_horizon_law_gives_the_numbers_of_fits_json(tab, paths):
    entry = usable(entries("dense"))
    tab.open(paths["dense"], 1280)
    choose(tab, threshold=0.7, width=32, task=1)
    horizons = np.array([1.0, 7.0, 31.0, 3.3, 100.0, REACH * 31])
    curve = horizon_curve(entry, horizons)
    group = entry["group"]
    for row in curve.itertuples(index=False):
        choose(tab, horizon=f"{row.horizon:g}")
        expected = [row.interactions, row.low, row.high]
        assert result(tab, "samples") == pytest.approx(expected, rel=1e-9)
        assert row.interactions == pytest.approx(entry["a"] + entry["b"] * (row.horizon - 1))
        for name, unit in (("flops", "flops_per_interaction"), ("product", "parameters")):
            scaled = [group[unit] * value for value in expected]
            assert result(tab, name) == pytest.approx(scaled, rel=1e-9)
        far = row.horizon > 31
        assert text(tab, "note").startswith("Extrapolated" if far else "Within") is True
    choose(tab, horizon=1)
    assert result(tab, "samples") == pytest.approx([entry["a"], *entry["a_ci"]], rel=1e-9)


@pytest.mark.slow
def test_a_law_of_schedules_gives_its_predictions_and_says_what_was_measured(tab, paths):
    law = sparse()[1]["joint_law"][0]
    tab.open(paths["sparse"], 1280)
    choose(tab, law="schedule all schedules together", horizon=15, task=1)
    for kind, level in (("dense", 1.0), ("revealed", 0.25), ("periodic", 16.0)):
        choose(tab, schedule=kind, **({} if kind == "dense" else {"level": f"{level:g}"}))
        row = pd.DataFrame({"horizon": [15.0], "schedule": [kind], "schedule_level": [level]})
        value, low, high = result(tab, "samples")
        assert value == pytest.approx(law.predict(row)[0], rel=1e-9)
        left_out = np.log([law.without_seed(seed).predict(row)[0] for seed in law.seeds])
        error = np.sqrt(0.75 * np.sum((left_out - np.log(value)) ** 2))
        half = law.to_json()["bands"]["t"] * error
        assert [low, high] == pytest.approx([value * np.exp(-half), value * np.exp(half)], rel=1e-9)
        assert "Extrapolated" not in text(tab, "note")
    choose(tab, level=40)
    assert "k from 1 to 16 was measured" in text(tab, "note")
    choose(tab, schedule="revealed", level=0.1)
    assert "p from 0.25 to 1 was measured" in text(tab, "note")


@pytest.mark.slow
def test_the_sliders_are_used_with_the_keyboard_and_scale_the_numbers(tab, paths):
    tab.open(paths["dense"], 390)
    choose(tab, threshold=0.7, width=32, horizon=7)
    tab.evaluate("document.activeElement.blur()")
    reached = []
    for _ in range(6):
        tab.press("Tab")
        reached.append(
            tab.evaluate(
                """(({control, slider, number}) => control || slider || `${number}, exactly`)(
                document.activeElement.dataset)"""
            )
        )
    assert reached == [
        *("threshold", "width", "horizon", "horizon, exactly", "task", "task, exactly")
    ]
    labels = tab.evaluate(
        """[...document.querySelectorAll('.calculator :is(select, input)')]
        .map((one) => one.ariaLabel || one.labels[0].textContent.trim())"""
    )
    assert all(labels)
    assert len(set(labels)) == len(labels)
    before = result(tab, "samples")
    tab.evaluate("document.querySelector('[data-slider=task]').focus()")
    for _ in range(3):
        tab.press("ArrowRight")
    times = float(tab.evaluate("document.querySelector('[data-number=task]').value"))
    assert times > 1
    scaled = [times * value for value in before]
    assert result(tab, "samples") == pytest.approx(scaled, rel=1e-9)
    tab.evaluate("document.querySelector('[data-slider=horizon]').focus()")
    tab.press("ArrowRight")
    assert float(tab.evaluate("document.querySelector('[data-number=horizon]').value")) > 7
    assert result(tab, "samples")[0] > scaled[0]


@pytest.mark.slow
def test_what_the_runs_do_not_determine_is_said_in_place_of_numbers(tab, tmp_path):
    found = entries("dense")
    found["horizon_law"] = [usable(found)]
    for number_of, one in enumerate(found["horizon_law"][0]["bands"]["without_seed"]):
        one["b"] *= 4.0**number_of
    page = write_page(tmp_path / "page.html", calculator(found))
    tab.open(page, 1280)
    choose(tab, horizon=31)
    for name in ("samples", "flops", "product"):
        assert text(tab, name) == NOT_DETERMINED
    choose(tab, horizon=1)
    assert "[" in text(tab, "samples")


@pytest.mark.slow
def test_numbers_are_written_as_on_the_rest_of_the_page(tab, paths):
    values = [1, 0.0123, 12.3456, 50_890, 999_499, 1e6, 1.234e9, 2.5e-4, 7.77e-12, 1000, 0.5, 0]
    tab.open(paths["dense"], 1280)
    found = tab.evaluate(f"{json.dumps(values)}.map(horizonCalculator.text)")
    assert found == [number(value) for value in values]

import ast
import math
from pathlib import Path

import pytest

import analysis
from analysis.page import wording


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.012345, "0.0123"),
        (50_890.0, "50,900"),
        (1.234e9, "1.23e+09"),
        (None, "unbounded"),
        (math.inf, "unbounded"),
        (0.0, "0"),
    ],
)
def test_numbers_have_three_figures(value, text):
    assert wording.number(value) == text


def test_errors_in_log_are_written_as_per_cent():
    assert wording.percent(math.log(1.25)) == "25%"
    assert wording.percent(math.log(9.9)) == "890%"
    assert wording.percent(math.log(2e3)) == "a factor of more than 10"


def test_an_interval_is_written_with_its_open_ends_or_said_to_be_absent():
    assert wording.interval((0.5, 12_345.0)) == "[0.5, 12,300]"
    assert wording.interval((None, 3.0)) == "[unbounded, 3]"
    assert wording.interval(None) == "(no interval)"
    entry = {"a": 2.0, "a_ci": [1.0, None], "b": 3.0}
    assert wording.with_interval(entry, "a") == "2 [1, unbounded]"
    assert wording.with_interval(entry, "b") == "3 (no interval)"


def brackets(source: str) -> list[str]:
    """The f-strings of a source that write two values between square brackets, or `unbounded`."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.JoinedStr):
            text = "".join(
                part.value if isinstance(part, ast.Constant) else "{}" for part in node.values
            )
            if "[{}, {}]" in text or "unbounded" in text:
                found.append(text)
    return found


def test_intervals_are_found_in_a_source():
    assert brackets('f"knee {a:.3g} [{low:.3g}, {high:.3g}]"') == ["knee {} [{}, {}]"]
    assert brackets('f"{name} is unbounded"') == ["{} is unbounded"]
    assert brackets('f"[{low}]" + str(values[0]) + "[a, b]"') == []


def test_no_module_but_this_one_writes_an_interval():
    """One rule for what is not determined: a module with its own format would not follow it."""
    folder = Path(analysis.__file__).parent
    found = {
        str(path.relative_to(folder)): texts
        for path in folder.rglob("*.py")
        if (texts := brackets(path.read_text()))
    }
    assert set(found) == {"page/wording.py"}, found


NOT = wording.NOT_DETERMINED


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        ({"g": 2.0, "g_ci": [1.0, 3.0]}, "2 [1, 3]"),
        ({"g": 2.0, "g_ci": [0.2, 3.0]}, NOT),
        ({"g": 2.0, "g_ci": [-1.0, 3.0]}, NOT),
        ({"g": 2.0, "g_ci": [None, 3.0]}, NOT),
        ({"g": 2.0}, NOT),
        (
            {"g": 2.0, "g_ci": [1.0, 3.0], "determined": {"g": False}},
            NOT,
        ),
        (
            {"g": 2.0, "g_ci": [0.1, 3.0], "needs": {"g": "about 12 seeds"}},
            f"{NOT} (needed: about 12 seeds)",
        ),
    ],
)
def test_a_number_that_the_runs_do_not_determine_is_not_printed(entry, text):
    assert wording.known(entry, "g") == text


@pytest.mark.parametrize(
    ("schedule", "text"),
    [
        ("dense", "a reward for each right answer"),
        ("revealed:0.25", "rewards for 1 right answer in 4"),
        ("periodic:16", "rewards paid every 16 steps"),
        ("streak:3", "rewards paid for 3 right answers in a row"),
        ("mine:2", "rewards by mine:2"),
    ],
)
def test_schedules_are_told_in_words(schedule, text):
    assert wording.in_words(schedule) == text

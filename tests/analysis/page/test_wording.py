import math

import pytest

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

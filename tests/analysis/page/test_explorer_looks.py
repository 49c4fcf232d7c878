"""The words and lines that the explorer's charts and its data share."""

import re

from analysis.figures import palette
from analysis.laws.regressors import REGRESSORS
from analysis.page.explorer_looks import AXES, LAWS, STATES


def test_every_regressor_of_a_law_can_be_an_axis():
    assert set(AXES) == {"h", *REGRESSORS}


def test_a_line_looks_as_its_words_say():
    names = {"blue": palette.BLUE, "orange": palette.VERMILION}
    for words, colour, dashes in LAWS.values():
        style, name = re.fullmatch(r"(solid|dashed) (\w+) line", words).groups()
        assert names[name] == colour
        assert (style == "solid") == (dashes[1] == 0)


def test_the_states_differ():
    assert len(set(STATES)) == 3

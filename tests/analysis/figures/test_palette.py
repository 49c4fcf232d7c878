"""The palette: colours that differ for readers who see no red or no green."""

import itertools

from analysis.figures import palette, theme

COLOURS = {name: value for name, value in vars(palette).items() if name.isupper()}


def seen_without_red(colour: str) -> tuple[float, float]:
    """Blue, and the sum of red and green: what someone without red cones tells apart, roughly."""
    red, green, blue = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    return 0.2 * red + 0.8 * green, blue


def test_every_two_colours_differ_without_red():
    assert len(COLOURS) == 8
    for one, other in itertools.combinations(COLOURS.values(), 2):
        ends = zip(seen_without_red(one), seen_without_red(other), strict=True)
        assert max(abs(a - b) for a, b in ends) > 0.06, (one, other)


def test_figures_have_the_same_colours():
    assert {name: getattr(theme, name) for name in COLOURS} == COLOURS

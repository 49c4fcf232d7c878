"""A section knows all of its sentences and figures."""

import pandas as pd

from analysis.figures import theme
from analysis.page.claims import Claim
from analysis.page.section import Detail, PlannedFigure, Section, triangles


def planned(name: str) -> PlannedFigure:
    def draw() -> theme.Drawn:
        return theme.single()[0], pd.DataFrame({"x": [1]})

    return PlannedFigure(name, "What it shows", draw)


def test_the_details_count_as_well():
    detail = Detail("More", [Claim("B.", False)], [planned("second")])
    section = Section("key", "Why?", [Claim("A.", True)], planned("first"), [detail])
    assert [claim.text for claim in section.claims] == ["A.", "B."]
    assert [figure.name for figure in section.figures] == ["first", "second"]
    assert Section("key", "Why?").figures == []


def test_a_figure_is_saved_under_its_name(tmp_path):
    planned("drawn").save(tmp_path)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["drawn.csv", "drawn.png", "drawn.svg"]


def test_a_caption_names_censored_runs_only_where_there_are_some():
    runs = pd.DataFrame({"censored": [False, True]})
    assert triangles(runs, "lower bounds") == "; open triangles: lower bounds"
    assert triangles(runs[:1], "lower bounds") == ""

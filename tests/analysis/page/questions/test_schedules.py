"""The section on schedules says what each costs over dense rewards, and by which law."""

from dataclasses import replace

import pytest

from analysis.laws import Fits
from analysis.page.questions import schedules
from tests.analysis.page.questions.contents import content_of, names
from tests.analysis.sparse_runs import censored_crossings, censored_law


@pytest.fixture(scope="module", name="section")
def _section():
    table = censored_crossings()
    (section,) = schedules.sections(content_of(table, joint_law=Fits((censored_law(),))))
    return section


def test_the_first_sentence_is_the_cost_of_each_schedule_without_a_law(section):
    cost = section.answers[0]
    assert cost.about == "schedule_cost"
    assert "dense" not in cost.numbers
    sparse, ends = cost.numbers["revealed:0.25"]
    assert ends[0] < sparse < ends[1]
    assert sparse > 1.5


def test_every_figure_of_the_law_is_planned_and_can_be_drawn(section, tmp_path):
    assert names(section) == ["interactions_heat_map", "collapse", "departures"]
    for figure in section.figures:
        figure.save(tmp_path)
    assert len(list(tmp_path.glob("*.svg"))) == 3


def test_without_departures_their_figure_is_absent():
    bare = replace(censored_law(), departures=())
    (section,) = schedules.sections(content_of(censored_crossings(), joint_law=Fits((bare,))))
    assert names(section) == ["interactions_heat_map", "collapse"]


def test_one_schedule_has_no_section():
    table = censored_crossings()
    assert not list(schedules.sections(content_of(table[table["schedule"] == "dense"])))

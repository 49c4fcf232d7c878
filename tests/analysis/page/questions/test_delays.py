"""The section on delays has each delay's best horizon; a longer one is not said to cost more."""

import numpy as np
import pandas as pd
import pytest

from analysis.laws import Fits, fit_schedule_laws
from analysis.laws.delay import fit_delay_laws
from analysis.page.questions import delays
from tests.analysis.page.questions.contents import content_of, names
from tests.analysis.sparse_runs import TRUTH, crossings

SCHEDULES = ("dense", "periodic:4", "periodic:16")


@pytest.fixture(scope="module", name="table")
def _table() -> pd.DataFrame:
    return crossings(TRUTH, np.random.default_rng(0), schedules=SCHEDULES)


def test_each_delay_answers_and_one_figure_shows_them_together(table):
    laws = {"delay_law": fit_delay_laws(table), "joint_law": fit_schedule_laws(table, False)}
    (section,) = delays.sections(content_of(table, **laws))
    assert [claim.about for claim in section.answers] == ["best_horizon"] * 2
    assert "every 4 steps" in section.answers[0].text
    assert "every 16 steps" in section.answers[1].text
    assert not any("costs more" in claim.text for claim in section.claims)
    assert names(section)[0] == "interactions_by_delay"
    assert "interactions_under_delay-synthetic-periodic-4" in names(section)


def test_a_single_delay_has_its_own_figure_first(table, tmp_path):
    alone = table[(table["schedule"] == "periodic") & (table["schedule_level"] == 4)]
    (section,) = delays.sections(content_of(alone, delay_law=fit_delay_laws(alone)))
    assert names(section) == ["interactions_under_delay"]
    section.figures[0].save(tmp_path)
    assert len(pd.read_csv(tmp_path / "interactions_under_delay.csv")) > 24


def test_without_a_delay_there_is_no_section(table):
    dense = table[table["schedule"] == "dense"]
    assert not list(delays.sections(content_of(dense, delay_law=Fits())))

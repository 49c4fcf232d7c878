"""The section on the horizon speaks of rewards without a delay, the main width first."""

import numpy as np
import pandas as pd
import pytest

from analysis.laws import fit_horizon_laws
from analysis.laws.synthetic import HorizonTruth
from analysis.page.questions import horizons
from tests.analysis.horizon_runs import table_of
from tests.analysis.page.questions.contents import content_of, names

HORIZONS = np.array([1.0, 7, 31, 127])


@pytest.fixture(scope="module", name="table")
def _table() -> pd.DataFrame:
    truth = HorizonTruth(knee=15.0)
    rng = np.random.default_rng(0)
    return table_of(rng, truth, widths=(8, 64), horizons=HORIZONS).assign(
        parameters=lambda rows: 100 * rows["width"], network="mlp", algorithm="vpg", score=0.5
    )


@pytest.fixture(scope="module", name="section")
def _section(table):
    (section,) = horizons.sections(content_of(table, horizon_law=fit_horizon_laws(table)))
    return section


def test_the_main_width_answers_first_then_all_widths(section):
    first, second = section.answers
    assert first.about == second.about == "cost"
    assert first.verdict == "more"
    assert "idth 64, return 0.7" in first.text
    assert "ll widths, return 0.7" in second.text


def test_figures_and_numbers_are_of_these_runs(section, tmp_path):
    assert names(section) == ["interactions_against_horizon", "multiplier_against_horizon"]
    section.figures[0].save(tmp_path)
    drawn = pd.read_csv(tmp_path / "interactions_against_horizon.csv")
    assert (drawn["what"] == "run").sum() == 4 * len(HORIZONS)
    (table,) = section.details[-1].tables
    assert [row[1] for row in table.rows] == ["8", "64", "all"]


def test_other_families_are_folded_and_delays_are_not_here(table):
    others = [
        table.assign(run_id=kind + table["run_id"], schedule=kind, schedule_level=level)
        for kind, level in (("revealed", 0.25), ("periodic", 4.0))
    ]
    every = pd.concat([table, *others], ignore_index=True)
    (section,) = horizons.sections(content_of(every, horizon_law=fit_horizon_laws(every)))
    titles = [detail.title for detail in section.details]
    assert sum("revealed:0.25" in title for title in titles) == 1
    assert not any("periodic" in title for title in titles)
    assert "interactions_against_horizon-synthetic-revealed-0.25" in names(section)


def test_one_horizon_or_delays_alone_have_no_section(table):
    short = table[table["horizon"] == 1]
    assert not list(horizons.sections(content_of(short)))
    delayed = table.assign(schedule="periodic", schedule_level=4.0)
    assert not list(horizons.sections(content_of(delayed)))

"""Learning curves are there of every family, and it is counted who reaches what."""

import pandas as pd

from analysis.data import measure
from analysis.laws import AllFits
from analysis.page.content import Content
from analysis.page.questions import curves
from mnist_horizon.results import Results
from tests.analysis.page.questions.contents import names
from tests.analysis.report_sweeps import SMALL, sweep_frame


def content(frame: pd.DataFrame, unfinished: frozenset[str] = frozenset()) -> Content:
    return Content.of(measure(Results(frame, (), unfinished)), AllFits())


def test_one_family_has_its_curves_by_horizon_first():
    (section,) = curves.sections(content(sweep_frame(SMALL)))
    assert names(section) == [
        *("return_by_horizon", "return_against_interactions", "return_against_compute"),
        "entropy_and_divergence",
    ]
    assert not section.is_result
    (claim,) = section.answers
    assert "6 of 6 runs reach 0.5" in claim.text


def test_several_families_have_a_panel_each(tmp_path):
    frame = sweep_frame(SMALL)
    sparse = frame.assign(run_id="a-" + frame["run_id"], schedule="revealed", schedule_level=0.25)
    (section,) = curves.sections(content(pd.concat([frame, sparse], ignore_index=True)))
    assert section.figure is not None
    section.figure.save(tmp_path)
    table = pd.read_csv(tmp_path / "return_by_family.csv")
    assert set(table["family"]) == {"digits, dense", "digits, revealed:0.25"}
    assert names(section)[1] == "return_by_horizon"


def test_unfinished_runs_are_named():
    frame = sweep_frame(SMALL)
    run = frame["run_id"].iloc[0]
    (section,) = curves.sections(content(frame, frozenset({run})))
    assert "faded: runs that are not done" in section.figure.caption
    (section,) = curves.sections(content(frame))
    assert "faded" not in section.figure.caption


def test_runs_of_one_row_have_no_curves():
    frame = sweep_frame(SMALL).groupby("run_id").tail(1)
    assert not list(curves.sections(content(frame)))

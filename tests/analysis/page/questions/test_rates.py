"""The section on learning rates says where the best one is the outermost of those tried."""

import pandas as pd

from analysis.data import measure
from analysis.laws import AllFits
from analysis.page.content import Content
from analysis.page.questions import rates
from mnist_horizon.results import Results
from tests.analysis.page.questions.contents import names
from tests.analysis.report_sweeps import SMALL, sweep_frame, two_rates


def sections(frame: pd.DataFrame):
    return list(rates.sections(Content.of(measure(Results(frame, (), frozenset())), AllFits())))


def test_a_best_rate_at_the_edge_is_not_shown_to_be_the_best():
    (section,) = sections(two_rates(sweep_frame(SMALL)))
    (claim,) = section.answers
    assert (claim.decided, claim.verdict) == (False, "edge")
    assert "at 3 of 3 pairs" in claim.text
    assert names(section) == ["learning_rate_rule"]


def test_a_best_rate_inside_is_said_to_be():
    frame = two_rates(sweep_frame(SMALL))
    low = frame[frame["learning_rate"] == 3e-3].assign(learning_rate=3e-4)
    low["run_id"] += "-c"
    (section,) = sections(pd.concat([frame, low], ignore_index=True))
    assert (section.answers[0].decided, section.answers[0].verdict) == (True, "inside")


def test_one_rate_has_no_section():
    assert sections(sweep_frame(SMALL)) == []

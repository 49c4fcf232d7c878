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


def three_rates(factor: float) -> pd.DataFrame:
    """Runs at x 0.7 and x 1.4 of a rate that need a factor more interactions."""
    frame = sweep_frame(SMALL)
    parts = [frame.assign(learning_rate=1e-3)]
    for rate in (0.7e-3, 1.4e-3):
        part = frame.assign(learning_rate=rate, interactions=frame["interactions"] * factor)
        parts.append(part.assign(run_id=part["run_id"] + f"-{rate}"))
    return pd.concat(parts, ignore_index=True)


def test_a_rate_that_costs_nothing_is_flat_and_one_that_costs_a_fifth_is_steep():
    for factor, verdict in ((1.02, "flat"), (1.2, "steep")):
        (section,) = sections(three_rates(factor))
        claim = section.answers[1]
        assert (claim.about, claim.verdict, claim.decided) == ("flatness", verdict, True)
        assert "Rates x 0.7 and x 1.4 of the middle one" in claim.text
        change, ends = claim.numbers["largest_change"]
        assert abs(change - (factor - 1)) < 0.005
        assert ends is not None
        (table,) = section.details[0].tables
        assert {row[-1] for row in table.rows} <= {"yes" if verdict == "flat" else "no", ""}


def test_one_rate_has_no_section():
    assert sections(sweep_frame(SMALL)) == []

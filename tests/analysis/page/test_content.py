"""Which runs a page speaks of first."""

import numpy as np
import pandas as pd

from analysis.data import families, measure
from analysis.laws import AllFits, fit_horizon_laws
from analysis.page.content import Content, first_family, main_threshold, main_width
from mnist_horizon.results import Results
from tests.analysis.report_sweeps import SMALL, sweep_frame


def reached(column: str, shares: dict[float, float]) -> pd.DataFrame:
    parts = [
        pd.DataFrame({column: value, "censored": np.arange(10) >= 10 * share})
        for value, share in shares.items()
    ]
    return pd.concat(parts)


def test_the_main_width_is_the_largest_of_those_with_most_runs_that_reach():
    assert main_width(reached("width", {8: 0.5, 32: 1.0, 128: 1.0})) == 128
    assert main_width(reached("width", {8: 0.5, 32: 1.0, 128: 0.9})) == 32


def test_the_main_threshold_is_the_middle_of_those_that_most_runs_reach():
    assert main_threshold(reached("threshold", {0.5: 1.0, 0.7: 1.0, 0.85: 1.0})) == 0.7
    assert main_threshold(reached("threshold", {0.5: 1.0, 0.7: 0.9, 0.85: 0.5})) == 0.7
    assert main_threshold(reached("threshold", {0.5: 0.4, 0.7: 0.2, 0.85: 0.0})) == 0.5


def two_schedules() -> Content:
    frame = sweep_frame(SMALL)
    sparse = frame.assign(run_id="a-" + frame["run_id"], schedule="periodic", schedule_level=4.0)
    measured = measure(Results(pd.concat([sparse, frame], ignore_index=True), (), frozenset()))
    laws = fit_horizon_laws(measured.crossings, profiles=False).entries
    return Content.of(measured, AllFits({"horizon_law": laws}))


def test_dense_rewards_come_first_of_families_with_as_many_runs():
    content = two_schedules()
    assert content.main.settings["schedule"] == "dense"
    assert first_family(families(content.measured.frame)).settings["schedule"] == "dense"
    assert [one.settings["schedule"] for one in content.delayed()] == ["periodic"]
    assert [one.settings["schedule"] for one in content.without_delay()] == ["dense"]


def test_entries_are_of_the_family_and_the_main_threshold_comes_first():
    content = two_schedules()
    found = content.at_width("horizon_law")
    assert {entry["group"]["schedule"] for entry in found} == {"dense"}
    assert found[0]["threshold"] == content.threshold
    assert {entry["group"]["width"] for entry in found} == {content.width}
    assert content.varies("schedule")
    assert not content.varies("width")

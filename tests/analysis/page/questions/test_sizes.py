"""The section on size says whether the horizon, or the schedule, changes the exponents."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from analysis.data import measure
from analysis.laws import AllFits, fit_best_sizes, fit_power_laws, fit_size_exponents
from analysis.laws.power.equality import compare_exponents
from analysis.page.content import Content
from analysis.page.questions import sizes
from mnist_horizon.results import Results
from tests.analysis.page.questions.contents import content_of, names
from tests.analysis.power_runs import simulate
from tests.analysis.sparse_runs import two_widths


@pytest.fixture(scope="module", name="content")
def _content() -> Content:
    rng = np.random.default_rng(0)
    frame = pd.concat([simulate(rng, horizon=h) for h in (1.0, 7.0)], ignore_index=True)
    frame = frame.assign(network="mlp", algorithm="vpg", width=frame["parameters"] // 1000)
    measured = measure(Results(frame, (), frozenset()))
    laws = fit_power_laws(measured.curves).entries
    best = fit_best_sizes(measured.curves).entries
    return Content.of(measured, AllFits({"power_law": laws, "best_sizes": best}))


def test_the_power_law_answers_with_its_figures(content):
    (section,) = sizes.sections(content)
    (answer,) = section.answers
    assert answer.about == "exponent_change"
    assert names(section)[0] == "exponents_against_horizon"
    assert "The best size, measured" in [detail.title for detail in section.details]
    assert "residuals_by_size" in names(section)
    assert "optimal_size_against_compute" in names(section)
    every = section.details[-1].tables[0]
    assert {row[1] for row in every.rows} == {"1", "7", "all, shared"}


def test_equal_exponents_answer_where_they_are_decided(content):
    laws = content.fits["power_law"]
    (found,) = compare_exponents([replace(one, misfit=None) for one in laws if one_horizon(one)])
    close = {"alpha_n": 0.05, "alpha_e": 0.05, "optimal_size_exponent": 0.05}
    entry = {**found.to_json(), "verdict": "equal", "reason": "", "within": close}
    entries = {**content.entries, "exponent_equality": [entry]}
    fits = AllFits({"power_law": laws, "exponent_equality": (found,)})
    places = content.families, content.width, content.threshold
    (section,) = sizes.sections(Content(content.measured, fits, entries, *places))
    (answer,) = section.answers
    assert (answer.about, answer.verdict) == ("equal_over_horizons", "equal")
    assert "exponent_changes" in names(section)
    assert "Equal exponents" in [detail.title for detail in section.details]
    open_ = {**entry, "verdict": "undecided", "reason": "wide"}
    entries = {**content.entries, "exponent_equality": [open_]}
    (section,) = sizes.sections(Content(content.measured, fits, entries, *places))
    assert section.answers[0].about == "exponent_change"
    assert not any(one.decided for one in section.claims if one.about == "equal_over_horizons")


def one_horizon(law) -> bool:
    return hasattr(law, "misfit")


def test_what_is_not_determined_has_no_figure_in_front(content):
    laws = [law for law in content.fits["power_law"] if law.compute == "NE"][:1]
    entries = {
        "power_law": [{**laws[0].to_json(), "determined": {"alpha_n": False, "alpha_e": False}}]
    }
    few = Content(
        content.measured,
        AllFits({"power_law": tuple(laws)}),
        entries,
        content.families,
        content.width,
        content.threshold,
    )
    (section,) = sizes.sections(few)
    assert section.figure is None
    assert "exponents_against_horizon" in names(section)


def test_schedules_have_a_section_of_their_own():
    table = two_widths()
    found = fit_size_exponents(table)
    (section,) = sizes.sections(content_of(table, size_exponents=found))
    assert section.key == "size-by-schedule"
    assert names(section) == ["size_exponent_by_schedule"]
    assert {claim.about for claim in section.claims} == {"size_exponent", "size_change"}


def test_without_laws_there_is_no_section():
    assert not list(sizes.sections(content_of(two_widths())))

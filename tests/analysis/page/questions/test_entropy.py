"""The section on entropy is there where runs have a course."""

import numpy as np

from analysis.data import measure
from analysis.laws import AllFits, fit_entropy_courses
from analysis.page.content import Content
from analysis.page.questions import entropy
from mnist_horizon.results import Results
from tests.analysis.entropy_runs import entropy_runs, linear
from tests.analysis.page.questions.contents import names


def content(fall) -> Content:
    frame = entropy_runs(fall, np.random.default_rng(0)).assign(
        flops_per_interaction=1.0, discount=0.0
    )
    measured = measure(Results(frame, (), frozenset()))
    laws = fit_entropy_courses(measured.curves).entries
    return Content.of(measured, AllFits({"entropy_course": laws}))


def test_a_course_has_a_section_with_its_figure():
    (section,) = entropy.sections(content(linear))
    assert [claim.about for claim in section.claims] == ["entropy_course", "kl_course", "roughness"]
    assert names(section) == ["entropy_course"]


def test_without_a_fall_there_is_none():
    assert not list(entropy.sections(content(lambda share: np.ones_like(share))))

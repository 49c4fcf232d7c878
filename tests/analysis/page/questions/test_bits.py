"""The section on bits is there where several schedules reach a return."""

import numpy as np

from analysis.data import measure
from analysis.laws import AllFits, fit_bits_laws
from analysis.page.content import Content
from analysis.page.questions import bits
from mnist_horizon.results import Results
from tests.analysis.bits_runs import bits_runs
from tests.analysis.page.questions.contents import names


def content(frame) -> Content:
    measured = measure(Results(frame, (), frozenset()))
    return Content.of(measured, AllFits({"bits_law": fit_bits_laws(measured.curves).entries}))


def test_the_main_width_answers_with_its_figure():
    frame = bits_runs("steps", np.random.default_rng(0))
    (section,) = bits.sections(content(frame))
    assert section.answers[0].verdict == "noise"
    assert names(section) == ["interactions_against_bits"]
    assert len(section.details[0].claims) == 1  # the other return


def test_one_schedule_has_no_section():
    frame = bits_runs("steps", np.random.default_rng(0))
    assert not list(bits.sections(content(frame[frame["schedule"] == "dense"])))

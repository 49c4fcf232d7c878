"""The section on gradient noise sets what was measured against the closed forms."""

from analysis.data import measure
from analysis.laws import AllFits
from analysis.page.content import Content
from analysis.page.questions import noise
from mnist_horizon.results import Results
from tests.analysis.page.questions.contents import names
from tests.analysis.report_sweeps import SMALL, noise_rows, sweep_frame


def sections(rows=None):
    frame = sweep_frame(SMALL)
    rows = noise_rows(frame, (0, 5)) if rows is None else rows
    measured = measure(Results(frame, (), frozenset()), Results(rows, (), frozenset()))
    return list(noise.sections(Content.of(measured, AllFits())))


def test_the_first_sentence_compares_the_total(tmp_path):
    (section,) = sections()
    assert section.answers[0].text.startswith("The total variance of a step's gradient")
    assert names(section) == ["gradient_variance", "gradient_noise_scale"]


def test_without_a_signal_there_is_no_noise_scale():
    (section,) = sections(noise_rows(sweep_frame(SMALL), (0, 5)).assign(signal=-1.0))
    assert names(section) == ["gradient_variance"]


def test_without_measurements_there_is_no_section():
    assert sections(noise_rows(sweep_frame(SMALL), (0, 5))[:0]) == []

"""The section on shapes is there where curves are long enough, of every family that has such."""

import numpy as np
import pandas as pd

from analysis.data import measure
from analysis.laws import AllFits, fit_curve_shapes
from analysis.page.content import Content
from analysis.page.questions import curve_shapes
from mnist_horizon.results import Results
from tests.analysis.curve_runs import curve_frame, power, sigmoid
from tests.analysis.page.questions.contents import names


def content(frame: pd.DataFrame) -> Content:
    measured = measure(Results(frame, (), frozenset()))
    return Content.of(measured, AllFits({"curve_shapes": fit_curve_shapes(frame).entries}))


def made(**settings) -> pd.DataFrame:
    return curve_frame(sigmoid, np.random.default_rng(0), horizons=(1.0, 7.0), **settings)


def test_one_family_has_one_sentence_one_figure_and_a_table():
    (section,) = curve_shapes.sections(content(made()))
    (answer,) = section.answers
    assert answer.about == "curve_shapes"
    assert answer.text.startswith("From the first quarter")
    assert names(section) == ["curve_shapes"]
    assert not section.is_result
    (detail,) = section.details
    assert [claim.about for claim in detail.claims] == ["curve_fits"]
    assert len(detail.tables[0].rows) == 4


def test_several_families_are_named(tmp_path):
    supervised = curve_frame(power, np.random.default_rng(1), algorithm="supervised")
    frame = pd.concat([made(), supervised], ignore_index=True)
    (section,) = curve_shapes.sections(content(frame))
    assert section.answers[0].text.startswith("made, dense, algorithm vpg: from the first")
    assert [detail.title for detail in section.details[1:]] == ["made, dense, algorithm supervised"]
    rows = section.details[0].tables[0].rows
    assert [row[0].rpartition(" ")[2] for row in rows] == ["vpg"] * 4 + ["supervised"] * 4
    section.figure.save(tmp_path)
    assert [path.stem for path in tmp_path.glob("*.svg")] == names(section)


def test_a_family_alone_in_having_curves_is_named():
    short = curve_frame(power, np.random.default_rng(1), algorithm="supervised")
    short = short[short["interactions"] <= 2e3]
    (section,) = curve_shapes.sections(content(pd.concat([made(), short], ignore_index=True)))
    assert "algorithm vpg: from the first" in section.answers[0].text
    assert len(section.details) == 1


def test_without_long_curves_there_is_no_section():
    short = made()
    assert not list(curve_shapes.sections(content(short[short["interactions"] <= 2e3])))

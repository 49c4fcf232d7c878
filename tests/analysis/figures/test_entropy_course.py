"""The figure of entropy draws the courses and the error of each form."""

import numpy as np

from analysis.figures.entropy_course import LABELS, entropy_course
from analysis.laws.entropy_course import fit_entropy_courses
from tests.analysis.drawings import lines
from tests.analysis.entropy_runs import entropy_runs, linear


def test_courses_and_errors_are_those_of_the_law():
    (law,) = fit_entropy_courses(entropy_runs(linear, np.random.default_rng(0))).entries
    figure, table = entropy_course(law)
    assert len(list(lines(figure, "course"))) == 4  # two horizons, against E and against sqrt KL
    errors = table.dropna(subset=["form"]).set_index("form")["error"]
    assert set(errors.index) == set(LABELS)
    for name, value in errors.items():
        assert value == law.quantities[name].value
    axis = figure.axes[2]
    drawn = sorted(float(bars.lines[0].get_xdata()[0]) for bars in axis.containers)
    assert drawn == sorted(errors)

"""The figure of a delay."""

import numpy as np
import pytest

from analysis.figures import delay
from analysis.laws.delay import fit_delay_laws
from tests.analysis.drawings import artists, drawn, lines, tabled
from tests.analysis.sparse_runs import TRUTH, crossings


def labels(figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


@pytest.fixture(name="rows")
def _rows():
    return crossings(TRUTH, np.random.default_rng(0), schedules=("periodic:4",))


def test_a_delay_is_drawn_with_its_theory_and_best_horizon(rows):
    laws = fit_delay_laws(rows).entries
    figure, table = delay.interactions_against_horizon(rows, laws)
    points = tabled(rows, "horizon", "interactions")
    np.testing.assert_allclose(drawn(figure, "run"), points)
    curve = table[table["what"] == "theory"]
    np.testing.assert_allclose(drawn(figure, "theory"), tabled(curve, "horizon", "interactions"))
    (best,) = lines(figure, "best")
    assert best.get_xdata()[0] == laws[0].best.value.value
    assert len(artists(figure, "best_ci")) == 1
    assert labels(figure) == [
        "theory of the gradient's noise",
        "best horizon by a cubic, 95% interval",
        "a run",
        "mean over seeds, 95% interval",
    ]


def test_what_does_not_hold_is_not_drawn_nor_named(rows):
    rows["interactions"] *= np.where(rows["horizon"] == 15, 2.0, 1.0)
    rows = rows[rows["horizon"] > 3]
    laws = fit_delay_laws(rows).entries
    figure, table = delay.interactions_against_horizon(rows, laws)
    assert laws[0].best.edge == "shortest"
    assert set(table["what"]) == {"run", "average"}
    assert labels(figure) == ["a run", "mean over seeds, 95% interval"]
    empty, _ = delay.interactions_against_horizon(rows, [])
    assert not list(lines(empty, "theory"))

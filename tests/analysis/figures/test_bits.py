"""The figure of bits draws every schedule and horizon."""

import numpy as np

from analysis.figures.bits import interactions_against_bits
from analysis.laws.bits import fit_bits_laws
from tests.analysis.bits_runs import SCHEDULES, bits_runs
from tests.analysis.drawings import drawn


def test_points_are_means_over_seeds_and_lie_on_the_line_where_bits_are_the_same():
    law = fit_bits_laws(bits_runs("bits", np.random.default_rng(0), noise=0.0)).entries[0]
    figure, table = interactions_against_bits(law)
    assert len(table) == 2 * len(SCHEDULES)
    assert len(drawn(figure, "runs")) == 2 * len(table)  # in both panels
    np.testing.assert_allclose(
        table["interactions"], table["line_bits"] / table["bits_each"], rtol=0.1
    )

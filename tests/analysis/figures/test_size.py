import numpy as np

from analysis.figures.size import ratio_by_size, size_exponent_by_schedule
from analysis.laws.ratio_by_size import fit_ratios_by_size
from analysis.laws.size import fit_size_exponents
from tests.analysis.drawings import drawn
from tests.analysis.laws.test_ratio_by_size import table as ratio_table
from tests.analysis.sparse_runs import FIVE_SCHEDULES, two_widths


def test_each_schedule_is_drawn_with_its_exponent_and_interval():
    exponents = fit_size_exponents(two_widths()).entries
    figure, table = size_exponent_by_schedule(exponents)
    assert len(table) == len(FIVE_SCHEDULES)
    found = {one.schedule: one.quantities["exponent"] for one in exponents}
    for row in table.itertuples():
        assert row.exponent == found[row.schedule].value
        assert (row.low, row.high) == found[row.schedule].interval
    (axis,) = figure.axes
    (bars,) = axis.containers
    known = table[table["determined"]]
    assert 0 < len(known) < len(table)  # that of streaks is 0
    assert bars.lines[0].get_xdata().tolist() == known["exponent"].tolist()
    assert (
        drawn(figure, "open")[:, 0].tolist() == table.loc[~table["determined"], "exponent"].tolist()
    )
    assert [label.get_text() for label in axis.get_yticklabels()] == table["schedule"].tolist()


def test_ratios_are_drawn_by_size_with_the_power_that_was_fitted():
    laws = fit_ratios_by_size(ratio_table(0.1)).entries
    figure, table = ratio_by_size(laws)
    assert set(table["pair"]) == {"h = 31 over h = 1", "h = 1 over supervised"}
    (axis,) = figure.axes
    heights = np.concatenate([bars.lines[0].get_ydata() for bars in axis.containers])
    assert sorted(heights) == sorted(table["value"])
    np.testing.assert_allclose(np.sort(drawn(figure, "fitted")[:, 1]), np.sort(table["fitted"]))

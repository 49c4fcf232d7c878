from analysis.figures.size import size_exponent_by_schedule
from analysis.laws.size import fit_size_exponents
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
    assert bars.lines[0].get_xdata().tolist() == table["exponent"].tolist()
    assert [label.get_text() for label in axis.get_yticklabels()] == table["schedule"].tolist()

import numpy as np

from analysis.figures.batch import interactions_by_batch
from analysis.laws.batch import fit_batch_laws
from tests.analysis.drawings import lines
from tests.analysis.horizon_runs import over_batches


def test_runs_and_law_of_each_batch_are_drawn():
    table = over_batches(np.random.default_rng(0), 0.05, (128, 512, 2048))
    table["censored"] = (table["batch"] == 2048) & (table["horizon"] == 127)
    (law,) = fit_batch_laws(table).entries
    figure, numbers = interactions_by_batch(table, [law])
    measured = numbers[numbers["what"] == "measured"]
    assert len(measured) == 3 * 4
    cell = measured[(measured["batch"] == 512) & (measured["horizon"] == 7)].iloc[0]
    runs = table[(table["batch"] == 512) & (table["horizon"] == 7)]
    assert np.isclose(cell["interactions"], np.exp(np.log(runs["interactions"]).mean()))
    curves = list(lines(figure, "law"))
    assert len(curves) == 3
    for curve, (batch, rows) in zip(
        curves, numbers[numbers["what"] == "law"].groupby("batch"), strict=True
    ):
        np.testing.assert_allclose(curve.get_ydata(), rows["interactions"])
        np.testing.assert_allclose(rows["interactions"], law.predict(rows), err_msg=str(batch))
    assert [len(line.get_xdata()) for line in lines(figure, "censored")] == [1]

"""The figure's table holds what is drawn: the runs, the best policies and the differences."""

import numpy as np
import pandas as pd
import pytest

from analysis.data.frontier import gold_curves
from analysis.figures.early_stopping import gold_against_kl
from analysis.laws.early_stopping import fit_early_stopping
from tests.analysis.proxy_runs import frontiers_of, proxy_runs

FRAME = proxy_runs(np.random.default_rng(0), shift=0.05)


@pytest.mark.parametrize("has_frontier", [True, False])
def test_runs_best_policies_and_differences_are_drawn(has_frontier):
    frontier = frontiers_of(FRAME) if has_frontier else pd.DataFrame()
    (law,) = fit_early_stopping(gold_curves(FRAME, frontier)).entries
    figure, table = gold_against_kl(law, frontier)
    first, second, third = figure.axes
    # Proxy and gold, each with two best policies; then one curve and one end per coefficient.
    assert len([line for line in first.lines if len(line.get_xdata())]) == (
        6 if has_frontier else 2
    )
    assert len([line for line in second.lines if line.get_gid() == "end"]) == 3
    assert [text.get_text() for text in third.get_xticklabels()] == ["0.1", "0.5"]
    found = table[table["what"] == "difference"]
    assert found["gold"].to_numpy() == pytest.approx(0.05, abs=0.02)
    assert ((found["low"] < found["gold"]) & (found["gold"] < found["high"])).all()
    assert (table["what"] == "best").any() == has_frontier
    assert table[table["what"] == "runs"]["kl_coef"].nunique() == 3

"""What the best policies have at the KL of each row."""

import numpy as np
import pandas as pd
import pytest

from analysis.data.frontier import KINDS, gold_curves
from tests.analysis.proxy_runs import frontiers_of, gold_of, proxy_runs

FRAME = proxy_runs(np.random.default_rng(0), coefficients=(0.0, 0.5), seeds=2)


def test_each_row_has_what_the_best_policies_have_at_its_kl():
    rows = gold_curves(FRAME, frontiers_of(FRAME))
    assert len(rows) == len(FRAME)
    for kind, more in zip(KINDS, (0.0, 0.2, 0.05), strict=True):
        expected = gold_of(rows["kl_initial"].to_numpy()) + more
        np.testing.assert_allclose(rows[f"{kind}_gold"], expected, atol=2e-3)
    np.testing.assert_allclose(rows["best_of_n_proxy"] - rows["test_return"], 0.1, atol=5e-3)


def test_without_a_table_they_are_not_known_and_without_gold_there_is_no_row():
    rows = gold_curves(FRAME, pd.DataFrame())
    assert len(rows) == len(FRAME)
    assert rows["best_of_n_gold"].isna().all()
    assert gold_curves(FRAME.assign(test_gold=np.nan), pd.DataFrame()).empty
    assert gold_curves(FRAME.drop(columns="test_gold"), pd.DataFrame()).empty


def test_rows_of_another_sample_of_test_examples_are_left_out():
    last = FRAME.groupby("run_id")["interactions"].transform("max") == FRAME["interactions"]
    frame = FRAME.assign(test_examples=np.where(last, 10_000, 360))
    rows = gold_curves(frame, pd.DataFrame())
    assert len(rows) == len(FRAME) - FRAME["run_id"].nunique()
    assert rows["test_examples"].unique() == pytest.approx([360])

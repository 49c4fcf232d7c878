"""A sweep is read and measured once: every table is of the same runs."""

import pandas as pd
import pytest

from analysis.data import THRESHOLDS, measure, read
from mnist_horizon.results import NOISE_SCHEMA, Results, ResultsError, write_results
from tests.analysis.report_sweeps import SMALL, noise_rows, sweep_frame, two_rates, write_sweep


def test_curves_and_crossings_are_of_the_chosen_runs_and_all_crossings_of_every_run():
    frame = two_rates(sweep_frame(SMALL))
    measured = measure(Results(frame, ("a note",), frozenset({"run"})))
    chosen = set(measured.curves["run_id"])
    assert set(measured.crossings["run_id"]) == chosen
    assert len(chosen) == frame["run_id"].nunique() / 2
    assert len(measured.crossings) == len(THRESHOLDS) * len(chosen)
    assert len(measured.all_crossings) == len(THRESHOLDS) * frame["run_id"].nunique()
    assert len(measured.frame) == len(frame)
    assert measured.notes[0] == "a note"
    assert "learning rates 0.001, 0.003" in measured.notes[1]
    assert measured.unfinished == {"run"}
    assert measured.noise.empty


def test_a_sweep_is_read_with_its_noise_or_without(tmp_path):
    frame = sweep_frame(SMALL)
    workdir = write_sweep(tmp_path / "sweep", frame)
    assert read([workdir]).noise.empty
    rows = noise_rows(frame, rows=(0, 5))
    write_results(workdir / "noise" / "program.parquet", rows, NOISE_SCHEMA)
    measured = read([workdir])
    assert len(measured.noise) == len(rows)
    assert isinstance(measured.noise, pd.DataFrame)
    assert set(measured.crossings["threshold"]) == set(THRESHOLDS)


def test_nothing_to_read_is_said(tmp_path):
    with pytest.raises(ResultsError, match="no results to read"):
        read([tmp_path])

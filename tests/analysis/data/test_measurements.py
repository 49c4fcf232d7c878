"""A sweep is read and measured once: every table is of the same runs."""

import json

import numpy as np
import pandas as pd
import pytest

from analysis.data import THRESHOLDS, families, measure, read
from analysis.data.horizon_cost import COLUMN
from analysis.data.measurements import Measurements, thresholds_of
from analysis.laws import fit_horizon_laws
from mnist_horizon.results import (
    NOISE_SCHEMA,
    RUN_COLUMNS,
    SCHEMA,
    Results,
    ResultsError,
    write_results,
)
from tests.analysis.reference_runs import noise_of, sweep
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
    assert COLUMN not in measured.crossings
    write_results(
        workdir / "noise" / "program.parquet",
        rows.assign(fisher=3.0, score_variance=0.2),
        NOISE_SCHEMA,
    )
    costs = read([workdir]).crossings
    assert set(costs.loc[costs[COLUMN].notna(), "horizon"]) == {1.0}


def test_sweeps_that_differ_in_what_is_no_column_are_both_kept_and_never_mixed(tmp_path):
    """The ids of their runs are the same; `decay_interactions` stands in `settings` alone."""
    frame = sweep_frame(SMALL)
    workdirs = []
    for decay in (0, 100):
        settings = json.dumps({"optimizer": {"decay_interactions": decay, "name": "adam"}})
        rows = frame.assign(
            settings=settings, return_mean=frame["return_mean"] * (1 - decay / 2500)
        )
        workdirs.append(write_sweep(tmp_path / f"decay{decay}", rows))
    measured = read(workdirs)
    assert measured.frame["run_id"].nunique() == 2 * frame["run_id"].nunique()
    assert not any("read from another folder" in note for note in measured.notes)
    assert len(families(measured.frame)) == 2
    laws = fit_horizon_laws(measured.crossings, ("h-1",), profiles=False).entries
    assert len(laws) == 2 * len(THRESHOLDS)
    assert {law.runs for law in laws} == {frame["run_id"].nunique()}
    assert len({law.group["settings"] for law in laws}) == 2


def test_thresholds_are_those_of_the_directories_together(tmp_path):
    frame = sweep_frame(SMALL)
    plain, own = (write_sweep(tmp_path / name, frame) for name in ("plain", "own"))
    spec = json.loads((own / "sweep.json").read_text())
    (own / "sweep.json").write_text(json.dumps({**spec, "thresholds": [0.9, -2]}))
    assert thresholds_of([own]) == ((-2.0, 0.9), [])
    assert thresholds_of([own, plain, tmp_path]) == ((-2.0, 0.5, 0.7, 0.85, 0.9), [])
    assert set(read([own]).crossings["threshold"]) == {-2.0, 0.9}
    for bad in (["x"], [], [None], 0.5):
        (own / "sweep.json").write_text(json.dumps({"thresholds": bad}))
        thresholds, (note,) = thresholds_of([own])
        assert thresholds == THRESHOLDS
        assert "no numbers, not used" in note


def test_crossings_without_curves_have_a_row_without_a_return(tmp_path):
    frame = sweep_frame(SMALL)
    table = measure(Results(frame, ())).crossings.drop(columns=["score", "fell_back"])
    table = table.assign(interactions=table["interactions"] + 0.25)
    alone = measure(
        Results(SCHEMA.empty_table().to_pandas(), ()),
        thresholds=(0.5,),
        crossings=Results(table, ()),
    )
    assert alone.curves.empty
    assert len(alone.frame) == frame["run_id"].nunique() == len(alone.frame["run_id"].unique())
    assert alone.frame["return_mean"].isna().all()
    last = np.ceil(table.groupby("run_id")["interactions"].max())
    assert alone.frame.set_index("run_id")["interactions"].to_dict() == last.to_dict()
    assert len(alone.crossings) == len(table)
    assert alone.crossings["score"].nunique() == frame["run_id"].nunique()
    with_them = measure(Results(frame, ()))
    assert set(alone.crossings) >= set(with_them.crossings) - set(RUN_COLUMNS)


def test_nothing_to_read_is_said(tmp_path):
    with pytest.raises(ResultsError, match="no results to read"):
        read([tmp_path])


def test_crossings_with_noise_say_what_the_noise_of_actions_costs():
    table = sweep(np.random.default_rng(0), horizons=(1.0, 3.0))
    measured = Measurements(table, table[:0], table, table, noise_of(table))
    ratio = measured.crossings_with_noise["action_noise_ratio"]
    at_one = (table["algorithm"] == "vpg") & (table["horizon"] == 1)
    assert ratio.notna().tolist() == at_one.tolist()
    assert measured.crossings_with_noise.drop(columns="action_noise_ratio").equals(table)

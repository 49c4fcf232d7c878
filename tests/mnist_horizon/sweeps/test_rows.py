"""Rows hold what was measured and what their run has in all of them."""

import json

import pytest

from mnist_horizon import networks, results, tasks
from mnist_horizon.sweeps.rows import run_columns, table_rows
from tests.mnist_horizon.small_sweeps import all_runs, tiny


def test_a_run_has_every_column_that_is_not_measured() -> None:
    spec = tiny(entropy_coef=0.5, schedules=("periodic:2",), horizons=(3.0,), seeds=2)
    run = all_runs(spec)[1]
    columns = run_columns(spec, run, tasks.load("digits", {}).task)
    imported_only = {*results.READ_SCHEMA.names} - {*results.SCHEMA.names}
    assert {*columns} == {*results.RUN_COLUMNS} - imported_only
    assert (columns["schedule"], columns["schedule_level"]) == ("periodic", 2.0)
    assert (columns["width"], columns["seed"], columns["batch"]) == (4, 1, 64)
    assert columns["discount"] == 0.5
    assert columns["entropy_coef"] == pytest.approx(0.5 * (1 + 0.5) / 2), "s1 of the schedule"
    assert columns["parameters"] == networks.count_parameters(spec.network_spec(4), 10, (8, 8))
    settings = json.loads(columns["settings"])
    assert settings["entropy_coef"] == 0.5, "as it was given"
    assert json.dumps(settings, sort_keys=True) == columns["settings"]
    assert settings == json.loads(json.dumps(spec.fixed_settings()))


def test_rows_of_a_table_are_in_the_order_of_runs_and_interactions() -> None:
    runs = [{"run_id": name, **dict.fromkeys(results.RUN_COLUMNS[1:], 0)} for name in ("b", "a")]
    values = dict.fromkeys(results.MEASURED_COLUMNS, 0.5)
    measured = [
        {"run": run, **values, "interactions": interactions}
        for interactions in (128, 64)
        for run in (0, 1)
    ]
    rows = table_rows(measured, runs, results.SCHEMA)
    order = [(row["run_id"], row["interactions"]) for row in rows]
    assert order == [("a", 64), ("a", 128), ("b", 64), ("b", 128)]
    assert all(list(row) == results.SCHEMA.names for row in rows)

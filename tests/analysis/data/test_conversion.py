"""A foreign table becomes results by stated rules, or is refused in one line."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.data.conversion import Rules, convert, proposed_thresholds
from analysis.data.foreign import ForeignTable
from mnist_horizon.errors import InputError
from mnist_horizon.results import REQUIRED_COLUMNS
from tests.analysis.foreign_tables import COLUMNS, CROSSING_RULES, RULES, crossings, curves


def foreign(table: pd.DataFrame, **roles: str) -> ForeignTable:
    """A table as `read` gives it."""
    extra = {"file": "runs", "row": np.arange(1, len(table) + 1)}
    extra = {name: values for name, values in extra.items() if name not in table}
    return ForeignTable(table.assign(**extra), {}, roles, bool(roles))


def test_what_is_absent_is_filled_by_rules_that_are_told() -> None:
    frame, filled = convert(foreign(curves()), RULES)
    assert set(REQUIRED_COLUMNS) <= set(frame)
    assert frame["run_id"].nunique() == 9
    first = frame.iloc[0]
    assert first["run_id"] == "horizon=1,seed=0"
    assert (first["task"], first["network"], first["schedule"]) == ("maze", "", "dense")
    assert (first["width"], first["parameters"]) == (1000, 1000)
    assert first["flops_per_interaction"] == 6000
    assert not first["averaged"]
    assert frame["discount"].tolist() == (1 - 2 / (frame["horizon"] + 1)).tolist()
    assert filled["run_id"] == "horizon, seed"
    assert {"network", "schedule", "discount", "width", "averaged"} <= set(filled)
    assert not {"task", "seed", "horizon", "parameters"} & set(filled)
    assert (frame.groupby("run_id")["interactions"].diff().dropna() > 0).all()


def test_a_discount_gives_the_horizon_and_a_schedule_its_level() -> None:
    table = curves().drop(columns="h").assign(gamma=0.5, reward="periodic:4")
    columns = {**COLUMNS, "discount": "gamma", "schedule": "reward"}
    del columns["horizon"]
    frame, _ = convert(foreign(table.iloc[:16]), replace(RULES, columns=columns))
    assert frame["horizon"].unique().tolist() == [3.0]
    assert set(zip(frame["schedule"], frame["schedule_level"], strict=True)) == {("periodic", 4.0)}


def test_seeds_are_numbered_among_runs_that_agree_in_all_else() -> None:
    table = curves(horizons=(1, 9), seeds=2)
    name = "h" + table["h"].astype(str) + "-" + table["seed"].map({0: "x", 1: "y"})
    table = table.drop(columns="seed").assign(name=name)
    rules = replace(RULES, columns={**COLUMNS, "run_id": "name"})
    frame, filled = convert(foreign(table), rules)
    seeds = frame.groupby("run_id")["seed"].first()
    assert seeds.to_dict() == {"h1-x": 0, "h1-y": 1, "h9-x": 0, "h9-y": 1}
    assert "seed" in filled


def test_other_columns_become_settings_so_that_groups_are_kept_apart() -> None:
    table = pd.concat([curves().assign(data=name) for name in ("web", "books")])
    rules = replace(RULES, settings=["data"])
    frame, _ = convert(foreign(table.reset_index(drop=True)), rules)
    assert {json.loads(text)["data"] for text in frame["settings"]} == {"web", "books"}
    assert frame["run_id"].nunique() == 18
    with pytest.raises(InputError, match="has several rows at interactions"):
        convert(foreign(table.reset_index(drop=True)), RULES)


def test_factors_signs_and_rounded_millions() -> None:
    table = curves(horizons=(1,), seeds=1)
    table["frames"] = table["frames"] / 1e6
    rules = replace(RULES, factors={"interactions": 1e6}, lower_is_better=True)
    frame, _ = convert(foreign(table), rules)
    assert frame["interactions"].tolist() == curves((1,), 1)["frames"].tolist()
    assert np.allclose(frame["return_mean"], -table["episode return"])


def test_steps_at_which_a_series_was_not_logged_are_no_rows_of_it() -> None:
    table = pd.DataFrame({"run": "a", "step": [1, 2, 3], "return": [0.1, np.nan, 0.3]})
    roles = {"run_id": "run", "interactions": "step", "return_mean": "return"}
    rules = Rules(values={"parameters": "10", "horizon": "1"})
    frame, _ = convert(foreign(table, **roles), rules)
    assert frame["interactions"].tolist() == [1, 3]
    with pytest.raises(InputError, match="return_mean: row 2 is empty"):
        convert(ForeignTable(foreign(table).table, {}, roles), rules)


def test_crossings_keep_what_was_censored() -> None:
    frame, filled = convert(foreign(crossings()), CROSSING_RULES)
    assert frame["censored"].sum() == 1
    assert frame["run_id"].nunique() == 9
    assert "censored" not in filled
    columns = {"horizon": "h", "interactions": "steps", "threshold": "score"}
    bare = replace(CROSSING_RULES, columns=columns)
    table = crossings().drop(columns="seed")
    frame, filled = convert(foreign(table), bare)
    assert sorted(frame["seed"].unique()) == [0, 1, 2]
    assert not frame["censored"].any()
    assert "the number of the row" in filled["seed"]


ONE = curves(horizons=(1, 9), seeds=1, rows=3)
BAD: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "unknown target": ({}, {"columns": {"retrun_mean": "x"}}, "the nearest is return_mean"),
    "unknown column": ({}, {"columns": {**COLUMNS, "seed": "sed"}}, "the nearest is seed"),
    "no return": ({}, {"columns": {"horizon": "h", "interactions": "frames"}}, "perhaps episode"),
    "no horizon": ({}, {"columns": {k: COLUMNS[k] for k in [*COLUMNS][1:]}}, "map discount"),
    "no size": ({}, {"values": {}}, "--set=parameters=NUMBER"),
    "twice": ({}, {"values": {"parameters": "1", "horizon": "1"}}, "not by both"),
    "text": ({"episode return": "high"}, {}, "return_mean: 'high' in row 1 is not a finite"),
    "NaN": ({"episode return": float("nan")}, {}, "return_mean: row 1 is empty"),
    "infinite": ({"episode return": float("inf")}, {}, "'inf' in row 1 is not a finite number"),
    "negative": ({"frames": [-5, 2, 3, 1, 2, 3]}, {}, "interactions: -5 is negative"),
    "fraction": ({"frames": 0.5}, {}, r"--multiply=interactions=1e6"),
    "all at 0": ({"frames": 0, "seed": range(6)}, {}, "has no row after 0 interactions"),
    "same place": ({"frames": 5}, {}, "several rows at interactions 5"),
    "two values": (
        {"frames": range(1, 7)},
        {"values": {"parameters": "9", "run_id": "a"}},
        "horizon: a run has several",
    ),
    "horizon": ({"h": 0.5}, {}, "horizon: 0.5 is below 1"),
    "no such schedule": ({}, {"values": {"parameters": "9", "schedule": "often"}}, "schedule: "),
    "no size at all": ({}, {"values": {"parameters": "0"}}, "parameters: 0 is not above 0"),
    "no factor": ({}, {"factors": {"batch": 2.0}}, "--multiply=batch"),
    "settings": ({}, {"settings": ["sed"]}, "--settings=sed: .* the nearest is seed"),
    "known setting": ({}, {"settings": ["seed"]}, "a column of the results already"),
    "no JSON": ({}, {"values": {"parameters": "9", "settings": "[1]"}}, "is not a JSON object"),
}


@pytest.mark.parametrize(("columns", "rules", "message"), BAD.values(), ids=BAD)
def test_what_cannot_be_results_is_refused(
    columns: dict[str, Any], rules: dict[str, Any], message: str
) -> None:
    table = ONE.assign(**columns)
    with pytest.raises(InputError, match=message) as error:
        convert(foreign(table), replace(RULES, **rules))
    assert "\n" not in str(error.value)


def test_proposed_thresholds_lie_between_the_lowest_and_the_highest() -> None:
    assert proposed_thresholds([-3.0, -1.0, -2.0]) == [-2.0, -1.6, -1.3]

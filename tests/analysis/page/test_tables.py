"""Tables hold what the runs determine, and a dash for the rest."""

from analysis.page import tables
from tests.analysis.page.entries import LAW


def test_the_horizon_law_is_one_row_with_open_numbers_as_dashes():
    entry = {**LAW, "runs": 28, "censored": 2, "fell_back": 1, "knee_ci": [15.0, None]}
    table = tables.horizon_table([entry])
    (row,) = table.rows
    assert len(row) == len(table.head)
    named = dict(zip(table.head, row, strict=True))
    assert named["knee"] == "-"
    assert named["exponent g"] == "0.8 [0.7, 0.9]"
    assert named["width"] == "all"
    assert named["runs"] == "28, 2 censored, 1 fell back"
    assert "A dash" in table.caption


def test_the_power_law_has_a_table_of_e_c_where_exponents_are_shared():
    names = ("alpha_n", "alpha_e", "beta", "n_c", "e_c", "optimal_size_exponent")
    power = {
        **{"group": {**LAW["group"], "horizon": 7.0}, "compute": "NE", "runs": 9},
        **{"starts": 64, "starts_agreeing": 60, **dict.fromkeys(names, 0.5)},
        **{f"{name}_ci": [0.4, 0.6] for name in names},
    }
    e_c = [{"horizon": 7, "e_c": 3.0, "e_c_ci": [2.0, 5.0]}]
    every, shared = tables.power_table([power, {**power, "joint": True, "e_c_by_horizon": e_c}])
    assert [row[1] for row in every.rows] == ["7", "all, shared"]
    assert all(len(row) == len(every.head) for row in every.rows)
    assert every.rows[0][3] == "0.5 [0.4, 0.6]"
    assert every.rows[0][-1] == "60 of 64"
    assert [list(row)[1:] for row in shared.rows] == [["7", "3 [2, 5]"]]
    assert len(tables.power_table([power])) == 1


def test_an_algorithm_without_a_horizon_has_its_name_in_place_of_it():
    names = ("alpha_n", "alpha_e", "n_c", "e_c", "optimal_size_exponent")
    group = {**LAW["group"], "horizon": 1.0, "algorithm": "supervised"}
    power = {"group": group, "compute": "NE", "starts": 64, "starts_agreeing": 60}
    (table,) = tables.power_table([{**power, **dict.fromkeys(names, 0.5)}])
    assert table.rows[0][1] == "supervised"


def test_equal_exponents_have_a_row_for_each_test_and_for_each_change():
    names = ("alpha_n", "alpha_e", "optimal_size_exponent")
    other = {"name": "supervised"}
    other |= {f"{name}_change": 0.1 for name in names}
    other |= {f"{name}_change_ci": [0.0, 0.2] for name in names}
    entry = {
        **{"group": LAW["group"], "among": "references", "p": 0.3, "refused": []},
        **{"smallest_change": dict.fromkeys(names, 0.15), "within": dict.fromkeys(names, 0.2)},
        **{"verdict": "undecided", "reason": "wide", "conditions": [{"name": "h = 1"}, other]},
    }
    tests, changes = tables.equality_tables([entry, {**entry, "among": "all"}])
    assert [row[1:3] for row in tests.rows] == [("references", "0.3"), ("all", "0.3")]
    assert tests.rows[0][3:] == ("0.15, 0.15, 0.15", "0.2, 0.2, 0.2", "undecided, wide")
    assert [row[1:] for row in changes.rows] == [("supervised less h = 1", *["0.1 [0, 0.2]"] * 3)]
    for table in (tests, changes):
        assert all(len(row) == len(table.head) for row in table.rows)
    tests, changes = tables.equality_tables([{**entry, "refused": ["h = 1"]}])
    assert tests.rows[0][3:5] == ("-", "-")
    assert changes.rows[0][2:] == ("-", "-", "-")
    (changes,) = tables.equality_tables([{k: v for k, v in entry.items() if k != "p"}])
    assert len(changes.rows) == 1


def test_the_decomposition_is_one_row_with_bounds_and_dashes():
    entry = {
        "group": {**LAW["group"], "width": 64},
        "threshold": 0.7,
        "task": 1000.0,
        "task_ci": [900.0, 1100.0],
        "objective": -10.0,
        "objective_ci": [-200.0, 180.0],
        "bounds": {"action_noise": {"at_least": 5000.0}},
        "determined": {"task": True, "objective": False},
    }
    table = tables.decomposition_table([entry])
    (row,) = table.rows
    assert len(row) == len(table.head)
    assert row[2:7] == ("0.7", "1,000 [900, 1,100]", "-", "at least 5,000", "-")


def test_predicted_knees_stand_beside_measured_ones():
    entry = {
        **LAW,
        **{"task": "digits", "predicted_knee": 15.0, "predicted_knee_ci": [14.0, 16.0]},
        **{"predicted_multiplier": 9.0, "predicted_multiplier_ci": [8.0, 10.0]},
    }
    none = {**LAW, "task": "mnist"}
    table = tables.knee_prediction_table([entry, none])
    (row,) = table.rows
    named = dict(zip(table.head, row, strict=True))
    assert named["task"] == "digits"
    assert named["predicted knee"] == "15 [14, 16]"
    assert named["predicted multiplier"] == "9 [8, 10]"
    assert named["measured multiplier"] == "8.4 [7.1, 10]"
    unknown = {**entry, "multiplier_ci": [0.5, 90.0], "determined": {"multiplier": False}}
    del unknown["predicted_multiplier"]
    assert [*tables.knee_prediction_table([unknown]).rows[0]][-2:] == ["-", "-"]

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

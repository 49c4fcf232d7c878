"""On curves of a known shape that shape predicts best, and its constants are found."""

import json
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from analysis.laws import curve_shapes as module
from analysis.laws.curve_shapes import (
    SHAPES,
    UNDECIDED,
    CurveShapes,
    ShapesCompared,
    decide,
    fit_curve_shapes,
)
from tests.analysis.curve_runs import ENDS, asleep, curve_frame, power, sigmoid
from tests.analysis.power_runs import simulate


def fitted(frame: pd.DataFrame) -> tuple[list[CurveShapes], list[ShapesCompared]]:
    entries = fit_curve_shapes(frame).entries
    return (
        [one for one in entries if isinstance(one, CurveShapes)],
        [one for one in entries if isinstance(one, ShapesCompared)],
    )


def one_group(frame: pd.DataFrame) -> CurveShapes:
    (group,), _ = fitted(frame)
    return group


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize(
    ("shape", "right", "wrong"),
    [
        (sigmoid, ("sigmoid", "sigmoid_late"), ("power", "power_late")),
        (power, ("power", "power_late"), ("sigmoid",)),
        (asleep, ("power_late",), ("sigmoid", "power")),
    ],
)
def test_the_shape_of_the_curves_predicts_best(shape, right, wrong):
    frame = curve_frame(shape, rng(), seeds=6, horizons=(1.0, 3.0, 7.0, 15.0))
    _, (compared,) = fitted(frame)
    # Far beyond its middle a sigmoid is a power law, with one number more.
    assert compared.best in (*right, "sigmoid_late", UNDECIDED)
    for name in right:
        assert compared.average(name, "heldout_error").value < 0.002
        for other in wrong:
            ratio, ends = compared.log_ratio(other, name)
            assert ratio > math.log(3), (other, name)
            assert ends[0] > math.log(1.5), (other, name)


def test_one_shape_that_is_right_alone_is_named():
    noisy_start = curve_frame(asleep, rng(), seeds=8, horizons=(1.0, 3.0, 7.0, 15.0))
    _, (compared,) = fitted(noisy_start)
    assert compared.log_ratio("power", "power_late")[1][0] > 0
    groups = [replace(one, shapes=without(one.shapes, "sigmoid_late")) for one in compared.groups]
    assert replace(compared, groups=tuple(groups)).best == "power_late"


def without(shapes: dict, name: str) -> dict:
    return {key: one for key, one in shapes.items() if key != name}


def test_only_curves_that_follow_a_law_after_their_start_need_the_start_left_out():
    whole, late = (one_group(curve_frame(shape, rng())) for shape in (power, asleep))
    ratios = [abs(one.log_ratio("power", "power_late")[0]) for one in (whole, late)]
    assert ratios[0] < math.log(3) < ratios[1]
    errors = [one.shapes["power"].errors for one in (whole, late)]
    assert errors[0]["early_error"][0] < 0.01 < errors[1]["early_error"][0]


def within(entry: dict, name: str, true: float) -> bool:
    low, high = entry[f"{name}_ci"]
    return low <= true <= high


def test_the_constants_of_the_whole_curve_are_recovered():
    entry = one_group(curve_frame(sigmoid, rng(1), seeds=6)).to_json()["shapes"]["sigmoid"]
    true = {"r_0": 0.1, "r_max": 0.93, "e_mid": 3e4, "c": 1.1}
    for name, value in true.items():
        assert entry[name] == pytest.approx(value, rel=0.05), name
    assert sum(within(entry, name, value) for name, value in true.items()) >= 3
    entry = one_group(curve_frame(power, rng(1), seeds=6)).to_json()["shapes"]["power"]
    true = {"r_max": 0.95, "alpha": 0.35, "log_e_c": math.log(150)}
    for name, value in true.items():
        assert entry[name] == pytest.approx(value, rel=0.1), name
    assert sum(within(entry, name, value) for name, value in true.items()) >= 2


def test_a_constant_at_the_bound_of_its_search_is_not_determined():
    group = one_group(curve_frame(lambda e: np.minimum(power(e, end=1.2), 1.0), rng()))
    entry = group.to_json()["shapes"]["power_late"]
    assert entry["r_max"] == 1.0
    assert entry["r_max_ci"] == [None, None]
    assert "r_max" in entry["needs"]


def test_a_wrong_shape_is_never_shown_to_be_best():
    said = [one_group(curve_frame(sigmoid, rng(seed), noise=0.01)).best for seed in range(25)]
    assert set(said) <= {"sigmoid", "sigmoid_late", UNDECIDED}
    assert said.count("sigmoid_late") <= 3, "the whole curve is a sigmoid: less of it is no better"


def test_held_out_errors_are_of_what_follows_a_quarter_of_the_training():
    frame = curve_frame(sigmoid, rng(), noise=0.0, shift=0.0)
    late = frame["interactions"] > ENDS[-1] / 4
    group = one_group(frame)
    assert group.quantities["sigmoid_heldout_error"].value < 1e-3
    moved = one_group(frame.assign(return_mean=frame["return_mean"] + 0.05 * late))
    assert moved.quantities["sigmoid_heldout_error"].value == pytest.approx(0.05, abs=2e-3)
    gap = 1 - frame["return_mean"]
    halved = one_group(frame.assign(return_mean=1 - gap.where(~late, gap / 2)))
    logs = halved.shapes["sigmoid"].errors["heldout_log_error"][0]
    assert logs == pytest.approx(math.log(2), abs=0.01)
    entry = group.to_json()
    assert entry["rows"] == {
        "fitted": int(sum(ENDS[-1] / 4 >= ENDS)),
        "heldout": int(late[:45].sum()),
    }
    rise = frame["return_mean"][:45][late[:45]] - frame["return_mean"][:45][~late[:45]].iloc[-1]
    assert entry["heldout_rise"] == pytest.approx(math.sqrt((rise**2).mean()))


def test_errors_before_and_after_a_64th_are_parts_of_that_of_the_whole():
    errors = one_group(curve_frame(sigmoid, rng())).shapes["power"].errors
    early = int(sum(ENDS[-1] / 64 >= ENDS))
    parts = early * errors["early_error"] ** 2 + (45 - early) * errors["late_error"] ** 2
    np.testing.assert_allclose(45 * errors["error"] ** 2, parts)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda frame: frame[frame["interactions"] <= ENDS[12]],
        lambda frame: frame[frame["interactions"] <= 3e3],
        lambda frame: frame.groupby("run_id").tail(6),
        lambda frame: frame.groupby("run_id").tail(1),
        lambda frame: frame.assign(return_mean=0.1),
        lambda frame: frame.assign(return_mean=1.0),
        lambda frame: frame.assign(return_mean=np.nan),
        lambda frame: frame[:0],
    ],
    ids=["not-risen", "few", "late-rows", "points", "flat", "ones", "nan", "none"],
)
def test_curves_that_are_too_short_or_flat_are_absent_without_a_note(spoil):
    fits = fit_curve_shapes(spoil(curve_frame(lambda e: sigmoid(e, middle=2e5, slope=2), rng())))
    assert fits.entries == ()
    assert fits.notes == ()


def test_curves_that_reach_1_have_finite_numbers():
    frame = curve_frame(lambda e: sigmoid(e, end=1.0, middle=5e3, slope=2), rng(), noise=0.0)
    frame["return_mean"] = np.where(frame["interactions"] > 1e5, 1.0, frame["return_mean"])
    group = one_group(frame)
    for shape in group.shapes.values():
        assert all(np.isfinite(values).all() for values in shape.errors.values())
    json.dumps(group.to_json(), allow_nan=False)


def test_one_seed_has_errors_without_intervals():
    groups, (compared,) = fitted(curve_frame(sigmoid, rng(), seeds=1, horizons=(1.0, 7.0, 31.0)))
    for law in (*groups, compared):
        assert law.best == UNDECIDED
        assert {one.interval for one in law.quantities.values()} == {None}
        json.dumps(law.to_json(), allow_nan=False)


def test_runs_that_diverged_or_ended_early_are_left_out():
    frame = curve_frame(sigmoid, rng(), seeds=4)
    spoilt = frame["seed"] == 1
    frame.loc[spoilt & (frame["interactions"] > 1e5), "return_mean"] = np.nan
    short = (frame["seed"] == 2) & (frame["interactions"] > 1e5)
    group = one_group(frame[~short])
    assert group.seeds == (0, 3)
    assert group.curves.ends[-1] == ENDS[-1]
    shorter = (frame["seed"] == 3) & (frame["interactions"] > 7e5)
    group = one_group(frame[~shorter])
    assert group.seeds == (0, 2, 3)
    assert group.curves.ends[-1] == max(ENDS[ENDS <= 7e5])


def test_seeds_with_rows_of_their_own_are_brought_to_common_places():
    frame = curve_frame(sigmoid, rng(), noise=0.0, shift=0.0)
    thinned = (frame["seed"] == 1) & (frame.groupby("run_id").cumcount() % 2 == 0)
    # The rows of a mean over the interval since the row before: as if evaluated at their places.
    group = one_group(frame[~thinned].assign(averaged=False))
    assert np.ptp(group.curves.returns, axis=0).max() < 0.01
    assert group.seeds == (0, 1, 2, 3)


def test_of_several_runs_of_a_seed_the_first_counts():
    frame = curve_frame(sigmoid, rng())
    other = frame[frame["seed"] == 0].assign(run_id="z", return_mean=0.5)
    groups = [one_group(table) for table in (frame, pd.concat([frame, other], ignore_index=True))]
    np.testing.assert_array_equal(*(one.curves.returns for one in groups))
    alone = frame[(frame["seed"] == 0) & (frame["interactions"] < 4e5)].assign(run_id="a")
    again = frame[frame["seed"] == 0]
    assert one_group(pd.concat([alone, again], ignore_index=True)).curves.ends[-1] < 4e5


def test_algorithms_are_not_mixed():
    frame = pd.concat(
        [
            curve_frame(sigmoid, rng(), horizons=(1.0, 7.0)),
            curve_frame(power, rng(), algorithm="supervised"),
        ],
        ignore_index=True,
    )
    groups, compared = fitted(frame)
    found = {law.group["algorithm"]: len(law.groups) for law in compared}
    assert found == {"vpg": 2, "supervised": 1}
    assert len(groups) == 3
    for law in compared:
        assert {one.group["algorithm"] for one in law.groups} == {law.group["algorithm"]}
        assert "horizon" not in law.group
        assert "width" not in law.group


def test_the_comparison_over_groups_is_paired_and_no_narrower_than_their_spread():
    frame = curve_frame(power, rng(), widths=(8, 16), horizons=(1.0, 7.0, 31.0))
    groups, (compared,) = fitted(frame)
    ratios = np.array([one.log_ratio("sigmoid", "power")[0] for one in groups])
    mean, ends = compared.log_ratio("sigmoid", "power")
    assert mean == pytest.approx(ratios.mean())
    over_groups = 2.5706 * ratios.std(ddof=1) / math.sqrt(6)  # t of 5 degrees of freedom
    assert ends[0] <= mean - over_groups + 1e-4
    assert ends[1] >= mean + over_groups - 1e-4
    left_out = [compared.without_seed(seed).log_ratio("sigmoid", "power")[0] for seed in range(4)]
    over_seeds = 3.1824 * math.sqrt(3 / 4 * np.sum((np.array(left_out) - mean) ** 2))
    assert min(ends[1] - mean, mean - ends[0]) == pytest.approx(
        max(over_groups, over_seeds), rel=1e-3
    )
    entry = compared.to_json()
    assert entry["joint"] is True
    assert entry["groups"] == 6
    counts = sum(one["best_in"] for one in entry["shapes"].values()) + entry["undecided_in"]
    assert counts == 6
    assert entry["best"] in ("power", "power_late", UNDECIDED)
    assert set(entry["over_least"]["others"]) == set(entry["shapes"]) - {
        entry["over_least"]["shape"]
    }


def test_the_link_of_all_sizes_predicts_what_larger_sizes_have_reached():
    frame = simulate(rng(), sizes=5).assign(algorithm="vpg")
    groups, (compared,) = fitted(frame)
    assert all("link" in one.shapes for one in groups)
    entries = [one.to_json() for one in groups]
    beyond = [one["shapes"]["link"]["beyond_link"] for one in entries]
    errors = [one["link_heldout_error"] for one in entries]
    assert beyond[0] == 0 < beyond[-1], "the smallest sizes stay within the levels of the largest"
    assert errors[0] < 0.01 < errors[-1]
    assert compared.shapes == list(SHAPES)
    assert "error" not in groups[0].shapes["link"].errors
    three = frame[frame["parameters"].isin(sorted(frame["parameters"].unique())[:3])]
    assert all("link" not in one.shapes for one in fitted(three)[0])


def test_the_link_sees_the_first_quarter_only():
    frame = simulate(rng(), sizes=5).assign(algorithm="vpg")
    late = frame["interactions"] > frame["interactions"].max() / 4
    other = frame.assign(return_mean=frame["return_mean"].where(~late, 0.5))
    first, second = (fitted(one)[0][0] for one in (frame, other))
    for name, shape in first.shapes.items():
        np.testing.assert_allclose(shape.predicted, second.shapes[name].predicted)


def test_without_a_link_the_other_shapes_are_there(monkeypatch):
    def refuse(*_args):
        raise module.FitError("the returns do not determine alpha_E")

    monkeypatch.setattr(module, "estimate_levels", refuse)
    fits = fit_curve_shapes(simulate(rng(), sizes=5).assign(algorithm="vpg"))
    assert fits.notes == ()
    assert all(set(one.shapes) == {*SHAPES} - {"link"} for one in fits.entries)


def test_the_best_is_the_one_that_all_others_are_shown_to_be_worse_than():
    errors = {"a": 1.0, "b": 2.0, "c": 3.0}

    def ratio(half):
        def of(one, other):
            found = math.log(errors[one] / errors[other])
            return found, None if half is None else (found - half, found + half)

        return of

    assert decide(ratio(0.1), ["b", "a", "c"]) == "a"
    assert decide(ratio(0.7), ["b", "a", "c"]) == UNDECIDED  # log 2 = 0.69
    assert decide(ratio(None), ["b", "a", "c"]) == UNDECIDED
    assert decide(ratio(0.1), ["a"]) == UNDECIDED


def test_predictions_of_the_comparison_are_those_of_each_group():
    frame = curve_frame(sigmoid, rng(), widths=(8, 16), horizons=(1.0, 7.0))
    groups, (compared,) = fitted(frame)
    found = compared.predict(frame)
    for one in groups:
        here = (frame["width"] == one.group["width"]) & (frame["horizon"] == one.group["horizon"])
        np.testing.assert_array_equal(found[here], one.predict(frame[here]))
    assert np.isnan(compared.predict(frame.assign(horizon=3.0))).all()


def test_runs_of_costs_are_left_out_with_a_note_and_others_stay() -> None:
    frame = curve_frame(sigmoid, np.random.default_rng(0))
    costs = frame.assign(run_id="c-" + frame["run_id"], task="costs")
    costs["return_mean"] -= 1
    fits = fit_curve_shapes(pd.concat([frame, costs], ignore_index=True))
    assert {law.group["task"] for law in fits.entries} == {"made"}
    assert fits.notes == ("shapes of curves: 4 of 8 runs left out, returns are not in 0 to 1",)

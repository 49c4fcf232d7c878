import numpy as np
import pandas as pd
import pytest

from analysis.data.crossings import (
    RunCurve,
    crossing,
    interactions_to_threshold,
    means_over_seeds,
    place_in_interval,
    run_scores,
)
from analysis.laws.horizon import fit_horizon_laws
from analysis.laws.synthetic import Design, HorizonTruth, simulate


def run_rows(
    run_id: str, interactions: list[int], returns: list[float], **more: object
) -> pd.DataFrame:
    frame = pd.DataFrame({"interactions": interactions, "return_mean": returns})
    return frame.assign(run_id=run_id, seed=0, horizon=1.0, **more)


def test_rows_are_placed_at_the_mean_of_log_interactions():
    # (0, 100]: 100 / e.  (100, 200]: (200^200 / 100^100)^(1/100) / e = 4 * 100 / e.
    np.testing.assert_allclose(
        place_in_interval(np.array([100, 200])), [100 / np.e, 400 / np.e], rtol=1e-12
    )


def test_a_curve_linear_in_log_interactions_is_crossed_exactly():
    ends = np.array([50.0, 100, 150, 400, 1000])
    starts = np.concatenate([[0], ends[:-1]])

    def antiderivative(e: np.ndarray) -> np.ndarray:  # of 0.1 log E
        return 0.1 * (e * np.log(np.maximum(e, 1e-300)) - e)

    means = (antiderivative(ends) - antiderivative(starts)) / (ends - starts)
    curve = RunCurve.of(ends, means)
    found, censored, left_censored = crossing(curve.places, curve.monotone, 0.1 * np.log(300.0))
    assert found == pytest.approx(300.0, rel=1e-9)
    assert not censored
    assert not left_censored


def test_isotonic_regression_weighs_rows_by_their_interactions():
    # The second and third row are pooled: (100 * 0.6 + 300 * 0.4) / 400 = 0.45.
    curve = RunCurve.of(np.array([100, 200, 500]), np.array([0.1, 0.6, 0.4]))
    np.testing.assert_allclose(curve.monotone, [0.1, 0.45, 0.45])


def test_crossing_by_hand():
    places = np.array([10.0, 100.0, 1000.0])
    curve = np.array([0.2, 0.4, 0.8])
    assert crossing(places, curve, 0.6) == (pytest.approx(10**2.5), False, False)
    assert crossing(places, curve, 0.4) == (pytest.approx(100.0), False, False)
    assert crossing(places, curve, 0.9) == (1000.0, True, False)
    assert crossing(places, curve, 0.1) == (10.0, False, True)
    assert crossing(places, curve, 0.2) == (10.0, False, False)


def test_a_flat_stretch_is_crossed_where_it_is_left_behind():
    places = np.array([10.0, 100.0, 1000.0, 10_000.0])
    curve = np.array([0.2, 0.5, 0.5, 0.7])
    assert crossing(places, curve, 0.5)[0] == pytest.approx(100.0)
    assert crossing(places, curve, 0.6)[0] == pytest.approx(10**3.5)


def test_one_row_a_run_and_threshold_with_the_runs_settings():
    frame = pd.concat(
        [
            run_rows("b", [100, 1000, 10_000], [0.2, 0.6, 0.9], width=4),
            run_rows("a", [1000, 100], [0.3, 0.1], width=8),
        ]
    )
    table = interactions_to_threshold(frame, (0.5, 0.8))
    assert table[["run_id", "threshold", "censored"]].to_numpy().tolist() == [
        ["a", 0.5, True],
        ["b", 0.5, False],
        ["a", 0.8, True],
        ["b", 0.8, False],
    ]
    assert table["width"].tolist() == [8, 4, 8, 4]
    places = place_in_interval(np.array([100, 1000, 10_000]))
    by_hand = places[0] * (places[1] / places[0]) ** 0.75  # 0.5 is 3/4 of the way 0.2 to 0.6
    assert table["interactions"][1] == pytest.approx(by_hand)
    assert table["interactions"][0] == pytest.approx(place_in_interval(np.array([100, 1000]))[1])


def test_rows_at_zero_interactions_and_repeated_rows_do_no_harm():
    plain = run_rows("a", [100, 1000], [0.2, 0.6])
    odd = run_rows("a", [0, 100, 100, 1000], [0.9, 0.2, 0.2, 0.6])
    pd.testing.assert_frame_equal(
        interactions_to_threshold(plain, (0.5,)), interactions_to_threshold(odd, (0.5,))
    )


def collapsing_run() -> RunCurve:
    """Passes 0.7 at 53,000, stays above for 13 rows, peaks at 0.955, and falls for good."""
    ends = np.round(np.geomspace(1000, 2_000_000, 60))
    rise = 0.1 + 0.86 / (1 + np.exp(-4 * np.log(ends / 45_500)))
    passed = int(np.argmax(rise >= 0.7))
    returns = np.where(np.arange(60) < passed + 13, np.minimum(rise, 0.955), 0.3)
    return RunCurve.of(ends, returns)


def test_a_run_that_learns_and_then_collapses_has_reached_the_return_where_it_did():
    run = collapsing_run()
    assert run.monotone[-1] < 0.7  # the late rows win, by their weight, in a fit of all rows
    interactions, censored, left_censored, fell_back = run.reach(0.7)
    assert interactions == pytest.approx(53_000, rel=0.05)
    assert (censored, left_censored, fell_back) == (False, False, True)
    assert run.reach(0.99) == (run.places[-1], True, False, False)


def test_a_run_that_stays_above_has_not_fallen_back():
    run = RunCurve.of(np.array([100, 200, 400, 800]), np.array([0.1, 0.8, 0.75, 0.9]))
    assert run.reach(0.7)[1:] == (False, False, False)


def test_a_short_peak_is_no_lasting_crossing():
    # 0.9 in (1000, 1100] alone; the mean over (1000, 2000] is 0.27.
    ends, returns = np.array([500, 1000, 1100, 1300, 1500, 2000]), [0.1, 0.2, 0.9, 0.2, 0.2, 0.2]
    assert RunCurve.of(ends, np.array(returns)).reach(0.7)[1]


def test_a_run_that_ends_just_past_the_return_has_reached_it():
    run = RunCurve.of(np.array([100, 1000, 10_000, 10_100]), np.array([0.1, 0.2, 0.6, 0.71]))
    interactions, censored, _, fell_back = run.reach(0.7)
    assert 10_000 * 0.9 < interactions < 10_100
    assert (censored, fell_back) == (False, False)


def test_a_run_of_one_row_is_judged_by_it():
    assert RunCurve.of(np.array([100]), np.array([0.8])).reach(0.7)[1:] == (False, True, False)
    assert RunCurve.of(np.array([100]), np.array([0.6])).reach(0.7)[1:] == (True, False, False)


def test_what_comes_after_the_window_changes_nothing():
    ends, returns = np.array([100, 200, 300, 400, 900]), [0.1, 0.6, 0.8, 0.8, 0.9]
    later = RunCurve.of(np.append(ends, 5000), np.append(returns, 0.1))
    assert later.reach(0.7)[:3] == RunCurve.of(ends, np.array(returns)).reach(0.7)[:3]
    assert later.reach(0.7)[3]


def test_a_late_fall_of_three_rows_is_a_fall():
    ends, returns = np.geomspace(100, 1e6, 40), np.append(np.full(37, 0.9), np.full(3, 0.3))
    assert RunCurve.of(ends, returns).reach(0.7)[3]
    returns[-1] = 0.75
    assert not RunCurve.of(ends, returns).reach(0.7)[3]


def test_a_plateau_just_below_the_return_is_not_taken_for_it():
    """With the noise of evaluation: 3 standard errors of a row below."""
    rng = np.random.default_rng(0)
    ends = np.round(np.geomspace(1000, 2_000_000, 60))
    rise = np.minimum(0.1 + 0.9 / (1 + np.exp(-2 * np.log(ends / 20_000))), 0.69)
    noise = 0.0033 * rng.standard_normal((200, 60))
    runs = [RunCurve.of(ends, rise + noise[i]) for i in range(200)]
    assert np.mean([not run.reach(0.7)[1] for run in runs]) <= 0.02


def test_crossings_say_which_runs_fell_back():
    run = collapsing_run()
    frame = run_rows("a", run.ends.astype(int).tolist(), run.returns.tolist())
    table = interactions_to_threshold(frame, (0.5, 0.99))
    assert table["fell_back"].tolist() == [True, False]
    assert table["censored"].tolist() == [False, True]


@pytest.mark.slow
def test_with_half_the_runs_collapsing_the_law_is_that_of_the_learning():
    rng = np.random.default_rng(0)
    truth = HorizonTruth(a=40_000.0, knee=30.0)
    held = []
    for _ in range(20):
        frame = simulate(truth, Design(horizons=(1, 7, 31, 127), budget=2_000_000), rng)
        names = frame["run_id"].unique()
        falls = set(rng.choice(names, len(names) // 2, replace=False))
        past = frame["return_mean"].ge(0.9).groupby(frame["run_id"]).cumsum() > 2
        frame.loc[past & frame["run_id"].isin(falls), "return_mean"] = 0.2
        table = interactions_to_threshold(frame, (0.7,))
        assert table["fell_back"].sum() >= 6
        (law,) = fit_horizon_laws(table, ("h-1",), profiles=False).entries
        low, high = law.quantities["a"].interval
        held.append(low <= truth.a <= high)
    assert np.mean(held) >= 0.9


def test_a_runs_score_is_its_return_averaged_over_log_interactions():
    # From 100 to 1,000 the return of the later row counts ln 10, from 1,000 to 2,000 ln 2.
    rows = run_rows("a", [2000, 100, 1000], [0.9, 0.2, 0.4])
    alone = run_rows("b", [100], [0.3])
    scores = run_scores(pd.concat([rows, alone]))
    by_hand = (0.4 * np.log(10) + 0.9 * np.log(2)) / np.log(20)
    assert scores.to_dict() == pytest.approx({"a": by_hand, "b": 0.3})


def test_crossings_carry_the_score_and_say_what_is_left_censored():
    frame = run_rows("a", [100, 1000], [0.6, 0.8])
    table = interactions_to_threshold(frame, (0.5, 0.7))
    assert table["left_censored"].tolist() == [True, False]
    assert table["score"].tolist() == pytest.approx([0.8, 0.8])


def test_means_over_seeds_are_geometric_and_bounds_where_a_run_is_censored():
    runs = pd.DataFrame(
        {
            "horizon": [1.0, 1.0, 3.0, 3.0, 7.0],
            "interactions": [100.0, 400.0, 100.0, 900.0, 50.0],
            "censored": [False, False, False, True, False],
        }
    )
    table = means_over_seeds(runs, ["horizon"])
    assert table["interactions"].tolist() == pytest.approx([200, 300, 50])
    assert table["censored"].tolist() == [False, True, False]
    assert table["seeds"].tolist() == [2, 2, 1]
    reach = 12.7062047 * np.log(2)  # t of 1 degree of freedom; the error of the mean is log 2
    assert np.log(table["high"][0] / 200) == pytest.approx(reach)
    assert np.log(200 / table["low"][0]) == pytest.approx(reach)
    assert table[["low", "high"]][1:].isna().all(axis=None)

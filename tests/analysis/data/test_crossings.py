import numpy as np
import pandas as pd
import pytest

from analysis.data.crossings import (
    crossing,
    interactions_to_threshold,
    means_over_seeds,
    monotone_curve,
    place_in_interval,
    run_scores,
)


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
    places, curve = monotone_curve(ends, means)
    found, censored, left_censored = crossing(places, curve, 0.1 * np.log(300.0))
    assert found == pytest.approx(300.0, rel=1e-9)
    assert not censored
    assert not left_censored


def test_isotonic_regression_weighs_rows_by_their_interactions():
    # The second and third row are pooled: (100 * 0.6 + 300 * 0.4) / 400 = 0.45.
    _, curve = monotone_curve(np.array([100, 200, 500]), np.array([0.1, 0.6, 0.4]))
    np.testing.assert_allclose(curve, [0.1, 0.45, 0.45])


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

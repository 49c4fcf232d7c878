import numpy as np
import pandas as pd
import pytest

from analysis.data.crossings import (
    choose_learning_rates,
    crossing,
    interactions_to_threshold,
    monotone_curve,
    place_in_interval,
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
    found, censored, early = crossing(places, curve, 0.1 * np.log(300.0))
    assert found == pytest.approx(300.0, rel=1e-9)
    assert not censored
    assert not early


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


def rates_table(needed: dict[float, list[float]]) -> pd.DataFrame:
    rows = [
        {
            "run_id": f"{rate}-{seed}",
            "seed": seed,
            "learning_rate": rate,
            "horizon": 3.0,
            "width": 8,
            "threshold": 0.5,
            "interactions": abs(value),
            "censored": value < 0,
        }
        for rate, values in needed.items()
        for seed, value in enumerate(values)
    ]
    return pd.DataFrame(rows)


def test_a_seed_s_learning_rate_is_chosen_on_the_other_seeds():
    # Seed 0 by seeds 1, 2: medians 25 and 20, so the higher; seed 1 by 0, 2: 20 and 505; and so on.
    table = rates_table({0.1: [10, 20, 30], 0.2: [1000, 30, 10]})
    kept, notes = choose_learning_rates(table)
    assert kept.sort_values("seed")["learning_rate"].tolist() == [0.2, 0.1, 0.1]
    assert len(notes) == 1
    assert "0.1, 0.2" in notes[0]


def test_a_censored_run_counts_as_infinite_in_the_choice():
    table = rates_table({0.1: [-10, -10, -10], 0.2: [500, 500, 500]})
    kept, _ = choose_learning_rates(table)
    assert kept["learning_rate"].tolist() == [0.2] * 3


def test_a_single_learning_rate_is_left_as_it_is():
    table = rates_table({0.1: [10, 20, 30]})
    kept, notes = choose_learning_rates(table)
    pd.testing.assert_frame_equal(kept, table)
    assert notes == []


def test_choosing_among_equal_rates_is_unbiased_where_the_best_run_is_not():
    rng = np.random.default_rng(0)
    chosen, best = [], []
    for _ in range(150):
        needed = {rate: list(np.exp(0.3 * rng.standard_normal(4))) for rate in (0.1, 0.2, 0.3)}
        kept, _ = choose_learning_rates(rates_table(needed))
        chosen.append(np.log(kept["interactions"]).mean())
        best.append(min(np.median(np.log(values)) for values in needed.values()))
    assert abs(np.mean(chosen)) < 0.5 * abs(np.mean(best))
    assert np.mean(best) < -0.08

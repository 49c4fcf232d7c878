"""Best sizes, measured: right on runs of a known law, silent where the runs do not determine it."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from analysis.laws.power.best_sizes import (
    BEST,
    NAMES,
    BestSizes,
    compare_best_sizes,
    fit_best_sizes,
    measure_best_sizes,
)
from analysis.laws.synthetic import Design, Noise, PowerLawTruth, simulate

WIDTHS = (4, 6, 9, 14, 20, 30, 45, 65, 100, 300)
QUIET = Noise(seed=1e-6, run=1e-6, run_at_largest=1e-6, evaluation=1e-9)
NOISY = Noise(seed=0.05, run=0.05, run_at_largest=0.05, evaluation=0.002)


def runs(
    law: PowerLawTruth,
    noise: Noise = NOISY,
    seed: int = 0,
    algorithm: str = "vpg",
    horizon: float = 1.0,
    budget: int = 4_000_000,
) -> pd.DataFrame:
    design = Design((horizon,), WIDTHS, 4, budget=budget, evaluations=60)
    frame = simulate(law, design, np.random.default_rng(seed), noise)
    return frame.assign(algorithm=algorithm, run_id=f"{algorithm}{horizon}" + frame["run_id"])


def measured(law: PowerLawTruth, noise: Noise = NOISY, **settings) -> BestSizes:
    found = measure_best_sizes(runs(law, noise, **settings))
    assert found is not None
    return found


def truth(law: PowerLawTruth) -> float:
    return law.alpha_e / (law.alpha_n + law.alpha_e)


@pytest.mark.parametrize(("alpha_e", "n_c"), [(0.3, 2.0), (0.5, 0.4)])
def test_exponents_are_those_of_the_law(alpha_e: float, n_c: float) -> None:
    law = PowerLawTruth(alpha_e=alpha_e, n_c=n_c)  # n_c places the best sizes among those trained
    found = measured(law, QUIET)
    assert found.slope() == pytest.approx(truth(law), abs=0.015)
    assert found.exponents()[1:] == pytest.approx([law.alpha_n, alpha_e], rel=0.09)
    assert all(one.is_determined for one in found.quantities.values())
    table = found.table()
    assert table["compute"].is_monotonic_increasing
    assert table["parameters"].between(found.parameters[0], found.parameters[-1]).all()


def test_intervals_over_seeds_hold_the_exponent() -> None:
    law = PowerLawTruth()
    ends = [measured(law, seed=seed).quantities[BEST].interval for seed in range(6)]
    held = [pair is not None and pair[0] < truth(law) < pair[1] for pair in ends]
    assert sum(held) >= 5
    # An interval that holds everything would show nothing.
    assert np.median([pair[1] - pair[0] for pair in ends if pair]) < 0.3


def test_a_parabola_is_least_where_calculus_says() -> None:
    sizes = np.exp([1.0, 2.0, 4.0, 5.0])
    log_e = 3 + 0.6 * (np.log(sizes) - 2.3) ** 2 - np.log(sizes)  # of one return, for two seeds
    one = BestSizes({}, sizes, np.array([0.5]), np.tile(log_e[:, None, None], (1, 2, 1)), (0, 1))
    (row,) = one.table().itertuples()
    assert np.log([row.parameters, row.compute]) == pytest.approx([2.3, 3.0])
    assert row.curvature == pytest.approx(1.2)


def test_a_return_that_a_neighbour_or_a_seed_does_not_reach_is_left_out() -> None:
    sizes = np.array([1.0, 10.0, 100.0, 1000.0])
    log_e = np.array([3.0, 1.0, 2.0, 4.0]) - np.log(sizes)
    log_e = log_e[:, None, None] * np.ones((1, 2, 1))
    whole = BestSizes({}, sizes, np.array([0.5]), log_e, (0, 1))
    assert len(whole.table()) == 1
    for size, seed in ((0, 0), (2, 1)):
        holes = log_e.copy()
        holes[size, seed] = np.nan
        assert replace(whole, log_interactions=holes).table().empty
    holes = log_e.copy()
    holes[3, 0] = np.nan  # not a neighbour of the best
    assert len(replace(whole, log_interactions=holes).table()) == 1


def test_short_runs_determine_nothing_and_say_what_would() -> None:
    found = measured(PowerLawTruth(), budget=60_000)
    assert not found.quantities[BEST].is_determined
    assert "longer runs" in found.needs[BEST]
    assert found.to_json()["determined"] == dict.fromkeys(NAMES, False)


def test_two_sizes_have_no_best_one() -> None:
    frame = runs(PowerLawTruth())
    assert measure_best_sizes(frame[frame["width"] < 9]) is None
    assert not fit_best_sizes(frame[frame["width"] < 9]).entries


def test_two_runs_of_a_seed_are_not_taken_for_one() -> None:
    frame = runs(PowerLawTruth())
    again = frame[frame["seed"] == 0].assign(run_id=lambda rows: rows["run_id"] + "-again")
    assert measure_best_sizes(pd.concat([frame, again], ignore_index=True)) is None


def test_leaving_out_gives_the_runs_that_are_left() -> None:
    frame = runs(PowerLawTruth())
    whole = measure_best_sizes(frame)
    rest = measure_best_sizes(frame[frame["seed"] != 2])
    assert whole is not None
    assert rest is not None
    assert whole.without_seed(2).seeds == rest.seeds
    assert whole.without_seed(2).slope() == pytest.approx(rest.slope(), abs=0.01)
    size = whole.near_best[1]
    assert size not in whole.without_size(size).parameters
    predicted = whole.predict(whole.table())
    assert np.abs(np.log(predicted / whole.table()["parameters"])).max() < 0.5


def test_equal_exponents_are_not_refused_and_different_ones_are() -> None:
    law, other = PowerLawTruth(), PowerLawTruth(alpha_e=0.3, n_c=2.0)
    noise = Noise(seed=0.005, run=0.005, run_at_largest=0.005, evaluation=2e-4)
    frames = [
        runs(law, noise, seed=1),
        runs(law, noise, seed=2, horizon=7.0),
        runs(other, noise, seed=3, algorithm="supervised"),
    ]
    entries = fit_best_sizes(pd.concat(frames, ignore_index=True)).entries
    over_horizons, with_references = compare_best_sizes(entries)
    assert over_horizons.among == "horizons"
    assert over_horizons.test is not None
    assert over_horizons.test.p > 0.05
    assert with_references.among == "references"
    assert with_references.verdict == "differ"
    row = with_references.to_json()["conditions"][1]
    assert row["name"] == "supervised"
    assert row[f"{BEST}_change"] == pytest.approx(truth(other) - truth(law), abs=0.02)
    assert over_horizons.parts[0].name == "the error of the parabolas"
    assert all(one.name.startswith("size") for one in with_references.parts)

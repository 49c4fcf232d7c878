"""Learning curves as the power law needs them."""

import numpy as np
import pandas as pd
import pytest

from analysis.data.crossings import place_in_interval
from analysis.data.families import with_chosen_rates
from analysis.laws.power.curves import (
    FitError,
    before_collapse,
    learning_curves,
    plateau,
)
from tests.analysis.power_runs import simulate


def test_a_curve_begins_where_it_has_gone_three_quarters_of_its_rise() -> None:
    frame = simulate(np.random.default_rng(7), noise=1e-4, shift=1e-3, asleep=0.4)
    curves = learning_curves(frame)
    for size in curves.sizes:
        mean = curves.mean[curves.parameters == size]
        place = (mean[0] - 0.1) / (mean[-1] - 0.1)
        assert 0.74 < place < 0.85


def test_curves_leave_out_early_training_and_end_with_the_first_seed() -> None:
    frame = simulate(np.random.default_rng(7))
    size = frame["parameters"].min()
    cut = (frame["parameters"] == size) & (frame["seed"] == 2) & (frame["interactions"] > 1e6)
    curves = learning_curves(frame[~cut])
    last = place_in_interval(np.unique(frame["interactions"]).astype(float))[-1]
    here = curves.parameters == size
    assert curves.interactions.min() >= last / 64
    assert curves.interactions[here].max() <= 1e6 < curves.interactions[~here].max()
    assert curves.runs == 20
    assert not curves.notes


def test_runs_that_diverged_or_hardly_began_are_left_out_with_a_note() -> None:
    frame = simulate(np.random.default_rng(8))
    largest = frame["parameters"] == frame["parameters"].max()
    begun = largest & (frame["seed"] == 1)
    frame = frame[~(begun & (frame["interactions"] > 1e5))].copy()
    frame.loc[largest & (frame["seed"] == 3) & (frame["interactions"] > 1e6), "return_mean"] = (
        np.nan
    )
    curves = learning_curves(frame)
    assert curves.runs == 18
    assert any("1 runs left out" in note for note in curves.notes)
    assert any("seed 1 " in note and "1/8" in note for note in curves.notes)


def test_noise_of_rows_and_of_seeds_is_told_apart() -> None:
    quiet = learning_curves(simulate(np.random.default_rng(10), seeds=8, noise=4e-3, shift=1e-3))
    assert quiet.noise.floor == pytest.approx(4e-3, rel=0.25)  # reading off between rows averages
    assert quiet.noise.shift < 0.02
    late = learning_curves(simulate(np.random.default_rng(10), seeds=8, noise=1e-4, shift=0.1))
    assert late.noise.shift == pytest.approx(0.1, rel=0.35)
    assert late.noise.floor < 2e-3
    assert late.variance.max() > 10 * late.variance.min()


def test_of_several_learning_rates_a_seed_takes_the_best_on_the_others() -> None:
    good = simulate(np.random.default_rng(9))
    good = good.assign(width=good["parameters"])
    bad = good.assign(run_id=good["run_id"] + "-bad", return_mean=0.9 * good["return_mean"])
    # Seed 0 is lucky at the bad rate; that must not choose it.
    bad.loc[bad["seed"] == 0, "return_mean"] *= 1.3
    frame = pd.concat([good.assign(learning_rate=1e-3), bad.assign(learning_rate=1e-2)])
    kept, (note,) = with_chosen_rates(frame)
    np.testing.assert_array_equal(learning_curves(kept).returns, learning_curves(good).returns)
    assert "learning rate" in note
    with pytest.raises(FitError, match="several runs: choose one learning rate first"):
        learning_curves(frame)


def test_curves_without_a_seed_keep_the_points_that_others_have() -> None:
    frame = simulate(np.random.default_rng(7), seeds=2)
    smallest = frame["parameters"] == frame["parameters"].min()
    curves = learning_curves(frame[~(smallest & (frame["seed"] == 1))])
    others = curves.without_seed(0)
    assert others.seeds == (1,)
    assert set(others.parameters) == set(curves.parameters) - {frame["parameters"].min()}
    assert len(others.mean) == len(others.variance) == len(others.interactions)
    np.testing.assert_array_equal(others.weight, 1 / others.variance)


def test_groups_that_differ_in_a_setting_are_not_mixed() -> None:
    frame = simulate(np.random.default_rng(7))
    settings = frame["seed"].map(lambda seed: f'{{"decay_interactions": {seed % 2}}}')
    with pytest.raises(FitError, match="2 groups of settings"):
        learning_curves(frame.assign(settings=settings))


def test_a_run_that_collapses_ends_at_its_best_return() -> None:
    frame = simulate(np.random.default_rng(4))
    fallen = (frame["parameters"] == frame["parameters"].max()) & (frame["seed"] < 2)
    late = fallen & (frame["interactions"] > 8e5)
    whole = learning_curves(frame)
    frame.loc[late, "return_mean"] -= 0.3
    curves = learning_curves(frame)
    assert "2 runs fell below their best return for good: what follows is left out" in curves.notes
    here = curves.parameters == curves.sizes[-1]
    assert curves.interactions[here].max() < 8e5
    same = whole.parameters == whole.sizes[-1]
    both = np.isin(curves.interactions[here], whole.interactions[same])
    again = np.isin(whole.interactions[same], curves.interactions[here])
    assert both.sum() > 10
    kept = whole.returns[:, same][:, again]
    np.testing.assert_allclose(curves.returns[:, here][:, both], kept, atol=1e-9)
    assert curves.interactions[~here].max() > 2e6


def test_a_dip_that_recovers_and_noise_are_no_collapse() -> None:
    log_e = np.linspace(8, 15, 60)
    rise = 0.9 / (1 + np.exp(-(log_e - 11)))
    noisy = rise + 0.02 * np.random.default_rng(0).standard_normal(60)
    dip = np.where((log_e > 13) & (log_e < 14), rise - 0.4, rise)
    falls = np.where(log_e > 13, rise - 0.4, rise)
    for returns, rows in ((rise, 60), (noisy, 60), (dip, 60), (falls, np.sum(log_e <= 13))):
        for unit in (1.0, 100.0):
            assert len(before_collapse(log_e, unit * returns - 5)[0]) == rows


def test_a_plateau_is_found_where_it_is_and_nowhere_else() -> None:
    log_e = np.linspace(8, 15, 80)
    generator = np.random.default_rng(0)

    def runs(log_places: np.ndarray) -> dict[int, tuple[np.ndarray, np.ndarray]]:
        returns = 0.9 / (1 + np.exp(-(log_places - 11)))
        noise = 0.003 * generator.standard_normal((4, 80))
        return {i: (log_e, returns + noise[i]) for i in range(4)}

    assert plateau(runs(log_e)) is None
    rests = np.where(log_e < 10.5, log_e, np.maximum(10.5, 10.5 + 1.5 * (log_e - 12)))
    first, final = plateau(runs(rests))
    assert first == pytest.approx(10.5, abs=0.4)
    assert final == pytest.approx(12.0, abs=0.5)


def test_sizes_that_a_plateau_delays_are_named() -> None:
    frame = simulate(np.random.default_rng(6))
    assert learning_curves(frame).plateaus == ()
    ends = frame["interactions"].to_numpy(float)
    seen = np.where(ends < 2e4, ends, np.where(ends < 1e5, 2e4, ends - 8e4))
    for _, rows in frame.groupby("run_id"):
        at = rows.index
        frame.loc[at, "return_mean"] = np.interp(seen[at], ends[at], rows["return_mean"])
    curves = learning_curves(frame)
    assert len(curves.plateaus) >= 3
    assert any("have a plateau" in note for note in curves.notes)


def test_runs_of_few_rows_are_left_out_with_a_note() -> None:
    frame = simulate(np.random.default_rng(8))
    short = (frame["parameters"] == frame["parameters"].max()) & (frame["seed"] == 1)
    frame = frame[~short | (frame["interactions"] > 2.5e6)]
    curves = learning_curves(frame)
    assert curves.runs == 19
    assert "1 runs left out, they have fewer than 4 rows" in curves.notes

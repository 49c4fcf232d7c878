from dataclasses import replace

import numpy as np
import pytest

from analysis.laws.schedule import JointData, fit_joint_laws, moments, noise_ratio
from mnist_horizon import theory
from mnist_horizon.schedules import make, parse
from tests.analysis.sparse_runs import HORIZONS, crossings, theta

FEW = ("dense", "revealed:0.0625", "periodic:8", "streak:2")
TRUTH = theta(s_min=40.0, noise_scale=60.0, share=0.5, accuracy=0.4)
CONSTANTS = {"s_min": 40.0, "noise_scale": 60.0, "ratio": noise_ratio(TRUTH), "accuracy": 0.4}


@pytest.fixture(scope="module")
def laws():
    """Joint laws of 20 draws."""
    found = []
    for draw in range(20):
        rng = np.random.default_rng(draw)
        table = crossings(TRUTH, rng, schedules=("dense", "revealed:0.0625", "periodic:8"))
        [law], notes = fit_joint_laws(table, departures=False)
        assert notes == []
        found.append(law)
    return found


def test_mean_is_the_theorys_joint_law():
    data = JointData.from_rows(crossings(TRUTH, np.random.default_rng(0), batch=512), 0.7)
    found = moments(TRUTH)
    for run in (0, 30, 60, 100, 150):
        schedule = data.mean.schedules[data.mean.schedule[run]]
        noise = theory.noise_over_signal(schedule, float(data.mean.horizon[run]), found)
        expected = 40.0 * (512.0 + noise)
        assert np.exp(data.mean(TRUTH)[0][run]) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("free_slope", [False, True])
def test_derivatives_are_those_of_the_mean(free_slope):
    data = JointData.from_rows(crossings(TRUTH, np.random.default_rng(0)), 0.7)
    mean = replace(data.mean, free_slope=free_slope)
    point = np.array([*TRUTH, *[-0.3] * free_slope])
    derivatives = mean(point)[1]
    for place in range(len(point)):
        step = np.eye(len(point))[place] * 1e-3
        numeric = (mean(point + step)[0] - mean(point - step)[0]) / 2e-3
        np.testing.assert_allclose(derivatives[:, place], numeric, rtol=1e-4, atol=1e-6)


@pytest.mark.slow
def test_recovers_known_constants_without_bias(laws):
    for name, truth in CONSTANTS.items():
        errors = np.log([law.numbers[name] / truth for law in laws])
        assert abs(np.median(errors)) < 0.1, name


@pytest.mark.slow
def test_intervals_cover_the_truth(laws):
    for name, truth in CONSTANTS.items():
        covered = sum(law.intervals[name][0] <= truth <= law.intervals[name][1] for law in laws)
        assert covered >= 16, name


@pytest.mark.slow
def test_the_slope_is_one_where_the_law_holds(laws):
    assert np.median([law.slope for law in laws]) == pytest.approx(1, abs=0.05)
    assert sum(law.slope_ci[0] <= 1 <= law.slope_ci[1] for law in laws) >= 16


@pytest.mark.slow
def test_departures_are_one_where_the_law_holds():
    found = []
    for draw in range(3):
        table = crossings(TRUTH, np.random.default_rng(draw), schedules=FEW)
        [law], _ = fit_joint_laws(table)
        found += law.departures
    assert len(found) == 12
    np.testing.assert_allclose([np.log(one.ratio) for one in found], 0, atol=0.2)
    assert np.mean([one.ratio_ci[0] <= 1 <= one.ratio_ci[1] for one in found]) > 0.8


def test_a_streak_that_costs_more_departs_by_that_and_does_not_move_the_law():
    rng = np.random.default_rng
    [plain], _ = fit_joint_laws(crossings(TRUTH, rng(5), schedules=FEW))
    [dear], _ = fit_joint_laws(crossings(TRUTH, rng(5), schedules=FEW, streak_costs=3.0))
    assert dear.numbers == pytest.approx(plain.numbers, rel=1e-6)
    streak = next(one for one in dear.departures if not one.schedule.adds_up)
    assert streak.ratio == pytest.approx(3.0, rel=0.1)
    assert streak.ratio_ci[0] > 2


def test_censored_runs_stay_in_the_fit():
    table = crossings(TRUTH, np.random.default_rng(3), budget=60_000)
    assert 0.1 < table["censored"].mean() < 0.6
    [law], _ = fit_joint_laws(table, departures=False)
    assert law.numbers["noise_scale"] == pytest.approx(60, rel=0.25)
    assert law.numbers["s_min"] == pytest.approx(40, rel=0.25)
    # Taken as if they had got there, they would make noise look cheap.
    [naive], _ = fit_joint_laws(table.assign(censored=False), departures=False)
    assert naive.numbers["noise_scale"] < 45


def test_best_horizon_is_where_the_law_needs_least():
    [law], _ = fit_joint_laws(crossings(TRUTH, np.random.default_rng(1)), departures=False)
    delay = parse("periodic:16")
    best, ends = law.best_horizon(delay)
    grid = np.geomspace(1, 300, 2000)
    assert best == pytest.approx(grid[np.argmin(law.predict(delay, grid))], rel=0.01)
    assert ends[0] < best < ends[1]
    assert law.best_horizon(make("dense")) == (1.0, None)


def test_rates_and_entropy_by_rule_do_not_split_a_group():
    laws, _ = fit_joint_laws(crossings(TRUTH, np.random.default_rng(0)), departures=False)
    assert len(laws) == 1
    assert len(laws[0].data.seed) == 7 * 4 * len(HORIZONS)


def test_what_cannot_be_fitted_is_noted():
    rng = np.random.default_rng(0)
    assert fit_joint_laws(crossings(TRUTH, rng, schedules=("dense",))) == ([], [])
    laws, [note] = fit_joint_laws(crossings(TRUTH, rng, schedules=("dense", "streak:2")))
    assert laws == []
    assert "fewer than 2 of dense, revealed and periodic" in note
    laws, [note] = fit_joint_laws(crossings(TRUTH, rng, batch=0).assign(batch=0))
    assert laws == []
    assert "the batch is not given" in note


def test_one_seed_has_numbers_without_intervals():
    [law], _ = fit_joint_laws(crossings(TRUTH, np.random.default_rng(2), seeds=1))
    assert law.intervals == {}
    assert law.slope_ci is None
    assert "s_min" in law.to_json()
    assert "s_min_ci" not in law.to_json()

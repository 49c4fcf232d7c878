"""Scores order runs as their learning curves do, and the best candidates are kept."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnist_horizon.tuning import halving
from mnist_horizon.tuning.halving import THRESHOLDS, all_reached, keep, log_interactions
from mnist_horizon.tuning.settings import Candidate

ENDS = np.geomspace(100, 100_000, 31)


def curve(midpoint: float, highest: float = 1.0) -> np.ndarray:
    """A return that rises linearly in log E, a half at the midpoint."""
    return np.clip(0.5 + 0.25 * np.log(ENDS / midpoint), 0.1, highest)


def test_crossings_are_interpolated_in_log_interactions() -> None:
    found = log_interactions(ENDS, curve(3000.0), 1e5)
    expected = [math.log(3000) + (threshold - 0.5) / 0.25 for threshold in THRESHOLDS]
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_a_curve_that_falls_is_made_monotone() -> None:
    returns = curve(3000.0)
    returns[10] -= 0.2
    assert np.isfinite(log_interactions(ENDS, returns, 1e5)).all()
    assert log_interactions(ENDS, returns, 1e5)[0] >= math.log(3000)


@given(st.floats(0.2, 0.84), st.floats(0.0, 0.1))
def test_of_two_runs_that_end_below_the_higher_is_better(low: float, more: float) -> None:
    worse, better = (log_interactions(ENDS, curve(500.0, end), 1e6) for end in (low, low + more))
    assert better.mean() <= worse.mean()


def test_what_is_not_reached_counts_more_than_anything_reached() -> None:
    short = log_interactions(ENDS, curve(500.0, 0.8499), 1e5)
    late = log_interactions(ENDS, curve(24_600.0), 1e5)
    assert late[2] <= math.log(1e5) < short[2]
    assert short[2] == pytest.approx(math.log(1e5), abs=1e-3)


def test_a_run_that_diverges_is_worse_than_one_that_learns_nothing() -> None:
    returns = np.full(31, 0.1)
    nothing = log_interactions(ENDS, returns, 1e5)
    returns[5:] = np.nan
    diverged = log_interactions(ENDS, returns, 1e5)
    assert (diverged > nothing).all()
    assert (log_interactions(ENDS, np.full(31, np.nan), 1e5) == diverged).all()


def test_costs_are_scored_by_the_returns_of_their_task() -> None:
    """A diverged run is worse than one that stays at the greatest cost, also before any row."""
    thresholds = (-0.5, -0.1)
    learned = log_interactions(ENDS, curve(500.0) - 1, 1e5, thresholds)
    assert learned[0] == pytest.approx(log_interactions(ENDS, curve(500.0), 1e5, (0.5,))[0])
    nothing = log_interactions(ENDS, np.full(31, -3.0), 1e5, thresholds)
    diverged = log_interactions(ENDS, np.full(31, np.nan), 1e5, thresholds)
    assert (learned < nothing).all()
    assert (nothing < diverged).all()
    assert all_reached(ENDS, curve(500.0)[None] - 1, (-0.5, -0.15))
    assert not all_reached(ENDS, curve(500.0)[None] - 1, (-0.5, 0.5))


def test_nothing_is_left_to_learn_when_the_slowest_run_is_past_the_last_return() -> None:
    fast, slow = curve(500.0), curve(20_000.0)
    assert not all_reached(ENDS[:0], np.zeros((2, 0)))
    assert not all_reached(ENDS, np.stack([fast, slow * 0.8]))
    assert all_reached(ENDS, np.stack([fast, slow]))
    assert not all_reached(ENDS[:20], np.stack([fast, slow])[:, :20])


def candidates(rates: int, decays: tuple[float, ...] = (0.0, 1e5)) -> list[Candidate]:
    return [Candidate(decay, 0.1, 2.0**i) for decay in decays for i in range(rates)]


@given(st.permutations(range(9)), st.floats(-10.0, 10.0))
def test_the_best_third_of_the_rates_is_kept_of_each_decay(
    order: list[int], handicap: float
) -> None:
    """However much worse a decay is, its best rates stay, since all cells are to share one."""
    tried = candidates(9)
    scores = np.array([*order, *(rank + handicap for rank in order)], float)
    kept = keep(tried, scores)
    best = [i for i in range(9) if order[i] < 3]
    assert kept == [*best, *(9 + i for i in best)]


def test_three_rates_stay_at_least() -> None:
    assert len(keep(candidates(4, (0.0,)), np.arange(4.0))) == 3
    assert keep(candidates(2, (0.0,)), np.arange(2.0)) == [0, 1]


def test_thresholds_are_those_of_the_analysis() -> None:
    from analysis.data import crossings

    assert crossings.THRESHOLDS == halving.THRESHOLDS

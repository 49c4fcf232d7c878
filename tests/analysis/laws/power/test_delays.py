"""A delay of some points: a factor of one size, or interactions in which nothing is learned."""

import numpy as np
import pandas as pd
import pytest

from analysis.laws.power.curves import learning_curves
from analysis.laws.power.delays import (
    Delay,
    FittedDelay,
    fit_delay,
    offset_column,
    pooled,
    typical_interactions,
)
from analysis.laws.power.level_estimate import LevelEstimate, estimate_levels
from analysis.laws.power.model_choice import seed_spread
from tests.analysis.power_runs import TRUTH, over_horizons, simulate


def estimate(frame: pd.DataFrame) -> LevelEstimate:
    return estimate_levels([learning_curves(frame)], np.random.default_rng(0))


def slower(frame: pd.DataFrame, size: float, factor: float) -> pd.DataFrame:
    """The same runs, of which those of a size need `factor` times the interactions."""
    here = frame["parameters"] == size
    slow = (factor * frame["interactions"]).round().astype(int)
    return frame.assign(interactions=frame["interactions"].where(~here, slow))


def of_size(one: LevelEstimate, size: float) -> FittedDelay:
    column = (one.curves[0].parameters == size) * 1.0
    return fit_delay(one, column, seed_spread(one.curves).deviations)


def of_offset(one: LevelEstimate) -> FittedDelay:
    return fit_delay(one, offset_column(one.curves[0]), seed_spread(one.curves).deviations)


@pytest.mark.parametrize("factor", [1.0, 1.6])
def test_the_factor_of_a_size_and_the_law_of_the_others_are_found(factor: float) -> None:
    frame = simulate(np.random.default_rng(3), shift=0.003, noise=3e-4)
    size = sorted(frame["parameters"].unique())[2]
    fitted = of_size(estimate(slower(frame, size, factor)), size)
    delay = pooled([fitted])
    assert delay.value == pytest.approx(np.log(factor), abs=0.05)
    assert delay.interval[0] < delay.value < delay.interval[1]
    assert (delay.p < 0.01) is (factor > 1)
    assert np.exp(fitted.arguments)[:2] == pytest.approx([TRUTH.alpha_n, TRUTH.alpha_e], rel=0.15)


def test_an_offset_is_seen_and_a_law_without_one_has_none() -> None:
    frame = simulate(np.random.default_rng(4), shift=0.03)
    assert pooled([of_offset(estimate(frame))]).p_above > 0.05
    late = estimate(frame.assign(interactions=frame["interactions"] + 50_000))
    delay = pooled([of_offset(late)])
    assert delay.p_above < 0.02
    first_order = delay.value * typical_interactions(late.curves[0])
    assert 15_000 < first_order < 150_000
    sooner = frame[frame["interactions"] > 40_000]
    early = estimate(sooner.assign(interactions=sooner["interactions"] - 30_000))
    assert pooled([of_offset(early)]).p_above > 0.5  # the other way is no delay


def test_horizons_together_know_more_than_each_alone() -> None:
    frame = over_horizons(np.random.default_rng(5), (1.0, 7.0, 31.0))
    size = frame["parameters"].min()
    fits = [of_size(estimate(runs), size) for _, runs in frame.groupby("horizon")]
    alone = [pooled([one]) for one in fits]
    together = pooled(fits)
    assert together.refit.error < min(one.refit.error for one in alone)
    values = [one.value for one in alone]
    assert min(values) <= together.value <= max(values)


def test_runs_that_share_observations_count_once() -> None:
    """The same horizon twice has the error of one: its seeds are the same."""
    fitted = of_size(estimate(simulate(np.random.default_rng(6))), 1000.0)
    once, twice = pooled([fitted]), pooled([fitted, fitted])
    assert twice.score.error == pytest.approx(once.score.error)
    assert twice.p == pytest.approx(once.p)
    assert isinstance(once, Delay)

"""The best horizon of a delay, measured by a cubic and by the law."""

from dataclasses import replace

import numpy as np
import pytest

from analysis.laws.best_horizon import BestHorizon, best_horizon_of
from analysis.laws.law import Quantity
from analysis.laws.schedule import ScheduleLaw, fit_schedule_laws
from analysis.stats.censored import Sample, Values
from mnist_horizon.schedules import parse
from tests.analysis.sparse_runs import TRUTH, censored_law, crossings

DELAY = parse("periodic:8")
HORIZONS = np.array([1.0, 3, 7, 15, 31, 63])


def runs(best: float, seeds: int = 3, spread: float = 0.0) -> tuple[Sample, np.ndarray]:
    """Runs whose log E is a parabola about a best horizon that differs a little by seed."""
    horizon, seed = np.tile(HORIZONS, seeds), np.repeat(np.arange(seeds), len(HORIZONS))
    off = spread * (seed - seed.mean())
    log_e = 10 + 0.4 * (np.log(horizon / best) - off) ** 2
    none = np.zeros(len(seed), dtype=bool)
    return Sample(None, Values(log_e, none, none, seed, 0 * log_e), seed), horizon


def measured(best: float, **more: float) -> BestHorizon | None:
    sample, horizon = runs(best, **more)
    return best_horizon_of(DELAY, sample, horizon, 0.7, Quantity(9.0, (8.0, 10.0)))


def test_the_lowest_point_of_a_parabola_is_found_with_its_interval():
    found = measured(9.0, spread=0.1)
    assert found is not None
    assert found.measured.value == pytest.approx(9.0, rel=0.01)
    low, high = found.measured.interval
    assert low < 9.0 < high
    assert high / low < 2
    assert found.edge == ""


def test_one_seed_has_no_interval():
    found = measured(9.0, seeds=1)
    assert found is not None
    assert found.measured.value == pytest.approx(9.0, rel=0.01)
    assert found.measured.interval is None


@pytest.mark.parametrize(("best", "edge", "at"), [(1.0, "shortest", 1.0), (200.0, "longest", 63.0)])
def test_a_lowest_horizon_at_an_end_is_said_to_be_there(best, edge, at):
    assert measured(best) == BestHorizon(DELAY, 0.7, Quantity(at), edge, Quantity(9.0, (8.0, 10.0)))


def test_nothing_is_said_without_three_horizons_or_one_that_all_seeds_reach():
    sample, horizon = runs(9.0)
    predicted = Quantity(9.0)
    few = horizon < 7
    assert best_horizon_of(DELAY, _taken(sample, few), horizon[few], 0.7, predicted) is None
    lost = replace(sample, values=replace(sample.values, right=sample.seed == 0))
    assert best_horizon_of(DELAY, lost, horizon, 0.7, predicted) is None


def _taken(sample: Sample, keep: np.ndarray) -> Sample:
    return Sample(None, sample.values.take(keep), sample.seed[keep])


def test_the_entry_names_both_numbers_with_their_intervals():
    entry = BestHorizon(DELAY, 0.7, Quantity(7.0, (6.0, 8.0)), "", Quantity(9.0)).to_json()
    assert entry == {
        **{"schedule": "periodic:8", "threshold": 0.7, "edge": ""},
        **{"measured": 7.0, "measured_ci": [6.0, 8.0], "predicted": 9.0},
    }


def test_best_horizons_of_a_law_are_those_of_the_truth():
    best = censored_law().best_horizons
    assert [str(one.schedule) for one in best] == ["periodic:4", "periodic:16"]
    for one, truth in zip(best, (6.28, 25.4), strict=True):
        assert one.predicted.value == pytest.approx(truth, rel=0.05)
        assert one.measured.value == pytest.approx(truth, rel=0.3)
        assert one.measured.interval is not None
        assert one.measured.interval[0] < one.measured.value < one.measured.interval[1]


def test_a_best_horizon_at_the_edge_of_a_sweep_is_said_to_be_there():
    short = crossings(TRUTH, np.random.default_rng(0), schedules=("dense", "periodic:16"))
    (law,) = fit_schedule_laws(short[short["horizon"] <= 15], departures=False).entries
    assert isinstance(law, ScheduleLaw)
    (one,) = law.best_horizons
    assert (one.edge, one.measured) == ("longest", Quantity(15.0))

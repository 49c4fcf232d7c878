from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from analysis.laws.law import Fits, Quantity
from analysis.laws.schedule import (
    ScheduleData,
    ScheduleLaw,
    fit_schedule_laws,
    moments,
    noise_ratio,
)
from mnist_horizon import theory
from mnist_horizon.schedules import make, parse
from tests.analysis.sparse_runs import HORIZONS, TRUTH, crossings

FEW = ("dense", "revealed:0.0625", "periodic:8", "streak:2")
CONSTANTS = {"s_min": 40.0, "noise_scale": 60.0, "ratio": noise_ratio(TRUTH), "accuracy": 0.4}


def only(table: pd.DataFrame, departures: bool = True) -> ScheduleLaw:
    (law,) = fit_schedule_laws(table, departures).entries
    return law


def values(law: ScheduleLaw) -> dict[str, float]:
    return {name: law.quantities[name].value for name in CONSTANTS}


@pytest.fixture(scope="module")
def laws():
    """Laws of 20 draws."""
    found = []
    for draw in range(20):
        rng = np.random.default_rng(draw)
        table = crossings(TRUTH, rng, schedules=("dense", "revealed:0.0625", "periodic:8"))
        fits = fit_schedule_laws(table, departures=False)
        assert fits.notes == ()
        found += fits.entries
    assert len(found) == 20
    return found


def test_mean_is_that_of_the_theory():
    data = ScheduleData.from_rows(crossings(TRUTH, np.random.default_rng(0), batch=512), 0.7)
    found = moments(TRUTH)
    for run in (0, 30, 60, 100, 150):
        schedule = data.mean.schedules[data.mean.schedule[run]]
        noise = theory.noise_over_signal(schedule, float(data.mean.horizon[run]), found)
        expected = 40.0 * (512.0 + noise)
        assert np.exp(data.mean(TRUTH)[0][run]) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("free_slope", [False, True])
def test_derivatives_are_those_of_the_mean(free_slope):
    data = ScheduleData.from_rows(crossings(TRUTH, np.random.default_rng(0)), 0.7)
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
        errors = np.log([law.quantities[name].value / truth for law in laws])
        assert abs(np.median(errors)) < 0.1, name


@pytest.mark.slow
def test_intervals_cover_the_truth(laws):
    for name, truth in CONSTANTS.items():
        ends = [law.quantities[name].interval for law in laws]
        assert sum(low <= truth <= high for low, high in ends) >= 16, name


@pytest.mark.slow
def test_the_slope_is_one_where_the_law_holds(laws):
    slopes = [law.quantities["slope"] for law in laws]
    assert np.median([one.value for one in slopes]) == pytest.approx(1, abs=0.05)
    assert sum(one.interval[0] <= 1 <= one.interval[1] for one in slopes) >= 16


@pytest.mark.slow
def test_departures_are_one_where_the_law_holds():
    found = []
    for draw in range(3):
        table = crossings(TRUTH, np.random.default_rng(draw), schedules=FEW)
        found += [one.ratio for one in only(table).departures]
    assert len(found) == 12
    np.testing.assert_allclose([np.log(one.value) for one in found], 0, atol=0.2)
    assert np.mean([one.interval[0] <= 1 <= one.interval[1] for one in found]) > 0.8


def test_a_streak_that_costs_more_departs_by_that_and_does_not_move_the_law():
    rng = np.random.default_rng
    plain = only(crossings(TRUTH, rng(5), schedules=FEW))
    dear = only(crossings(TRUTH, rng(5), schedules=FEW, streak_costs=3.0))
    assert values(dear) == pytest.approx(values(plain), rel=1e-6)
    streak = next(one for one in dear.departures if not one.schedule.adds_up)
    assert streak.ratio.value == pytest.approx(3.0, rel=0.1)
    assert streak.ratio.interval[0] > 2


def test_censored_runs_stay_in_the_fit():
    table = crossings(TRUTH, np.random.default_rng(3), budget=60_000)
    assert 0.1 < table["censored"].mean() < 0.6
    law = only(table, departures=False)
    assert values(law)["noise_scale"] == pytest.approx(60, rel=0.25)
    assert values(law)["s_min"] == pytest.approx(40, rel=0.25)
    # Taken as if they had reached the return, they would make noise look cheap.
    naive = only(table.assign(censored=False), departures=False)
    assert values(naive)["noise_scale"] < 45


def test_best_horizon_is_where_the_law_needs_least():
    law = only(crossings(TRUTH, np.random.default_rng(1)), departures=False)
    delay = parse("periodic:16")
    best = law.best_horizon(delay)
    grid = np.geomspace(1, 300, 2000)
    assert best.value == pytest.approx(grid[np.argmin(law.curve(delay, grid))], rel=0.01)
    assert best.interval is not None
    assert best.interval[0] < best.value < best.interval[1]
    assert law.best_horizon(make("dense")) == Quantity(1.0)


def test_rates_and_entropy_by_rule_do_not_split_a_group():
    law = only(crossings(TRUTH, np.random.default_rng(0)), departures=False)
    assert len(law.data.seed) == 7 * 4 * len(HORIZONS)


def test_what_cannot_be_fitted_is_noted():
    rng = np.random.default_rng(0)
    assert fit_schedule_laws(crossings(TRUTH, rng, schedules=("dense",))) == Fits()
    fits = fit_schedule_laws(crossings(TRUTH, rng, schedules=("dense", "streak:2")))
    assert fits.entries == ()
    (note,) = fits.notes
    assert "fewer than 2 schedules whose rewards add up" in note
    fits = fit_schedule_laws(crossings(TRUTH, rng, batch=0).assign(batch=0))
    assert fits.entries == ()
    (note,) = fits.notes
    assert "the batch is not given" in note


def test_one_seed_has_numbers_without_intervals():
    law = only(crossings(TRUTH, np.random.default_rng(2), seeds=1))
    assert {one.interval for one in law.quantities.values()} == {None}
    assert "s_min" in law.to_json()
    assert "s_min_ci" not in law.to_json()


def test_predictions_are_at_the_rows_own_batch_or_at_the_median():
    law = only(crossings(TRUTH, np.random.default_rng(1), seeds=2), departures=False)
    rows = pd.DataFrame({"horizon": [7.0, 7.0], "schedule": ["dense", "periodic"]})
    rows["schedule_level"] = [1.0, 4.0]
    at_median = law.predict(rows)
    np.testing.assert_allclose(law.predict(rows.assign(batch=256)), at_median)
    gained = law.predict(rows.assign(batch=512)) - at_median
    np.testing.assert_allclose(gained, 256 * values(law)["s_min"], rtol=1e-6)
    assert at_median[1] == pytest.approx(law.curve(parse("periodic:4"), np.array([7.0]))[0])


def test_a_schedule_without_a_closed_form_is_left_out_with_a_note(monkeypatch):
    known = theory.has_closed_form
    monkeypatch.setattr(theory, "has_closed_form", lambda one: one.kind != "streak" and known(one))
    fits = fit_schedule_laws(crossings(TRUTH, np.random.default_rng(0), schedules=FEW), False)
    (law,) = fits.entries
    assert "streak" not in {one.kind for one in law.data.mean.schedules}
    assert any("no closed form of the noise of streak:2" in note for note in fits.notes)

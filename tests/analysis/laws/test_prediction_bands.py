import functools

import numpy as np
import pandas as pd
import pytest

from analysis.laws.horizon import HorizonLaw, fit_horizon_laws
from analysis.laws.law import leave_out_interval
from analysis.laws.prediction_bands import bands, horizon_bands, horizon_curve, with_band
from analysis.laws.synthetic import HorizonTruth
from analysis.stats.intervals import LOG, t_factor
from mnist_horizon import theory
from mnist_horizon.moments import Moments
from tests.analysis.horizon_runs import HORIZONS, table_of
from tests.analysis.sparse_runs import censored_law


@functools.cache
def laws(seeds: int = 4) -> tuple[HorizonLaw, ...]:
    table = table_of(np.random.default_rng(3), HorizonTruth(), seeds=seeds, widths=(8, 64))
    return fit_horizon_laws(table).entries


@pytest.mark.parametrize("number", range(6))
def test_a_horizon_laws_numbers_give_its_predictions_and_the_interval_of_a(number):
    law = laws()[number]
    entry = law.to_json()
    curve = horizon_curve(entry, HORIZONS)
    np.testing.assert_allclose(curve["interactions"], law.affine.predict(HORIZONS), rtol=1e-12)
    assert curve["horizon"].tolist() == HORIZONS.tolist()
    assert entry["bands"]["form"] == "affine"
    assert curve.loc[0, ["low", "high"]].tolist() == pytest.approx(entry["a_ci"], rel=1e-12)


def test_the_interval_of_a_prediction_is_that_of_leaving_out_seeds():
    law = laws()[0]
    form, horizon = law.affine, 31.0

    def at(theta: np.ndarray) -> float:
        growth = np.expm1(theta[-1]) * (horizon - 1) / (HORIZONS.max() - 1)
        return float(np.exp(theta[0]) * (1 + growth))

    expected = leave_out_interval(at, form.fit.theta, form.left_out, LOG)
    curve = horizon_curve(law.to_json(), np.array([horizon]))
    assert curve.loc[0, ["low", "high"]].tolist() == pytest.approx(expected, rel=1e-12)


def test_where_the_free_power_is_selected_its_numbers_are_given():
    law = laws()[1]
    assert law.regressor == "variance_horizon"
    known = horizon_bands(law.forms, "free")
    assert known["estimate"]["g"] == pytest.approx(law.free_power["g"].value)
    assert known["regressor"] == "h-1"
    curve = horizon_curve({"bands": known}, HORIZONS)
    np.testing.assert_allclose(curve["interactions"], law.forms["free"].predict(HORIZONS))


def test_one_seed_has_predictions_without_intervals():
    law = laws(seeds=1)[0]
    known = law.to_json()["bands"]
    assert known["without_seed"] == []
    assert known.get("t") is None
    curve = horizon_curve({"bands": known}, HORIZONS)
    np.testing.assert_allclose(curve["interactions"], law.affine.predict(HORIZONS), rtol=1e-12)
    assert curve[["low", "high"]].isna().all(axis=None)


def test_what_is_not_positive_has_no_prediction_or_no_interval():
    places = np.array([1.0, 2.0, 3.0])
    estimate = np.array([2.0, 1.0, -1.0])
    curve = with_band(places, estimate, [estimate * 1.1, np.array([1.9, -0.1, 5.0])])
    assert curve["horizon"].tolist() == [1.0, 2.0]
    assert curve["low"].isna().tolist() == [False, True]


def test_numbers_of_each_seed_left_out_come_with_the_quantile():
    found = bands(lambda theta: {"level": float(theta[0])}, np.zeros(1), np.ones((3, 1)))
    assert found["estimate"] == {"level": 0.0}
    assert found["without_seed"] == [{"level": 1.0}] * 3
    assert found["t"] == pytest.approx(t_factor(3))
    assert found["t"] == pytest.approx(4.303, abs=1e-3)


def test_a_schedule_laws_numbers_give_its_predictions():
    law = censored_law()
    known = law.to_json()["bands"]
    for numbers, fitted in (
        (known["estimate"], law),
        (known["without_seed"][1], law.without_seed(law.seeds[1])),
    ):
        fisher = numbers["noise_scale"] / (numbers["accuracy"] * (1 - numbers["accuracy"]))
        at = Moments(numbers["accuracy"], fisher, numbers["share"] * fisher, 1.0, 1.0)
        for schedule in law.data.mean.schedules:
            if not schedule.adds_up:
                continue
            noise = theory.noise_over_signal(schedule, 15.0, at)
            row = pd.DataFrame({"horizon": [15.0]})
            row = row.assign(schedule=schedule.kind, schedule_level=schedule.level)
            expected = numbers["s_min"] * (law.group["batch"] + noise)
            assert fitted.predict(row)[0] == pytest.approx(expected, rel=1e-12)

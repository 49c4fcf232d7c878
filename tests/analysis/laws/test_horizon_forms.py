"""The forms of the horizon law fitted to one group: their means, and what runs they take."""

import numpy as np
import pandas as pd
import pytest

from analysis.laws.horizon import knee_of
from analysis.laws.horizon_forms import (
    HorizonData,
    HorizonMean,
    fit_form,
    horizon_data,
)
from analysis.laws.regressors import REGRESSORS, regressor_values
from analysis.laws.synthetic import HorizonTruth, Noise
from tests.analysis.horizon_runs import HORIZONS, NONE, data_of, table_of

THETA = {
    "affine": [9.0, 10.0, 1.5],
    "proportional": [9.0, 10.0],
    "free": [9.0, 10.0, 1.5, -0.3],
}
"""Parameters of each form at two widths."""


def mean_of(form: str) -> HorizonMean:
    x = HORIZONS if form == "proportional" else HORIZONS - 1
    width = np.arange(len(HORIZONS)) % 2
    return HorizonMean(form, x, float(x.max()), width, 2)


@pytest.mark.parametrize("form", THETA)
def test_means_are_those_of_the_forms(form):
    theta = np.array(THETA[form])
    a = np.exp(theta[:2])[np.arange(len(HORIZONS)) % 2]
    x_max, gain = HORIZONS.max() - 1, np.expm1(1.5)
    by_hand = {
        "affine": a + a * gain / x_max * (HORIZONS - 1),
        "proportional": a * HORIZONS,
        "free": a + a * gain * ((HORIZONS - 1) / x_max) ** np.exp(-0.3),
    }
    np.testing.assert_allclose(np.exp(mean_of(form)(theta)[0]), by_hand[form])


@pytest.mark.parametrize("form", THETA)
def test_derivatives_are_those_of_the_mean(form):
    mean, theta = mean_of(form), np.array(THETA[form])
    derivatives = mean(theta)[1]
    assert len(mean.bounds) == len(theta)
    for place, step in enumerate(1e-6 * np.eye(len(theta))):
        numeric = (mean(theta + step)[0] - mean(theta - step)[0]) / 2e-6
        np.testing.assert_allclose(derivatives[:, place], numeric, atol=1e-7)


def test_a_part_of_a_mean_keeps_the_scale_of_the_whole():
    theta = np.array(THETA["affine"])
    keep = HORIZONS < 60
    part = mean_of("affine").take(keep)
    np.testing.assert_array_equal(part(theta)[0], mean_of("affine")(theta)[0][keep])


def test_data_have_a_block_for_each_seed_and_width_and_none_with_one_seed():
    table = table_of(np.random.default_rng(0), HorizonTruth(), seeds=3, widths=(8, 64))
    data = HorizonData.from_rows(table.assign(batch=128))
    assert data.seeds == [0, 1, 2]
    assert data.widths == (8, 64)
    assert len(np.unique(data.values.block)) == 6
    assert set(data.batch) == {128}
    assert (data.values.spread.min(), data.values.spread.max()) == (0, 1)
    one = HorizonData.from_rows(table[table["seed"] == 0])
    assert set(one.values.block) == {0}
    assert set(one.batch) == {0}


def test_what_is_left_censored_need_not_be_said():
    table = table_of(np.random.default_rng(0), HorizonTruth())
    assert not HorizonData.from_rows(table.drop(columns="left_censored")).values.left.any()
    table["left_censored"] = table["horizon"] == 1
    assert HorizonData.from_rows(table).values.left.sum() == 4


def test_no_data_without_two_horizons_that_are_reached():
    table = table_of(np.random.default_rng(0), HorizonTruth())
    table["left_censored"] = table["horizon"] < 127
    data, (problem,) = horizon_data(table)
    assert data is None
    assert "1 horizon with runs that reach it" in problem


@pytest.mark.parametrize("regressor", REGRESSORS)
def test_multiplier_is_1_at_h_1_and_2_at_the_knee_of_every_width(regressor):
    truth = HorizonTruth(a={8: 1e4, 64: 1e5}, knee=20.0, regressor=regressor)
    table = table_of(np.random.default_rng(0), truth, NONE, widths=(8, 64))
    affine = fit_form(data_of(table), "affine", regressor)
    np.testing.assert_allclose(affine.multiplier(np.array([1.0, 20.0])), [1, 2], rtol=1e-3)
    at_knee = [affine.predict(np.array([20.0]), width)[0] for width in (8, 64)]
    np.testing.assert_allclose(at_knee, [2e4, 2e5], rtol=1e-3)
    assert affine.predict(np.array([1.0]))[0] == pytest.approx(np.sqrt(1e9), rel=1e-3)
    x = regressor_values(HORIZONS, regressor)
    assert affine.mean.x_max == x.max()


def test_aicc_counts_runs_less_the_contrasts_between_seeds():
    data = data_of(table_of(np.random.default_rng(0), HorizonTruth()))
    fit = fit_form(data, "affine", leave_out=False)
    units, free = 4 * 7 - 3, 2 + 3
    penalty = 2 * free + 2 * free * (free + 1) / (units - free - 1)
    assert fit.aicc == pytest.approx(penalty - 2 * fit.fit.log_likelihood)
    few = table_of(np.random.default_rng(0), HorizonTruth(), seeds=2, horizons=HORIZONS[:3])
    assert fit_form(data_of(few), "affine", leave_out=False).aicc is None


def test_a_profile_is_highest_at_the_estimate():
    fit = fit_form(data_of(table_of(np.random.default_rng(0), HorizonTruth())), "affine")
    profile, best = fit.profile(1), float(fit.fit.theta[1])
    assert profile(best) == pytest.approx(fit.fit.log_likelihood, abs=1e-4)
    assert profile(best + 0.3) < fit.fit.log_likelihood - 1
    assert profile(best - 0.3) < fit.fit.log_likelihood - 1


def test_a_form_without_a_seed_has_the_parameters_of_the_others():
    table = table_of(np.random.default_rng(0), HorizonTruth())
    fit = fit_form(data_of(table), "affine")
    assert fit.left_out.shape == (4, 2)
    others = fit_form(data_of(table[table["seed"] != 2]), "affine")
    found = fit.without_seed(2)
    np.testing.assert_allclose(found.fit.theta, others.fit.theta, atol=1e-3)
    assert found.left_out.shape == (0, 2)


def test_a_refit_to_other_values_of_the_same_runs_is_a_fit_to_them():
    rng = np.random.default_rng(0)
    one, other = (data_of(table_of(rng, HorizonTruth(knee=knee))) for knee in (30.0, 10.0))
    again = fit_form(one, "affine").refit(other)
    direct = fit_form(other, "affine")
    np.testing.assert_allclose(again.fit.theta, direct.fit.theta, atol=1e-3)
    np.testing.assert_allclose(again.left_out, direct.left_out, atol=1e-3)


def test_censored_runs_leave_the_knee_unbiased_where_dropping_them_does_not():
    rng = np.random.default_rng(2)
    noise = Noise(seed=0.15, run=0.15, run_at_largest=0.3)
    kept, dropped, share = [], [], []
    for _ in range(30):
        table = table_of(rng, HorizonTruth(knee=30.0), noise, seeds=6, budget=1.9e5)
        share.append(table["censored"].mean())
        rest = table[~table["censored"]]
        kept.append(np.log(fitted_knee(table)))
        dropped.append(np.log(fitted_knee(rest)))
    assert 0.05 < np.mean(share) < 0.3
    truth = np.log(30)
    assert abs(np.mean(kept) - truth) < 0.06
    assert abs(np.mean(dropped) - truth) > 2 * abs(np.mean(kept) - truth)
    assert abs(np.mean(dropped) - truth) > 0.1


def fitted_knee(table: pd.DataFrame) -> float:
    affine = fit_form(data_of(table), "affine", leave_out=False)
    return knee_of(affine.fit.theta[-1], affine.mean.x_max, "h-1")

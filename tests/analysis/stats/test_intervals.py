import numpy as np
import pytest
from scipy.stats import spearmanr

from analysis.stats.intervals import (
    LINEAR,
    LOG,
    LOGIT,
    arcsinh_scale,
    jackknife_error,
    jackknife_interval,
    mean_interval,
    profile_interval,
    rank_correlation,
    t_factor,
    t_reach,
)


def leave_out(values: np.ndarray) -> np.ndarray:
    return np.array([np.delete(values, i).mean() for i in range(len(values))])


def test_t_factor_by_the_table():
    assert t_factor(4) == pytest.approx(3.1824, abs=1e-4)
    assert t_factor(6) == pytest.approx(2.5706, abs=1e-4)


def test_leaving_out_gives_the_standard_error_of_a_mean():
    values = np.array([1.0, 2.0, 4.0, 9.0])
    error = jackknife_error(values.mean(), leave_out(values))
    assert error == pytest.approx(values.std(ddof=1) / 2)


def test_interval_of_a_mean_of_four_covers_95_per_cent():
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(2000):
        values = rng.standard_normal(4)
        low, high = jackknife_interval(values.mean(), leave_out(values))
        held += low <= 0 <= high
    assert 0.935 < held / 2000 < 0.965


def test_interval_is_symmetric_on_its_scale():
    low, high = jackknife_interval(2.0, np.array([1.5, 2.0, 2.5]), LOG)
    assert low * high == pytest.approx(4.0)


@pytest.mark.parametrize("scale", [LINEAR, LOG, LOGIT, arcsinh_scale(0.2)])
def test_a_scale_rises_and_its_inverse_leads_back(scale):
    values = np.array([0.01, 0.3, 0.5, 0.9])
    on_scale = np.array([scale.to(value) for value in values])
    assert (np.diff(on_scale) > 0).all()
    np.testing.assert_allclose([scale.back(value) for value in on_scale], values, rtol=1e-12)


def test_arcsinh_is_linear_about_0_and_logarithmic_far_from_it():
    scale = arcsinh_scale(2.0)
    assert scale.to(1e-3) == pytest.approx(0.5e-3, rel=1e-6)
    assert scale.to(-1e-3) == -scale.to(1e-3)
    assert scale.to(2e6) - scale.to(1e6) == pytest.approx(np.log(2))


def test_one_seed_has_no_interval():
    assert jackknife_interval(2.0, np.array([2.0])) is None
    assert jackknife_interval(2.0, []) is None


def test_an_interval_beyond_what_a_float_holds_is_0_to_infinity():
    assert jackknife_interval(1.0, np.array([1e-300, 1e300]), LOG) == (0.0, np.inf)
    low, high = jackknife_interval(2.0, np.array([2.0, 2.0, 2.0]), LOG)
    assert low == pytest.approx(2.0)
    assert high == pytest.approx(2.0)


def test_interval_of_a_mean_is_students():
    values = np.array([1.0, 2.0, 4.0, 9.0])
    mean, low, high = mean_interval(values)
    assert mean == 4.0
    assert high - mean == pytest.approx(t_factor(4) * values.std(ddof=1) / 2)
    assert mean - low == pytest.approx(high - mean)
    mean, low, high = mean_interval(np.array([3.0]))
    assert mean == 3.0
    assert np.isnan([low, high]).all()


def test_reach_of_a_mean_by_its_seeds():
    found = t_reach(np.array([2.0, 2.0, 2.0]), np.array([4, 1, 6]))
    np.testing.assert_allclose(found[[0, 2]], [t_factor(4), 2 * t_factor(6) / np.sqrt(6)])
    assert np.isnan(found[1])


def test_profile_of_a_parabola_is_the_t_interval_whatever_its_curvature():
    for curvature in (0.3, 5.0):
        low, high = profile_interval(
            lambda x, c=curvature: -c * (x - 1) ** 2, 1.0, 0.5, 4, (-10.0, 10.0)
        )
        assert low == pytest.approx(1 - 0.5 * t_factor(4), abs=2e-3)
        assert high == pytest.approx(1 + 0.5 * t_factor(4), abs=2e-3)


def test_profile_keeps_the_lopsided_shape():
    def steep_below(x: float) -> float:
        return -((np.exp(-x) - 1) ** 2)

    low, high = profile_interval(steep_below, 0.0, 0.2, 4, (-5.0, 5.0))
    assert high > -low > 0


def test_an_end_that_is_never_reached_is_the_limit():
    def flat_above(x: float) -> float:
        return -(min(x, 0.2) ** 2)

    _, high = profile_interval(flat_above, 0.0, 0.5, 4, (-10.0, 3.0))
    assert high == 3.0


def test_rank_correlation_is_spearmans_also_with_ties():
    rng = np.random.default_rng(0)
    for ties in (False, True):
        x, y = rng.standard_normal((2, 9))
        x, y = (np.round(one) for one in (x, y)) if ties else (x, y)
        found, low, high = rank_correlation(x, y)
        assert found == pytest.approx(spearmanr(x, y).statistic)
        assert -1 < low < found < high < 1


def test_rank_correlation_of_eight_covers_95_per_cent_and_a_perfect_order_is_not_certain():
    rng = np.random.default_rng(1)
    truth = 6 / np.pi * np.arcsin(0.6 / 2)  # Spearman's, of normal variables with correlation 0.6
    held = 0
    for _ in range(2000):
        x = rng.standard_normal(8)
        y = 0.6 * x + 0.8 * rng.standard_normal(8)
        _, low, high = rank_correlation(x, y)
        held += low <= truth <= high
    assert 0.93 < held / 2000 < 0.985
    found, low, high = rank_correlation(np.arange(8.0), np.arange(8.0))
    assert (found, high) == (1, 1)
    assert 0.5 < low < 0.95
    assert rank_correlation(np.ones(5), np.arange(5.0)) == (0, -1, 1)

"""The distributions against SciPy's own."""

import math

import pytest
from scipy import stats

from analysis.stats.distributions import f_quantile, f_tail, t_quantile, t_tail


@pytest.mark.parametrize("freedom", [0.7, 1, 3, 7.3, 50, math.inf])
def test_students_t_is_that_of_scipy(freedom):
    assert t_quantile(0.975, freedom) == pytest.approx(stats.t.ppf(0.975, freedom), rel=1e-12)
    for value in (-2.0, 0.0, 1.3, 40.0):
        expected = stats.t.sf(value, freedom)
        assert t_tail(value, freedom) == pytest.approx(expected, rel=1e-12)


def test_without_a_degree_of_freedom_there_is_no_quantile():
    assert math.isnan(t_quantile(0.975, 0))


@pytest.mark.parametrize("freedom", [(1, 3), (4.5, 2.2), (30, 60)])
@pytest.mark.parametrize("value", [0.0, 0.4, 3.0, 1e3, math.inf])
def test_fishers_f_is_that_of_scipy(value, freedom):
    assert f_tail(value, *freedom) == pytest.approx(stats.f.sf(value, *freedom), rel=1e-12)


@pytest.mark.parametrize("freedom", [(1, 3), (4.5, 2.2), (30, 60)])
def test_the_quantile_of_f_is_that_of_scipy(freedom):
    assert f_quantile(0.95, *freedom) == pytest.approx(stats.f.ppf(0.95, *freedom), rel=1e-9)

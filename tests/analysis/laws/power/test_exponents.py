"""Exponents of level sets as they are compared: with and without parts of the data."""

import numpy as np
import pytest

from analysis.laws.power.exponents import condition, natural, parts_left_out, patterns
from analysis.laws.power.single import estimate_each, power_law_groups
from tests.analysis.power_runs import simulate


@pytest.fixture(scope="module", name="estimates")
def _estimates():
    rng = np.random.default_rng(0)
    (group,) = power_law_groups(simulate(rng, sizes=5, rows=24).assign(algorithm="vpg"))
    return estimate_each(group, rng)[0]


def test_patterns_change_one_exponent_each():
    at = np.log([0.55, 0.42])
    step = 1e-5
    for place, pattern in enumerate(patterns(at)):
        changed = (natural(at + step * pattern) - natural(at)) / step
        assert changed[place] == pytest.approx(1, abs=1e-3)
        if place < 2:
            assert changed[1 - place] == pytest.approx(0, abs=1e-9)
    assert natural(np.tile(at, (4, 1))).shape == (4, 3)


def test_a_condition_has_the_exponents_of_its_fit(estimates):
    found = condition(estimates[0])
    np.testing.assert_array_equal(found.values, estimates[0].fit.arguments[:2])
    assert found.name == "h = 1"
    assert sorted(found.left_out) == estimates[0].seeds
    np.testing.assert_array_equal(found.left_out[2], estimates[0].without_seed[2, :2])
    assert 0 < found.variance < 1


def test_each_size_and_the_first_points_are_left_out_in_turn(estimates):
    parts = dict(parts_left_out(estimates))
    assert len(parts) == 6
    whole = condition(estimates[0])
    for (found,) in parts.values():
        assert not np.array_equal(found.values, whole.values)
        assert np.abs(found.values - whole.values).max() < 0.5
        assert found.left_out.keys() == whole.left_out.keys()
    (late,) = parts["first third of each curve"]
    assert late.variance > whole.variance

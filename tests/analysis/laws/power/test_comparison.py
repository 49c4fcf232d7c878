"""Whether exponents change with the horizon: a test by simulation from the fit, and its power."""

from dataclasses import replace

import numpy as np
import pytest

from analysis.laws.power import comparison
from analysis.laws.power.comparison import Comparison, ExponentTest, compare_models
from analysis.laws.power.shared import estimate_jointly
from analysis.laws.power.single import estimate_each, power_law_groups
from tests.analysis.power_runs import over_horizons


def compare(seed: int, drift: float, horizons: tuple[float, ...] = (1.0, 7.0, 31.0)) -> Comparison:
    generator = np.random.default_rng(seed)
    (group,) = power_law_groups(over_horizons(generator, horizons, drift))
    alone, _ = estimate_each(group, generator)
    return compare_models(estimate_jointly(alone, None, generator), alone, generator)


@pytest.mark.slow
def test_exponents_that_move_are_seen_and_those_that_do_not_are_not() -> None:
    moving = [compare(seed, drift=0.3) for seed in (0, 1, 2, 12)]  # alpha_E from 0.42 to 0.67
    assert {one.verdict for one in moving} == {"free", "undecided"}
    assert sum(one.test.p <= 0.05 for one in moving) >= 2
    still = [compare(seed, drift=0.0) for seed in range(6)]
    assert sum(one.verdict == "free" for one in still) <= 1
    assert np.mean([one.test.p for one in still]) > 0.2
    assert all(0 < one.test.p <= 1 for one in still)


def test_the_power_grows_with_the_change(monkeypatch) -> None:
    monkeypatch.setattr(comparison, "POWER_DRAWS", 12)
    found = []
    for change in (0.01, 0.4):
        monkeypatch.setattr(comparison, "CHANGE", change)
        test = compare(0, drift=0.0, horizons=(1.0, 7.0)).test
        assert test.to_json()["power"]["alpha_e"]["change"] == change
        found.append(test.power["alpha_e"])
    assert found[0] <= 0.4
    assert found[1] >= 0.9


@pytest.mark.parametrize(
    ("p", "scores", "verdict"),
    [
        (0.01, (1.0, 6.0, 9.0), "free"),
        (0.30, (1.0, 6.0, 9.0), "shared"),
        (0.30, (6.0, 1.0, 9.0), "exponents"),
        (0.30, (9.0, 7.0, 1.0), "undecided"),  # lower, but not by more than chance
        (0.30, (1.0, 4.9, 9.0), "undecided"),
        (None, (9.0, 7.0, 1.0), "undecided"),
    ],
)
def test_the_verdict_follows_the_test(p, scores, verdict) -> None:
    aicc = dict(zip(("shared", "exponents", "free"), scores, strict=True))
    test = None if p is None else ExponentTest(p, p, 99, {"alpha_n": 0.9, "alpha_e": 0.85})
    assert Comparison(aicc, test).verdict == verdict


def test_a_change_that_a_delay_explains_is_not_said() -> None:
    aicc = {"shared": 9.0, "exponents": 6.0, "free": 1.0}
    test = ExponentTest(0.01, 0.3, 99, {"alpha_n": 0.9, "alpha_e": 0.9})
    assert Comparison(aicc, test).verdict == "undecided"
    assert test.to_json()["p_delayed"] == 0.3


def test_a_delay_that_explains_the_difference_is_as_good_as_one_law_per_horizon(monkeypatch):
    monkeypatch.setattr(comparison, "DRAWS", 19)
    monkeypatch.setattr(comparison, "POWER_DRAWS", 1)
    generator = np.random.default_rng(1)
    frame = over_horizons(generator, (1.0, 31.0))
    largest = frame["parameters"] == frame["parameters"].max()
    slow = frame["interactions"].where(~largest, (2 * frame["interactions"]).astype(int))
    (group,) = power_law_groups(frame.assign(interactions=slow))
    alone, _ = estimate_each(group, generator)
    together = estimate_jointly(alone, None, generator)
    parameters = np.concatenate([one.parameters for one in together.curves])
    column = (parameters == parameters.max()) * 1.0
    plain = compare_models(together, alone, np.random.default_rng(2)).test
    delayed = compare_models(together, alone, np.random.default_rng(2), [column]).test
    assert plain.p_delayed == plain.p == delayed.p
    assert delayed.p_delayed > 0.05
    assert delayed.p_delayed >= plain.p


def test_a_test_that_would_not_see_a_change_decides_for_none() -> None:
    aicc = {"shared": 1.0, "exponents": 9.0, "free": 9.0}
    assert Comparison(aicc, ExponentTest(0.3, 0.3, 99, {"alpha_n": 0.9})).verdict == "shared"
    weak = ExponentTest(0.3, 0.3, 99, {"alpha_n": 0.9, "alpha_e": 0.2})
    assert Comparison(aicc, weak).verdict == "undecided"


def test_without_a_generator_nothing_is_drawn() -> None:
    generator = np.random.default_rng(5)
    (group,) = power_law_groups(over_horizons(generator, (1.0, 7.0)))
    alone, _ = estimate_each(group, generator)
    together = estimate_jointly(alone, None, generator)
    found = compare_models(together, alone)
    assert found.test is None
    assert set(found.aicc) == {"shared", "exponents", "free"}
    few = replace(together, curves=tuple(one.without_seed(0) for one in together.curves))
    assert set(compare_models(few, alone).aicc) == {"shared", "exponents", "free"}

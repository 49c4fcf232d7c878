from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm

from analysis.stats.censored import Sample, Values, fit, log_likelihood, parameters


@pytest.fixture(name="values")
def _values() -> Values:
    rng = np.random.default_rng(0)
    kind = np.array([0, 1, 0, 2, 0, 0, 1, 0, 0, 0, 0, 0])  # 1 right-, 2 left-censored
    return Values(
        rng.standard_normal(12),
        kind == 1,
        kind == 2,
        np.repeat([0, 1, 2], 4),
        np.tile(np.linspace(0, 1, 4), 3),
    )


SPREAD = np.array([-0.5, 0.3, -0.7])
MEANS = np.linspace(-0.4, 0.5, 12)


def test_likelihood_is_the_integral_over_the_effect_of_each_block(values):
    effects = np.linspace(-8, 8, 20_001)
    sigma = np.exp(SPREAD[0] + SPREAD[1] * values.spread)
    total = 0.0
    for block in range(3):
        density = norm.pdf(effects, 0, np.exp(SPREAD[2]))
        for i in np.flatnonzero(values.block == block):
            gap = (values.log_e[i] - MEANS[i] - effects) / sigma[i]
            if values.right[i]:
                density = density * norm.sf(gap)
            elif values.left[i]:
                density = density * norm.cdf(gap)
            else:
                density = density * norm.pdf(gap) / sigma[i]
        total += np.log(density.sum() * (effects[1] - effects[0]))
    found = log_likelihood(MEANS, np.eye(12), SPREAD, values)[0]
    assert found == pytest.approx(total, abs=1e-8)


@pytest.mark.parametrize("censored", [True, False])
def test_gradient_and_information_are_the_derivatives(values, censored):
    if not censored:
        values = replace(values, right=np.zeros(12, bool), left=np.zeros(12, bool))

    def at(point: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        return log_likelihood(point[:12], np.eye(12), point[12:], values)

    middle = np.concatenate([MEANS, SPREAD])
    _, gradient, information = at(middle)
    step = 1e-5
    for i, change in enumerate(step * np.eye(15)):
        up, down = at(middle + change), at(middle - change)
        assert gradient[i] == pytest.approx((up[0] - down[0]) / (2 * step), abs=1e-7)
        bend = -(up[1] - down[1]) / (2 * step)
        np.testing.assert_allclose(information[i], bend, atol=1e-6)


class Constant:
    """One level for all runs."""

    bounds = ((-10.0, 10.0),)

    def __init__(self, runs: int) -> None:
        self.runs = runs

    def __call__(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.full(self.runs, theta[0]), np.ones((self.runs, 1))

    def take(self, keep: np.ndarray) -> "Constant":
        return Constant(int(keep.sum()))


def test_level_of_uncensored_runs_is_their_mean():
    log_e = np.array([1.0, 2.0, 4.0])
    none = np.zeros(3, dtype=bool)
    found = fit(Constant(3), Values(log_e, none, none, np.zeros(3, int), np.zeros(3)), [np.ones(1)])
    assert found.theta[0] == pytest.approx(7 / 3, abs=1e-4)
    assert np.exp(found.spread[0]) == pytest.approx(np.std(log_e), rel=1e-2)


def test_a_held_parameter_stays():
    none = np.zeros(3, dtype=bool)
    values = Values(np.arange(3.0), none, none, np.zeros(3, int), np.zeros(3))
    assert fit(Constant(3), values, [np.ones(1)], fixed={0: 0.25}).theta[0] == 0.25


def test_censored_runs_leave_the_level_unbiased_where_dropping_them_does_not():
    rng = np.random.default_rng(1)
    block = np.repeat(np.arange(20), 10)
    log_e = 3 + 0.3 * rng.standard_normal(20)[block] + 0.5 * rng.standard_normal(200)
    right = log_e > 3.2
    values = Values(np.minimum(log_e, 3.2), right, np.zeros(200, bool), block, np.zeros(200))
    found = fit(Constant(200), values, [np.ones(1)])
    assert found.theta[0] == pytest.approx(log_e.mean(), abs=0.06)
    assert log_e[~right].mean() < log_e.mean() - 0.2


@pytest.fixture(name="sample")
def _sample() -> Sample:
    """Four runs of each of three seeds about 1, 2 and 6, none censored."""
    seed = np.repeat([3, 5, 9], 4)
    log_e = np.repeat([1.0, 2.0, 6.0], 4) + np.tile([-0.1, -0.05, 0.05, 0.1], 3)
    none = np.zeros(12, dtype=bool)
    return Sample(Constant(12), Values(log_e, none, none, np.repeat([0, 1, 2], 4), 0 * log_e), seed)


def test_a_sample_without_a_seed_is_of_the_other_runs_numbered_anew(sample):
    assert sample.seeds == [3, 5, 9]
    parts = sample.without_each_seed()
    assert [part.seeds for part in parts] == [[5, 9], [3, 9], [3, 5]]
    for part, kept in zip(parts, ([2, 6], [1, 6], [1, 2]), strict=True):
        assert part.mean.runs == len(part.values.log_e) == 8
        assert set(part.values.log_e.round()) == set(kept)
        assert part.values.block.tolist() == [0] * 4 + [1] * 4
    assert parts[0].take(parts[0].seed == 5).without_each_seed() == []


def test_leaving_out_seeds_gives_the_level_of_the_others(sample):
    full = sample.fit([np.ones(1)])
    assert full.theta[0] == pytest.approx(3, abs=1e-2)
    found = parameters(sample.fits_without_each_seed(full), 1)
    assert found.shape == (3, 1)
    np.testing.assert_allclose(found[:, 0], [4.0, 3.5, 1.5], atol=1e-2)
    assert parameters([], 1).shape == (0, 1)


def test_of_several_starts_the_best_maximum_is_kept(sample):
    from_far, from_near = sample.fit([np.array([-9.0])]), sample.fit([np.array([3.0])])
    both = sample.fit([np.array([-9.0]), np.array([3.0])])
    best = max(from_far.log_likelihood, from_near.log_likelihood)
    assert both.log_likelihood == pytest.approx(best)
    assert both.free == 4  # the level, two of the spread within a seed, the effect of seeds

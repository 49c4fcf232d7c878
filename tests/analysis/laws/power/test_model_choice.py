"""AICc on independent values: what runs are worth, and the textbook's case."""

import numpy as np
import pytest

from analysis.laws.power.curves import LearningCurves, SeedNoise
from analysis.laws.power.model_choice import aicc, seed_spread


def curves(returns: np.ndarray, points_per_size: int) -> LearningCurves:
    """Curves of unit variance with these returns, shape [seed, point]."""
    points = returns.shape[1]
    sizes = np.arange(1.0, points // points_per_size + 1)
    return LearningCurves(
        group={"horizon": 1.0},
        parameters=np.repeat(sizes, points_per_size),
        interactions=np.tile(np.arange(1.0, points_per_size + 1), len(sizes)),
        seeds=tuple(range(len(returns))),
        returns=returns,
        variance=np.ones(points),
        noise=SeedNoise(1.0, 0.0),
        sizes=sizes,
        flops_per_interaction=sizes,
        runs=len(returns) * len(sizes),
    )


def test_runs_that_move_as_a_whole_are_one_value_each() -> None:
    generator = np.random.default_rng(0)
    whole = np.repeat(generator.standard_normal((4, 5)), 20, axis=1)
    assert seed_spread([curves(whole, 20)]).values == pytest.approx(4 * 5)


def test_runs_of_independent_points_are_worth_all_of_them() -> None:
    generator = np.random.default_rng(1)
    values = [
        seed_spread([curves(generator.standard_normal((6, 200)), 20)]).values for _ in range(10)
    ]
    assert np.mean(values) == pytest.approx(6 * 200, rel=0.15)


def test_horizons_that_share_their_noise_add_no_values() -> None:
    generator = np.random.default_rng(2)
    whole = curves(np.repeat(generator.standard_normal((4, 5)), 20, axis=1), 20)
    assert seed_spread([whole, whole, whole]).values == pytest.approx(4 * 5)


def test_with_independent_points_it_is_the_textbook_criterion() -> None:
    """A straight line through averaged points, against n log(RSS / n) + 2 k + 2k(k+1)/(n-k-1)."""
    generator = np.random.default_rng(3)
    points, seeds, k = 400, 8, 2
    returns = generator.standard_normal((seeds, points))
    spread = seed_spread([curves(returns, 20)])
    basis, _ = np.linalg.qr(np.stack([np.ones(points), np.arange(points)], axis=1))
    mean = returns.mean(axis=0)
    residual = mean - basis @ (basis.T @ mean)
    loss = seeds * float(residual @ residual)
    assert spread.squares + loss == pytest.approx(float(np.sum((returns - (mean - residual)) ** 2)))
    absorbed = float(np.sum((spread.deviations @ basis) ** 2))
    assert absorbed == pytest.approx(k, rel=0.8)
    n = spread.values
    p = n * absorbed / spread.variance
    assert aicc(spread, loss, absorbed) == pytest.approx(
        n * np.log((spread.squares + loss) / n) + 2 * p + 2 * p * (p + 1) / (n - p - 1)
    )


def test_counting_points_prefers_the_model_that_fits_what_seeds_do() -> None:
    """Truth: all sizes alike. The larger model gives each size a level of its own."""
    by_points, by_values = [], []
    for draw in range(40):
        generator = np.random.default_rng(draw)
        whole = np.repeat(generator.standard_normal((4, 5)), 20, axis=1)
        data = curves(whole + 0.1 * generator.standard_normal((4, 100)), 20)
        spread = seed_spread([data])
        scores, naive = [], []
        for basis in (np.full((100, 1), 0.1), np.kron(np.eye(5), np.full((20, 1), 20**-0.5))):
            mean = data.mean
            loss = 4 * float(np.sum((mean - basis @ (basis.T @ mean)) ** 2))
            scores.append(aicc(spread, loss, float(np.sum((spread.deviations @ basis) ** 2))))
            n = data.returns.size
            naive.append(n * np.log((spread.squares + loss) / n) + 2 * basis.shape[1])
        by_points.append(naive[1] < naive[0])
        by_values.append(scores[1] < scores[0])
    assert np.mean(by_points) > 0.8
    assert np.mean(by_values) < 0.35

"""The increasing link between levels and returns."""

import numpy as np
import pytest

from analysis.stats.monotone_link import fit_link

LEVEL = np.linspace(-3.0, 4.0, 80)
WEIGHT = np.ones(80)
SLOPES = np.stack([np.ones(80), LEVEL], axis=1)  # levels that shift and stretch


def logistic(level: np.ndarray) -> np.ndarray:
    return 0.1 + 0.8 / (1 + np.exp(-level))


def test_an_increasing_curve_is_followed_and_inverted():
    linked = fit_link(LEVEL, SLOPES, logistic(LEVEL), WEIGHT)
    assert np.abs(linked.residuals).max() < 2e-3
    inside = np.linspace(-2.5, 3.5, 31)
    np.testing.assert_allclose(linked.link.returns(inside), logistic(inside), atol=2e-3)
    np.testing.assert_allclose(linked.link.level(linked.link.returns(inside)), inside, atol=1e-2)
    assert np.isnan(linked.link.level(np.array([0.01, 0.99]))).all()
    ends = linked.link.returns(np.array([-30.0, -3.0, 4.0, 40.0]))
    np.testing.assert_allclose(ends[[0, 3]], ends[[1, 2]])


def test_the_link_never_falls_even_where_returns_do():
    falling = np.where(LEVEL < 0, 0.5, 0.3)
    linked = fit_link(LEVEL, SLOPES, falling, WEIGHT)
    assert np.diff(linked.link.returns(LEVEL)).min() > -1e-12
    share = np.mean(LEVEL < 0)
    assert linked.link.returns(np.zeros(1))[0] == pytest.approx(0.5 * share + 0.3 * (1 - share))
    assert linked.link.freedom < 3
    # All of the range has the return: the middle of the flat stretch stands for it.
    flat = linked.link.returns(np.zeros(1))
    assert linked.link.level(flat)[0] == pytest.approx(0.5, abs=0.5)


def test_weights_decide_between_returns_that_contradict_each_other():
    returns = np.where(LEVEL < 0, 0.5, 0.3)
    root_weight = np.where(LEVEL < 0, 30.0, 1.0)
    linked = fit_link(LEVEL, SLOPES, returns, root_weight)
    assert linked.link.returns(np.zeros(1))[0] == pytest.approx(0.5, abs=0.01)


def test_the_jacobian_gives_the_gradient_of_the_summed_squares():
    rng = np.random.default_rng(0)
    noisy = logistic(LEVEL) + 0.02 * rng.standard_normal(80)
    bend = np.stack([np.sin(LEVEL), LEVEL**2 / 4], axis=1)

    def half_loss(arguments: np.ndarray) -> float:
        return 0.5 * float(
            np.sum(fit_link(LEVEL + bend @ arguments, bend, noisy, WEIGHT).residuals ** 2)
        )

    at = np.array([0.2, 0.1])
    linked = fit_link(LEVEL + bend @ at, bend, noisy, WEIGHT)
    gradient = linked.jacobian.T @ linked.residuals
    for i, step in enumerate(1e-5 * np.eye(2)):
        slope = (half_loss(at + step) - half_loss(at - step)) / 2e-5
        assert gradient[i] == pytest.approx(slope, rel=1e-3, abs=1e-6)


def test_bases_are_orthonormal_and_residuals_leave_the_links_own_movements():
    rng = np.random.default_rng(1)
    linked = fit_link(LEVEL, SLOPES, logistic(LEVEL) + 0.05 * rng.standard_normal(80), WEIGHT)
    np.testing.assert_allclose(
        linked.basis.T @ linked.basis, np.eye(linked.link.freedom), atol=1e-9
    )
    np.testing.assert_allclose(linked.basis.T @ linked.residuals, 0, atol=1e-9)
    np.testing.assert_allclose(linked.basis.T @ linked.jacobian, 0, atol=1e-9)
    assert linked.tangent().shape == (80, linked.link.freedom + 2)


@pytest.mark.parametrize(("shift", "scale"), [(-0.5, 1.0), (-1.0, 1.0), (3.0, 1.0), (0.0, 10.0)])
def test_the_link_does_not_know_where_zero_is(shift: float, scale: float) -> None:
    rng = np.random.default_rng(2)
    noisy = logistic(LEVEL) + 0.02 * rng.standard_normal(80)
    first = fit_link(LEVEL, SLOPES, noisy, WEIGHT)
    moved = fit_link(LEVEL, SLOPES, shift + scale * noisy, WEIGHT)
    np.testing.assert_allclose(moved.residuals, scale * first.residuals, atol=1e-9 * scale)
    expected = shift + scale * first.link.returns(LEVEL)
    np.testing.assert_allclose(moved.link.returns(LEVEL), expected, atol=1e-9 * scale)
    assert moved.link.freedom == first.link.freedom

"""Kurtosis over coordinates: its extremes, and its mean over random rotations in closed form."""

import numpy as np
import pytest

from analysis.stats.kurtosis import (
    excess_kurtosis,
    random_rotations,
    rotated_kurtosis,
    rotated_mean,
)

UNITS = 16


def test_its_extremes_are_one_unit_that_has_all_and_units_of_the_same_size():
    one, same = np.eye(UNITS), np.where(np.random.default_rng(0).random((UNITS, 5)) < 0.5, -3.0, 3)
    assert excess_kurtosis(one) == pytest.approx(UNITS - 3)
    assert excess_kurtosis(same) == pytest.approx(-2, abs=1e-5)


def test_it_is_the_mean_over_examples_whatever_their_size_without_those_that_are_zero():
    vectors = np.random.default_rng(0).standard_normal((UNITS, 3))
    by_hand = UNITS * (vectors**4).sum(axis=0) / (vectors**2).sum(axis=0) ** 2 - 3
    scaled = np.hstack([vectors * [1.0, 10.0, 0.1], np.zeros((UNITS, 2))])
    assert excess_kurtosis(scaled) == pytest.approx(by_hand.mean(), abs=1e-5)
    assert np.isnan(excess_kurtosis(np.zeros((UNITS, 2))))


def test_rotations_are_orthogonal_of_both_signs_and_uniform():
    rotations = random_rotations(UNITS, 400, np.random.default_rng(0)).astype(float)
    products = rotations @ rotations.transpose(0, 2, 1)
    np.testing.assert_allclose(products, np.broadcast_to(np.eye(UNITS), products.shape), atol=1e-5)
    assert 0.4 < np.mean(np.linalg.det(rotations) > 0) < 0.6
    # Under the uniform distribution an entry has mean 0 and variance 1 / d, the diagonal too.
    diagonal = np.diagonal(rotations, axis1=1, axis2=2)
    assert abs(diagonal.mean()) < 4 / np.sqrt(UNITS * diagonal.size)
    assert diagonal.var() == pytest.approx(1 / UNITS, rel=0.1)


@pytest.mark.parametrize("kind", ["one unit", "same size", "gaussian"])
def test_the_mean_over_rotations_is_the_closed_form_whatever_the_vectors(kind):
    rng = np.random.default_rng(1)
    vectors = {
        "one unit": np.eye(UNITS)[:, :4],
        "same size": np.sign(rng.standard_normal((UNITS, 4))),
        "gaussian": rng.standard_normal((UNITS, 4)),
    }[kind]
    found = rotated_kurtosis(vectors, random_rotations(UNITS, 3000, rng))
    error = found.std() / np.sqrt(len(found))
    assert abs(found.mean() - rotated_mean(UNITS)) < 4 * error < 0.06

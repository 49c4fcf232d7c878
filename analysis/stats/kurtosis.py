"""Kurtosis over the coordinates of vectors, in one basis and in random rotations of it.

A basis is privileged where vectors have another distribution of coordinates in it than in random
rotations of it. Elhage, Lasenby and Olah (2023, Privileged Bases in the Transformer Residual
Stream, transformer-circuits.pub/2023/privileged-basis) take the kurtosis over the coordinates of
each activation, averaged over tokens.
"""

import numpy as np
from jaxtyping import Float


def excess_kurtosis(vectors: Float[np.ndarray, "unit example"]) -> float:
    """Mean over examples of `d sum_i z_i^4 / (sum_i z_i^2)^2 - 3`, d the number of units.

    Moments are about 0, which rotations do not move, so that the denominator is the same in every
    basis. It is d - 3 where one unit has all, -2 where all units have the same size, and on average
    `rotated_mean(d)` in a random basis, whatever the vectors. Examples that are 0 are left out; NaN
    where all are.
    """
    return float(rotated_kurtosis(vectors, np.eye(len(vectors), dtype=np.float32)[None])[0])


def rotated_kurtosis(
    vectors: Float[np.ndarray, "unit example"], rotations: Float[np.ndarray, "rotation unit unit"]
) -> Float[np.ndarray, "rotation"]:
    """`excess_kurtosis` of the same vectors in each of the rotated bases."""
    units, norms = len(vectors), np.sum(np.square(vectors, dtype=np.float64), axis=0)
    vectors, norms = vectors[:, norms > 0], norms[norms > 0]
    if not len(norms):
        return np.full(len(rotations), np.nan)
    unit_length = (vectors / np.sqrt(norms)).astype(np.float32)
    squares = np.square(rotations.reshape(-1, units) @ unit_length)
    squares = squares.reshape(len(rotations), units, -1)
    fourth: np.ndarray = np.einsum("rue,rue->r", squares, squares) / len(norms)
    return units * fourth.astype(np.float64) - 3


def rotated_mean(units: int) -> float:
    """Expected `excess_kurtosis` in a random basis: `-6 / (d + 2)`.

    The coordinates of a vector are then those of a uniform point on a sphere, where
    `E[z_i^4] / E[z_i^2]^2 = 3 d / (d + 2)`.
    """
    return -6 / (units + 2)


def random_rotations(
    units: int, count: int, rng: np.random.Generator
) -> Float[np.ndarray, "rotation unit unit"]:
    """Orthogonal matrices from the uniform (Haar) distribution (Mezzadri 2007, math-ph/0609050)."""
    q, r = np.linalg.qr(rng.standard_normal((count, units, units)))
    signs = np.sign(np.diagonal(r, axis1=1, axis2=2))
    rotations: np.ndarray = (q * signs[:, None, :]).astype(np.float32)
    return rotations

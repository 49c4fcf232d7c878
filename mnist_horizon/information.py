"""Shannon information of rewards about right answers, in bits."""

import math

import numpy as np

from mnist_horizon.moments import Value

_MOST_STEPS = 100_000
"""Longer sums are as good as normal: their entropy is off by less than 1e-5 bits."""


def binary_entropy(probability: Value) -> Value:
    """`-p log2 p - (1 - p) log2 (1 - p)`: the entropy of an event; 0 at 0 and 1."""
    p = np.asarray(probability, dtype=float)
    return surprise(p) + surprise(1 - p)


def binomial_entropy(steps: int, probability: Value) -> Value:
    """Entropy of the number of right answers among independent ones.

    Args:
        steps: k.
        probability: that an answer is right.
    """
    p = np.asarray(probability, dtype=float)
    if steps > _MOST_STEPS:
        variance = np.maximum(steps * p * (1 - p), 1 / (2 * math.pi * math.e))
        return 0.5 * np.log2(2 * math.pi * math.e * variance)
    counts = np.arange(steps + 1.0)
    logs = [
        math.lgamma(steps + 1) - math.lgamma(n + 1) - math.lgamma(steps - n + 1) for n in counts
    ]
    inner = np.clip(p, 1e-300, 1 - 1e-16)[..., None]
    chances = np.exp(np.array(logs) + counts * np.log(inner) + (steps - counts) * np.log1p(-inner))
    return np.where((p > 0) & (p < 1), np.sum(surprise(chances), axis=-1), 0.0)


def surprise(probability: Value) -> Value:
    """`-p log2 p`, 0 at 0."""
    p = np.asarray(probability, dtype=float)
    return -p * np.log2(np.where(p > 0, p, 1.0))

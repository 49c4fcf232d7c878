"""Speeds of several trainers, measured in turn."""

import statistics
from collections.abc import Callable, Mapping

REPEATS = 5


def speeds_in_turn(measures: Mapping[str, Callable[[], float]]) -> dict[str, dict[str, float]]:
    """Interactions per second of each trainer: the median of `REPEATS`, the slowest and fastest.

    They take turns, so that a slow moment of the machine does not meet one of them alone.
    """
    found: dict[str, list[float]] = {name: [] for name in measures}
    for _ in range(REPEATS):
        for name, measure in measures.items():
            found[name].append(measure())
    return {
        name: {
            "interactions_per_second": statistics.median(speeds),
            "slowest": min(speeds),
            "fastest": max(speeds),
        }
        for name, speeds in found.items()
    }

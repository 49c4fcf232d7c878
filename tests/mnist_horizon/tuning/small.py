"""A small search that the tests share."""

from typing import Any

from mnist_horizon.tuning import Tuning, tuning_from
from tests.mnist_horizon.small_sweeps import TINY

SMALL: dict[str, Any] = {**TINY, "seeds": 4, "budget": 18 * 64, "evaluations": 6}
CHOICE: dict[str, Any] = {
    "learning_rates": (0.003, 0.01, 0.03, 0.1),
    "decay_interactions": (0.0, 1000.0),
    "entropy_coefs": (0.1,),
    "rungs": 2,
}


def small(choice: dict[str, Any] | None = None, **changes: Any) -> Tuning:
    """18 updates at h = 1; four rates, two decays, two seeds, seconds to compile."""
    return tuning_from({**SMALL, **changes, "tuning": {**CHOICE, **(choice or {})}})

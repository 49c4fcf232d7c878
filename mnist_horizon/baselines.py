"""The baselines that centre advantages, by name; `advantages` describes each."""

BASELINES = ("none", "batch_mean", "running_mean", "expected_reward", "state", "value_net")
CENTRED = ("expected_reward", "state", "value_net")
"""Those that subtract E[r given phase] from the rewards and bootstrap the open reward window."""


def check(baseline: str) -> None:
    """Refuse a name that is not in `BASELINES`.

    Raises:
        ValueError: the baseline is unknown.
    """
    if baseline not in BASELINES:
        raise ValueError(f"unknown baseline {baseline!r}: choose from {', '.join(BASELINES)}")

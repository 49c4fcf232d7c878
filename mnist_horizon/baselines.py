"""The baselines that centre advantages, by name; `advantages` says what each does."""

BASELINES = ("none", "batch_mean", "running_mean", "expected_reward", "state", "value_net")
CENTRED = ("expected_reward", "state", "value_net")
"""Those that subtract E[r given phase] from the rewards and bootstrap the open reward window."""


def check(baseline: str) -> None:
    """Refuse what is none of `BASELINES`.

    Raises:
        ValueError: the baseline is unknown.
    """
    if baseline not in BASELINES:
        raise ValueError(f"unknown baseline {baseline!r}: choose from {', '.join(BASELINES)}")

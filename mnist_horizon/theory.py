"""What the noise of a gradient means for training, for every schedule, horizon and baseline.

A schedule defines the covariance of its gradient (`Schedule.covariance`; `schedules.additive` has
the derivation). This module derives from it the batch at which noise and signal are equal, what a
horizon costs, and which horizon costs least.
"""

import math

import numpy as np

from mnist_horizon.horizon import Number, discount_from_horizon
from mnist_horizon.moments import Moments, Value
from mnist_horizon.schedules import Schedule, make

DENSE = make("dense")


def noise_over_signal(
    schedule: Schedule, horizon: Number, moments: Moments, baseline: str = "expected_reward"
) -> Value:
    """The noise scale `B_noise = (tr Cov + within) / |E[g]|^2`, in interactions.

    At a batch of B_noise interactions the noise of a gradient is as large as the gradient
    (McCandlish et al. 2018, arXiv 1812.06162). The moments are traces.

    Raises:
        ValueError: the baseline is unknown, or no closed form is known (for a schedule whose
            rewards are not additive, with a baseline other than `expected_reward`).
    """
    if not schedule.adds_up and baseline != "expected_reward":
        raise ValueError(
            f"noise scale of {schedule}: known for 'expected_reward', not {baseline!r}"
        )
    noise = schedule.covariance(discount_from_horizon(horizon), moments, baseline)
    return (noise.total + noise.within) / (noise.signal_factor**2 * moments.signal)


def has_closed_form(schedule: Schedule) -> bool:
    """Whether the noise scale of a schedule is known, with rewards centred by phase."""
    try:
        noise_over_signal(schedule, 3.0, moments_from_ratio(1.0, 0.5, 1.0))
    except ValueError:
        return False
    return True


def scaling_multiplier(
    schedule: Schedule,
    horizon: Number,
    moments: Moments,
    batch: Value,
    baseline: str = "expected_reward",
) -> Value:
    """Interactions per those of dense, h = 1: `(B + B_noise(h, schedule)) / (B + B_noise(1))`.

    A run needs S_min (1 + B_noise / B) updates, S_min of them even without noise, so that its
    interactions are `E = S_min (B + B_noise)`. This holds for plain gradient steps and a learning
    rate that suits the noise and the smaller signal.
    """
    needed = batch + noise_over_signal(schedule, horizon, moments, baseline)
    return needed / (batch + noise_over_signal(DENSE, 1.0, moments, baseline))


def knee(moments: Moments, batch: Value, baseline: str = "expected_reward") -> Value:
    """The dense horizon whose scaling multiplier is 2.

    With `x = 4 (B + B_noise(1)) |m|^2 / tr(F v)`, `h - 2 + 1/h = x`, so
    `h = (2 + x + sqrt(x (x + 4))) / 2`: near x for a large batch.

    Raises:
        ValueError: the baseline's own part grows with the horizon (`none`).
    """
    if baseline == "none":
        raise ValueError("baseline 'none': its noise does not grow as the variance horizon")
    base = batch + noise_over_signal(DENSE, 1.0, moments, baseline)
    x = 4 * base * moments.signal / (moments.fisher * moments.answer_variance)
    return (2 + x + (x * (x + 4)) ** 0.5) / 2


def moments_from_ratio(ratio: float, accuracy: float, signal: float = 0.0) -> Moments:
    """Traces with tr(F v) = 1, from `ratio` = A / (F v) and `signal` = |m|^2 / (F v).

    Raises:
        ValueError: the ratio is impossible at this accuracy: A lies between F min(mu, 1 - mu)^2 and
            F max(mu, 1 - mu)^2 (at mu = 1/2 the ratio is 1).
    """
    variance = accuracy * (1 - accuracy)
    low, high = sorted((accuracy / (1 - accuracy), (1 - accuracy) / accuracy))
    if not low - 1e-9 <= ratio <= high + 1e-9:
        raise ValueError(
            f"ratio {ratio:g}: at accuracy {accuracy:g} it must be in {low:.4g} to {high:.4g}"
        )
    fisher = 1 / variance
    at_half = abs(1 - 2 * accuracy) < 1e-9
    right = 0.5 if at_half else (ratio * variance - accuracy**2) / (1 - 2 * accuracy)
    return Moments(accuracy, fisher, right * fisher, signal, signal)


def best_horizon(
    schedule: Schedule, ratio: float, accuracy: float | None = None, signal: float = 0.0
) -> float:
    """The horizon that needs the fewest interactions: the least `noise_over_signal`.

    1 where every step may be rewarded. For `periodic:k` it is of the order of k: with ratio 1 and
    h >> 1, `2 k / y` with `e^y = 1 + 2 y`, so 1.59 k; longer where A >> F v, since averaging over
    answers of a window then outweighs the noise that the future adds.

    Args:
        schedule: the schedule.
        ratio: A / (F v), traces.
        accuracy: mu; needed where rewards are not additive (otherwise ratio and signal are enough).
        signal: |m|^2 / tr(F v), which is small except early in training.

    Raises:
        ValueError: a streak without accuracy, or an impossible ratio.
    """
    from scipy.optimize import minimize_scalar  # not at the top: half a second, for this alone

    if schedule.period == 1:
        return 1.0
    if not schedule.adds_up and accuracy is None:
        raise ValueError(f"best_horizon of {schedule} needs the accuracy")
    if accuracy is None:  # it cancels: any value that allows the ratio
        accuracy = min(0.5, 1 / (1 + ratio)) if ratio > 1 else min(0.5, ratio / (1 + ratio))
    moments = moments_from_ratio(ratio, accuracy, signal or 1e-12)

    def log_noise(log_horizon: float) -> float:
        return math.log(noise_over_signal(schedule, math.exp(log_horizon), moments))

    bounds = (0.0, math.log(100 * schedule.period * max(1.0, ratio)))
    grid = np.linspace(*bounds, 200)
    best = int(np.argmin(np.log(noise_over_signal(schedule, np.exp(grid), moments))))
    around = (grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)])
    minimum = minimize_scalar(log_noise, bounds=around, method="bounded", options={"xatol": 1e-9})
    return math.exp(float(minimum.x))


def equivalent_horizon(schedule: Schedule, horizon: float) -> float:
    """The dense horizon with the same noise over signal^2, at mu = 1/2 and a small signal.

    There dense noise is `n = 1 + (h - 2 + 1/h) / 4 = (h + 1)^2 / (4 h)` in units of F v, so
    `h = 2 n - 1 + 2 sqrt(n (n - 1))` with n of the schedule at its own horizon.
    """
    signal = 1e-12
    moments = moments_from_ratio(1.0, 0.5, signal)
    noise = max(1.0, float(noise_over_signal(schedule, horizon, moments)) * signal)
    return 2 * noise - 1 + 2 * math.sqrt(noise * (noise - 1))

"""Synthetic results from known constants, in the schema of the results tables.

To test fits, to measure their coverage, and to plan a sweep. Two truths:

- `HorizonTruth`: interactions to a return from a horizon law; curves rise with log E.
- `PowerLawTruth`: return = link(I) with `I^-beta = (N_c/N)^alpha_N + (E_c/E)^alpha_E` and
  the constraint that I is the least compute N E of the family at the same return.

Noise is that of real runs: an effect of the seed that all its horizons share, one of the run
itself, growing with the horizon, noise of the evaluation in each row, and an early transient in
which the return does not change.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from analysis.laws.regressors import regressor_values
from mnist_horizon.horizon import discount_from_horizon


@dataclass(frozen=True)
class Noise:
    """Sizes of the noise; the defaults are those of small policies on digits.

    Attributes:
        seed: spread of log E between seeds, shared by a seed's runs.
        run: spread of log E between runs of a seed at h = 1.
        run_at_largest: the same at the largest horizon; in between it is linear in log h.
        evaluation: standard deviation of the return in a row of 10,000 interactions; it falls as
            one over the square root of the row's interactions.
        transient: interactions, as a share of those to the middle of the curve, before the return
            starts to rise.
    """

    seed: float = 0.08
    run: float = 0.06
    run_at_largest: float = 0.15
    evaluation: float = 0.003
    transient: float = 0.02


@dataclass(frozen=True)
class Design:
    """The shape of a sweep: its axes and how long and how often its runs are measured."""

    horizons: Sequence[float] = (1, 3, 7, 15, 31, 63, 127)
    widths: Sequence[int] = (64,)
    seeds: int = 4
    schedules: Sequence[tuple[str, float]] = (("dense", 1.0),)
    budget: int = 2_000_000
    budget_width: int = 0
    """Wider runs have budget * budget_width / width interactions; 0: all have the budget."""
    evaluations: int = 60
    first_evaluation: int = 1_000
    stop_at_return: float = 1.0
    parameters: Mapping[int, int] = field(default_factory=dict)

    def size(self, width: int) -> int:
        """Parameters of a width: as given, or of one hidden layer on 784 pixels and 10 classes."""
        return self.parameters.get(width, 785 * width + 10 * (width + 1))

    def ends(self, width: int) -> np.ndarray:
        """Interactions at the rows of a run, log-spaced up to its budget, shape [row]."""
        budget = self.budget * min(1.0, (self.budget_width or width) / width)
        first = min(self.first_evaluation, budget)
        ends = np.geomspace(first, budget, self.evaluations)
        return np.unique(np.round(ends).astype(np.int64))


@dataclass(frozen=True)
class HorizonTruth:
    """A horizon law: `E = a_w (1 + (x / x_knee)^g)` interactions to `threshold`.

    Attributes:
        a: interactions at h = 1, of every width or by width.
        knee: the horizon at which E is twice that at h = 1; 2 with g = 1 in h - 1: proportional.
        exponent: g.
        regressor: "h-1" or "variance_horizon".
        threshold: the return that these interactions reach.
        steepness: slope of the logit of the return in log E.
        floor: return before learning (one over the classes).
        ceiling: return in the end.
    """

    a: float | Mapping[int, float] = 40_000.0
    knee: float = 30.0
    exponent: float = 1.0
    regressor: str = "h-1"
    threshold: float = 0.7
    steepness: float = 1.2
    floor: float = 0.1
    ceiling: float = 0.98

    def interactions(self, horizon: np.ndarray, width: int) -> np.ndarray:
        """Interactions to `threshold` without noise, shape [horizon]."""
        a = self.a[width] if isinstance(self.a, Mapping) else self.a
        x_knee = float(regressor_values(np.array([self.knee]), self.regressor)[0])
        x = regressor_values(np.asarray(horizon, dtype=float), self.regressor)
        return a * (1 + (x / x_knee) ** self.exponent)

    def mean_return(self, log_ratio: np.ndarray) -> np.ndarray:
        """Return at values of log(E / interactions to threshold), shape [row]."""
        share = (self.threshold - self.floor) / (self.ceiling - self.floor)
        logit = np.log(share / (1 - share)) + self.steepness * log_ratio
        return self.floor + (self.ceiling - self.floor) / (1 + np.exp(-logit))


@dataclass(frozen=True)
class PowerLawTruth:
    """The power law with its constraint, and a monotone link from I to the return.

    `I^-beta = (N_c/N)^alpha_N + (E_c(h)/E)^alpha_E`, beta = 1 / (1/alpha_N + 1/alpha_E). At the
    reference horizon I is the least N E at the same return, which fixes E_c by
    `1/(N_c E_c) = (1 + alpha_N/alpha_E)^(1/alpha_N) (1 + alpha_E/alpha_N)^(1/alpha_E)`;
    at others it is that times `(1 + (h-1)/(knee-1)) / (1 + (h_ref-1)/(knee-1))`.

    The link is `return = floor + (ceiling - floor) / (1 + (middle / I)^link_slope)`.

    Attributes:
        alpha_n: exponent in the number of parameters.
        alpha_e: exponent in the interactions.
        n_c: parameters.
        reference_horizon: the horizon at which the constraint holds.
        knee: where E_c is twice that at h = 1.
        floor: return before learning.
        ceiling: return in the end.
        middle: I (parameters times interactions) at which the return is halfway.
        link_slope: how fast the return rises in log I.
    """

    alpha_n: float = 0.55
    alpha_e: float = 0.42
    n_c: float = 0.4
    reference_horizon: float = 1.0
    knee: float = 12.0
    floor: float = 0.1
    ceiling: float = 0.98
    middle: float = 1e8
    link_slope: float = 0.6

    @property
    def beta(self) -> float:
        """Exponent of I."""
        return 1 / (1 / self.alpha_n + 1 / self.alpha_e)

    def e_c(self, horizon: float) -> float:
        """E_c at a horizon, in interactions."""
        ratio = self.alpha_n / self.alpha_e
        frontier = (1 + ratio) ** (1 / self.alpha_n) * (1 + 1 / ratio) ** (1 / self.alpha_e)
        here, reference = (1 + (h - 1) / (self.knee - 1) for h in (horizon, self.reference_horizon))
        return here / reference / (self.n_c * frontier)

    def performance(
        self, parameters: float, interactions: np.ndarray, horizon: float
    ) -> np.ndarray:
        """Intrinsic performance I of a size after these interactions, shape [row]."""
        by_size = (self.n_c / parameters) ** self.alpha_n
        by_experience = (self.e_c(horizon) / interactions) ** self.alpha_e
        return (by_size + by_experience) ** (-1 / self.beta)

    def mean_return(self, performance: np.ndarray) -> np.ndarray:
        """Return at an intrinsic performance, shape [row]."""
        rises = (self.middle / performance) ** self.link_slope
        return self.floor + (self.ceiling - self.floor) / (1 + rises)


def simulate(
    truth: HorizonTruth | PowerLawTruth,
    design: Design,
    rng: np.random.Generator,
    noise: Noise | None = None,
) -> pd.DataFrame:
    """Draw a sweep's results: tidy rows in the schema of `mnist_horizon.results`.

    A row's return is the mean over the interactions since the row before, as real rows are; runs
    that do not reach a return within the budget are kept, right-censored.

    Args:
        truth: what to draw from.
        design: axes, budget and evaluations.
        rng: source of all noise.
        noise: sizes of the noise.
    """
    noise = noise or Noise()
    largest = float(np.log(max(design.horizons))) or 1.0
    frames = []
    for kind, level in design.schedules:
        for width in design.widths:
            for seed in range(design.seeds):
                shared = noise.seed * rng.standard_normal()
                for horizon in design.horizons:
                    share = np.log(horizon) / largest
                    spread = noise.run + (noise.run_at_largest - noise.run) * share
                    slowness = np.exp(shared + spread * rng.standard_normal())
                    rows = _run(truth, design, width, float(horizon), slowness, noise, rng)
                    name = f"{kind}-{level:g}-w{width}-h{horizon:g}-s{seed}"
                    frames.append(
                        rows.assign(
                            run_id=name, schedule=kind, schedule_level=level, width=width, seed=seed
                        )
                    )
    frame = pd.concat(frames, ignore_index=True)
    return frame.assign(task="synthetic", network="mlp", algorithm="vpg")


def _run(
    truth: HorizonTruth | PowerLawTruth,
    design: Design,
    width: int,
    horizon: float,
    slowness: float,
    noise: Noise,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Rows of one run that needs `slowness` times the interactions of the truth."""
    ends = design.ends(width)
    size = design.size(width)
    # The mean over each row's interval, by the midpoint rule on its sixteen parts.
    starts = np.concatenate([[0], ends[:-1]])
    parts = (np.arange(16) + 0.5) / 16
    inside = (starts[:, None] + (ends - starts)[:, None] * parts) / slowness
    if isinstance(truth, HorizonTruth):
        needed = float(truth.interactions(np.array([horizon]), width)[0])
        middle = needed
        returns = truth.mean_return(np.log(inside / needed))
    else:
        returns = truth.mean_return(truth.performance(size, inside, horizon))
        middle = float(np.interp(0.5, returns.ravel(), inside.ravel()))
    risen = 1 - np.exp(-((inside / (noise.transient * middle + 1)) ** 2))
    returns = (truth.floor + (returns - truth.floor) * risen).mean(axis=1)
    error = noise.evaluation * np.sqrt(10_000 / (ends - starts))
    returns = np.clip(returns + error * rng.standard_normal(len(ends)), 0.0, 1.0)
    past = np.flatnonzero(returns >= design.stop_at_return)
    kept = slice(0, past[0] + 1 if len(past) else len(ends))
    return pd.DataFrame(
        {
            "horizon": horizon,
            "discount": discount_from_horizon(horizon),
            "parameters": size,
            "flops_per_interaction": 6.0 * size,
            "interactions": ends[kept],
            "return_mean": returns[kept],
        }
    )

"""Regression: the answer is one of 21 values, the reward minus the squared error.

    python examples/regression.py

The returns are negative: the best is near -0.01, the best constant answer has -0.43.
"""

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from flax import struct

from mnist_horizon import train
from mnist_horizon.tasks import LoadedTask, Task, make_examples, register, standardised

ANSWERS = jnp.linspace(-1.5, 1.5, 21)  # the label is the answer nearest to the target


@struct.dataclass
class SquaredError(Task):
    def score(self, labels, actions):
        return -((ANSWERS[labels] - ANSWERS[actions]) ** 2)


@register("regression")
@dataclass(frozen=True)
class Regression:
    examples: int = 2048
    noise: float = 0.1

    def load(self) -> LoadedTask:
        generator = np.random.default_rng(0)
        x = generator.uniform(-1, 1, (2, self.examples, 2))
        target = np.sin(np.pi * x[..., 0]) * np.cos(np.pi * x[..., 1] / 2)
        target = 1.3 * target + self.noise * generator.normal(size=target.shape)
        labels = np.abs(target[..., None] - np.asarray(ANSWERS)).argmin(axis=-1)
        train_split, test_split = map(make_examples, standardised(*x), labels)
        return LoadedTask(SquaredError(train_split, test_split, len(ANSWERS)), provenance={})


def main(budget: int = 200_000, seeds: int = 4, workdir: str | None = None):
    curves = train(
        Regression(), horizons=[1, 7, 31], seeds=seeds, budget=budget, entropy_coef=0.0,
        thresholds=[-0.3, -0.2, -0.1], workdir=workdir, progress=False,
    )  # fmt: skip
    last = curves.frame.groupby("run_id").tail(1).groupby("horizon")["return_mean"]
    for horizon, (mean, low, high) in last.agg(["mean", "min", "max"]).iterrows():
        print(f"h = {horizon:g}: mean squared error {-mean:.3f} (seeds {-high:.3f} to {-low:.3f})")
    return curves


if __name__ == "__main__":
    main()

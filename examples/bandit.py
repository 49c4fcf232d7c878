"""A contextual bandit on 13 measurements of 178 wines: what a wrong answer costs goes by class.

    python examples/bandit.py

A right answer earns 0, a wrong one costs 1, 2 or 5 by the wine's class: returns are at most 0.
"""

from dataclasses import dataclass

import jax.numpy as jnp
from flax import struct
from sklearn.datasets import load_wine
from sklearn.model_selection import train_test_split

from mnist_horizon import train
from mnist_horizon.tasks import LoadedTask, Task, make_examples, register, standardised

COSTS = jnp.array([1.0, 2.0, 5.0])


@struct.dataclass
class Costs(Task):
    def score(self, labels, actions):
        return jnp.where(labels == actions, 0.0, -COSTS[labels])


@register("wine")
@dataclass(frozen=True)
class Wine:
    split_seed: int = 0

    def load(self) -> LoadedTask:
        features, labels = load_wine(return_X_y=True)
        parts = train_test_split(
            features, labels, test_size=0.3, random_state=self.split_seed, stratify=labels
        )
        splits = map(make_examples, standardised(*parts[:2]), parts[2:])
        return LoadedTask(Costs(*splits, classes=3), provenance={}, optimal_return=0.0)


def main(budget: int = 100_000, seeds: int = 4, workdir: str | None = None):
    curves = train(
        Wine(), horizons=[1, 7, 31], seeds=seeds, budget=budget, entropy_coef=0.0,
        thresholds=[-0.5, -0.3, -0.1], workdir=workdir, progress=False,
    )  # fmt: skip
    last = curves.frame.groupby("run_id").tail(1).groupby("horizon")["return_mean"]
    for horizon, (mean, low, high) in last.agg(["mean", "min", "max"]).iterrows():
        print(f"h = {horizon:g}: mean cost {-mean:.3f} (seeds {-high:.3f} to {-low:.3f})")
    return curves


if __name__ == "__main__":
    main()

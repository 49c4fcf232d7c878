"""The best policies by their distance from an initial one, in closed form.

With initial policy p, paid scores r and gold scores c, of each example:

- the policy with the most pay at its KL is `p exp(r / tau) / Z`, the optimum of
  `E[r] - tau KL(pi || p)`; with one tau for all examples its mean pay is the largest of all
  policies with the same mean KL. With c in place of r it has the largest mean gold.
- best of n: the action with the most pay among n drawn from p (ties at random). With F(a) the
  probability that a draw has at most a's pay, and F'(a) less than that,

      P(a) = (F(a)^n - F'(a)^n) p(a) / (F(a) - F'(a)),    KL <= log n - (n - 1) / n.

  The bound is reached where no two draws have the same pay (Beirami et al. 2024, arXiv 2401.01879).
"""

from collections.abc import Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from mnist_horizon import networks, training
from mnist_horizon.tasks import Task
from mnist_horizon.training import TrainSpec

TEMPERATURES = np.geomspace(100.0, 0.01, 49)
"""tau of the optima that are tabulated, in units of reward; the initial policy is at infinity."""

DRAWS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64, 128, 256, 512, 1024)
"""n of best of n."""

SMALLEST = 1e-30
"""Of a probability: below it an action counts as this likely, so that its log is finite."""

Table = Float[np.ndarray, "example action"]


def regularised_optimum(initial: Table, scores: Table, temperature: float) -> Table:
    """`p exp(r / tau) / Z`: the optimum of `E[r] - tau KL(pi || p)`.

    Args:
        initial: p, probabilities.
        scores: r.
        temperature: tau, above 0.
    """
    logits = np.log(np.maximum(initial, SMALLEST)) + scores / temperature
    weights: np.ndarray = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True)


def best_of_n(initial: Table, scores: Table, draws: float | int) -> Table:
    """Probabilities of the action with the highest score among draws from p; ties at random.

    Args:
        initial: p, probabilities.
        scores: r.
        draws: n, at least 1.
    """
    initial = initial / initial.sum(axis=-1, keepdims=True)
    other, own = scores[..., None, :], scores[..., :, None]
    below = np.sum(initial[..., None, :] * (other < own), axis=-1)
    tied = np.sum(initial[..., None, :] * (other == own), axis=-1)
    share = initial / np.maximum(tied, SMALLEST)
    chosen: np.ndarray = ((below + tied) ** draws - below**draws) * share
    return chosen / chosen.sum(axis=-1, keepdims=True)


def kl_bound(draws: float | int) -> float:
    """`log n - (n - 1) / n` nats: the most that best of n can be from the initial policy."""
    return float(np.log(draws) - (draws - 1) / draws)


def kl_divergence(policy: Table, initial: Table) -> float:
    """Mean KL(pi || p) over the examples, nats."""
    ratio = np.log(np.maximum(policy, SMALLEST)) - np.log(np.maximum(initial, SMALLEST))
    return float(np.mean(np.sum(policy * ratio, axis=-1)))


def frontier(initial: Table, gold: Table, proxy: Table) -> Iterator[dict[str, Any]]:
    """Rows `kind`, `parameter`, `kl`, `gold` and `proxy` of the best policies.

    Kinds are `proxy_optimum` and `gold_optimum` by tau, and `best_of_n` by n (1: the initial one).

    Args:
        initial: p of each example.
        gold: c of each example.
        proxy: r of each example.
    """

    def row(kind: str, parameter: float | int, policy: Table) -> dict[str, Any]:
        means = {"gold": np.mean(np.sum(policy * gold, -1))}
        means["proxy"] = np.mean(np.sum(policy * proxy, -1))
        distance = kl_divergence(policy, initial)
        return {"kind": kind, "parameter": float(parameter), "kl": distance, **means}

    for tau in TEMPERATURES:
        yield row("proxy_optimum", tau, regularised_optimum(initial, proxy, tau))
        yield row("gold_optimum", tau, regularised_optimum(initial, gold, tau))
    for draws in DRAWS:
        yield row("best_of_n", draws, best_of_n(initial, proxy, draws))


def of_seeds(
    spec: TrainSpec, task: Task, seeds: Sequence[int], examples: int
) -> dict[int, list[dict[str, Any]]]:
    """The frontier of each seed's initial policy on the first test examples; a phase is held at 0.

    Args:
        spec: of the runs.
        task: a task that pays a proxy, its test split in the order in which rows take it.
        seeds: of the runs.
        examples: how many.
    """
    index = jnp.arange(examples)
    labels, paid = task.test.labels[index], task.test.paid_at(index)
    gold, proxy = (np.asarray(x, float) for x in (task.scores(labels), task.pays(labels, paid)))
    inputs = networks.first_inputs(spec.network, task.test.images[index])
    visible = spec.network.phase_visible
    phase = jnp.tile(jnp.array([1.0, 0.0]), (examples, 1)) if visible else None
    found = {}
    for seed in seeds:
        params = training.init_run(spec, jax.random.key(seed), task).params
        logits = networks.apply(spec.network, task.classes, params, inputs, phase)
        initial = np.asarray(jax.nn.softmax(logits), float)
        initial /= initial.sum(axis=-1, keepdims=True)  # f32 leaves a part in 10^7
        found[seed] = list(frontier(initial, gold, proxy))
    return found

"""A sequential task: walk along a corridor of 6 cells, where what is seen follows from the actions.

    python examples/sequential.py

A task's examples are independent draws, so this is no `Task`: it uses the library's parts instead.
Every step costs 0.1; the last cell pays 1 and leads back to the first. Without a horizon of some
steps nothing says that a step to the right is good.
"""

import jax
import jax.numpy as jnp
import optax

from mnist_horizon.advantages import reverse_recurrence
from mnist_horizon.horizon import discount_from_horizon
from mnist_horizon.losses import policy_gradient_loss

CELLS, STEPS, ENVIRONMENTS = 6, 64, 16
OPTIMAL = (1 - 0.1 * (CELLS - 1)) / (CELLS - 1)  # per step, always to the right


def rollout(logits, key):
    def step(cell, key):
        action = jax.random.categorical(key, logits[cell])  # 0: left, 1: right
        moved = jnp.clip(cell + 2 * action - 1, 0, CELLS - 1)
        at_end = moved == CELLS - 1
        return jnp.where(at_end, 0, moved), (cell, action, jnp.where(at_end, 0.9, -0.1))

    return jax.lax.scan(step, jnp.zeros(ENVIRONMENTS, int), jax.random.split(key, STEPS))[1]


@jax.jit
def learn(key, discount, updates):
    optimizer = optax.adam(0.05)

    def update(number, carry):
        logits, state, returns = carry
        cells, actions, rewards = rollout(logits, jax.random.fold_in(key, number))
        sums = reverse_recurrence(rewards - rewards.mean(), jnp.full_like(rewards, discount))
        grads = jax.grad(lambda table: policy_gradient_loss(table[cells], actions, sums))(logits)
        changes, state = optimizer.update(grads, state)
        return logits + changes, state, returns.at[number].set(rewards.mean())

    logits = jnp.zeros((CELLS, 2))
    start = (logits, optimizer.init(logits), jnp.full(400, jnp.nan))
    return jax.lax.fori_loop(0, updates, update, start)[2]


def main(updates: int = 400, seeds: int = 8, horizons=(1.0, 3.0, 7.0, 31.0)):
    keys, last = jax.random.split(jax.random.key(0), seeds), {}
    for horizon in horizons:
        runs = jax.vmap(learn, (0, None, None))(keys, discount_from_horizon(horizon), updates)
        past = runs >= 0.8 * OPTIMAL
        reached = jnp.where(past.any(1), past.argmax(1) + 1, jnp.inf) * STEPS * ENVIRONMENTS
        last[horizon] = runs[:, updates - 20 : updates].mean(1)
        few = f"{jnp.median(reached):,.0f}" if jnp.isfinite(jnp.median(reached)) else "more"
        print(
            f"h = {horizon:g}: {int(past.any(1).sum())} of {seeds} seeds reach 80% of the best; "
            f"median interactions {few}; last reward per step {last[horizon].mean():+.3f}"
        )
    print(f"best reward per step: {OPTIMAL:+.3f}")
    return last


if __name__ == "__main__":
    main()

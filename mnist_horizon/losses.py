"""Policy losses and regularisers, as functions of logits.

All are means over the batch, to be minimised.
"""

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float, Int


def log_probability(
    logits: Float[Array, "*batch action"], actions: Int[Array, "*batch"]
) -> Float[Array, "*batch"]:
    """log pi(a | x)."""
    return pick(jax.nn.log_softmax(logits), actions)


def pick(
    table: Float[Array, "*batch action"], actions: Int[Array, "*batch"]
) -> Float[Array, "*batch"]:
    """`table[..., action]`, as a masked sum: a gather's gradient is a scatter, slow in a batch."""
    chosen = actions[..., None] == jnp.arange(table.shape[-1], dtype=actions.dtype)
    return jnp.sum(jnp.where(chosen, table, 0.0), axis=-1)


def policy_gradient_loss(
    logits: Float[Array, "*batch action"],
    actions: Int[Array, "*batch"],
    advantages: Float[Array, "*batch"],
) -> Float[Array, ""]:
    """`-E[A log pi(a | x)]`, whose gradient is minus the policy gradient (Williams 1992)."""
    return -jnp.mean(log_probability(logits, actions) * jax.lax.stop_gradient(advantages))


def clipped_loss(
    logits: Float[Array, "*batch action"],
    actions: Int[Array, "*batch"],
    advantages: Float[Array, "*batch"],
    old_log_probability: Float[Array, "*batch"],
    clip: float,
) -> Float[Array, ""]:
    """PPO's clipped surrogate (Schulman et al. 2017, arXiv 1707.06347, equation 7).

    `-E[min(rho A, clip(rho, 1 - eps, 1 + eps) A)]` with `rho = pi(a | x) / pi_old(a | x)`.
    """
    ratio = jnp.exp(log_probability(logits, actions) - old_log_probability)
    clipped = jnp.clip(ratio, 1 - clip, 1 + clip)
    return -jnp.mean(jnp.minimum(ratio * advantages, clipped * advantages))


def entropy(logits: Float[Array, "*batch action"]) -> Float[Array, "*batch"]:
    """Entropy of the policy in nats."""
    log_policy = jax.nn.log_softmax(logits)
    return -jnp.sum(jnp.exp(log_policy) * log_policy, axis=-1)


def kl_divergence(
    logits: Float[Array, "*batch action"], reference: Float[Array, "*batch action"]
) -> Float[Array, "*batch"]:
    """KL(pi || reference) in nats, from the logits of both."""
    log_policy, log_reference = jax.nn.log_softmax(logits), jax.nn.log_softmax(reference)
    return jnp.sum(jnp.exp(log_policy) * (log_policy - log_reference), axis=-1)


def value_loss(values: Float[Array, "*batch"], targets: Float[Array, "*batch"]) -> Float[Array, ""]:
    """`E[(V - target)^2] / 2`."""
    return 0.5 * jnp.mean((values - jax.lax.stop_gradient(targets)) ** 2)

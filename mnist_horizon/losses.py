"""Policy losses and regularisers, as functions of logits.

All are means over the batch, to be minimised. Inside, actions come first and the batch last: sums
over ten actions are then ten additions of long vectors, on any device, in place of many short sums.
"""

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float, Int


def actions_first(table: Float[Array, "*batch action"]) -> Float[Array, "action *batch"]:
    """The table as losses use it inside; the compiled product writes it in this order."""
    return jnp.moveaxis(table, -1, 0)


def log_policy(logits: Float[Array, "*batch action"]) -> Float[Array, "action *batch"]:
    """log pi(a | x) of every action, actions first."""
    shifted, log_sum = _normalised(logits)
    return shifted - log_sum


def log_probability(
    logits: Float[Array, "*batch action"], actions: Int[Array, "*batch"]
) -> Float[Array, "*batch"]:
    """log pi(a | x), as a logit less the log of the sum: its gradient needs no sum over actions."""
    shifted, log_sum = _normalised(logits)
    return _pick_first(shifted, actions) - log_sum


def _normalised(
    logits: Float[Array, "*batch action"],
) -> tuple[Float[Array, "action *batch"], Float[Array, "*batch"]]:
    """Logits less their largest, and the log of the sum of their exponentials."""
    table = actions_first(logits)
    shifted = table - jax.lax.stop_gradient(table.max(axis=0))
    return shifted, jnp.log(jnp.exp(shifted).sum(axis=0))


def pick(
    table: Float[Array, "*batch action"], actions: Int[Array, "*batch"]
) -> Float[Array, "*batch"]:
    """`table[..., action]`, as a masked sum: a gather's gradient is a scatter, slow in a batch."""
    return _pick_first(actions_first(table), actions)


def _pick_first(
    table: Float[Array, "action *batch"], actions: Int[Array, "*batch"]
) -> Float[Array, "*batch"]:
    each = jnp.arange(table.shape[0], dtype=actions.dtype).reshape(-1, *[1] * actions.ndim)
    return jnp.sum(jnp.where(actions == each, table, 0.0), axis=0)


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


def expected_score(
    logits: Float[Array, "*batch action"], scores: Float[Array, "*batch action"]
) -> Float[Array, "*batch"]:
    """`sum_a pi(a | x) c(x, a)`; pi(label | x) where c is 1 for the label alone."""
    return jnp.sum(jnp.exp(log_policy(logits)) * actions_first(scores), axis=0)


def cross_entropy(
    logits: Float[Array, "*batch action"], scores: Float[Array, "*batch action"]
) -> Float[Array, ""]:
    """`-E[sum_a q_a log pi(a | x)]`, q the scores over their sum: the label where c is 1 for it.

    An example without a right answer adds nothing.
    """
    targets = actions_first(scores)
    total = targets.sum(axis=0)
    targets = targets / jnp.where(total > 0, total, 1.0)
    return -jnp.mean(jnp.sum(targets * log_policy(logits), axis=0))


@jax.custom_vjp
def entropy(logits: Float[Array, "*batch action"]) -> Float[Array, "*batch"]:
    """Entropy H of the policy in nats; its gradient in the logits is `-pi (log pi + H)`."""
    policy = log_policy(logits)
    return -jnp.sum(jnp.exp(policy) * policy, axis=0)


def _entropy_forward(logits: Array) -> tuple[Array, tuple[Array, Array]]:
    result = entropy(logits)
    return result, (logits, result)


def _entropy_backward(saved: tuple[Array, Array], cotangent: Array) -> tuple[Array]:
    policy = log_policy(saved[0])
    return (jnp.moveaxis(-cotangent * jnp.exp(policy) * (policy + saved[1]), 0, -1),)


entropy.defvjp(_entropy_forward, _entropy_backward)


def kl_divergence(
    logits: Float[Array, "*batch action"], reference: Float[Array, "*batch action"]
) -> Float[Array, "*batch"]:
    """KL(pi || reference) in nats, from the logits of both."""
    policy = log_policy(logits)
    return jnp.sum(jnp.exp(policy) * (policy - log_policy(reference)), axis=0)


def value_loss(values: Float[Array, "*batch"], targets: Float[Array, "*batch"]) -> Float[Array, ""]:
    """`E[(V - target)^2] / 2`."""
    return 0.5 * jnp.mean((values - jax.lax.stop_gradient(targets)) ** 2)

"""Baselines that depend on the action, with the correction that keeps the gradient unbiased.

With a baseline phi(x, a) the estimator of a step is

    g = s(a) (A - phi(x, a)) + sum_b pi(b|x) s(b) phi(x, b),

whose second term, the correction, restores the mean that the first removes. After Tucker et
al. 2018 (arXiv 1802.10031) it changes only the action part of the variance: with
phi = f E[A | x, a] that part falls by (1 - f)^2, and the future and state parts do not change.
Dividing the first term by the advantages' standard deviation sigma and not the correction turns the
mean m into `(m - m_phi) / sigma + m_phi`, m_phi the correction's mean: biased towards m_phi for
sigma above 1, and away from it below. With phi = f E[A | x, a], m_phi is f m: the direction stays,
the length is `(1 - f) + f sigma` times that of m / sigma, and the correction, which has no noise of
actions or the future, weighs sigma times as much beside the noisy term as it should. A phi that is
wrong makes the direction wrong: the parameters then climb
`E[sum_b pi(b|x) (E[A | x, b] + (sigma - 1) phi(x, b))] / sigma`, the return plus a multiple of phi.
"""

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float, Int

from mnist_horizon.losses import pick, policy_gradient_loss

NORMALISED = ("none", "both", "advantage")
"""What is divided by sigma: nothing; advantage and correction; the advantage alone, a known bug."""

_LEAST_SIGMA = 1e-8


def baseline_of(
    expected: Float[Array, "batch action"], fraction: float, error: float
) -> Float[Array, "batch action"]:
    """phi(x, a) = `fraction` E[A | x, a] + `error` [a = 0], the last an error about one action.

    Args:
        expected: E[A | x, a] of every action.
        fraction: 1 for the baseline of no action variance.
        error: in units of reward.
    """
    phi = fraction * expected
    return phi.at[:, 0].add(error) if error else phi


def scales(
    advantages: Float[Array, "batch"], normalise: str
) -> tuple[Float[Array, ""] | float, Float[Array, ""] | float]:
    """What multiplies the score's term and the correction: 1, or 1 / sigma of the batch.

    Args:
        advantages: of the actions taken, before phi is subtracted.
        normalise: one of `NORMALISED`.
    """
    if normalise == "none":
        return 1.0, 1.0
    scale = 1 / (jnp.std(advantages) + _LEAST_SIGMA)
    return scale, scale if normalise == "both" else 1.0


def action_dependent_loss(
    logits: Float[Array, "batch action"],
    actions: Int[Array, "batch"],
    advantages: Float[Array, "batch"],
    baseline: Float[Array, "batch action"],
    scale: Float[Array, ""] | float = 1.0,
    correction_scale: Float[Array, ""] | float = 1.0,
) -> Float[Array, ""]:
    """Policy-gradient loss with the action-dependent baseline phi and its correction.

    `-E[scale (A - phi(x, a)) log pi(a|x) + correction_scale sum_b phi(x, b) pi(b|x)]`; unbiased up
    to the factor `scale` where the two scales agree.

    Args:
        logits: of the policy.
        actions: those taken.
        advantages: of the actions taken.
        baseline: phi(x, a) of every action; no gradient goes through it.
        scale: 1 / sigma where advantages are normalised.
        correction_scale: the same, or 1 for a normalisation that leaves the correction as it is, or
            0 for no correction.
    """
    baseline = jax.lax.stop_gradient(baseline)
    score_loss = policy_gradient_loss(logits, actions, advantages - pick(baseline, actions))
    correction = jnp.mean(jnp.sum(jax.nn.softmax(logits) * baseline, axis=-1))
    return scale * score_loss - correction_scale * correction


def normalised_loss(
    logits: Float[Array, "batch action"],
    actions: Int[Array, "batch"],
    advantages: Float[Array, "batch"],
    baseline: Float[Array, "batch action"],
    normalise: str,
) -> Float[Array, ""]:
    """`action_dependent_loss` with sigma the standard deviation of the batch's advantages.

    Args:
        logits: of the policy.
        actions: those taken.
        advantages: of the actions taken, before phi is subtracted.
        baseline: phi(x, a) of every action.
        normalise: one of `NORMALISED`.
    """
    both = scales(advantages, normalise)
    return action_dependent_loss(logits, actions, advantages, baseline, *both)

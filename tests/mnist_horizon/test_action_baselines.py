"""What normalising does to an action-dependent baseline: exact means over examples and actions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mnist_horizon.action_baselines import action_dependent_loss, baseline_of, normalised_loss
from mnist_horizon.errors import SweepError
from mnist_horizon.losses import policy_gradient_loss
from mnist_horizon.sweeps.spec import differences, spec_from

RNG = np.random.default_rng(3)
EXAMPLES, ACTIONS = 6, 3
LOGITS = jnp.asarray(RNG.normal(size=(EXAMPLES, ACTIONS)), jnp.float32)
ADVANTAGES = jnp.asarray(RNG.normal(size=(EXAMPLES, ACTIONS)), jnp.float32)
BASELINE = jnp.asarray(RNG.normal(size=(EXAMPLES, ACTIONS)), jnp.float32)


def mean_gradient(**settings: float) -> np.ndarray:
    """E[g] in the logits, exact: every action with its probability as weight."""
    policy = jax.nn.softmax(LOGITS)

    def loss(action, advantages):
        gradient = jax.grad(action_dependent_loss)(
            LOGITS, jnp.full(EXAMPLES, action), advantages, BASELINE, **settings
        )
        return policy[:, action, None] * gradient

    return -EXAMPLES * np.asarray(sum(loss(a, ADVANTAGES[:, a]) for a in range(ACTIONS)))


def policy_gradient(table: jax.Array) -> np.ndarray:
    """Gradient of sum_a pi(a|x) table(x, a)."""
    return np.asarray(jax.grad(lambda z: jnp.sum(jax.nn.softmax(z) * table))(LOGITS))


def test_the_correction_keeps_the_mean():
    np.testing.assert_allclose(mean_gradient(), policy_gradient(ADVANTAGES), atol=1e-5)
    both = mean_gradient(scale=0.25, correction_scale=0.25)
    np.testing.assert_allclose(both, 0.25 * policy_gradient(ADVANTAGES), atol=1e-5)


def test_no_baseline_is_the_plain_loss():
    actions = jnp.array([0, 1, 2, 0, 1, 2])
    advantages = ADVANTAGES[:, 0]
    plain = jax.grad(policy_gradient_loss)(LOGITS, actions, advantages)
    other = jax.grad(action_dependent_loss)(LOGITS, actions, advantages, 0 * BASELINE)
    np.testing.assert_allclose(other, plain, atol=1e-7)


@pytest.mark.parametrize("sigma", [0.5, 4.0])
def test_normalising_without_the_correction_is_biased(sigma):
    true, of_baseline = policy_gradient(ADVANTAGES), policy_gradient(BASELINE)
    found = mean_gradient(scale=1 / sigma, correction_scale=1.0)
    np.testing.assert_allclose(found, (true - of_baseline) / sigma + of_baseline, atol=1e-5)

    def cosine(first: np.ndarray, second: np.ndarray) -> float:
        return float(np.sum(first * second) / np.linalg.norm(first) / np.linalg.norm(second))

    assert cosine(found, true) < 0.95
    towards = np.sum((found * sigma - true) * of_baseline)
    assert (towards > 0) == (sigma > 1)


@pytest.mark.parametrize(("fraction", "length"), [(0.5, 2.5), (1.0, 4.0), (0.0, 1.0)])
def test_with_a_share_of_the_mean_advantage_the_bug_changes_the_length_alone(fraction, length):
    """(1 - f) + f sigma, at sigma = 4, in units of the normalised gradient."""
    policy = jax.nn.softmax(LOGITS)

    def loss(action):
        actions = jnp.full(EXAMPLES, action)
        settings = {"scale": 0.25, "correction_scale": 1.0}
        gradient = jax.grad(action_dependent_loss)(
            LOGITS, actions, ADVANTAGES[:, action], fraction * ADVANTAGES, **settings
        )
        return policy[:, action, None] * gradient

    found = -EXAMPLES * np.asarray(sum(loss(a) for a in range(ACTIONS)))
    np.testing.assert_allclose(found, length * policy_gradient(ADVANTAGES) / 4, atol=1e-5)


@pytest.mark.parametrize(
    ("normalise", "scale", "of_correction"),
    [("none", 1.0, 1.0), ("both", "sigma", "sigma"), ("advantage", "sigma", 1.0)],
)
def test_the_batch_normalises_what_is_named(normalise, scale, of_correction):
    actions, advantages = jnp.array([0, 1, 2, 0, 1, 2]), 7 * ADVANTAGES[:, 0]
    scales = [1 / jnp.std(advantages) if one == "sigma" else one for one in (scale, of_correction)]
    found = normalised_loss(LOGITS, actions, advantages, BASELINE, normalise)
    expected = action_dependent_loss(LOGITS, actions, advantages, BASELINE, *scales)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


SETTINGS = {
    **{"task": {"name": "digits"}, "widths": (4,), "horizons": (1.0,), "seeds": 1},
    "budget": 2048,
    "action_baseline": {"fraction": 0.5, "normalise": "advantage"},
}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"action_baseline": {"fraction": 1.5}}, "fraction: must be in 0 to 1"),
        ({"action_baseline": {"normalise": "some"}}, "normalise: must be one of none, both"),
        ({"action_baseline": {"normalise": "advantage"}}, "fraction 0 has none: choose 'both'"),
        ({"algorithm": {"name": "ppo"}}, "for algorithm.name 'vpg' only, not 'ppo'"),
        ({"algorithm": {"gae_lambda": 0.9}}, "needs algorithm.gae_lambda 1, not 0.9"),
        ({"baseline": "value_net"}, "needs baseline 'expected_reward' or 'state'"),
    ],
)
def test_where_it_has_no_meaning_it_is_refused_in_one_line(changes, message):
    with pytest.raises(SweepError, match=message) as caught:
        spec_from({**SETTINGS, **changes})
    assert "\n" not in str(caught.value)


def test_the_choice_is_part_of_a_sweep_and_absent_where_it_is_off():
    spec = spec_from(SETTINGS)
    assert spec_from(spec.to_json()) == spec
    assert spec.fixed_settings()["action_baseline"] == SETTINGS["action_baseline"]
    assert spec.train_spec(4).has_action_baseline
    assert not spec.of("exact").train_spec(4).has_action_baseline
    off = spec_from({**SETTINGS, "action_baseline": {}})
    assert "action_baseline" not in off.to_json()
    assert not off.train_spec(4).has_action_baseline
    assert any("action_baseline" in one for one in differences(off.to_json(), spec.to_json()))


def test_an_error_about_one_action_is_part_of_a_sweep_and_absent_where_there_is_none():
    spec = spec_from(SETTINGS)
    assert "error" not in spec.to_json()["action_baseline"]
    wrong = spec_from({**SETTINGS, "action_baseline": {"error": 0.3, "normalise": "advantage"}})
    assert wrong.train_spec(4).has_action_baseline
    assert spec_from(wrong.to_json()) == wrong
    assert "action_baseline.error: 0.0 -> 0.3" in differences(spec.to_json(), wrong.to_json())
    phi = baseline_of(ADVANTAGES, 0.5, 0.3)
    np.testing.assert_allclose(phi[:, 0], 0.5 * ADVANTAGES[:, 0] + 0.3, rtol=1e-6)
    np.testing.assert_allclose(phi[:, 1:], 0.5 * ADVANTAGES[:, 1:], rtol=1e-6)

"""Runs of several schedules in one program: each gets what its own schedule gives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mnist_horizon.schedules import Choice, States, parse
from tests.mnist_horizon.schedules.listed_policy import estimator, exact_moments

TEXTS = ["periodic:3", "dense", "lottery:0.5", "streak:2", "periodic:4", "revealed:0.25"]
SCHEDULES = [parse(text) for text in TEXTS]
CORRECT = jnp.asarray(np.random.default_rng(0).random((9, 2)) < 0.7, jnp.float32)
UNIFORM = jnp.asarray(np.random.default_rng(1).random((9, 2)), jnp.float32)


def rewards(reward):
    return reward.rewards(CORRECT, UNIFORM, jnp.int32(0), jnp.zeros(2))


def centring(reward):
    phase, one = jnp.arange(3), jnp.float32(0.6)
    value = reward.state_value(phase[:, None], jnp.ones((3, 2)), CORRECT[:3] * 0.5, one, one)
    slope = jnp.asarray(reward.marginal_reward(one), jnp.float32)
    return reward.expected_reward(phase, one), value, slope


def steps(reward):
    return jnp.asarray(reward.period), jnp.asarray(reward.window)


def covariance(reward):
    found = reward.window_covariance(estimator("expected_reward", 0.7, steps=9), MOMENTS)
    return jax.tree.map(jnp.asarray, found)


def advantages(reward):
    states = States(jnp.arange(9) % 2, jnp.ones((9, 2)), CORRECT * 0.5, jnp.float32(0.6))
    return reward.expected_advantages(
        estimator("expected_reward", 0.7, steps=9), states, jnp.zeros((9, 2)), jnp.float32(0)
    )


MOMENTS = exact_moments("expected_reward")


@pytest.mark.parametrize("function", [rewards, centring, steps, covariance, advantages])
def test_each_run_gets_what_its_own_schedule_gives(function):
    choice = jax.tree.map(jnp.asarray, Choice.of(SCHEDULES))
    together = jax.jit(jax.vmap(function))(choice)
    for number, schedule in enumerate(SCHEDULES):
        mine = jax.tree.map(lambda leaf: leaf[number], together)  # noqa: B023
        alone = jax.jit(function)(jax.tree.map(jnp.float32, schedule))
        jax.tree.map(
            lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-5, atol=1e-6), mine, alone
        )


def test_a_program_of_one_class_compiles_its_code_alone():
    def code(reward):
        return str(jax.make_jaxpr(jax.vmap(lambda one: rewards(one).rewards))(reward))

    def chosen(*texts):
        return jax.tree.map(jnp.asarray, Choice.of([parse(text) for text in texts]))

    periodic = jax.tree.map(lambda leaf: jnp.full(2, leaf, jnp.float32), parse("periodic:2"))
    alone, mixed = code(chosen("periodic:2", "periodic:4")), code(chosen("periodic:2", "dense"))
    assert alone.count("select_n") == code(periodic).count("select_n") < mixed.count("select_n")
    assert "cumsum" in alone
    assert "cumsum" not in code(chosen("dense", "dense"))


def test_structure_follows_from_the_classes_and_not_from_their_order():
    one, other = Choice.of(SCHEDULES), Choice.of(SCHEDULES[::-1])
    assert jax.tree.structure(one) == jax.tree.structure(other)
    assert jax.tree.structure(one) != jax.tree.structure(Choice.of(SCHEDULES[:1]))
    assert [leaf.dtype for leaf in jax.tree.leaves(one)] == [np.int32, np.float32]

import jax.numpy as jnp
import numpy as np
import pytest

from mnist_horizon.schedules import parse
from mnist_horizon.schedules.delayed import count_right
from tests.mnist_horizon.schedules.windows import payments


@pytest.mark.parametrize(("phase", "carried"), [(0, 0.0), (2, 1.0)])
def test_counts_are_those_of_a_loop(phase, carried):
    correct = (np.random.default_rng(0).random(20) < 0.6).astype(np.float32)
    phases, expected, held = (phase + np.arange(20)) % 5, [], carried
    for step, right in enumerate(correct):
        held = right + (held if phases[step] else 0)
        expected.append(held)
    found = count_right(jnp.asarray(correct)[:, None], jnp.asarray(phases), jnp.full(1, carried))
    assert found[:, 0].tolist() == expected


def test_phase_and_count_are_those_before_each_step_and_of_the_next_rollout():
    found = payments("periodic:3", [1, 1, 0, 1, 1], phase=2, carried=1)
    assert found.phase.tolist() == [2, 0, 1, 2, 0, 1]
    assert found.carried[:, 0].tolist() == [1, 0, 1, 1, 0, 1]
    assert found.rewards[:, 0].tolist() == [2, 0, 0, 2, 0]


def test_what_is_carried_into_a_new_window_is_nothing():
    assert payments("periodic:3", [0], phase=0, carried=2).carried[0, 0] == 0


@pytest.mark.parametrize("kind", ["periodic", "streak"])
def test_the_longest_period_is_exact_in_single_precision(kind):
    schedule = parse(f"{kind}:{2**24}")
    assert schedule.period == schedule.window == 2**24
    assert type(schedule)(jnp.float32(schedule.level)).period == 2**24
    assert type(schedule)(jnp.float32(2**24 - 1)).period == 2**24 - 1

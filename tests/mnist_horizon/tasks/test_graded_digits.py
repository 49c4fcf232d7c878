import jax.numpy as jnp
import numpy as np
import pytest

from mnist_horizon import tasks
from mnist_horizon.tasks import TaskError


def test_the_digits_are_those_of_digits_and_neighbours_earn_a_part():
    graded, plain = tasks.load("graded_digits", {"neighbour": 0.3}), tasks.load("digits", {})
    assert graded.provenance["content"] == plain.provenance["content"]
    assert graded.provenance["settings"]["neighbour"] == 0.3
    scores = np.asarray(graded.task.scores(jnp.arange(10)))
    expected = np.eye(10) + 0.3 * (np.eye(10, k=1) + np.eye(10, k=-1))
    np.testing.assert_allclose(scores, expected, rtol=1e-6)  # 0 and 9 have one neighbour each
    assert scores.dtype == np.float32


def test_a_uniform_policy_has_the_return_that_is_promised():
    loaded = tasks.load("graded_digits", {})
    labels = loaded.task.train.labels
    assert float(loaded.task.scores(labels).mean()) == pytest.approx(0.19, abs=0.001)


def test_without_a_part_it_is_digits():
    labels, actions = jnp.arange(10).repeat(10), jnp.tile(jnp.arange(10), 10)
    zero, plain = (
        tasks.load(*one).task.score(labels, actions)
        for one in (("graded_digits", {"neighbour": 0.0}), ("digits", {}))
    )
    np.testing.assert_array_equal(zero, plain)


@pytest.mark.parametrize("neighbour", [-0.1, 1.1])
def test_a_part_beyond_the_whole_is_refused(neighbour):
    with pytest.raises(TaskError, match=r"task.neighbour must be in 0 to 1"):
        tasks.load("graded_digits", {"neighbour": neighbour})
    with pytest.raises(TaskError, match=r"task.test_fraction must be in"):
        tasks.load("graded_digits", {"test_fraction": 0.0})

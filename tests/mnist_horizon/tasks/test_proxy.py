"""A task that pays a proxy: what is paid, what stays the score, and what is refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mnist_horizon import environment, tasks
from mnist_horizon.schedules import parse
from mnist_horizon.tasks import TaskError
from mnist_horizon.tasks.proxy import _features

PLAIN = tasks.load("digits", {})


def proxy(**settings):
    return tasks.load("proxy", settings)


def test_the_examples_are_those_of_the_base_and_the_score_is_unpaid():
    loaded = proxy(labels=30)
    task = loaded.task
    np.testing.assert_array_equal(task.train.images, PLAIN.task.train.images)
    np.testing.assert_array_equal(
        task.scores(task.train.labels), PLAIN.task.scores(task.train.labels)
    )
    assert task.has_gold
    assert not PLAIN.task.has_gold
    assert loaded.provenance["content"] != PLAIN.provenance["content"]
    assert loaded.provenance["content"] == proxy(labels=30).provenance["content"]
    assert loaded.provenance["content"] != proxy(labels=31).provenance["content"]


def test_a_bonus_is_added_for_one_class():
    task = proxy(error="bonus", size=0.25, favoured=3).task
    expected = np.asarray(task.scores(task.test.labels)) + 0.25 * (np.arange(10) == 3)
    np.testing.assert_allclose(task.test.paid, expected)


@pytest.mark.parametrize("error", ["gaussian", "heavy"])
def test_frozen_noise_has_the_size_that_is_set_and_is_measured_where_it_is_paid(error):
    task = proxy(error=error, size=0.5).task
    noise = np.asarray(task.train.paid - task.scores(task.train.labels))
    assert noise.mean() == pytest.approx(0, abs=0.02)
    if error == "gaussian":
        assert noise.std() == pytest.approx(0.5, rel=0.03)
    far = np.mean(np.abs(noise) > 4 * 0.5)
    # P(|z| > 4) is 6e-5 of a normal variable, 0.0061 of Student's t with 3 degrees over sqrt(3).
    assert far == pytest.approx(0.0061 if error == "heavy" else 6e-5, rel=0.4, abs=1e-4)
    np.testing.assert_array_equal(task.test.images, task.train.images)
    np.testing.assert_array_equal(task.test.paid, task.train.paid)


def test_more_labels_make_a_better_reward_model():
    right = []
    for labels in (10, 50, 400):
        test = proxy(labels=labels).task.test
        np.testing.assert_allclose(np.asarray(test.paid).sum(axis=1), 1, rtol=1e-5)
        right.append(np.mean(np.asarray(test.paid).argmax(axis=1) == np.asarray(test.labels)))
    assert right[0] < 0.6 < right[1] < right[2]
    assert right[2] > 0.9


def test_a_reward_model_sees_floats_as_they_are():
    """So that a base whose floats are its bytes over 255 has the same model."""
    images = np.asarray(PLAIN.task.train.images)[:50]
    features = _features(images)
    np.testing.assert_allclose(features, _features(images / np.float32(255)), rtol=1e-6)
    assert features[:, :-1].max() == pytest.approx(8 / np.sqrt(64))
    assert (features[:, -1] == 1).all()


def test_the_environment_pays_the_proxy_and_tells_the_gold():
    task = proxy(error="bonus", size=0.5, favoured=2).task
    params = environment.make_params(parse("dense"))
    _, state = environment.reset(jax.random.key(0), task, params)
    label = int(task.train.labels[state.index])
    for action in range(10):
        *_, reward, _, _, info = environment.step(
            jax.random.key(1), state, jnp.int32(action), task, params
        )
        assert float(info["gold"]) == (action == label)
        assert float(reward) == (action == label) + 0.5 * (action == 2)
    assert (
        "gold"
        not in environment.step(jax.random.key(1), state, jnp.int32(0), PLAIN.task, params)[-1]
    )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"error": "none"}, "task.error must be one of bonus"),
        ({"base": "proxy"}, "task.base must be another task"),
        ({"base": "nothing"}, "unknown task 'nothing'"),
        ({"size": -1.0}, "task.size must be at least 0"),
        ({"labels": 0}, "task.labels must be at least 1"),
        ({"labels": 2000}, "task.labels must be at most 1437"),
        ({"favoured": 10}, "task.favoured must be below 10"),
    ],
)
def test_impossible_settings_are_refused_in_one_line(settings, message):
    with pytest.raises(TaskError, match=message) as error:
        proxy(**settings)
    assert "\n" not in str(error.value)


def test_pay_of_a_wrong_form_is_refused():
    labels, images = np.array([0, 1]), np.zeros((2, 1), np.uint8)
    good = tasks.make_examples(images, labels, np.zeros((2, 2)))
    for paid, message in (
        (None, "or none, unlike the train split"),
        (np.zeros((2, 3)), r"paid float32 of shape \(2, 3\)"),
        (np.full((2, 2), np.nan), "not finite"),
    ):
        task = tasks.Task(good, tasks.make_examples(images, labels, paid), classes=2)
        with pytest.raises(TaskError, match=message):
            tasks.describe("two", {}, tasks.LoadedTask(task, {}))

import json
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
import pytest

from mnist_horizon import networks, tasks
from mnist_horizon.errors import SweepError
from mnist_horizon.sweeps.spec import differences
from mnist_horizon.tasks import LoadedTask, Task, TaskError, make_examples, scaling
from mnist_horizon.tasks.graded_digits import GradedTask
from tests.mnist_horizon.small_sweeps import tiny

TRAIN = np.array([[2.0, 7.0, 0.1], [4.0, 7.0, 0.1], [6.0, 7.0, 0.1], [8.0, 7.0, 0.1]])
TEST = np.array([[5.0, 7.0, 0.1], [11.0, 9.0, 0.1]])
LABELS = np.array([0, 1, 1, 0])


def task_of(train, test, kind=Task):
    train, test = np.asarray(train), np.asarray(test)
    splits = (make_examples(part, np.arange(len(part)) % 2) for part in (train, test))
    return kind(*splits, classes=2)


def images(task):
    return [np.asarray(part.images) for part in (task.train, task.test)]


@pytest.mark.parametrize(
    ("how", "train", "test"),
    [
        # The first number has mean 5 and variance 5, the others are constant.
        ("standardised", [[-3, 0, 0], [-1, 0, 0], [1, 0, 0], [3, 0, 0]], [[0, 0, 0], [6, 2, 0]]),
        ("unit_range", [[0, 0, 0], [2, 0, 0], [4, 0, 0], [6, 0, 0]], [[3, 0, 0], [9, 2, 0]]),
    ],
)
def test_each_number_is_scaled_by_the_training_split(how, train, test):
    scale = np.array([np.sqrt(5) if how == "standardised" else 6, 1, 1])
    found = images(tasks.scaled(task_of(TRAIN, TEST), how))
    for split, expected in zip(found, (train, test), strict=True):
        assert split.dtype == np.float32
        np.testing.assert_allclose(split, np.array(expected) / scale, rtol=1e-6)


def test_all_numbers_are_scaled_together():
    generator = np.random.default_rng(0)
    train = generator.integers(0, 256, (300, 5, 4), dtype=np.uint8)
    train[:, 0] = 17  # a border that is the same in all images
    test = generator.integers(0, 256, (40, 5, 4), dtype=np.uint8)
    first, second = images(tasks.scaled(task_of(train, test), "standardised_together"))
    pixels = train.astype(float)
    np.testing.assert_allclose(first, (pixels - pixels.mean()) / pixels.std(), atol=1e-5)
    np.testing.assert_allclose(second, (test - pixels.mean()) / pixels.std(), atol=1e-5)
    same = task_of(np.full((3, 2), 5.0), np.full((1, 2), 6.0))
    constant = tasks.scaled(same, "standardised_together")
    assert [part.tolist() for part in images(constant)] == [[[0, 0]] * 3, [[1, 1]]]


@pytest.mark.parametrize("shape", [(), (3,), (4, 5), (4, 4, 3), (2, 3, 2, 2)])
def test_observations_of_any_shape(shape):
    train = np.random.default_rng(0).normal(5, 3, (200, *shape)).astype(np.float32)
    task = tasks.scaled(task_of(train, train[:20] + 1), "standardised")
    first, second = images(task)
    np.testing.assert_allclose(first.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(first.std(axis=0), 1, atol=1e-5)
    apart = np.broadcast_to(1 / train.std(axis=0), second.shape)
    np.testing.assert_allclose(second - first[:20], apart, rtol=1e-3)
    spec = networks.NetworkSpec("mlp", 1, 4)
    inputs = networks.first_inputs(spec, task.train.images)
    np.testing.assert_array_equal(inputs, first.reshape(200, -1))  # not divided by 255


def test_parts_of_many_numbers_give_the_same(monkeypatch):
    train, test = np.random.default_rng(0).normal(3, 2, (2, 50, 30))
    whole = tasks.standardised(train, test)
    monkeypatch.setattr(scaling, "_PART", 101)  # 2 numbers, or 3 examples, at a time
    for one, other in zip(whole, tasks.standardised(train, test), strict=True):
        np.testing.assert_array_equal(one, other)


def test_large_numbers_close_together_are_standardised_in_double_precision():
    """Sums of single-precision numbers would miss the mean by more than the deviation."""
    train = (1e5 + np.random.default_rng(0).normal(size=(60_000, 1))).astype(np.float32)
    first, _ = tasks.standardised(train, train[:1])
    assert abs(first.mean(dtype=float)) < 1e-6
    assert first.std(dtype=float) == pytest.approx(1, abs=1e-6)
    first, second = tasks.standardised(np.full((1000, 1), 0.1), np.array([[0.1], [0.3]]))
    assert (first == 0).all(), "rounding alone makes a deviation of 1e-17"
    assert second.ravel().tolist() == [0, np.float32(0.2)]


def test_all_else_of_a_task_is_kept():
    task = task_of(TRAIN, TEST, GradedTask)
    paid = make_examples(TRAIN, LABELS, np.ones((4, 2)))
    proxy = Task(paid, paid, 2, initial={"first": jnp.ones(2)})
    assert isinstance(tasks.scaled(task, "standardised"), GradedTask)
    found = tasks.scaled(proxy, "standardised")
    assert found.test is found.train, "one copy on the device"
    np.testing.assert_array_equal(found.train.paid, paid.paid)
    np.testing.assert_array_equal(found.train.labels, LABELS)
    assert found.initial is proxy.initial
    assert tasks.scaled(task, "as_given") is task


@pytest.fixture
def floats():
    @tasks.register("floats")
    @dataclass(frozen=True)
    class Floats:
        largest: float = 8.0

        def load(self):
            train = np.where(TRAIN == 8, self.largest, TRAIN)
            return LoadedTask(task_of(train, TEST), {"source": "a table"})

    return Floats


def test_the_setting_of_any_task(floats):
    given, found = (tasks.load("floats", each) for each in ({}, {"observations": "standardised"}))
    expected = images(tasks.scaled(given.task, "standardised"))
    for one, other in zip(images(found.task), expected, strict=True):
        np.testing.assert_array_equal(one, other)
    assert found.provenance["settings"] == {"largest": 8.0, "observations": "standardised"}
    assert found.provenance["content"] != given.provenance["content"]
    assert given.provenance["settings"] == {"largest": 8.0}, "as older versions recorded it"
    for function in (tasks.settings_of, tasks.identity_settings):
        assert function("floats", {"observations": "as_given"}) == {"largest": 8.0}
        settings = function("mnist", {"observations": "unit_range"})
        assert settings["observations"] == "unit_range"
        assert json.loads(json.dumps(settings)) == settings


def test_it_is_part_of_a_sweeps_identity():
    plain, given, scaled = (
        tiny(task={"name": "digits", **more}).to_json()
        for more in ({}, {"observations": "as_given"}, {"observations": "unit_range"})
    )
    assert plain == given, "so that the sweeps of older versions go on"
    assert scaled["task"]["observations"] == "unit_range"
    assert differences(plain, scaled) == ["task.observations: None -> 'unit_range'"]
    with pytest.raises(SweepError, match=r"task.observations must be one of as_given"):
        tiny(task={"name": "digits", "observations": "normal"})


@pytest.mark.parametrize("how", ["", "standardized", "scaled", None, 1, ["standardised"]])
def test_another_way_is_refused(floats, how):
    for function in (tasks.load, tasks.settings_of):
        with pytest.raises(
            TaskError, match=r"^task.observations must be one of as_given, standard"
        ):
            function("floats", {"observations": how})


def test_what_single_precision_cannot_hold_is_refused(floats):
    @tasks.register("wide")
    @dataclass(frozen=True)
    class Wide:
        def load(self):
            return LoadedTask(task_of([[0.0], [1e-30]], [[1e30]]), {})

    with pytest.raises(TaskError, match=r"'wide': its test split has images with numbers that are"):
        tasks.load("wide", {"observations": "unit_range"})


def test_a_class_with_a_field_of_this_name_does_it_itself():
    @tasks.register("own")
    @dataclass(frozen=True)
    class Own:
        observations: int = 4

        def load(self):
            return LoadedTask(task_of(TRAIN[: self.observations], TEST), {})

    loaded = tasks.load("own", {"observations": 2})
    assert loaded.task.train.images.shape == (2, 3)
    assert loaded.provenance["settings"] == {"observations": 2}

import numpy as np
import pytest

from mnist_horizon import tasks
from mnist_horizon.tasks import TaskError
from mnist_horizon.tasks.teacher import Teacher

SMALL = {"examples": 20_000, "test_examples": 20_000, "dimensions": 12, "hidden_width": 16}


def numpy_of(examples):
    return np.asarray(examples.images), np.asarray(examples.labels)


@pytest.mark.parametrize(
    "noise",
    [
        {"temperature": 0.5},
        {"label_noise": 0.3},
        {"temperature": 0.2, "label_noise": 0.1, "classes": 3},
        {"temperature": 1.0, "classes": 2},
        {"label_noise": 1.0},
    ],
)
def test_the_best_classifier_reaches_the_optimal_return(noise):
    loaded = tasks.load("teacher", {**SMALL, **noise})
    assert 1 / loaded.task.classes - 1e-9 <= loaded.optimal_return < 1
    teacher = Teacher(**{**SMALL, **noise})
    for split in (loaded.task.train, loaded.task.test):
        images, labels = numpy_of(split)
        right = teacher.probabilities(images).argmax(axis=1) == labels
        error = right.std() / np.sqrt(len(right))
        # The test inputs are another sample: their own optimum differs, by less than this too.
        assert right.mean() == pytest.approx(loaded.optimal_return, abs=5 * error)


def test_labels_follow_the_teachers_probabilities():
    settings = {**SMALL, "classes": 4, "temperature": 0.7, "label_noise": 0.2}
    images, labels = numpy_of(tasks.load("teacher", settings).task.train)
    probabilities = Teacher(**settings).probabilities(images)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    for label in range(4):
        expected = probabilities[:, label]
        hits = (labels == label) - expected
        assert abs(hits.sum()) < 5 * np.sqrt((expected * (1 - expected)).sum())
        confident = expected > np.quantile(expected, 0.9)
        share = expected[confident]
        assert abs(hits[confident].sum()) < 5 * np.sqrt((share * (1 - share)).sum())


def test_without_noise_the_optimum_is_one_and_the_labels_are_the_teachers():
    loaded = tasks.load("teacher", SMALL)
    assert loaded.optimal_return == 1.0
    images, labels = numpy_of(loaded.task.train)
    probabilities = Teacher(**SMALL).probabilities(images)
    np.testing.assert_array_equal(probabilities[np.arange(len(labels)), labels], 1)


def test_pixels_span_the_bytes_and_no_class_is_empty():
    images, labels = numpy_of(tasks.load("teacher", {**SMALL, "classes": 10}).task.train)
    assert (images.dtype, images.min(), images.max()) == (np.uint8, 0, 255)
    assert images.shape == (20_000, 12)
    assert images.mean() == pytest.approx(127.5, abs=5 * 74 / np.sqrt(images.size))
    assert np.bincount(labels, minlength=10).min() > 200


def test_logits_have_about_unit_variance():
    spreads = []
    for seed in range(30):
        teacher = Teacher(dimensions=30, hidden_width=200, seed=seed)
        images = np.random.default_rng(seed).integers(0, 256, (500, 30), dtype=np.uint8)
        spreads.append(teacher._logits(images).var())
    assert np.mean(spreads) == pytest.approx(1, abs=0.15)


def test_only_what_is_asked_changes():
    def draw(**settings):
        return numpy_of(tasks.load("teacher", {**SMALL, **settings}).task.train)

    images, labels = draw()
    for again, same_labels in [draw(), draw(examples=30_000), draw(label_noise=0.2)]:
        np.testing.assert_array_equal(again[: len(images)], images)
        assert (same_labels[: len(labels)] == labels).mean() > 0.7
    np.testing.assert_array_equal(draw(examples=30_000)[1][: len(labels)], labels)
    other_images, _ = draw(seed=1)
    assert not np.array_equal(other_images, images)
    test_images, _ = numpy_of(tasks.load("teacher", SMALL).task.test)
    assert not np.array_equal(test_images, images)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"classes": 1}, "task.classes must be at least 2, not 1"),
        ({"dimensions": 0}, "task.dimensions must be at least 1, not 0"),
        ({"examples": 0}, "task.examples must be at least 1, not 0"),
        ({"seed": -1}, "task.seed must be at least 0, not -1"),
        ({"temperature": -0.5}, "task.temperature must be at least 0, not -0.5"),
        ({"label_noise": 1.5}, "task.label_noise must be in 0 to 1, not 1.5"),
    ],
)
def test_impossible_settings_are_refused(settings, words):
    with pytest.raises(TaskError, match=words):
        tasks.load("teacher", settings)

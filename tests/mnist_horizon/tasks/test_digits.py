import numpy as np
import pytest
from sklearn.datasets import load_digits

from mnist_horizon import tasks
from mnist_horizon.tasks import TaskError


def arrays(loaded):
    return [
        (np.asarray(part.images), np.asarray(part.labels))
        for part in (loaded.task.train, loaded.task.test)
    ]


def test_all_digits_are_there_once_at_full_scale():
    loaded = tasks.load("digits", {})
    (train, train_labels), (test, test_labels) = arrays(loaded)
    assert (train.shape, test.shape) == ((1437, 8, 8), (360, 8, 8))
    images = np.concatenate([train, test])
    assert (images.dtype, images.min(), images.max()) == (np.uint8, 0, 255)
    data = load_digits()
    expected = sorted(zip(data.images.reshape(1797, 64).tolist(), data.target, strict=True))
    labels = np.concatenate([train_labels, test_labels])
    restored = np.rint(images.reshape(1797, 64) / 255 * 16)
    assert sorted(zip(restored.tolist(), labels, strict=True)) == expected
    fractions = np.bincount(test_labels) / np.bincount(labels)
    np.testing.assert_allclose(fractions, 0.2, atol=0.01)
    assert loaded.optimal_return is None
    assert loaded.provenance["files"][0]["sha256"].startswith("09f66e6d")


def test_the_split_is_fixed():
    first, again = tasks.load("digits", {}), tasks.load("digits", {"split_seed": 0})
    assert first.provenance["content"] == again.provenance["content"]
    assert first.provenance["content"] == {
        "train": "b297ee32ce0134b17e894db05c1a51eb9e5e2396d704eadc397e5b3da7d786e0",
        "test": "6e8a587eaf98ebb2c24ee4d16d890ed56564004688247d89c562fbdac17080d0",
    }
    other = tasks.load("digits", {"split_seed": 1, "test_fraction": 0.5})
    assert other.provenance["examples"] == {"train": 898, "test": 899}
    assert other.provenance["content"] != first.provenance["content"]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"test_fraction": 0.0}, "task.test_fraction must be in 0.01 to 0.99"),
        ({"test_fraction": 1.0}, "task.test_fraction must be in 0.01 to 0.99"),
        ({"split_seed": -1}, "task.split_seed must be"),
    ],
)
def test_impossible_settings_are_refused(settings, words):
    with pytest.raises(TaskError, match=words):
        tasks.load("digits", settings)


@pytest.mark.parametrize("fraction", [0.01, 0.99])
def test_the_widest_splits_keep_every_class_on_both_sides(fraction):
    for _, labels in arrays(tasks.load("digits", {"test_fraction": fraction})):
        assert np.unique(labels).size == 10

"""A labelled task that pays a proxy of its score, with an error that a policy can exploit."""

import dataclasses
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float, Int, Num

from mnist_horizon.tasks import registry
from mnist_horizon.tasks.registry import register
from mnist_horizon.tasks.task import Examples, LoadedTask, Task, TaskError, make_examples

ERRORS = ("bonus", "gaussian", "heavy", "model")
DEGREES = 3
"""Degrees of freedom of Student's t for heavy-tailed noise: its variance is finite, 3."""

MODEL_STEPS, MODEL_RATE, MODEL_DECAY = 1000, 0.2, 1e-3
"""Of gradient descent on the cross-entropy of a reward model, and its weight decay."""


@register("proxy")
@dataclass(frozen=True)
class Proxy:
    """The examples of the task `base`, which pay r(x, a) in place of its score c(x, a).

    By `error`, with s = `size`:

    - `bonus`: `r = c + s [a = favoured]`, one class is paid more;
    - `gaussian`: `r = c + s z`, z a standard normal number frozen for each example and action;
    - `heavy`: the same with z of Student's t with 3 degrees of freedom, over its deviation sqrt(3);
    - `model`: `r = s q(a | x)`, q a reward model: multinomial logistic regression on the first
      `labels` training examples in a random order, so that fewer labels make a worse proxy.

    Frozen noise cannot be foreseen on other examples. What it does to a policy is therefore
    measured where it is paid: its test split is the training split.
    """

    base: str = "digits"
    error: str = "model"
    size: float = 1.0
    favoured: int = 0
    labels: int = 100
    seed: int = 0
    data_dir: str = field(default="", metadata={"place": True})

    def __post_init__(self) -> None:
        """Refuse impossible settings."""
        if self.error not in ERRORS:
            raise TaskError(f"task.error must be one of {', '.join(ERRORS)}, not {self.error!r}")
        if self.base == "proxy":
            raise TaskError("task.base must be another task than 'proxy'")
        for name, low in (("size", 0.0), ("favoured", 0), ("labels", 1), ("seed", 0)):
            if getattr(self, name) < low:
                raise TaskError(f"task.{name} must be at least {low}, not {getattr(self, name)}")

    def load(self) -> LoadedTask:
        """Load the base task, and make what each of its examples pays.

        Raises:
            TaskError: there is no such task, or it lacks the class or the labels.
        """
        fields = dataclasses.fields(registry.get(self.base))
        place = {"data_dir": self.data_dir} if "data_dir" in {one.name for one in fields} else {}
        loaded = registry.load(self.base, place)
        task, count = loaded.task, len(loaded.task.train.labels)
        if self.favoured >= task.classes:
            raise TaskError(f"task.favoured must be below {task.classes}, not {self.favoured}")
        if self.labels > count:
            raise TaskError(f"task.labels must be at most {count}, not {self.labels}")
        frozen = self.error in ("gaussian", "heavy")
        train = self._paid(task, task.train)
        test = train if frozen else self._paid(task, task.test)
        provenance = {**loaded.provenance, "base": self.base}
        return LoadedTask(dataclasses.replace(task, train=train, test=test), provenance)

    def _paid(self, task: Task, part: Examples) -> Examples:
        """A split with what it pays."""
        gold = np.asarray(task.scores(part.labels), float)
        if self.error == "model":
            weights = self._reward_model(task)
            pay = self.size * _softmax(_features(part.images) @ weights)
        elif self.error == "bonus":
            pay = gold + self.size * (np.arange(task.classes) == self.favoured)
        else:
            pay = gold + self.size * self._noise(gold.shape)
        return make_examples(np.asarray(part.images), np.asarray(part.labels), pay)

    def _noise(self, shape: tuple[int, ...]) -> Float[np.ndarray, "example action"]:
        """Frozen noise of variance 1."""
        generator = np.random.RandomState(self.seed)  # whose numbers NumPy promises to keep
        if self.error == "gaussian":
            return generator.standard_normal(shape)
        noise: np.ndarray = generator.standard_t(DEGREES, shape) / np.sqrt(DEGREES)
        return noise

    def _reward_model(self, task: Task) -> Float[np.ndarray, "feature class"]:
        """Weights of the regression, from 0 by gradient descent with a fixed number of steps."""
        order = np.random.RandomState(self.seed).permutation(len(task.train.labels))
        chosen = order[: self.labels]
        features = _features(np.asarray(task.train.images)[chosen])
        targets: Any = _one_hot(np.asarray(task.train.labels)[chosen], task.classes)
        weights = np.zeros((features.shape[1], task.classes))
        for _ in range(MODEL_STEPS):
            error = _softmax(features @ weights) - targets
            weights -= MODEL_RATE * (features.T @ error / len(chosen) + MODEL_DECAY * weights)
        return weights


def _features(images: Num[Any, "example *shape"]) -> Float[np.ndarray, "example feature"]:
    """Pixels in 0 to 8 / sqrt(their number), as steps of one length suit any number; and 1.

    Floats as they are, in place of bytes over 255 (`networks.scaled`).
    """
    flat = np.asarray(images, float).reshape(len(images), -1)
    flat /= 255 if images.dtype == np.uint8 else 1
    return np.concatenate([flat * 8 / np.sqrt(flat.shape[1]), np.ones((len(flat), 1))], axis=1)


def _one_hot(
    labels: Int[np.ndarray, "example"], classes: int
) -> Float[np.ndarray, "example class"]:
    hot: np.ndarray = np.eye(classes)[labels]
    return hot


def _softmax(logits: Float[np.ndarray, "example class"]) -> Float[np.ndarray, "example class"]:
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities: np.ndarray = weights / weights.sum(axis=1, keepdims=True)
    return probabilities

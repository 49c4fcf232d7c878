"""Data labelled by a fixed random network: no files, any number of classes and dimensions.

It is also the example of a task that is not MNIST.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Int64, UInt8

from mnist_horizon.settings import setting
from mnist_horizon.tasks.registry import register
from mnist_horizon.tasks.task import LoadedTask, Task, TaskError, make_examples

_UNIT_VARIANCE = np.float32(np.sqrt(12))  # of a uniform variable on an interval of length 1
_TANH_GAIN = np.float32(5 / 3)  # E[tanh(z)^2] is about (3/5)^2 for a standard normal z


@register("teacher")
@dataclass(frozen=True)
class Teacher:
    """Labels drawn from the class probabilities of a fixed random network with one hidden layer.

    Each pixel is uniform on 0 to 255 and enters as z, of mean 0 and variance 1. With
    d = dimensions, H = hidden_width, W1 ~ N(0, 1/d) and W2 ~ N(0, 1/H),

        f = (5/3) W2 tanh(W1 z)                                    (variance about 1)
        p(a | z) = (1 - label_noise) softmax(f / temperature)_a + label_noise / classes,

    where temperature 0 puts all mass on the largest f. The Bayes-optimal return is the mean over
    the training images of max_a p(a | z): 1 for temperature 0 without noise. Each example's label
    is drawn once, so a network that is large enough to memorise the finite training split can
    have a higher *training* return (up to 1) although no policy beats the optimum on fresh labels:
    the test accuracy, or more `examples`, distinguishes the two. Network, inputs and labels have
    separate generators, so that more examples or another noise do not change the network.
    """

    classes: int = setting(10, "How many labels there are.")
    dimensions: int = setting(64, "Pixels of an image.")
    hidden_width: int = setting(64, "Hidden units of the network that labels.")
    examples: int = setting(60_000, "Size of the training split.")
    test_examples: int = setting(10_000, "Size of the test split.")
    seed: int = setting(0, "The seed of the network that labels, the images and the labels.")
    temperature: float = setting(0.0, "Of the labels' distribution; 0: the likeliest label.")
    label_noise: float = setting(0.0, "Share of labels that are drawn at random, 0 to 1.")

    def __post_init__(self) -> None:
        """Refuse impossible settings."""
        least = {"classes": 2, "dimensions": 1, "hidden_width": 1}
        least |= {"examples": 1, "test_examples": 1, "seed": 0, "temperature": 0}
        for name, bound in least.items():
            if getattr(self, name) < bound:
                raise TaskError(f"task.{name} must be at least {bound}, not {getattr(self, name)}")
        if not 0 <= self.label_noise <= 1:
            raise TaskError(f"task.label_noise must be in 0 to 1, not {self.label_noise}")

    def load(self) -> LoadedTask:
        """Draw the network, the inputs and the labels."""
        train, test = (self._draw(split) for split in ("train", "test"))
        return LoadedTask(
            task=Task(make_examples(*train), make_examples(*test), classes=self.classes),
            provenance={
                "source": "random teacher network",
                "files": [],
                "versions": {"numpy": np.__version__},
            },
            optimal_return=float(self.probabilities(train[0]).max(axis=1).mean()),
        )

    def probabilities(
        self, images: UInt8[np.ndarray, "example dimension"]
    ) -> Float[np.ndarray, "example class"]:
        """p(a | z) of the class docstring."""
        logits = self._logits(images).astype(np.float64)
        if self.temperature == 0:
            clean = np.eye(self.classes)[logits.argmax(axis=1)]
        else:
            from scipy.special import softmax  # not at the top: a slow import, for this alone

            clean = softmax(logits / self.temperature, axis=1)
        return (1 - self.label_noise) * clean + self.label_noise / self.classes

    def _logits(
        self, images: UInt8[np.ndarray, "example dimension"]
    ) -> Float32[np.ndarray, "example class"]:
        network = self._generator("network")
        inner = network.normal(size=(self.dimensions, self.hidden_width)).astype(np.float32)
        outer = network.normal(size=(self.hidden_width, self.classes)).astype(np.float32)
        inputs = (images.astype(np.float32) / 255 - 0.5) * _UNIT_VARIANCE
        hidden = np.tanh(inputs @ inner / np.sqrt(np.float32(self.dimensions)))
        return _TANH_GAIN * hidden @ outer / np.sqrt(np.float32(self.hidden_width))

    def _draw(
        self, split: str
    ) -> tuple[UInt8[np.ndarray, "example dimension"], Int64[np.ndarray, "example"]]:
        """Inputs, and labels by the inverse of the cumulative distribution."""
        count = self.examples if split == "train" else self.test_examples
        shape = (count, self.dimensions)
        images = self._generator(f"{split} inputs").integers(256, size=shape, dtype=np.uint8)
        uniform = self._generator(f"{split} labels").random((count, 1))
        below = self.probabilities(images).cumsum(axis=1)[:, :-1]  # the last is 1 up to rounding
        return images, (uniform >= below).sum(axis=1)

    def _generator(self, purpose: str) -> np.random.Generator:
        return np.random.default_rng([self.seed, *purpose.encode()])

"""The form of a task: images and labels on the device, and how an action is scored."""

import hashlib
from dataclasses import dataclass
from typing import Any, no_type_check

import jax.numpy as jnp
import numpy as np
from flax import struct
from jax import Array
from jaxtyping import Float, Int, Int32, Integer, UInt8

from mnist_horizon.errors import InputError


class TaskError(InputError):
    """A task's name, settings or data are invalid; the message is one line for the user."""


@struct.dataclass
@no_type_check  # JAX rebuilds pytrees with other leaves than arrays; `check` tests real ones
class Examples:
    """One split: observations in 0 to 255 and the right answer to each."""

    images: UInt8[Array, "example *shape"]
    labels: Int32[Array, "example"]


@struct.dataclass
class Task:
    """A labelled data set as a pytree, passed as an argument everywhere.

    Arrays that a jitted function captures become constants of the compiled program; an argument
    stays one buffer on the device, shared by all programs.
    """

    train: Examples
    test: Examples
    classes: int = struct.field(pytree_node=False)

    def score(
        self, labels: Int[Array, "*shape"], actions: Int[Array, "*shape"]
    ) -> Float[Array, "*shape"]:
        """c: 1 where the action is the label, else 0.

        A task with another rule overrides this, with scores in [0, 1] that depend on label and
        action alone (`graded_digits`).
        """
        return (labels == actions).astype(jnp.float32)

    def scores(self, labels: Int[Array, "*shape"]) -> Float[Array, "*shape action"]:
        """c of every action."""
        return self.score(*jnp.broadcast_arrays(labels[..., None], jnp.arange(self.classes)))


@dataclass(frozen=True, eq=False)
class LoadedTask:
    """A task and its provenance.

    `provenance` can be written as JSON. `optimal_return` is the highest return that a policy can
    have without knowing the labels drawn, where that is known.
    """

    task: Task
    provenance: dict[str, Any]
    optimal_return: float | None = None


def make_examples(
    images: UInt8[np.ndarray, "example *shape"], labels: Integer[np.ndarray, "example"]
) -> Examples:
    """Put a split on the device, pixels as uint8 (int8 would turn 128 to 255 negative)."""
    return Examples(images=jnp.asarray(images), labels=jnp.asarray(labels, jnp.int32))


def in_sampling_order(examples: Examples) -> Examples:
    """A split in one random order, whose first examples are a fixed sample of it.

    A split may be sorted by class. The order depends on the split's size alone, so that the sample
    is the same for every run and seed, and a smaller one is a part of a larger one.
    """
    # NumPy promises that this older generator's numbers never change, unlike those of the newer.
    order = np.random.RandomState(0).permutation(len(examples.labels))
    return Examples(images=examples.images[order], labels=examples.labels[order])


def check(name: str, task: Task) -> None:
    """Refuse a task that is not what the fields of `Task` and `Examples` say.

    Raises:
        TaskError: one line says what is wrong.
    """
    for split, part in (("train", task.train), ("test", task.test)):
        images, labels = part.images, part.labels
        problem = None
        if images.dtype != jnp.uint8 or labels.dtype != jnp.int32:
            problem = f"images {images.dtype} and labels {labels.dtype}, not uint8 and int32"
        elif labels.ndim != 1 or images.shape[:1] != labels.shape or not len(labels):
            problem = f"images of shape {images.shape} and labels of shape {labels.shape}"
        elif images.shape[1:] != task.train.images.shape[1:]:
            problem = f"images of shape {images.shape}, unlike the train split"
        elif labels.min() < 0 or labels.max() >= task.classes:
            problem = f"labels {labels.min()} to {labels.max()}, not in 0 to {task.classes - 1}"
        if problem:
            raise TaskError(f"task {name!r}: its {split} split has {problem}")


def content_checksum(examples: Examples) -> str:
    """sha256 of a split's shape, pixels and labels (int32, little-endian), from any source."""
    images = np.ascontiguousarray(examples.images)
    digest = hashlib.sha256(repr(images.shape).encode())
    digest.update(images.tobytes())
    digest.update(np.asarray(examples.labels).astype("<i4").tobytes())
    return digest.hexdigest()

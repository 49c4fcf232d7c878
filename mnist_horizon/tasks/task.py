"""The form of a task: images and labels on the device, and how an action is scored."""

import hashlib
from dataclasses import dataclass
from typing import Any, no_type_check

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jax import Array
from jaxtyping import Float, Float32, Int, Int32, Integer, Shaped, UInt8

from mnist_horizon.errors import InputError


class TaskError(InputError):
    """A task's name, settings or data are invalid; the message is one line for the user."""


@struct.dataclass
@no_type_check  # JAX rebuilds pytrees with other leaves than arrays; `check` tests real ones
class Examples:
    """One split: observations and the right answer to each.

    Networks see bytes divided by 255, and floats as they are (`networks.scaled`).

    `paid` is what each action earns at each example, where that is not `Task.score` of the label
    (a proxy of it): the score is then measured beside, and never paid.
    """

    images: UInt8[Array, "example *shape"] | Float32[Array, "example *shape"]
    labels: Int32[Array, "example"]
    paid: Float32[Array, "example action"] | None = None

    def paid_at(self, index: Int[Array, "*n"]) -> Float[Array, "*n action"] | None:
        """What these examples pay for each action; None where their labels alone decide it."""
        return None if self.paid is None else self.paid[index]


@struct.dataclass
class Task:
    """A labelled data set as a pytree, passed as an argument everywhere.

    Arrays that a jitted function captures become constants of the compiled program; an argument
    stays one buffer on the device, shared by all programs.
    """

    train: Examples
    test: Examples
    classes: int = struct.field(pytree_node=False)
    initial: Any = struct.field(default=None, kw_only=True)
    """Policy parameters that every run begins from; None: each seed draws its own."""

    @property
    def has_gold(self) -> bool:
        """Whether what is paid is not the score, so that both are measured."""
        return self.train.paid is not None

    @property
    def is_graded(self) -> bool:
        """Whether an answer's score has a rule of its own, so that it is not the accuracy."""
        return type(self).score is not Task.score

    def is_right(
        self, labels: Int[Array, "*shape"], actions: Int[Array, "*shape"]
    ) -> Float[Array, "*shape"]:
        """1 where the action is the label, else 0, whatever its score; its mean is the accuracy."""
        return (labels == actions).astype(jnp.float32)

    def score(
        self, labels: Int[Array, "*shape"], actions: Int[Array, "*shape"]
    ) -> Float[Array, "*shape"]:
        """c: 1 where the action is the label, else 0.

        A task with another rule overrides this, with finite scores that depend on label and action
        alone (`graded_digits`). They may be negative, as costs are, or above 1.
        """
        return self.is_right(labels, actions)

    def scores(self, labels: Int[Array, "*shape"]) -> Float[Array, "*shape action"]:
        """c of every action."""
        return self.score(*jnp.broadcast_arrays(labels[..., None], jnp.arange(self.classes)))

    def pay(
        self,
        labels: Int[Array, "*shape"],
        paid: Float[Array, "*shape action"] | None,
        actions: Int[Array, "*shape"],
    ) -> Float[Array, "*shape"]:
        """What the actions earn at examples with these labels and `Examples.paid_at`."""
        if paid is None:
            return self.score(labels, actions)
        return jnp.take_along_axis(paid, actions[..., None], axis=-1)[..., 0]

    def pays(
        self, labels: Int[Array, "*shape"], paid: Float[Array, "*shape action"] | None
    ) -> Float[Array, "*shape action"]:
        """What every action earns there."""
        return self.scores(labels) if paid is None else paid


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
    images: Shaped[np.ndarray, "example *shape"],
    labels: Integer[np.ndarray, "example"],
    paid: Float[np.ndarray, "example action"] | None = None,
) -> Examples:
    """Put a split on the device: uint8 (int8 would turn 128 to 255 negative) or float32.

    Args:
        images: observations of any shape, uint8, floats or booleans.
        labels: the right answer to each, from 0.
        paid: `Examples.paid`, if it is not the score.

    Raises:
        TaskError: the observations are whole numbers that are not uint8; networks see bytes over
            255 and floats as they are, and neither is known to be meant.
    """
    if images.dtype != np.uint8 and jnp.issubdtype(images.dtype, jnp.integer):
        raise TaskError(
            f"observations are {images.dtype}: make them uint8, which networks see divided by 255, "
            "or floats, which they see as they are"
        )
    scores = None if paid is None else jnp.asarray(paid, jnp.float32)
    dtype = jnp.uint8 if images.dtype == np.uint8 else jnp.float32
    return Examples(jnp.asarray(images, dtype), jnp.asarray(labels, jnp.int32), scores)


def in_sampling_order(examples: Examples) -> Examples:
    """A split in one random order, whose first examples are a fixed sample of it.

    A split may be sorted by class. The order depends on the split's size alone, so that the sample
    is the same for every run and seed, and a smaller one is a part of a larger one.
    """
    # NumPy promises that this older generator's numbers never change, unlike those of the newer.
    order = np.random.RandomState(0).permutation(len(examples.labels))
    ordered: Examples = jax.tree.map(lambda leaf: leaf[order], examples)
    return ordered


def check(name: str, task: Task) -> None:
    """Refuse a task that is not what the fields of `Task` and `Examples` say.

    Raises:
        TaskError: one line says what is wrong.
    """
    if jax.tree_util.all_leaves([task]):
        raise TaskError(
            f"task {name!r}: {type(task).__name__} needs the line @flax.struct.dataclass"
        )
    for split, part in (("train", task.train), ("test", task.test)):
        images, labels = part.images, part.labels
        problem = None
        if images.dtype not in (jnp.uint8, jnp.float32) or labels.dtype != jnp.int32:
            kinds = f"images {images.dtype} and labels {labels.dtype}"
            problem = f"{kinds}, not uint8 (or float32) and int32"
        elif labels.ndim != 1 or images.shape[:1] != labels.shape or not images.size:
            problem = f"images of shape {images.shape} and labels of shape {labels.shape}"
        elif images.shape[1:] != task.train.images.shape[1:]:
            problem = f"images of shape {images.shape}, unlike the train split"
        elif images.dtype != task.train.images.dtype:
            problem = f"images {images.dtype}, unlike the train split"
        elif not jnp.isfinite(images).all():
            problem = "images with numbers that are not finite"
        elif labels.min() < 0 or labels.max() >= task.classes:
            problem = f"labels {labels.min()} to {labels.max()}, not in 0 to {task.classes - 1}"
        elif not jnp.isfinite(task.scores(labels)).all():
            problem = "scores that are not finite"
        else:
            problem = _problem_of_pay(part, task)
        if problem:
            raise TaskError(f"task {name!r}: its {split} split has {problem}")


def _problem_of_pay(part: Examples, task: Task) -> str | None:
    """What is wrong with what a split pays; None if nothing."""
    if (part.paid is None) != (task.train.paid is None):
        return "scores that are paid, or none, unlike the train split"
    if part.paid is None:
        return None
    shape = (len(part.labels), task.classes)
    if part.paid.shape != shape or part.paid.dtype != jnp.float32:
        return f"paid {part.paid.dtype} of shape {part.paid.shape}, not float32 of {shape}"
    return None if jnp.isfinite(part.paid).all() else "paid scores that are not finite"


def content_checksum(examples: Examples) -> str:
    """sha256 of a split's shape, observations, labels and pay (little-endian), from any source."""
    images = np.ascontiguousarray(examples.images)
    if images.dtype != np.uint8:
        images = images.astype("<f4")
    digest = hashlib.sha256(repr(images.shape).encode())
    digest.update(images.tobytes())
    digest.update(np.asarray(examples.labels).astype("<i4").tobytes())
    if examples.paid is not None:
        digest.update(np.asarray(examples.paid).astype("<f4").tobytes())
    return digest.hexdigest()

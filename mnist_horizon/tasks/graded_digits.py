"""The digits of `digits` with graded scores: an answer next to the right one earns a part."""

import dataclasses
from typing import no_type_check

import jax.numpy as jnp
from flax import struct
from jax import Array
from jaxtyping import Float, Int

from mnist_horizon.settings import setting
from mnist_horizon.tasks.digits import Digits
from mnist_horizon.tasks.registry import register
from mnist_horizon.tasks.task import LoadedTask, Task, TaskError


@struct.dataclass
@no_type_check  # as `Task`
class GradedTask(Task):
    """A task whose classes are in order: a neighbour of the label has the score `neighbour`."""

    neighbour: float = struct.field(pytree_node=False, default=0.5)

    def score(
        self, labels: Int[Array, "*shape"], actions: Int[Array, "*shape"]
    ) -> Float[Array, "*shape"]:
        """c = 1 where the action is the label, `neighbour` where they differ by 1, else 0."""
        distance = jnp.abs(labels - actions)
        near = jnp.where(distance == 1, jnp.float32(self.neighbour), jnp.float32(0))
        return jnp.where(distance == 0, jnp.float32(1), near)


@register("graded_digits")
@dataclasses.dataclass(frozen=True)
class GradedDigits(Digits):
    """`digits` where a neighbouring digit (3 or 5 for a 4) earns `neighbour` of a right answer.

    The return is the mean score, so that a policy without knowledge has about 0.19, not 0.1.
    """

    neighbour: float = setting(0.5, "What a neighbouring digit earns, 0 to 1.")

    def __post_init__(self) -> None:
        """Refuse impossible settings."""
        super().__post_init__()
        if not 0 <= self.neighbour <= 1:
            raise TaskError(f"task.neighbour must be in 0 to 1, not {self.neighbour}")

    def load(self) -> LoadedTask:
        """Read the digits; the scores differ alone."""
        loaded = super().load()
        task = loaded.task
        graded = GradedTask(task.train, task.test, task.classes, self.neighbour)
        return dataclasses.replace(loaded, task=graded)

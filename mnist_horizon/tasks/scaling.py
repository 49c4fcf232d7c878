"""Observations scaled by what their training split holds: the setting `observations` of any task.

Nothing of the test split is used, so that a result on it is one on data that were not seen.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Float32, Num

from mnist_horizon.tasks.task import Examples, Task, TaskError

AS_GIVEN = "as_given"
"""Bytes are divided by 255, floats are taken as they are."""

_PART = 2**24  # numbers whose statistics are computed at once: 128 MB as doubles

Statistics = tuple[Float[np.ndarray, "*shape"], Float[np.ndarray, "*shape"]]
"""What is subtracted from an observation, and what the difference is divided by."""


def check_way(how: object) -> str:
    """The value of the setting `observations`, unchanged.

    Raises:
        TaskError: there is no such way.
    """
    ways = (AS_GIVEN, *_WAYS)
    if not isinstance(how, str) or how not in ways:
        raise TaskError(f"task.observations must be one of {', '.join(ways)}, not {how!r}")
    return how


def scaled(task: Task, how: str) -> Task:
    """The task with float observations, (x - offset) / scale by its training split.

    Args:
        task: with observations of any shape, bytes or floats.
        how: `standardised`: mean 0 and standard deviation 1 for each number of an observation by
            itself; `standardised_together`: for all of them together, as for the pixels of images;
            `unit_range`: each by itself from 0 to 1. A number that is the same in every training
            example becomes its difference from that. `as_given`: the task is unchanged.

    Raises:
        TaskError: there is no such way.
    """
    if check_way(how) == AS_GIVEN:
        return task
    offset, scale = _WAYS[how](np.asarray(task.train.images))

    def split(part: Examples) -> Examples:
        images = _apply(np.asarray(part.images), offset, scale)
        return replace(part, images=jnp.asarray(images))

    train = split(task.train)  # on which a task may be tested as well
    return replace(task, train=train, test=train if task.test is task.train else split(task.test))


def standardised(
    train: Float[np.ndarray, "example *shape"], test: Float[np.ndarray, "other *shape"]
) -> tuple[Float32[np.ndarray, "example *shape"], Float32[np.ndarray, "other *shape"]]:
    """Both splits less the train split's mean, over its standard deviation, number by number.

    A number that is the same in every train example becomes its difference from that.
    """
    offset, scale = _standardised(np.asarray(train))
    return _apply(train, offset, scale), _apply(test, offset, scale)


def _apply(
    values: Num[np.ndarray, "example *shape"], offset: np.ndarray, scale: np.ndarray
) -> Float32[np.ndarray, "example *shape"]:
    """In double precision, a part of the examples at a time."""
    result = np.empty(values.shape, np.float32)
    rows = max(1, _PART // max(1, values[:1].size))
    with np.errstate(over="ignore"):  # what is beyond single precision is refused with the task
        for start in range(0, len(values), rows):
            part = slice(start, start + rows)
            result[part] = (values[part] - offset) / scale
    return result


def _standardised(values: Num[np.ndarray, "example *shape"]) -> Statistics:
    mean, deviation = _moments(values)
    return mean, np.where(deviation > 0, deviation, 1.0)


def _standardised_together(values: Num[np.ndarray, "example *shape"]) -> Statistics:
    mean, deviation = _moments(values)
    together = np.sqrt(np.mean(deviation**2) + np.var(mean))
    return np.full_like(mean, mean.mean()), np.full_like(mean, together if together > 0 else 1.0)


def _unit_range(values: Num[np.ndarray, "example *shape"]) -> Statistics:
    low, high = (extreme.astype(float) for extreme in (values.min(axis=0), values.max(axis=0)))
    return low, np.where(low < high, high - low, 1.0)


def _moments(values: Num[np.ndarray, "example *shape"]) -> Statistics:
    """Mean and standard deviation of each number of an observation, of some numbers at a time."""
    flat = values.reshape(len(values), -1)
    parts = np.array_split(flat, -(-flat.size // _PART), axis=1)
    moments = ((part.mean(axis=0, dtype=float), part.std(axis=0, dtype=float)) for part in parts)
    mean, deviation = map(np.concatenate, zip(*moments, strict=True))
    low = flat.min(axis=0)
    is_constant = low == flat.max(axis=0)  # rounding leaves a deviation that is not 0
    mean, deviation = np.where(is_constant, low, mean), np.where(is_constant, 0.0, deviation)
    return mean.reshape(values.shape[1:]), deviation.reshape(values.shape[1:])


_WAYS: Mapping[str, Callable[[np.ndarray], Statistics]] = {
    "standardised": _standardised,
    "standardised_together": _standardised_together,
    "unit_range": _unit_range,
}

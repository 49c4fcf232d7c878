"""The base of networks, and networks by name.

Observations are scaled here: bytes are divided by 255, floats left as they are. The first layer's
product is by far the largest; runs that share observations stack their first kernels side by side
(`training.run_axes`), which makes it one product.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import Array
from jaxtyping import Float, Num

from mnist_horizon.errors import InputError, check_choice
from mnist_horizon.networks.layers import ACTIVATIONS, LEAKY_RELU, PRECISIONS
from mnist_horizon.registry import Registry


class NetworkError(InputError):
    """A network's name, shape or class is invalid; the message is one line for the user."""


@dataclass(frozen=True)
class NetworkSpec:
    """Name and shape of a network: what makes two runs need different programs.

    Raises:
        InputError: the name, precision or activation is unknown, or depth or width is below 1.
    """

    name: str
    depth: int
    width: int
    precision: str = "f32"
    phase_visible: bool = False
    activation: str = LEAKY_RELU

    def __post_init__(self) -> None:
        check_choice("network", self.name, names())
        check_choice("precision", self.precision, PRECISIONS)
        check_choice("activation", self.activation, ACTIVATIONS)
        for field in ("depth", "width"):
            if getattr(self, field) < 1:
                raise NetworkError(f"{field} must be at least 1, not {getattr(self, field)}")


class Network(nn.Module):
    """Base of every network: `__call__` gives logits (or values) of a batch.

    A subclass has no other fields than these two, and one method, `__call__(inputs, phase)`:
    `inputs` is what `first_inputs` gives; `phase` [batch, 2] is the reward's phase as a point on
    the unit circle, or None where it is not visible; the result is [batch, outputs]. Layers made by
    `layers.dense` have the precision of the spec. `check_observations` and `first_inputs` may be
    overridden. A network offers the choice of its activation where it takes function and gain from
    `layers.ACTIVATIONS[self.spec.activation]`.

    FLOPs are those of every matrix product, parameters those of every leaf, whatever they belong
    to. Forecasts of memory count only the arrays of `nn.Dense` layers; gradient noise is measured
    where every parameter belongs to an `nn.Dense` of the network itself, and refused otherwise.
    """

    spec: NetworkSpec
    outputs: int

    @staticmethod
    def check_observations(shape: tuple[int, ...]) -> None:
        """Refuse observations of a shape that the network cannot take; by default none.

        Raises:
            NetworkError: the shape is not accepted.
        """

    @staticmethod
    def first_inputs(images: Float[Array, "batch *shape"]) -> Float[Array, "batch ..."]:
        """The first layer's inputs, from observations in 0 to 1; by default flattened.

        It depends on the observations alone, so runs that share them compute it once.
        """
        return images.reshape(images.shape[0], -1)


Class = TypeVar("Class", bound=type)

_registry: Registry[type[Network]] = Registry("network", "network.name", NetworkError)


def register(name: str) -> Callable[[Class], Class]:
    """Class decorator that registers a network as `name`.

    Raises:
        NetworkError: the class is not a subclass of `Network`, or the name is another class's.
            Registering a class again is accepted, since a config file may be read twice.
    """

    def decorate(cls: Class) -> Class:
        if not issubclass(cls, Network):
            raise NetworkError(f"network {name!r}: {cls.__qualname__} must be a Network")
        _registry.add(name, cls)
        return cls

    return decorate


def get(name: str) -> type[Network]:
    """The class registered as `name`.

    Raises:
        NetworkError: there is none; the message lists the names.
    """
    return _registry.get(name)


def name_of(entry: type[Network]) -> str:
    """The name of a class, which is registered first if necessary, under its own name."""
    return _registry.name_of(entry)


def names() -> list[str]:
    """All registered names, sorted."""
    return _registry.names()


def build(spec: NetworkSpec, outputs: int) -> Network:
    """The network of a spec."""
    return get(spec.name)(spec, outputs)


def check_observations(spec: NetworkSpec, shape: tuple[int, ...]) -> None:
    """Refuse observations of a shape that the network cannot take.

    Raises:
        NetworkError: the shape is not accepted.
    """
    get(spec.name).check_observations(shape)


def check_activation(spec: NetworkSpec, outputs: int, shape: tuple[int, ...]) -> None:
    """Refuse an activation that makes no difference: the network's class has one of its own.

    Raises:
        NetworkError: the outputs are those with `LEAKY_RELU`, for parameters drawn at random.
    """
    if spec.activation == LEAKY_RELU:
        return
    standard = replace(spec, activation=LEAKY_RELU)
    params = init(standard, outputs, shape, jax.random.key(0))
    images = jax.random.uniform(jax.random.key(1), (4, *shape))
    inputs = first_inputs(spec, images)
    phase = jnp.ones((4, 2)) if spec.phase_visible else None
    one, other = (apply(each, outputs, params, inputs, phase) for each in (spec, standard))
    if jnp.array_equal(one, other):
        raise NetworkError(
            f"network {spec.name!r} has no activation to choose: leave it at {LEAKY_RELU!r}"
        )


def scaled(observations: Num[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Bytes divided by 255; floats as they are, so that a task scales them itself."""
    if jnp.issubdtype(observations.dtype, jnp.floating):
        return observations
    return observations.astype(jnp.float32) / 255


def first_inputs(
    spec: NetworkSpec, images: Num[Array, "batch *shape"]
) -> Float[Array, "batch ..."]:
    """The first layer's inputs: observations `scaled`, in the order that the network needs.

    Raises:
        NetworkError: the network cannot take observations of this shape.
    """
    check_observations(spec, images.shape[1:])
    return get(spec.name).first_inputs(scaled(images))


def init(spec: NetworkSpec, outputs: int, shape: tuple[int, ...], key: Array) -> dict[str, Any]:
    """Initial parameters for observations of `shape`."""
    images = jnp.zeros((1, *shape), jnp.uint8)
    phase = jnp.zeros((1, 2)) if spec.phase_visible else None
    return build(spec, outputs).init(key, first_inputs(spec, images), phase)["params"]


def apply(
    spec: NetworkSpec,
    outputs: int,
    params: dict[str, Any],
    inputs: Float[Array, "batch ..."],
    phase: Float[Array, "batch 2"] | None = None,
) -> Float[Array, "batch outputs"]:
    """Logits, or values, of a batch whose `first_inputs` are given."""
    result = build(spec, outputs).apply({"params": params}, inputs, phase)
    assert isinstance(result, Array)
    return result

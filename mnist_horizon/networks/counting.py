"""The cost of a network, by tracing it: parameters, FLOPs, the arrays of its dense layers.

Nothing here depends on a network's name; tracing computes shapes only.
"""

import functools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import Array

from mnist_horizon.networks.network import Network, NetworkError, NetworkSpec, build

UNCOUNTABLE = {
    "conv_general_dilated": "a convolution: write it as layers.patches and a dense layer",
    "while": "a loop whose length is not known beforehand",
}


@dataclass(frozen=True)
class DenseLayer:
    """One call of an `nn.Dense` for one interaction: `positions` rows of fan_in by fan_out."""

    name: str
    positions: tuple[int, ...]
    """Shape of the rows: () where the input is one vector, (196,) where it is 196 patches."""
    fan_in: int
    fan_out: int

    @property
    def inputs(self) -> int:
        """Numbers in the layer's input."""
        return math.prod(self.positions) * self.fan_in

    @property
    def outputs(self) -> int:
        """Numbers in the layer's output."""
        return math.prod(self.positions) * self.fan_out


def parameter_shapes(spec: NetworkSpec, outputs: int, shape: tuple[int, ...]) -> dict[str, Any]:
    """Shapes and types of the network's parameters for observations of `shape`."""
    (params, *_), _ = _shapes(build(spec, outputs), shape)
    return dict(params)


def count_parameters(spec: NetworkSpec, outputs: int, shape: tuple[int, ...]) -> int:
    """Parameters N of the network for observations of `shape`."""
    return sum(leaf.size for leaf in jax.tree.leaves(parameter_shapes(spec, outputs, shape)))


def dense_layers(spec: NetworkSpec, outputs: int, shape: tuple[int, ...]) -> tuple[DenseLayer, ...]:
    """The calls of `nn.Dense` in one interaction's forward pass, in their order."""
    _, layers = _shapes(build(spec, outputs), shape)
    return layers


def check_noise_is_measurable(spec: NetworkSpec, outputs: int, shape: tuple[int, ...]) -> None:
    """Refuse a network that `noise.logit_grams` cannot measure.

    Raises:
        NetworkError: a parameter does not belong to an `nn.Dense` that is called once and by the
            network itself, not by a module within it.
    """
    (params, *_), layers = _shapes(build(spec, outputs), shape)
    if sorted(layer.name for layer in layers) != sorted(params):
        raise NetworkError(
            f"network {spec.name!r}: gradient noise is measured only where every parameter belongs "
            f"to an nn.Dense of the network itself, called once; it has {', '.join(params)}"
        )


def forward_flops(spec: NetworkSpec, outputs: int, shape: tuple[int, ...]) -> int:
    """FLOPs of one interaction's forward pass: 2 for each multiply-add of the matrix products.

    Raises:
        NetworkError: the network has a convolution, or a loop of unknown length.
    """
    return _flops(build(spec, outputs), shape)[0]


def backward_flops(spec: NetworkSpec, outputs: int, shape: tuple[int, ...]) -> int:
    """FLOPs of one interaction's backward pass, counted as `forward_flops` are.

    Each product adds two of its size, for the gradients of its kernel and of its inputs; the latter
    is left out where the inputs, such as observations and phase, need no gradient.

    Raises:
        NetworkError: as `forward_flops`.
    """
    return _flops(build(spec, outputs), shape)[1]


@functools.lru_cache(maxsize=1024)
def _shapes(network: Network, shape: tuple[int, ...]) -> tuple[Any, tuple[DenseLayer, ...]]:
    """Shapes of the parameters, first inputs and phase (`_abstract`), and the dense layers."""
    layers: list[DenseLayer] = []

    def record(call: Callable, args: tuple, kwargs: dict, context: Any) -> Any:
        result = call(*args, **kwargs)
        if isinstance(context.module, nn.Dense):
            _, *positions, fan_in = args[0].shape
            name = str(context.module.name)
            layers.append(DenseLayer(name, tuple(positions), fan_in, result.shape[-1]))
        return result

    with nn.intercept_methods(record):
        arguments = _abstract(network, shape)
    return arguments, tuple(layers)


@functools.lru_cache(maxsize=1024)
def _flops(network: Network, shape: tuple[int, ...]) -> tuple[int, int]:
    """FLOPs of the forward and of the backward pass."""

    def forward(params: Any, inputs: Array, phase: Array | None) -> Array:
        result = network.apply({"params": params}, inputs, phase)
        assert isinstance(result, Array)
        return result

    def forward_and_backward(params: Any, inputs: Array, phase: Array | None) -> Any:
        logits, pull_back = jax.vjp(lambda params: forward(params, inputs, phase), params)
        return logits, pull_back(logits)

    arguments, _ = _shapes(network, shape)
    once, both = (
        _product_flops(network.spec.name, jax.make_jaxpr(function)(*arguments).jaxpr)
        for function in (forward, forward_and_backward)
    )
    return once, both - once


def _abstract(network: Network, shape: tuple[int, ...]) -> Any:
    """Shapes of the parameters, the first inputs and the phase, for a batch of one."""
    network.check_observations(shape)

    def arguments(images: Array) -> tuple[Any, ...]:
        inputs = network.first_inputs(images)
        phase = jnp.zeros((1, 2)) if network.spec.phase_visible else None
        return network.init(jax.random.key(0), inputs, phase)["params"], inputs, phase

    return jax.eval_shape(arguments, jax.ShapeDtypeStruct((1, *shape), jnp.float32))


def _product_flops(name: str, jaxpr: Any) -> int:
    """FLOPs of the matrix products of a traced function, including the functions it calls.

    Raises:
        NetworkError: it has an operation whose FLOPs cannot be counted.
    """
    total = 0
    for equation in jaxpr.eqns:
        operation, parameters = equation.primitive.name, equation.params
        if operation in UNCOUNTABLE:
            raise NetworkError(
                f"network {name!r}: its FLOPs cannot be counted: it has {UNCOUNTABLE[operation]}"
            )
        if operation == "dot_general":
            contracted = parameters["dimension_numbers"][0][0]
            length = math.prod(equation.invars[0].aval.shape[axis] for axis in contracted)
            total += 2 * math.prod(equation.outvars[0].aval.shape) * length
            continue
        called = [_product_flops(name, inner) for inner in _called(parameters)]
        if operation == "cond":
            total += max(called)
        else:
            total += sum(called) * parameters.get("length", 1)  # of a scan
    return total


def _called(parameters: dict[str, Any]) -> Iterator[Any]:
    """The traced functions among an operation's parameters."""
    for value in parameters.values():
        for item in value if isinstance(value, tuple | list) else [value]:
            inner = getattr(item, "jaxpr", item)
            if hasattr(inner, "eqns"):
                yield inner

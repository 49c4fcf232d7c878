"""Policy and value networks by width, and what they cost.

All products go through `dot_general`, whose precision is a setting, so that a GPU's TF32 is chosen
and never met by accident. Biases start at 0, kernels as normal draws of variance gain / fan-in:
gain 2 under an activation, 0.01 for the last layer, so that the first policy is nearly uniform and
KL from it is measured from nearly the same point at every width.

Observations are scaled inside: bytes divided by 255. The first layer's product is by far the
largest; runs that share observations stack their first kernels side by side (`training.run_axes`),
which makes it one product.
"""

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import Array, lax
from jaxtyping import Float, Num

NETWORKS = ("mlp", "cnn")
PRECISIONS = ("f32", "tf32", "bf16")
OUTPUT_GAIN = 0.01
FIRST, LAST = "first", "last"

Tree = TypeVar("Tree")


@dataclass(frozen=True)
class NetworkSpec:
    """The shape of a family's member: what makes two runs need different programs."""

    name: str
    depth: int
    width: int
    precision: str = "f32"
    phase_visible: bool = False


@dataclass(frozen=True)
class Layer:
    """A product of one interaction's forward pass: `positions` rows of fan_in by fan_out."""

    fan_in: int
    fan_out: int
    positions: int = 1


def dot_general(precision: str) -> Callable[..., Array]:
    """The product used by every layer, at one of `PRECISIONS`; sums are always f32.

    XLA has no batched product of bf16 with f32 sums for CPUs. There the factors are rounded to bf16
    and multiplied in f32, which holds each product exactly: the same numbers, no faster.
    """
    if precision == "bf16":
        is_cpu = jax.default_backend() == "cpu"

        def rounded(factor: Array) -> Array:
            return lax.reduce_precision(factor, 8, 7) if is_cpu else factor.astype(jnp.bfloat16)

        def product(lhs: Array, rhs: Array, dimensions: Any, **_: Any) -> Array:
            factors = rounded(lhs.astype(jnp.float32)), rounded(rhs.astype(jnp.float32))
            return lax.dot_general(*factors, dimensions, preferred_element_type=jnp.float32)

        return product
    setting = lax.Precision.HIGHEST if precision == "f32" else lax.Precision.HIGH

    def exact(lhs: Array, rhs: Array, dimensions: Any, **_: Any) -> Array:
        return lax.dot_general(lhs, rhs, dimensions, precision=setting)

    return exact


def activation(values: Float[Array, "..."]) -> Float[Array, "..."]:
    """Leaky ReLU of slope 0.1: at width 4, dead units of a plain ReLU would decide the runs."""
    return nn.leaky_relu(values, negative_slope=0.1)


class MLP(nn.Module):
    """`depth` hidden layers of `width`; the phase, where visible, is two more inputs."""

    spec: NetworkSpec
    outputs: int

    @nn.compact
    def __call__(
        self, inputs: Float[Array, "batch features"], phase: Float[Array, "batch 2"] | None = None
    ) -> Float[Array, "batch outputs"]:
        """Logits (or values) of a batch of flattened examples."""
        dense = functools.partial(_dense, self.spec)
        hidden = dense(self.spec.width, FIRST)(inputs)
        if phase is not None:
            hidden += dense(self.spec.width, "phase", use_bias=False)(phase)
        hidden = activation(hidden)
        for number in range(1, self.spec.depth):
            hidden = activation(dense(self.spec.width, f"hidden{number}")(hidden))
        return dense(self.outputs, LAST, gain=OUTPUT_GAIN)(hidden)


class CNN(nn.Module):
    """Convolutions of stride 2 as patches and a product, then a linear layer.

    Layer i of `depth` has `width * 2**i` channels; the first sees 5x5 patches, the others 3x3.
    Stacked runs would turn a convolution into a grouped one, which is many times slower; patches
    of the observations are shared by the runs that share observations.
    """

    spec: NetworkSpec
    outputs: int

    @nn.compact
    def __call__(
        self,
        inputs: Float[Array, "batch positions patch"],
        phase: Float[Array, "batch 2"] | None = None,
    ) -> Float[Array, "batch outputs"]:
        """Logits (or values) of a batch of examples cut into patches by `first_inputs`."""
        dense = functools.partial(_dense, self.spec)
        hidden = dense(self.spec.width, FIRST)(inputs)
        if phase is not None:
            hidden += dense(self.spec.width, "phase", use_bias=False)(phase)[:, None]
        hidden = activation(hidden)
        for number in range(1, self.spec.depth):
            side = math.isqrt(hidden.shape[1])
            grid = hidden.reshape(hidden.shape[0], side, side, hidden.shape[2])
            channels = self.spec.width * 2**number
            hidden = activation(dense(channels, f"hidden{number}")(patches(grid, size=3)))
        return dense(self.outputs, LAST, gain=OUTPUT_GAIN)(hidden.reshape(hidden.shape[0], -1))


def observation_product(precision: str) -> Callable[..., Array]:
    """`dot_general` for inputs that nobody differentiates, with its own gradient of the kernel.

    The gradient is taken as inputs^T @ cotangent, in the order [input, run, width] of the stacked
    kernels. Left to itself the transpose rule gives [run, width, input], and every update pays for
    transposing kernels, moments and gradient (a third of the time at width 64 on a CPU).
    """
    product = dot_general(precision)

    @jax.custom_vjp
    def multiply(inputs: Array, kernel: Array) -> Array:
        return product(inputs, kernel, (((inputs.ndim - 1,), (0,)), ((), ())))

    def forward(inputs: Array, kernel: Array) -> tuple[Array, Array]:
        return multiply(inputs, kernel), inputs

    def backward(inputs: Array, cotangent: Array) -> tuple[Array, Array]:
        rows = tuple(range(inputs.ndim - 1))
        gradient = product(inputs, cotangent, ((rows, rows), ((), ())))
        return jnp.zeros_like(inputs), gradient

    multiply.defvjp(forward, backward)
    return lambda inputs, kernel, dimensions, **_: multiply(inputs, kernel)


def _dense(
    spec: NetworkSpec, features: int, name: str, gain: float = 2.0, use_bias: bool = True
) -> nn.Dense:
    init = nn.initializers.variance_scaling(gain, "fan_in", "normal")
    is_first = name in (FIRST, "phase")
    product = (observation_product if is_first else dot_general)(spec.precision)
    return nn.Dense(features, use_bias=use_bias, kernel_init=init, dot_general=product, name=name)


def patches(
    grid: Float[Array, "batch height width channels"], size: int, stride: int = 2
) -> Float[Array, "batch positions patch"]:
    """Square patches, `size * size * channels` long, padded so that a side halves (rounding up)."""
    _, height, width, _ = grid.shape
    rows, columns = -(-height // stride), -(-width // stride)
    low = (size - 1) // 2
    high_rows = max((rows - 1) * stride + size - height - low, 0)
    high_columns = max((columns - 1) * stride + size - width - low, 0)
    padded = jnp.pad(grid, ((0, 0), (low, high_rows), (low, high_columns), (0, 0)))
    pieces = [
        padded[:, i : i + stride * rows : stride, j : j + stride * columns : stride][
            :, :rows, :columns
        ]
        for i in range(size)
        for j in range(size)
    ]
    stacked = jnp.stack(pieces, axis=3)
    return stacked.reshape(grid.shape[0], rows * columns, -1)


def build(spec: NetworkSpec, outputs: int) -> MLP | CNN:
    """The network of a spec."""
    return (MLP if spec.name == "mlp" else CNN)(spec, outputs)


def first_inputs(
    spec: NetworkSpec, images: Num[Array, "batch *shape"]
) -> Float[Array, "batch ..."]:
    """What the first layer multiplies: bytes over 255, flattened or cut into patches.

    It depends on the observations alone, so runs that share them compute it once.

    Raises:
        ValueError: a CNN was asked to look at examples that are not square images.
    """
    scaled = images.astype(jnp.float32) / 255
    if spec.name == "mlp":
        return scaled.reshape(scaled.shape[0], -1)
    if scaled.ndim != 3 or scaled.shape[1] != scaled.shape[2]:
        raise ValueError(f"network 'cnn' needs square images, not shape {scaled.shape[1:]}")
    return patches(scaled[..., None], size=5)


def init(spec: NetworkSpec, outputs: int, shape: tuple[int, ...], key: Array) -> dict[str, Any]:
    """Initial parameters for examples of `shape`."""
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


def layers(spec: NetworkSpec, outputs: int, shape: tuple[int, ...]) -> list[Layer]:
    """The products of one interaction's forward pass, from the shapes alone; the first is first."""
    phase = [Layer(2, spec.width)] if spec.phase_visible else []
    if spec.name == "mlp":
        hidden = [Layer(spec.width, spec.width)] * (spec.depth - 1)
        first = Layer(math.prod(shape), spec.width)
        return [first, *phase, *hidden, Layer(spec.width, outputs)]
    side, channels = -(-shape[0] // 2), spec.width
    result = [Layer(25, channels, side * side), *phase]
    for _ in range(1, spec.depth):
        side = -(-side // 2)
        result.append(Layer(9 * channels, 2 * channels, side * side))
        channels *= 2
    return [*result, Layer(side * side * channels, outputs)]


def count_parameters(spec: NetworkSpec, outputs: int, shape: tuple[int, ...]) -> int:
    """Parameters N of the network: kernels, and a bias for all but the phase's kernel."""
    total = sum(
        layer.fan_in * layer.fan_out + layer.fan_out for layer in layers(spec, outputs, shape)
    )
    return total - spec.width * spec.phase_visible


def forward_flops(spec: NetworkSpec, outputs: int, shape: tuple[int, ...]) -> int:
    """FLOPs of one interaction's forward pass: 2 for each multiply-add of the products."""
    return sum(
        2 * layer.positions * layer.fan_in * layer.fan_out for layer in layers(spec, outputs, shape)
    )


def backward_flops(spec: NetworkSpec, outputs: int, shape: tuple[int, ...]) -> int:
    """FLOPs of one interaction's backward pass: twice the forward's, less what inputs don't need.

    Nothing is differentiated with respect to observations (or the phase).
    """
    cut = layers(spec, outputs, shape)[: 1 + spec.phase_visible]
    unneeded = sum(2 * layer.positions * layer.fan_in * layer.fan_out for layer in cut)
    return 2 * forward_flops(spec, outputs, shape) - unneeded


def learning_rate_factors(params: Tree, rule: str, width: int) -> Tree:
    """Factor on the learning rate for each parameter (`optimizer.rule`); see `RULES`."""
    ratio = REFERENCE_WIDTH / width
    whole = RULES[rule](ratio)

    def factor(path: tuple[Any, ...], leaf: Array) -> Float[Array, ""]:
        in_width = path[-2].key not in (FIRST, "phase") and path[-1].key == "kernel"
        return jnp.float32(whole * (ratio if rule == "mup" and in_width else 1.0))

    return jax.tree_util.tree_map_with_path(factor, params)


REFERENCE_WIDTH = 64
RULES: dict[str, Callable[[float], float]] = {
    "constant": lambda ratio: 1.0,
    "sqrt_width": lambda ratio: ratio**0.5,
    "capped_sqrt_width": lambda ratio: min(1.0, ratio) ** 0.5,
    "mup": lambda ratio: 1.0,
}
"""Learning rate over widths, in units of the rate at width 64.

`constant`: the same; `sqrt_width`: (64 / width)^(1/2); `capped_sqrt_width`: that above width 64,
the same below, where rates are bounded by the noise and not by the width; `mup`: kernels whose
fan-in grows with the width get 64 / width, all else the same (Yang et al. 2022, arXiv 2203.03466,
for Adam).
"""

"""Building blocks of networks: products of a chosen precision, dense layers, patches of images.

All products go through `dot_general`, whose precision is a setting, so that a GPU uses TF32 only if
it is chosen. Biases start at 0, kernels as normal draws of variance gain / fan-in: gain 2 under an
activation, 0.01 for the last layer, so that the first policy is nearly uniform and KL from it is
measured from nearly the same point at every width.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import Array, lax
from jaxtyping import Float

PRECISIONS = ("f32", "tf32", "bf16")
OUTPUT_GAIN = 0.01
FIRST, PHASE, LAST = "first", "phase", "last"
"""Names of the layers that multiply the observations, those that multiply the phase, and the last.

`FIRST` and `PHASE` have inputs that need no gradient and a fan-in that does not grow with the
width; the kernels of `FIRST` are stacked side by side for runs that share observations.
"""


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


def observation_product(precision: str) -> Callable[..., Array]:
    """`dot_general` for inputs that need no gradient, with its own gradient of the kernel.

    The gradient is taken as inputs^T @ cotangent, in the order [input, run, width] of the stacked
    kernels. JAX's own transpose rule gives [run, width, input], and every update then transposes
    kernels, moments and gradient (a third of the time at width 64 on a CPU).
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


def dense(
    precision: str, features: int, name: str, gain: float = 2.0, use_bias: bool = True
) -> nn.Dense:
    """A dense layer with this project's product and initial values.

    Args:
        precision: one of `PRECISIONS`.
        features: outputs of the layer.
        name: of the layer; `FIRST` and `PHASE` must be given inputs that need no gradient.
        gain: variance of the kernel times its fan-in.
        use_bias: whether there is a bias.
    """
    init = nn.initializers.variance_scaling(gain, "fan_in", "normal")
    product = (observation_product if name in (FIRST, PHASE) else dot_general)(precision)
    return nn.Dense(features, use_bias=use_bias, kernel_init=init, dot_general=product, name=name)


def activation(values: Float[Array, "..."]) -> Float[Array, "..."]:
    """Leaky ReLU of slope 0.1: at width 4, dead units of a plain ReLU would dominate."""
    return nn.leaky_relu(values, negative_slope=0.1)


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

"""Building blocks of networks: products of a chosen precision, dense layers, patches of images.

All products go through `dot_general`, whose precision is a setting, so that a GPU uses TF32 only if
it is chosen. Biases start at 0, kernels as normal draws of variance gain / fan-in: the gain of the
activation (`ACTIVATIONS`), 0.01 for the last layer, so that the first policy is nearly uniform and
KL from it is measured from nearly the same point at every width.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, no_type_check

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import Array, lax
from jaxtyping import Float

PRECISIONS = ("f32", "tf32", "bf16")
OUTPUT_GAIN = 0.01
SLOPE = 0.1
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
        return _bf16_product
    setting = lax.Precision.HIGHEST if precision == "f32" else lax.Precision.HIGH

    def exact(lhs: Array, rhs: Array, dimensions: Any, **_: Any) -> Array:
        return lax.dot_general(lhs, rhs, dimensions, precision=setting)

    return exact


def _bf16_product(lhs: Array, rhs: Array, dimensions: Any, **_: Any) -> Array:
    def product(lhs: Array, rhs: Array) -> Array:
        return lax.dot_general(lhs, rhs, dimensions, preferred_element_type=jnp.float32)

    def rounded(lhs: Array, rhs: Array) -> Array:
        return product(lax.reduce_precision(lhs, 8, 7), lax.reduce_precision(rhs, 8, 7))

    def narrow(lhs: Array, rhs: Array) -> Array:
        return product(lhs.astype(jnp.bfloat16), rhs.astype(jnp.bfloat16))

    # Chosen when the program is lowered, which may be for another platform than this process's.
    factors = lhs.astype(jnp.float32), rhs.astype(jnp.float32)
    result: Array = lax.platform_dependent(*factors, cpu=rounded, default=narrow)
    return result


def layer_product(precision: str, outputs_first: bool = False) -> Callable[[Array, Array], Array]:
    """The product of rows of inputs with a kernel, whose gradient has the order of the kernel.

    The kernel's gradient is inputs^T @ cotangent, in the order [input, run, width] or [run, input,
    width] of the stacked kernels. JAX's own rule gives [run, width, input], and every update then
    transposes kernels, moments and gradient (a third of the time at width 64 on a CPU, seven of
    fifty-six kernels on a GPU).

    Args:
        precision: one of `PRECISIONS`.
        outputs_first: whether the result is [output, *rows] in place of [*rows, output].
    """
    product = dot_general(precision)

    @jax.custom_vjp
    def multiply(inputs: Array, kernel: Array) -> Array:
        last = inputs.ndim - 1
        if outputs_first:
            return product(kernel, inputs, (((0,), (last,)), ((), ())))
        return product(inputs, kernel, (((last,), (0,)), ((), ())))

    # JAX says which arguments are differentiated: observations are not, and cost no second product.
    def forward(inputs: Any, kernel: Any) -> tuple[Array, tuple[Array, Array | None]]:
        result = multiply(inputs.value, kernel.value)
        return result, (inputs.value, kernel.value if inputs.perturbed else None)

    def backward(saved: tuple[Array, Array | None], cotangent: Array) -> tuple[Array | None, Array]:
        inputs, kernel = saved
        last = inputs.ndim - 1
        rows, outputs = tuple(range(last)), 0 if outputs_first else last
        cotangent_rows = tuple(axis for axis in range(last + 1) if axis != outputs)
        gradient = product(inputs, cotangent, ((rows, cotangent_rows), ((), ())))
        if kernel is None:
            return None, gradient
        return product(cotangent, kernel, (((outputs,), (1,)), ((), ()))), gradient

    multiply.defvjp(forward, backward, symbolic_zeros=True)
    return multiply


@no_type_check  # the base class's own fields cannot be checked at run time
class LastDense(nn.Dense):
    """A dense layer that computes its outputs as [output, batch], transposed at the end.

    The policy's probabilities are computed in that order (`losses.actions_first`), and the two
    transpositions cancel each other.
    """

    product: Callable[[Array, Array], Array] | None = None

    @nn.compact
    def __call__(self, inputs: Float[Array, "*batch fan_in"]) -> Float[Array, "*batch features"]:
        """`inputs @ kernel + bias`."""
        assert self.product is not None
        kernel = self.param("kernel", self.kernel_init, (inputs.shape[-1], self.features))
        bias = self.param("bias", self.bias_init, (self.features,))
        result = self.product(inputs, jnp.asarray(kernel)) + bias.reshape(
            -1, *[1] * (inputs.ndim - 1)
        )
        return jnp.moveaxis(result, 0, -1)


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
    if name == LAST and use_bias:
        product = layer_product(precision, outputs_first=True)
        return LastDense(features, kernel_init=init, product=product, name=name)
    product = layer_product(precision)
    return nn.Dense(
        features,
        use_bias=use_bias,
        kernel_init=init,
        dot_general=lambda inputs, kernel, *_, **__: product(inputs, kernel),
        name=name,
    )


@jax.custom_vjp
def activation(values: Float[Array, "..."]) -> Float[Array, "..."]:
    """Leaky ReLU of slope 0.1: at width 4, dead units of a plain ReLU would dominate.

    Its gradient is taken from its result, which the next layer needs anyway, so that nothing else
    is kept for the backward pass.
    """
    return jnp.where(values >= 0, values, SLOPE * values)


def _activation_forward(values: Array) -> tuple[Array, Array]:
    result = activation(values)
    return result, result


def _activation_backward(result: Array, cotangent: Array) -> tuple[Array]:
    return (jnp.where(result >= 0, cotangent, SLOPE * cotangent),)


activation.defvjp(_activation_forward, _activation_backward)


class Activation(NamedTuple):
    """What `network.activation` names: a function of each unit, and the kernels before it."""

    function: Callable[[Array], Array]
    gain: float
    """Variance of such a kernel times its fan-in: about what keeps the variance of signals."""


def _identity(values: Array) -> Array:
    return values


ACTIVATIONS = {
    "leaky_relu": Activation(activation, 2.0),
    "relu": Activation(jax.nn.relu, 2.0),
    "tanh": Activation(jnp.tanh, 1.0),
    "linear": Activation(_identity, 1.0),
}
"""Gain 2 for rectifiers (He et al. 2015, arXiv 1502.01852; 2 / (1 + slope^2) is exact), 1 where
the slope at 0 is 1 (Glorot and Bengio 2010): for tanh that holds while signals are small."""
LEAKY_RELU = "leaky_relu"
"""The activation where a spec names none."""


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

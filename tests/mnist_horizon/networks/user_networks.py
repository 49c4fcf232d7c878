"""Networks as a user writes them: nothing else of the project knows them."""

import functools

import jax
import jax.numpy as jnp
from flax import linen as nn

from mnist_horizon.networks import FIRST, LAST, PHASE, Network, activation, dense, register


@register("user_residual")
class Residual(Network):
    """An MLP whose layers add to what they see."""

    @nn.compact
    def __call__(self, inputs, phase=None):
        layer = functools.partial(dense, self.spec.precision)
        hidden = layer(self.spec.width, FIRST)(inputs)
        if phase is not None:
            hidden += layer(self.spec.width, PHASE, use_bias=False)(phase)
        hidden = activation(hidden)
        for number in range(1, self.spec.depth):
            hidden += activation(layer(self.spec.width, f"hidden{number}")(hidden))
        return layer(self.outputs, LAST, gain=0.01)(hidden)


@register("attention")
class Attention(Network):
    """Rows of an image that attend to each other: products and parameters beside dense layers."""

    @staticmethod
    def first_inputs(images):
        return images

    @nn.compact
    def __call__(self, inputs, phase=None):
        layer = functools.partial(dense, self.spec.precision)
        rows = nn.LayerNorm(name="norm")(layer(self.spec.width, FIRST)(inputs))
        scores = jnp.einsum("bid,bjd->bij", rows, rows)
        mixed = jnp.einsum("bij,bjd->bid", jax.nn.softmax(scores), rows)
        skipped = layer(self.spec.width, "skip")(inputs)
        return layer(self.outputs, LAST, gain=0.01)((mixed + skipped).mean(axis=1))


@register("repeated")
class Repeated(Network):
    """One layer applied `depth` times by a loop of known length."""

    @nn.compact
    def __call__(self, inputs, phase=None):
        hidden = dense(self.spec.precision, self.spec.width, FIRST)(inputs)
        kernel = self.param("kernel", nn.initializers.orthogonal(), (self.spec.width,) * 2)
        step = lambda hidden, _: (activation(hidden @ kernel), None)  # noqa: E731
        hidden, _ = jax.lax.scan(step, hidden, length=self.spec.depth)
        return dense(self.spec.precision, self.outputs, LAST, gain=0.01)(hidden)


@register("table")
class Table(Network):
    """A product without a dense layer, whose memory is not told."""

    @nn.compact
    def __call__(self, inputs, phase=None):
        kernel = self.param("kernel", nn.initializers.zeros, (inputs.shape[1], self.outputs))
        return inputs @ kernel


@register("convolution")
class Convolution(Network):
    """A convolution that XLA does, whose FLOPs are not counted."""

    @staticmethod
    def first_inputs(images):
        return images[..., None]

    @nn.compact
    def __call__(self, inputs, phase=None):
        hidden = activation(nn.Conv(self.spec.width, (3, 3))(inputs)).mean(axis=(1, 2))
        return dense(self.spec.precision, self.outputs, LAST, gain=0.01)(hidden)

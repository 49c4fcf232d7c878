"""The multilayer perceptron with residual connections (He et al. 2016, arXiv 1512.03385)."""

import functools

from flax import linen as nn
from jax import Array
from jaxtyping import Float

from mnist_horizon.networks import layers
from mnist_horizon.networks.network import Network, register


@register("residual_mlp")
class ResidualMLP(Network):
    """As `mlp`, with `x + activation(W x + b)` for each hidden layer after the first."""

    @nn.compact
    def __call__(
        self, inputs: Float[Array, "batch features"], phase: Float[Array, "batch 2"] | None = None
    ) -> Float[Array, "batch outputs"]:
        """Logits (or values) of a batch of flattened observations."""
        activation, gain = layers.ACTIVATIONS[self.spec.activation]
        dense = functools.partial(layers.dense, self.spec.precision, gain=gain)
        hidden = dense(self.spec.width, layers.FIRST)(inputs)
        if phase is not None:
            hidden += dense(self.spec.width, layers.PHASE, use_bias=False)(phase)
        hidden = activation(hidden)
        for number in range(1, self.spec.depth):
            hidden += activation(dense(self.spec.width, f"hidden{number}")(hidden))
        return dense(self.outputs, layers.LAST, gain=layers.OUTPUT_GAIN)(hidden)

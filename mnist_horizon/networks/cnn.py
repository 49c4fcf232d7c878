"""A small convolutional network."""

import functools
import math

from flax import linen as nn
from jax import Array
from jaxtyping import Float

from mnist_horizon.networks import layers
from mnist_horizon.networks.network import Network, NetworkError, register


@register("cnn")
class CNN(Network):
    """Convolutions of stride 2 as patches and a product, then a linear layer.

    Layer i of `depth` has `width * 2**i` channels; the first sees 5x5 patches, the others 3x3.
    Stacked runs would turn a convolution into a grouped one, which is many times slower; patches
    of the observations are shared by the runs that share observations.
    """

    @staticmethod
    def check_observations(shape: tuple[int, ...]) -> None:
        """Refuse all but square images, [side, side] or with channels last.

        Raises:
            NetworkError: the shape is different.
        """
        if len(shape) not in (2, 3) or shape[0] != shape[1]:
            raise NetworkError(f"'cnn' needs square images, not observations of shape {shape}")

    @staticmethod
    def first_inputs(
        images: Float[Array, "batch side side *channels"],
    ) -> Float[Array, "batch positions patch"]:
        """Patches of 5x5 pixels, with all channels of each."""
        return layers.patches(images if images.ndim == 4 else images[..., None], size=5)

    @nn.compact
    def __call__(
        self,
        inputs: Float[Array, "batch positions patch"],
        phase: Float[Array, "batch 2"] | None = None,
    ) -> Float[Array, "batch outputs"]:
        """Logits (or values) of a batch of images cut into patches."""
        activation, gain = layers.ACTIVATIONS[self.spec.activation]
        dense = functools.partial(layers.dense, self.spec.precision, gain=gain)
        hidden = dense(self.spec.width, layers.FIRST)(inputs)
        if phase is not None:
            hidden += dense(self.spec.width, layers.PHASE, use_bias=False)(phase)[:, None]
        hidden = activation(hidden)
        for number in range(1, self.spec.depth):
            side = math.isqrt(hidden.shape[1])
            grid = hidden.reshape(hidden.shape[0], side, side, hidden.shape[2])
            convolution = dense(self.spec.width * 2**number, f"hidden{number}")
            hidden = activation(convolution(layers.patches(grid, size=3)))
        flat = hidden.reshape(hidden.shape[0], -1)
        return dense(self.outputs, layers.LAST, gain=layers.OUTPUT_GAIN)(flat)

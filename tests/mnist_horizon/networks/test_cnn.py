import jax
import jax.numpy as jnp
import pytest
from jax import lax

from mnist_horizon import networks
from mnist_horizon.networks import NetworkError, NetworkSpec


@pytest.mark.parametrize(("shape", "largest"), [((8, 8), 255), ((8, 8), 1), ((8, 8, 3), 1)])
def test_cnn_is_two_convolutions_and_a_linear_layer(shape, largest):
    """Of bytes, which are divided by 255, and of floats, as they are; with channels."""
    spec = NetworkSpec("cnn", 2, 3)
    images = jax.random.randint(jax.random.key(1), (4, *shape), 0, 256).astype(jnp.uint8)
    images = images if largest == 255 else images / 100
    params = networks.init(spec, 10, shape, jax.random.key(0))
    ours = networks.apply(spec, 10, params, networks.first_inputs(spec, images))

    def convolve(grid, layer, size, padding):
        kernel = layer["kernel"].reshape(size, size, grid.shape[-1], -1)
        names = ("NHWC", "HWIO", "NHWC")
        return lax.conv_general_dilated(grid, kernel, (2, 2), [padding] * 2, None, None, names)

    grid = images.reshape(4, 8, 8, -1) / largest
    grid = networks.activation(convolve(grid, params["first"], 5, (2, 1)) + params["first"]["bias"])
    grid = networks.activation(
        convolve(grid, params["hidden1"], 3, (1, 0)) + params["hidden1"]["bias"]
    )
    expected = grid.reshape(4, -1) @ params["last"]["kernel"] + params["last"]["bias"]
    assert jnp.allclose(ours, expected, atol=1e-5)


def test_first_inputs_are_patches_of_square_images_alone():
    spec = NetworkSpec("cnn", 1, 2)
    assert networks.first_inputs(spec, jnp.zeros((1, 2, 2), jnp.uint8)).shape == (1, 1, 25)
    assert networks.first_inputs(spec, jnp.zeros((1, 2, 2, 3))).shape == (1, 1, 75)
    for shape in [(), (6,), (4, 6), (3, 4, 4), (2, 2, 2, 2)]:
        with pytest.raises(NetworkError, match="'cnn' needs square images, not observations of"):
            networks.first_inputs(spec, jnp.zeros((1, *shape), jnp.uint8))
        with pytest.raises(NetworkError, match="'cnn' needs square images, not observations of"):
            networks.count_parameters(spec, 10, shape)

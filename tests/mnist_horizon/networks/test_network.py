"""Networks by name: what is shipped, what a user adds, what is refused, and how runs begin."""

import pkgutil
import sys

import jax
import jax.numpy as jnp
import pandas as pd
import pytest

from mnist_horizon import networks
from mnist_horizon.errors import InputError
from mnist_horizon.networks import NetworkError, NetworkSpec
from tests.mnist_horizon.networks import user_networks
from tests.mnist_horizon.small_sweeps import run, tiny

NAMES = ["mlp", "cnn", "user_residual"]


def test_every_file_of_the_folder_is_imported():
    files = {module.name for module in pkgutil.iter_modules(networks.__path__)}
    assert {"mlp", "cnn"} <= files
    assert all(f"mnist_horizon.networks.{name}" in sys.modules for name in files)
    assert {"mlp", "cnn"} <= set(networks.names())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "resnet"}, r"network must be one of .*cnn, .*mlp.*, not 'resnet'"),
        ({"precision": "f16"}, "precision must be one of f32, tf32, bf16, not 'f16'"),
        ({"depth": 0}, "depth must be at least 1, not 0"),
        ({"width": 0}, "width must be at least 1, not 0"),
    ],
)
def test_a_spec_that_means_nothing_is_refused(changes, message):
    with pytest.raises(InputError, match=message) as caught:
        NetworkSpec(**{"name": "mlp", "depth": 1, "width": 4, **changes})
    assert "\n" not in str(caught.value)


def test_an_unknown_network_is_refused_with_the_names():
    with pytest.raises(NetworkError, match=r"network.name: unknown network 'resnet': .*cnn.*mlp"):
        networks.get("resnet")


def test_a_name_belongs_to_one_class_which_may_come_twice():
    networks.register("user_residual")(user_networks.Residual)
    with pytest.raises(NetworkError, match="network 'mlp' is already registered by MLP"):
        networks.register("mlp")(user_networks.Residual)
    assert networks.get("mlp").__name__ == "MLP"


def test_a_class_of_another_kind_is_refused():
    with pytest.raises(NetworkError, match="network 'dict': dict must be a Network"):
        networks.register("dict")(dict)
    assert "dict" not in networks.names()


def test_bytes_are_scaled_and_flattened_where_a_network_wants_nothing_else():
    images = jnp.array([[[0, 255], [51, 102]]], jnp.uint8)
    inputs = networks.first_inputs(NetworkSpec("user_residual", 1, 2), images)
    assert jnp.allclose(inputs, jnp.array([[0.0, 1.0, 0.2, 0.4]]))


def test_floats_are_left_as_they_are():
    observations = jnp.array([[[-3.0, 255.0], [0.5, 1e6]]])
    inputs = networks.first_inputs(NetworkSpec("user_residual", 1, 2), observations)
    assert inputs.tolist() == [[-3.0, 255.0, 0.5, 1e6]]


@pytest.mark.parametrize("name", NAMES)
def test_the_phase_is_read_only_where_it_is_visible(name):
    inputs = jnp.zeros((3, 8, 8), jnp.uint8)
    phases = jnp.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    spec = NetworkSpec(name, 2, 8, phase_visible=True)
    params = networks.init(spec, 10, (8, 8), jax.random.key(0))
    outputs = networks.apply(spec, 10, params, networks.first_inputs(spec, inputs), phases)
    assert not jnp.allclose(outputs[0], outputs[1])
    hidden = networks.init(NetworkSpec(name, 2, 8), 10, (8, 8), jax.random.key(0))
    assert networks.PHASE in params
    assert networks.PHASE not in hidden


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("precision", "tolerance"), [("tf32", 1e-3), ("bf16", 2e-2)])
def test_lower_precisions_run_and_are_close(name, precision, tolerance):
    exact = NetworkSpec(name, 2, 16)
    params = networks.init(exact, 10, (8, 8), jax.random.key(0))
    images = jax.random.randint(jax.random.key(1), (16, 8, 8), 0, 256).astype(jnp.uint8)
    inputs = networks.first_inputs(exact, images)
    outputs, close = (
        networks.apply(NetworkSpec(name, 2, 16, chosen), 10, params, inputs)
        for chosen in ("f32", precision)
    )
    assert close.dtype == jnp.float32
    assert float(jnp.abs(close - outputs).max() / jnp.abs(outputs).max()) < tolerance
    if precision == "bf16":
        assert not jnp.array_equal(close, outputs)


def test_a_users_network_is_swept_with_no_other_edit(tmp_path):
    """Its runs learn; parameters, FLOPs and memory are told; noise is measured."""
    spec = tiny(
        network={"name": "user_residual", "depth": 3},
        widths=(16,),
        optimizer={"learning_rates": (5e-3,)},
        budget=200 * 64,
        noise={"samples": 64, "every": 4},
    )
    assert not run(spec, tmp_path).diverged
    table = pd.concat(map(pd.read_parquet, tmp_path.glob("results/*.parquet")))
    weights = 64 * 16 + 2 * 16 * 16 + 16 * 10
    assert set(table["network"]) == {"user_residual"}
    assert set(table["parameters"]) == {weights + 3 * 16 + 10}
    assert set(table["flops_per_interaction"]) == {2 * (3 * weights - 64 * 16)}
    last = table.sort_values("interactions").groupby("run_id")["return_mean"].last()
    assert (last > 0.3).all()  # chance is 0.1
    noise = pd.concat(map(pd.read_parquet, tmp_path.glob("noise/*.parquet")))
    assert (noise["total"] > 0).all()

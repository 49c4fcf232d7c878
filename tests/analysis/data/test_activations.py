"""Activations computed from kept parameters are the network's own; what conditions are read."""

import dataclasses
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from analysis.data.activations import ACTIVATIONS, hidden_layers, layers_of, read_conditions
from mnist_horizon import networks
from mnist_horizon.errors import InputError
from mnist_horizon.networks import NetworkSpec
from mnist_horizon.results import ResultsError
from tests.analysis.kept_runs import MARKS, UNITS, write_kept

SPECS = [
    *(NetworkSpec("mlp", 2, 8, activation=name) for name in networks.ACTIVATIONS),
    NetworkSpec("mlp", 1, 8),
    NetworkSpec("mlp", 3, 5, phase_visible=True, activation="tanh"),
]


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_hidden_layers_are_the_networks_own(spec: NetworkSpec, dtype: type) -> None:
    """Bytes are divided by 255, floats are as they are."""
    rng, shape = np.random.default_rng(0), (4, 4)
    images = rng.integers(0, 256, (6, *shape), dtype=np.uint8)
    if dtype == np.float32:
        images = rng.standard_normal(images.shape).astype(np.float32)
    params = networks.init(spec, 3, shape, jax.random.key(0))
    params = jax.tree.map(lambda leaf: leaf + 0.1 * rng.standard_normal(leaf.shape), params)
    inputs_of: dict[str, np.ndarray] = {}

    def record(call, args, kwargs, context):
        inputs_of[str(context.module.name)] = args[0]
        return call(*args, **kwargs)

    phase = jnp.tile(jnp.array([1.0, 0.0]), (6, 1)) if spec.phase_visible else None
    inputs = networks.first_inputs(spec, jnp.asarray(images))
    with nn.intercept_methods(record):
        networks.apply(spec, 3, params, inputs, phase)
    layers = hidden_layers(jax.tree.map(np.asarray, params), images, spec.activation)
    assert len(layers) == spec.depth
    following = [*(f"hidden{number}" for number in range(1, spec.depth)), "last"]
    for layer, name in zip(layers, following, strict=True):
        np.testing.assert_allclose(layer.after.T, inputs_of[name], atol=1e-5)
        function = networks.ACTIVATIONS[spec.activation].function
        np.testing.assert_allclose(layer.after, function(jnp.asarray(layer.before)), atol=1e-6)


def test_every_activation_of_the_library_is_known() -> None:
    assert list(ACTIVATIONS) == list(networks.ACTIVATIONS)


def test_conditions_are_runs_that_differ_in_their_seed_alone(tmp_path: Path) -> None:
    one = write_kept(tmp_path / "one", activation="tanh", seeds=3)
    other = write_kept(tmp_path / "other", seeds=2, horizon=7.0)
    (first, second), notes = read_conditions([one, other, one])
    assert notes == []
    # Leaky ReLU first; the horizon follows from the activation here, so that nothing names it.
    assert (first.label, second.label) == ("leaky_relu, adam", "tanh, adam")
    assert first.settings["horizon"] == 7
    assert first.returns == {64: 0.125, 256: 0.5}
    marks = {mark: len(seeds) for mark, seeds in layers_of(second)}
    assert marks == dict.fromkeys(MARKS, 3)
    ((_, seeds), *_) = layers_of(second)
    assert [layer.before.shape for layer in seeds[0]] == [(UNITS, 20)] * 2


def test_what_differs_between_conditions_is_in_their_names(tmp_path: Path) -> None:
    folders = [write_kept(tmp_path / str(h), horizon=h) for h in (1.0, 7.0)]
    labels = [one.label for one in read_conditions(folders)[0]]
    assert labels == ["leaky_relu, adam, h = 1", "leaky_relu, adam, h = 7"]


def test_what_keeps_no_policies_or_is_no_mlp_is_said(tmp_path: Path) -> None:
    good, cnn = write_kept(tmp_path / "good"), write_kept(tmp_path / "cnn", network="cnn")
    without = write_kept(tmp_path / "without")
    for path in (without / "kept").iterdir():
        path.unlink()
    conditions, notes = read_conditions([good, cnn, without])
    assert len(conditions) == 1
    assert f"{cnn}: left out" in notes[0]
    assert notes[1] == f"{without}: no policies were kept along training"
    for folder, message in ((without, "no policies were kept"), (cnn, "not cnn")):
        with pytest.raises(InputError, match=message):
            read_conditions([folder])
    with pytest.raises(ResultsError, match="no such folder"):
        read_conditions([tmp_path / "nowhere"])


def test_runs_that_are_not_finite_are_left_out(tmp_path: Path) -> None:
    folder = write_kept(tmp_path / "w", seeds=3)
    path = folder / "kept" / f"program-at{MARKS[-1]}.npz"
    arrays = dict(np.load(path))
    arrays["last/bias"][1] = np.nan
    np.savez(path, **arrays)
    ((condition,), _) = read_conditions([folder])
    counts = {mark: len(kept) for mark, kept in condition.policies.items()}
    assert counts == {0: 3, 64: 3, 256: 2}
    assert dataclasses.replace(condition).label == "leaky_relu, adam"

"""What a user has set in JAX for other work changes no number, and stays as it is."""

from collections.abc import Iterator
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest

from mnist_horizon import devices
from mnist_horizon.errors import SweepError
from mnist_horizon.jax_settings import own_settings
from mnist_horizon.sweeps import compiling
from tests.mnist_horizon.small_sweeps import outputs, run, tiny

OF_A_USER = {
    "jax_enable_x64": True,
    "jax_default_prng_impl": "rbg",
    "jax_threefry_partitionable": False,
    "jax_numpy_dtype_promotion": "strict",
    "jax_numpy_rank_promotion": "raise",
    "jax_disable_jit": True,
    "jax_debug_nans": True,
    "jax_debug_infs": True,
}


@pytest.fixture
def of_a_user() -> Iterator[None]:
    """Settings as variables of the environment make them: in every thread."""
    before = {name: jax.config.values[name] for name in OF_A_USER}
    compiling._code.cache_clear()
    for name, value in OF_A_USER.items():
        jax.config.update(name, value)
    yield
    for name, value in before.items():
        jax.config.update(name, value)
    compiling._code.cache_clear()


def test_a_sweep_has_the_same_bytes_whatever_the_user_has_set(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    spec = tiny(optimizer={"learning_rates": (3e-2, 1e38)})  # one rate diverges
    plain = run(spec, tmp_path / "plain")
    request.getfixturevalue("of_a_user")
    assert run(spec, tmp_path / "set") == plain
    assert plain.diverged
    assert outputs(tmp_path / "set") == outputs(tmp_path / "plain")
    assert jnp.ones(2).dtype == jnp.float64


@pytest.mark.usefixtures("of_a_user")
def test_the_settings_hold_in_the_block_alone() -> None:
    with own_settings():
        assert (jnp.ones((2, 1)) + jnp.arange(2)).dtype == jnp.float32
        inside = jax.random.key_data(jax.random.split(jax.random.key(3)))
    with pytest.raises(ValueError, match="rank_promotion"):
        jnp.ones((2, 1)) + jnp.ones(2)
    assert inside.shape == (2, 2)  # threefry's; those of rbg are longer


@pytest.mark.parametrize(
    "error", [AssertionError(), RuntimeError("Unable to initialize\nbackend 'tpu': no library")]
)
def test_a_platform_that_is_not_there_is_one_line(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise error

    monkeypatch.setattr(jax, "devices", fail)
    values = {**jax.config.values, "jax_platforms": "tpu"}
    monkeypatch.setattr(type(jax.config), "values", values)
    with pytest.raises(SweepError, match=r"JAX_PLATFORMS=tpu: .*: unset it, or install") as raised:
        devices.check_devices()
    assert "\n" not in str(raised.value)

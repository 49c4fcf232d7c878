"""What every test shares: JAX on the CPU with a persistent cache, quiet plots, the MNIST folder."""

import os
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent

# Before anything imports JAX or Matplotlib; processes that a test starts inherit the same.
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(CHECKOUT / ".cache" / "jax"))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.2")
os.environ.setdefault("MPLBACKEND", "Agg")
# Two workers on two cores: threads of the linear algebra would only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# LLVM's optimisation is half of a program's compile time and more than the small programs here
# repay. What `commands` starts compiles as it does for users.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")

import pytest
from hypothesis import settings

from mnist_horizon import networks, optimizers, schedules, tasks

# The same examples on every machine: a test that fails, fails again.
settings.register_profile("repeatable", deadline=None, derandomize=True, database=None)
settings.load_profile("repeatable")


@pytest.fixture(autouse=True)
def forget_registrations(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tasks, schedules, networks and optimisers that a test registers are forgotten after it."""
    for module in (tasks.registry, schedules.registry, networks.network, optimizers.optimizer):
        entries = module._registry._entries
        monkeypatch.setattr(module._registry, "_entries", dict(entries))


@pytest.fixture(scope="session")
def mnist_dir() -> Path:
    """The folder of MNIST's four IDX files, where `MNIST_HORIZON_DATA` has one."""
    folder = Path(os.environ.get("MNIST_HORIZON_DATA", "")) / "mnist"
    if "MNIST_HORIZON_DATA" not in os.environ or not folder.is_dir():
        pytest.skip("MNIST_HORIZON_DATA names no folder with mnist/ in it")
    return folder

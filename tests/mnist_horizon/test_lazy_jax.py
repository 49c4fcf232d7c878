"""Modules that the analysis reads: usable without JAX, and traced once it is there."""

import subprocess
import sys

import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import TypeCheckError

from mnist_horizon import lazy_jax
from mnist_horizon.schedules.delayed import count_right

BEFORE_JAX = """
import sys
import numpy as np
from mnist_horizon import horizon, schedules, theory
from mnist_horizon.moments import Moments

periodic, lottery = schedules.parse("periodic:8"), schedules.parse("lottery:0.5")
moments = Moments(0.5, 4.0, 2.0, 1.0, 1.0)
plain = theory.noise_over_signal(periodic, np.array([1.0, 7.0]), moments)
"""
"""What the analysis does, in a process that has not imported JAX."""


def run(code: str) -> str:
    """What a new process prints."""
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_the_theory_needs_no_jax():
    heavy = "{'jax', 'jaxlib', 'flax', 'optax'}"
    assert run(f"{BEFORE_JAX}\nprint(sorted({heavy} & set(sys.modules)))") == "[]\n"


def test_what_was_made_before_the_import_of_jax_is_a_pytree_after_it():
    traced = """
import jax
choice = schedules.Choice.of([periodic, lottery])
assert jax.tree.leaves(periodic) == [8.0]
assert jax.tree.structure(periodic) != jax.tree.structure(lottery)
assert len(jax.tree.leaves(moments)) == 12
assert len(jax.tree.leaves(choice)) == 2
function = lambda one, at: theory.noise_over_signal(one, np.array([1.0, 7.0]), at)
np.testing.assert_allclose(jax.jit(function)(periodic, moments), plain, rtol=1e-5)
print("done")
"""
    assert run(BEFORE_JAX + traced) == "done\n"


def test_a_record_is_registered_at_once_where_jax_is_imported():
    done = []
    lazy_jax.when_imported(lambda: done.append(True))
    assert done == [True]


def test_an_array_in_a_signature_is_an_array_of_jax():
    assert isinstance(jnp.ones(2), lazy_jax.Array)
    assert not isinstance(np.ones(2), lazy_jax.Array)
    arguments = jnp.ones(3), jnp.arange(3), jnp.float32(0)
    assert count_right(*arguments).tolist() == [1, 2, 3]
    with pytest.raises(TypeCheckError):  # the shapes are checked in tests
        count_right(arguments[0], jnp.arange(4), arguments[2])
    with pytest.raises(TypeCheckError):
        count_right(np.ones(3), *arguments[1:])

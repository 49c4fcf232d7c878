"""JAX with the settings that this library is written for, in the middle of those of a user."""

import contextlib
from collections.abc import Iterator

import jax


@contextlib.contextmanager
def own_settings() -> Iterator[None]:
    """JAX with the settings that training is written for, whatever the user's environment has set.

    A user may have `JAX_ENABLE_X64`, another random generator or stricter rules for other work, in
    a variable or in a notebook. The first two would give a seed other numbers; the rules refuse
    code that is right, or end a sweep with the first run that diverges. In the block, and only in
    the thread that enters it, JAX's defaults hold.
    """
    with contextlib.ExitStack() as stack:
        stack.enter_context(jax.enable_x64(False))
        stack.enter_context(jax.default_prng_impl("threefry2x32"))
        stack.enter_context(jax.threefry_partitionable(True))
        stack.enter_context(jax.numpy_dtype_promotion("standard"))
        stack.enter_context(jax.numpy_rank_promotion("allow"))
        stack.enter_context(jax.disable_jit(False))
        stack.enter_context(jax.debug_nans(False))
        stack.enter_context(jax.debug_infs(False))
        yield

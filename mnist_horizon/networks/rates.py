"""The learning rate as a function of the width."""

from collections.abc import Callable
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

from mnist_horizon.networks.layers import FIRST, PHASE

Tree = TypeVar("Tree")

REFERENCE_WIDTH = 64
RULES: dict[str, Callable[[float], float]] = {
    "constant": lambda ratio: 1.0,
    "sqrt_width": lambda ratio: ratio**0.5,
    "capped_sqrt_width": lambda ratio: min(1.0, ratio) ** 0.5,
    "mup": lambda ratio: 1.0,
}
"""Learning rate over widths, in units of the rate at width 64.

`constant`: the same; `sqrt_width`: (64 / width)^(1/2); `capped_sqrt_width`: that above width 64,
the same below, where rates are bounded by the noise and not by the width; `mup`: kernels whose
fan-in grows with the width (all but those of the layers `FIRST` and `PHASE`) get 64 / width, all
else the same (Yang et al. 2022, arXiv 2203.03466, for Adam).
"""


def learning_rate_factors(params: Tree, rule: str, width: int) -> Tree:
    """Factor on the learning rate for each parameter (`optimizer.rule`); see `RULES`."""
    ratio = REFERENCE_WIDTH / width
    common = RULES[rule](ratio)

    def factor(path: tuple[Any, ...], leaf: Array) -> Float[Array, ""]:
        layer, name = [None, *(getattr(entry, "key", None) for entry in path)][-2:]
        grows = name == "kernel" and layer not in (FIRST, PHASE)
        return jnp.float32(common * (ratio if rule == "mup" and grows else 1.0))

    return jax.tree_util.tree_map_with_path(factor, params)

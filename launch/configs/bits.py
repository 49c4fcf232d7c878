"""Bits or noise: what says what a sparse reward costs?

    python -m launch.sweep --config=launch/configs/bits.py:digits --workdir=runs/bits
    python -m analysis.report runs/bits

Time on 2 cores: sweep 11 seconds, report 8. Expected: interactions over noise differ less between
schedules than bits; docs/bits.md has what was found. `bits.py:mnist` is the same on MNIST.
"""

import ml_collections

from launch.configs import choose, sparsity

VERSIONS = ("mnist", "digits")


def get_config(version: str = "digits") -> ml_collections.ConfigDict:
    """5 schedules, 3 horizons, 4 seeds: 60 runs."""
    config = sparsity.get_config(choose(version, VERSIONS))
    config.widths = (24,)
    config.horizons = (1.0, 8.0, 32.0)
    config.schedules = ("dense", "revealed:0.25", "periodic:4", "streak:2", "streak:3")
    return config

"""The full grid, for an accelerator: 3 decades of parameters, horizons to 511, 8 seeds.

    python -m launch.sweep --config=launch/configs/paper.py --workdir=runs/paper [--dry_run]
    python -m analysis.report runs/paper

Time: 8 minutes on one H200 GPU; on 2 cores 17 hours by `--dry_run`. The results are in
`docs/results/paper`, a working directory that the report reads, and in RESULTS.md.
"""

import ml_collections

from launch.configs import horizon


def get_config() -> ml_collections.ConfigDict:
    """11 horizons, 9 widths, 8 seeds: 792 runs of 4 million steps."""
    config = horizon.get_config()
    config.widths = (4, 9, 20, 45, 100, 225, 500, 1100, 2500)
    config.horizons = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 384.0, 511.0)
    config.seeds = 8
    config.batch.rollout_length = 2048
    config.budget = 4_194_304
    config.evaluations = 64
    return config

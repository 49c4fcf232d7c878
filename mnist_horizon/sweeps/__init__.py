"""A sweep from its settings to its working directory, one program after another.

`spec` has the settings, `plan` the programs and runs that follow, `workdir` the files on disk, and
`runner` runs what is not done yet. Only the settings are imported here, so that invalid ones are
reported before the training is imported.
"""

from mnist_horizon.sweeps.spec import RATE_RULE, TEST_SAMPLE, SweepSpec, config_settings, spec_from

__all__ = ["RATE_RULE", "TEST_SAMPLE", "SweepSpec", "config_settings", "spec_from"]

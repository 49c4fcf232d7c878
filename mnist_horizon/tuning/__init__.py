"""The search for learning rates, decays and entropy bonuses, and the rule that follows from it.

`settings` has what is searched, `halving` the scores and which candidates stay, `cells` trains the
candidates of one width, horizon and algorithm, `rule` fits the fields of a sweep to what was found,
and `workdir` has the files. Only the settings are imported here, so that invalid ones are reported
before the training is imported.
"""

from mnist_horizon.tuning.settings import Cell, Tuning, tuning_from, tuning_settings

__all__ = ["Cell", "Tuning", "tuning_from", "tuning_settings"]

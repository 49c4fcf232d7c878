"""From results on disk to tables: curves, crossings, noise, and which runs belong together.

`read` gives all of them (`Measurements`); `families` has settings, labels and chosen rates.
"""

from analysis.data.crossings import THRESHOLDS, interactions_to_threshold
from analysis.data.families import Family, Group, families, split, with_chosen_rates
from analysis.data.measurements import Measurements, crossings_to, measure, read

__all__ = [
    "THRESHOLDS",
    "Family",
    "Group",
    "Measurements",
    "crossings_to",
    "families",
    "interactions_to_threshold",
    "measure",
    "read",
    "split",
    "with_chosen_rates",
]

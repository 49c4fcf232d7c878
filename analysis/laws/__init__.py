"""The laws: one file each, with a common interface to fit, predict, write and show them.

`LAWS` is the registry: a new law is one file here and one line in it. `fit_laws` fits them all.
"""

from collections.abc import Iterable

from analysis.data.measurements import Measurements
from analysis.laws.batch import BatchLaw, fit_batch_laws
from analysis.laws.comparisons import fit_optimizer_laws, fit_task_laws
from analysis.laws.delay import DelayLaw, fit_delay_laws
from analysis.laws.horizon import HorizonLaw, fit_horizon_laws
from analysis.laws.law import AllFits, Fits, FittedLaw, LawKind, Quantity
from analysis.laws.power import PowerLawFit, SharedPowerLaw, fit_power_laws
from analysis.laws.schedule import ScheduleLaw, fit_schedule_laws
from analysis.laws.size import SizeExponent, fit_size_exponents

LAWS = (
    LawKind("horizon_law", fit_horizon_laws),
    LawKind("delay_law", fit_delay_laws),
    LawKind("power_law", fit_power_laws, "curves"),
    LawKind("batch_law", fit_batch_laws),
    LawKind("joint_law", fit_schedule_laws),
    LawKind("size_exponents", fit_size_exponents),
    LawKind("optimizer_law", fit_optimizer_laws, "all_crossings"),
    LawKind("task_law", fit_task_laws),
)
"""Every law, by the key of its list in `fits.json`."""


def fit_laws(measured: Measurements, kinds: Iterable[LawKind] = LAWS) -> AllFits:
    """Fit every law that the measurements allow.

    Args:
        measured: the tables.
        kinds: which laws.
    """
    result = AllFits()
    for kind in kinds:
        fits = kind.fit(getattr(measured, kind.table))
        result.by_key[kind.key] = fits.entries
        result.notes += fits.notes
    return result


__all__ = [
    "LAWS",
    "AllFits",
    "BatchLaw",
    "DelayLaw",
    "Fits",
    "FittedLaw",
    "HorizonLaw",
    "LawKind",
    "PowerLawFit",
    "Quantity",
    "ScheduleLaw",
    "SharedPowerLaw",
    "SizeExponent",
    "fit_batch_laws",
    "fit_delay_laws",
    "fit_horizon_laws",
    "fit_laws",
    "fit_optimizer_laws",
    "fit_power_laws",
    "fit_schedule_laws",
    "fit_size_exponents",
    "fit_task_laws",
]

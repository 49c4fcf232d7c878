"""The laws: one file each, with a common interface to fit, predict, write and show them.

`LAWS` is the registry: a new law is one file here and one line in it. `fit_laws` fits them all;
`law_jobs` and `together` are its parts, for a report that fits them side by side.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

from analysis.data.measurements import Measurements
from analysis.laws.batch import BatchLaw, fit_batch_laws
from analysis.laws.bits import BitsLaw, fit_bits_laws
from analysis.laws.comparisons import fit_optimizer_laws, fit_task_laws
from analysis.laws.curve_shapes import CurveShapes, ShapesCompared, fit_curve_shapes
from analysis.laws.decomposition import Decomposition, fit_decompositions
from analysis.laws.delay import DelayLaw, fit_delay_laws
from analysis.laws.early_stopping import EarlyStopping, fit_early_stopping
from analysis.laws.entropy_course import EntropyCourse, fit_entropy_courses
from analysis.laws.horizon import HorizonLaw, fit_horizon_laws
from analysis.laws.law import AllFits, Fits, FittedLaw, LawKind, Quantity
from analysis.laws.power import PowerLawFit, SharedPowerLaw, fit_power_laws
from analysis.laws.power.best_sizes import BestSizes, compare_best_sizes, fit_best_sizes
from analysis.laws.power.equality import compare_exponents, compare_networks
from analysis.laws.ratio_by_size import RatioBySize, fit_ratios_by_size
from analysis.laws.schedule import ScheduleLaw, fit_schedule_laws
from analysis.laws.size import SizeExponent, fit_size_exponents

LAWS = (
    LawKind("horizon_law", fit_horizon_laws),
    LawKind("delay_law", fit_delay_laws),
    LawKind("power_law", fit_power_laws, "curves"),
    LawKind("best_sizes", fit_best_sizes, "curves"),
    LawKind("batch_law", fit_batch_laws),
    LawKind("joint_law", fit_schedule_laws),
    LawKind("size_exponents", fit_size_exponents),
    LawKind("ratio_by_size", fit_ratios_by_size),
    LawKind("optimizer_law", fit_optimizer_laws, "all_crossings"),
    LawKind("task_law", fit_task_laws),
    LawKind("curve_shapes", fit_curve_shapes, "curves"),
    LawKind("entropy_course", fit_entropy_courses, "curves"),
    LawKind("bits_law", fit_bits_laws, "curves"),
    LawKind("decomposition", fit_decompositions, "crossings_with_noise"),
    LawKind("early_stopping", fit_early_stopping, "gold_curves"),
)
"""Every law, by the key of its list in `fits.json`."""

COMPARISONS: dict[str, tuple[str, Callable[[Sequence[Any]], Sequence[Any]]]] = {
    "exponent_equality": ("power_law", compare_exponents),
    "exponents_by_network": ("power_law", compare_networks),
    "best_size_equality": ("best_sizes", compare_best_sizes),
}
"""What compares fitted laws with each other, by its key: the key of the laws, and the function."""


def fit_laws(measured: Measurements, kinds: Iterable[LawKind] = LAWS) -> AllFits:
    """Fit every law that the measurements allow.

    Args:
        measured: the tables.
        kinds: which laws.
    """
    kinds = tuple(kinds)
    return together([job() for job in law_jobs(measured, kinds)], kinds)


def law_jobs(measured: Measurements, kinds: Sequence[LawKind] = LAWS) -> list[Callable[[], Fits]]:
    """What fits the laws of each kind, independent of the others. Fits can be pickled."""
    return [partial(kind.fit, getattr(measured, kind.table)) for kind in kinds]


def together(fits: Sequence[Fits], kinds: Sequence[LawKind] = LAWS) -> AllFits:
    """The fits of each kind in one, and the comparisons of those that are among them."""
    entries = {kind.key: one.entries for kind, one in zip(kinds, fits, strict=True)}
    for key, (of, compare) in COMPARISONS.items():
        if of in entries:
            entries[key] = tuple(compare(entries[of]))
    return AllFits(entries, [note for one in fits for note in one.notes])


__all__ = [
    "LAWS",
    "AllFits",
    "BatchLaw",
    "BestSizes",
    "BitsLaw",
    "CurveShapes",
    "Decomposition",
    "DelayLaw",
    "EarlyStopping",
    "EntropyCourse",
    "Fits",
    "FittedLaw",
    "HorizonLaw",
    "LawKind",
    "PowerLawFit",
    "Quantity",
    "RatioBySize",
    "ScheduleLaw",
    "ShapesCompared",
    "SharedPowerLaw",
    "SizeExponent",
    "fit_batch_laws",
    "fit_best_sizes",
    "fit_bits_laws",
    "fit_curve_shapes",
    "fit_decompositions",
    "fit_delay_laws",
    "fit_early_stopping",
    "fit_entropy_courses",
    "fit_horizon_laws",
    "fit_laws",
    "fit_optimizer_laws",
    "fit_power_laws",
    "fit_ratios_by_size",
    "fit_schedule_laws",
    "fit_size_exponents",
    "fit_task_laws",
    "law_jobs",
    "together",
]

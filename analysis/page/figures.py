"""Which figures a report draws for a family of runs, given its data, and their captions."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from analysis.data.curves import has_curves
from analysis.data.families import Family
from analysis.data.measurements import Measurements
from analysis.data.noise import noise_scale
from analysis.figures import curves, horizon, power, rates, theme
from analysis.figures import noise as noise_figures
from analysis.laws import AllFits, FittedLaw, PowerLawFit
from analysis.page.page import PageFigure


@dataclass(frozen=True)
class FamilyFits:
    """What was measured of one family and fitted to it.

    Attributes:
        family: the family, with every run.
        curves: rows of the runs at the chosen learning rates.
        crossings: interactions to threshold of these runs.
        noise: gradient-noise rows; empty where none were measured.
        fits: its laws.
        unfinished: ids of runs that are not done.
    """

    family: Family
    curves: pd.DataFrame
    crossings: pd.DataFrame
    noise: pd.DataFrame
    fits: AllFits
    unfinished: Collection[str]

    @classmethod
    def of(cls, family: Family, measured: Measurements, fits: AllFits) -> "FamilyFits":
        """The part that belongs to a family."""
        return cls(
            family=family,
            curves=family.select(measured.curves),
            crossings=family.select(measured.crossings),
            noise=family.select(measured.noise),
            fits=AllFits({key: _of_family(family, laws) for key, laws in fits.by_key.items()}),
            unfinished=measured.unfinished,
        )


def _of_family(family: Family, laws: Sequence[FittedLaw]) -> tuple[FittedLaw, ...]:
    return tuple(law for law in laws if family.matches(law.group))


@dataclass(frozen=True)
class Planned:
    """A figure that can be drawn: file name, caption, and the drawing itself."""

    name: str
    caption: str
    draw: Callable[[], theme.Drawn]


def save_figures(fitted: FamilyFits, directory: Path) -> list[PageFigure]:
    """Draw and save every figure that a family's data allow."""
    pages = []
    for plan in planned_figures(fitted):
        name = f"{plan.name}-{fitted.family.slug}" if fitted.family.slug else plan.name
        figure, table = plan.draw()
        theme.save(figure, table, directory, name)
        pages.append(PageFigure(directory / f"{name}.svg", plan.caption))
    return pages


def planned_figures(fitted: FamilyFits) -> Iterator[Planned]:
    """The figures that a family's data allow, in the order of the page."""
    yield from _horizon_figures(fitted)
    yield from _curve_figures(fitted)
    yield from _power_law_figures(fitted)
    yield from _noise_figures(fitted)
    if fitted.family.several_learning_rates:
        yield Planned(
            "learning_rate_rule",
            "Learning rates over widths, at the shortest and the longest horizon: the return "
            "averaged over log interactions, bars are 95% intervals over seeds, rings mark the "
            "best of each width.",
            lambda: rates.learning_rate_rule(fitted.family.frame, fitted.unfinished),
        )


def main_width(crossings: pd.DataFrame) -> int:
    """The width with the largest share of runs that reach the thresholds; of ties, the largest."""
    reached = (~crossings["censored"]).groupby(crossings["width"]).mean()
    return int(reached[reached == reached.max()].index.max())


def _horizon_figures(fitted: FamilyFits) -> Iterator[Planned]:
    width = main_width(fitted.crossings)
    in_h = [law for law in fitted.fits["horizon_law"] if law.regressor == "h-1"]
    laws = [law for law in in_h if law.group.get("width") == width]
    pooled = [law for law in in_h if "width" not in law.group]
    yield Planned(
        "interactions_against_horizon",
        f"Interactions needed against horizon at width {width}. Black: geometric mean over seeds "
        "with its 95% interval; grey dots: runs; open triangles: right-censored runs "
        "(they stay in the fit). Blue line and band: the knee, where the affine "
        "law is twice its value at h = 1, and its 95% interval.",
        lambda: horizon.interactions_against_horizon(
            fitted.crossings[fitted.crossings["width"] == width], laws, fitted.unfinished
        ),
    )
    if pooled:
        yield Planned(
            "multiplier_against_horizon",
            "The scaling multiplier: interactions over the fitted ones at h = 1 of the same width, "
            "all widths on the pooled laws. Points are geometric means over seeds.",
            lambda: horizon.multiplier_against_horizon(fitted.crossings, pooled),
        )


def _curve_figures(fitted: FamilyFits) -> Iterator[Planned]:
    frame, unfinished = fitted.curves, fitted.unfinished
    if not has_curves(frame, unfinished):
        return
    band = "Lines: mean over seeds; bands: from the lowest seed to the highest"
    band += "; faded: runs that are not done." if set(unfinished) & set(frame["run_id"]) else "."
    if (
        frame["width"].nunique() > curves.MOST_PANELS
        or frame["horizon"].nunique() > curves.MOST_PANELS
    ):
        band += " Of many sizes or horizons some are drawn, evenly spread; the table has all."
    yield Planned(
        "return_against_interactions",
        f"Return against interactions by size, one panel per horizon. {band}",
        lambda: curves.return_against_interactions(frame, unfinished),
    )
    yield Planned(
        "return_by_horizon",
        f"Return against interactions by horizon, one panel per size. {band}",
        lambda: curves.return_by_horizon(frame, unfinished),
    )
    yield Planned(
        "return_against_compute",
        f"Return against training compute in counted FLOPs, one panel per horizon. {band}",
        lambda: curves.return_against_compute(frame, unfinished),
    )
    policy = frame.dropna(subset=["entropy", "kl_initial"])
    if not policy.empty:
        largest = policy["width"].max()
        yield Planned(
            "entropy_and_divergence",
            f"Entropy and KL from the initial policy along training at width {largest}. {band}",
            lambda: curves.entropy_and_divergence(policy[policy["width"] == largest], unfinished),
        )


def _power_law_figures(fitted: FamilyFits) -> Iterator[Planned]:
    laws = [law for law in fitted.fits["power_law"] if law.compute == "NE"]
    single = [law for law in laws if isinstance(law, PowerLawFit)]
    if not single:
        return
    entries = [law.to_json() for law in laws]
    yield Planned(
        "intrinsic_performance_against_compute",
        "Intrinsic performance, the least compute of any size for the same return, against the "
        "compute that was used: all sizes lie under the frontier I = C. Each point is a return "
        "averaged over seeds, mapped through the fitted link, and bars map its 95% interval; the "
        "early part of training is left out.",
        lambda: power.intrinsic_performance_against_compute(single),
    )
    yield Planned(
        "intrinsic_performance_against_interactions",
        "Intrinsic performance against interactions by size (points, with 95% intervals over "
        "seeds) with the fitted power law (lines).",
        lambda: power.intrinsic_performance_against_interactions(single),
    )
    yield Planned(
        "optimal_size_against_compute",
        "The size that needs the least compute for its return, one line per horizon, with slopes "
        "and their 95% intervals. Dotted where that size is not among those trained.",
        lambda: power.optimal_size_against_compute(single),
    )
    yield Planned(
        "exponents_against_horizon",
        "Exponents and E_c against horizon, bars and bands are 95% intervals over seeds. Blue: "
        "each horizon fitted separately; orange: exponents shared over the horizons, E_c free.",
        lambda: power.exponents_against_horizon(entries),
    )


def _noise_figures(fitted: FamilyFits) -> Iterator[Planned]:
    if fitted.noise.empty:
        return
    width = fitted.noise["width"].max()
    noise = fitted.noise[fitted.noise["width"] == width]
    yield Planned(
        "gradient_variance",
        f"Variance of a step's policy gradient by horizon at width {width}, total and parts: "
        "measured (marks, 95% intervals over seeds) against the closed forms (lines). Bars that "
        "reach 0 end at 2% of the mark.",
        lambda: noise_figures.gradient_variance(noise),
    )
    if noise_scale(noise)[0].empty:
        return
    yield Planned(
        "gradient_noise_scale",
        f"Gradient noise scale along training at width {width}, by horizon: the batch at which the "
        "noise of a gradient is as large as the gradient. Bars are 95% intervals over seeds.",
        lambda: noise_figures.gradient_noise_scale(noise),
    )

"""Which figures a report draws for a family of runs, from what there is, and their captions."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from analysis.data.curves import Family, with_best_learning_rates
from analysis.data.noise import noise_scale
from analysis.figures import runs as figures
from analysis.figures import theme
from analysis.figures.runs import Drawn
from analysis.laws.horizon import HorizonLaw
from analysis.laws.power.single import PowerLaws
from analysis.page.page import PageFigure


@dataclass(frozen=True)
class FamilyFits:
    """What was fitted to one family.

    Attributes:
        crossings: interactions to threshold, one learning rate a run.
        horizon: horizon laws in h - 1.
        power: power laws.
        noise: gradient-noise rows; empty where none were measured.
    """

    crossings: pd.DataFrame
    horizon: Sequence[HorizonLaw]
    power: PowerLaws
    noise: pd.DataFrame


@dataclass(frozen=True)
class Planned:
    """A figure that can be drawn: file name, caption, and the drawing itself."""

    name: str
    caption: str
    draw: Callable[[], Drawn]


def save_figures(
    family: Family, fits: FamilyFits, unfinished: Collection[str], directory: Path
) -> list[PageFigure]:
    """Draw and keep every figure that the family's data allow."""
    pages = []
    for plan in planned_figures(family, fits, unfinished):
        name = f"{plan.name}-{family.slug}" if family.slug else plan.name
        figure, table = plan.draw()
        theme.save(figure, table, directory, name)
        pages.append(PageFigure(directory / f"{name}.svg", plan.caption))
    return pages


def planned_figures(
    family: Family, fits: FamilyFits, unfinished: Collection[str]
) -> Iterator[Planned]:
    """The figures that the family's data allow, in the order of the page."""
    yield from _horizon_figures(fits, unfinished)
    yield from _curve_figures(family, unfinished)
    yield from _power_law_figures(fits)
    yield from _noise_figures(fits)
    if family.several_learning_rates:
        yield Planned(
            "learning_rate_rule",
            "Learning rates over widths, at the shortest and the longest horizon: the return "
            "averaged over log interactions, bars are 95% intervals over seeds, rings mark the "
            "best of each width.",
            lambda: figures.learning_rate_rule(family.frame, unfinished),
        )


def main_width(crossings: pd.DataFrame) -> int:
    """The width that most runs of which reach the thresholds, the largest of those."""
    reached = (~crossings["censored"]).groupby(crossings["width"]).mean()
    return int(reached[reached == reached.max()].index.max())


def _horizon_figures(fits: FamilyFits, unfinished: Collection[str]) -> Iterator[Planned]:
    width = main_width(fits.crossings)
    laws = [law for law in fits.horizon if law.group.get("width") == width]
    pooled = [law for law in fits.horizon if "width" not in law.group]
    yield Planned(
        "interactions_against_horizon",
        f"Interactions needed against horizon at width {width}. Black: geometric mean over seeds "
        "with its 95% interval; grey dots: runs; open triangles: runs that were not there yet "
        "(right-censored, they stay in the fit). Blue line and band: the knee, where the affine "
        "law is twice its value at h = 1, and its 95% interval.",
        lambda: figures.interactions_against_horizon(
            fits.crossings[fits.crossings["width"] == width], laws, unfinished
        ),
    )
    if pooled:
        yield Planned(
            "multiplier_against_horizon",
            "The scaling multiplier: interactions over the fitted ones at h = 1 of the same width, "
            "all widths on the pooled laws. Points are geometric means over seeds.",
            lambda: figures.multiplier_against_horizon(fits.crossings, pooled),
        )


def _curve_figures(family: Family, unfinished: Collection[str]) -> Iterator[Planned]:
    frame = with_best_learning_rates(family.frame)
    band = "Lines: mean over seeds; bands: from the lowest seed to the highest"
    band += "; faded: runs that are not done." if set(unfinished) & set(frame["run_id"]) else "."
    yield Planned(
        "return_against_interactions",
        f"Return against interactions by size, one panel a horizon. {band}",
        lambda: figures.return_against_interactions(frame, unfinished),
    )
    yield Planned(
        "return_by_horizon",
        f"Return against interactions by horizon, one panel a size. {band}",
        lambda: figures.return_by_horizon(frame, unfinished),
    )
    yield Planned(
        "return_against_compute",
        f"Return against training compute in counted FLOPs, one panel a horizon. {band}",
        lambda: figures.return_against_compute(frame, unfinished),
    )
    policy = frame.dropna(subset=["entropy", "kl_initial"])
    if not policy.empty:
        largest = policy["width"].max()
        yield Planned(
            "entropy_and_divergence",
            f"Entropy and KL from the initial policy along training at width {largest}. {band}",
            lambda: figures.entropy_and_divergence(policy[policy["width"] == largest], unfinished),
        )


def _power_law_figures(fits: FamilyFits) -> Iterator[Planned]:
    single = [fit for fit in fits.power.single if fit.compute == "NE"]
    if not single:
        return
    entries = [entry for entry in fits.power.to_json() if entry["compute"] == "NE"]
    yield Planned(
        "intrinsic_performance_against_compute",
        "Intrinsic performance, the least compute of any size for the same return, against the "
        "compute that was used: all sizes lie under the frontier I = C. Each point is a return "
        "averaged over seeds through the fitted link, bars are the same of its 95% interval; the "
        "early part of training is left out.",
        lambda: figures.intrinsic_performance_against_compute(single),
    )
    yield Planned(
        "intrinsic_performance_against_interactions",
        "Intrinsic performance against interactions by size (points, with 95% intervals over "
        "seeds) with the fitted power law (lines).",
        lambda: figures.intrinsic_performance_against_interactions(single),
    )
    yield Planned(
        "optimal_size_against_compute",
        "The size that needs least compute for its return, a line for each horizon, with slopes "
        "and their 95% intervals. Dotted where that size is not among those trained.",
        lambda: figures.optimal_size_against_compute(single),
    )
    yield Planned(
        "exponents_against_horizon",
        "Exponents and E_c against horizon, bars and bands are 95% intervals over seeds. Blue: "
        "each horizon fitted alone; orange: exponents shared over the horizons, E_c free.",
        lambda: figures.exponents_against_horizon(entries),
    )


def _noise_figures(fits: FamilyFits) -> Iterator[Planned]:
    if fits.noise.empty:
        return
    width = fits.noise["width"].max()
    noise = fits.noise[fits.noise["width"] == width]
    yield Planned(
        "gradient_variance",
        f"Variance of a step's policy gradient by horizon at width {width}, total and parts: "
        "measured (marks, 95% intervals over seeds) against the closed forms (lines). Bars that "
        "reach 0 end at 2% of the mark.",
        lambda: figures.gradient_variance(noise),
    )
    if noise_scale(noise)[0].empty:
        return
    yield Planned(
        "gradient_noise_scale",
        f"Gradient noise scale along training at width {width}, by horizon: the batch at which the "
        "noise of a gradient is as large as the gradient. Bars are 95% intervals over seeds.",
        lambda: figures.gradient_noise_scale(noise),
    )

"""How the runs learned: learning curves, and how many runs reach each return."""

from collections.abc import Iterator

import pandas as pd

from analysis.data.curves import has_curves
from analysis.data.families import references_of
from analysis.figures import curves as figures
from analysis.page.claims import Claim
from analysis.page.content import Content
from analysis.page.section import Detail, PlannedFigure, Section


def sections(content: Content) -> Iterator[Section]:
    """One section, where runs have several rows."""
    if not has_curves(content.measured.curves, content.measured.unfinished):
        return
    several = len(content.families) > 1
    own = list(_of_first_family(content))
    first = _of_every_family(content) if several else own.pop(0)
    name = f": {content.main.label}" if several else ""
    yield Section(
        "curves",
        "How did the runs learn?",
        [_reached(content.measured.crossings)],
        first,
        [Detail(f"By size, by compute, and how the policy changes{name}", figures=own)],
        is_result=False,
    )


def _reached(crossings: pd.DataFrame) -> Claim:
    """How many runs reach each threshold."""
    parts = []
    for threshold, rows in crossings.groupby("threshold"):
        parts.append(f"{int((~rows['censored']).sum())} of {len(rows)} runs reach {threshold:g}")
    text = f"{'; '.join(parts)}. A run that does not is right-censored: it stays in the fits."
    return Claim(text, True, "reached", "counted")


def _band(content: Content) -> str:
    frame = content.measured.curves
    text = "Lines: mean over seeds; bands: from the lowest seed to the highest"
    unfinished = set(content.measured.unfinished) & set(frame["run_id"])
    text += "; faded: runs that are not done." if unfinished else "."
    if max(frame["width"].nunique(), frame["horizon"].nunique()) > figures.MOST_PANELS:
        text += " Of many sizes or horizons some are drawn, evenly spread; the table has all."
    return text


def _of_every_family(content: Content) -> PlannedFigure:
    frame = content.measured.curves
    parts = {
        family.label: rows[rows["width"] == content.width]
        for family in content.families
        if ((rows := family.select(frame))["width"] == content.width).any()
        and has_curves(rows, content.measured.unfinished)
    }
    return PlannedFigure(
        "return_by_family",
        f"Return against interactions at width {content.width} by horizon, one panel per "
        f"{'schedule' if content.varies('schedule') else 'group of runs'}. {_band(content)}",
        lambda: figures.return_by_family(parts, content.measured.unfinished),
    )


def _of_first_family(content: Content) -> Iterator[PlannedFigure]:
    frame = content.main.select(content.measured.curves)
    unfinished, band = content.measured.unfinished, _band(content)
    settings = content.main.settings
    references = references_of(content.measured.curves, settings, "width", "horizon")
    at_zero = " Broken lines: what is learned without sampled rewards." if len(references) else ""
    yield PlannedFigure(
        "return_by_horizon",
        f"Return against interactions by horizon, one panel per size. {band}{at_zero}",
        lambda: figures.return_by_horizon(frame, unfinished, references),
    )
    yield PlannedFigure(
        "return_against_interactions",
        f"Return against interactions by size, one panel per horizon. {band}",
        lambda: figures.return_against_interactions(frame, unfinished),
    )
    yield PlannedFigure(
        "return_against_compute",
        f"Return against training compute in counted FLOPs, one panel per horizon. {band}",
        lambda: figures.return_against_compute(frame, unfinished),
    )
    measured = ["entropy", "kl_initial"]
    if set(measured) <= set(frame) and not (policy := frame.dropna(subset=measured)).empty:
        largest = policy["width"].max()
        yield PlannedFigure(
            "entropy_and_divergence",
            "Entropy on the training batches, and KL from the initial policy on test examples, "
            f"along training at width {largest}. {band}",
            lambda: figures.entropy_and_divergence(policy[policy["width"] == largest], unfinished),
        )

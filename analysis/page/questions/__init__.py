"""The sections of a page, one file each: a question, its answer, and what is folded under it.

Each file has `sections`, from the content of a report to the sections that its runs allow.
`QUESTIONS` is their order; what was swept besides the horizon comes first.
"""

from analysis.page.content import Content
from analysis.page.questions import (
    batches,
    bits,
    comparisons,
    curve_shapes,
    curves,
    delays,
    early_stopping,
    entropy,
    horizons,
    noise,
    parts,
    rates,
    schedules,
    sizes,
)
from analysis.page.section import Section

QUESTIONS = (
    *(early_stopping, schedules, delays, bits, comparisons, batches, horizons, parts, sizes),
    *(noise, curves, curve_shapes, entropy, rates),
)


def sections(content: Content) -> list[Section]:
    """Every section that the runs allow, in the order of the page."""
    return [section for question in QUESTIONS for section in question.sections(content)]


__all__ = ["QUESTIONS", "sections"]

"""Which shape a learning curve has, and whether it predicts its end."""

from collections.abc import Iterator

from analysis.data.families import slug
from analysis.figures import curve_shapes as figures
from analysis.laws import ShapesCompared
from analysis.page.claims import Entry
from analysis.page.content import Content
from analysis.page.curve_claims import shapes_claim, shapes_table, whole_claim
from analysis.page.section import Detail, PlannedFigure, Section


def sections(content: Content) -> Iterator[Section]:
    """One section, where some curves are long enough; the figure is of the first such family."""
    every = [*content.families, *content.references]
    found: dict[str, ShapesCompared] = {}
    entries: dict[str, Entry] = {}
    for family in every:
        laws = content.laws("curve_shapes", family)
        for law, entry in zip(laws, content.of_family("curve_shapes", family), strict=True):
            if isinstance(law, ShapesCompared):
                found[family.label], entries[family.label] = law, entry
    if not found:
        return
    several = len(every) > 1
    details = [
        Detail(label, [shapes_claim(entry, label), whole_claim(entry, label)])
        for label, entry in list(entries.items())[1:]
    ]
    label, first = next(iter(found.items()))
    label = label if several else ""
    entry = next(iter(entries.values()))
    numbers = Detail(
        "Every shape, in numbers", [whole_claim(entry, label)], tables=[shapes_table(entries)]
    )
    yield Section(
        "curve-shapes",
        "Does the start of a learning curve predict its end?",
        [shapes_claim(entry, label)],
        _figure(first, label),
        [numbers, *details],
        is_result=False,
    )


def _figure(law: ShapesCompared, label: str) -> PlannedFigure:
    return PlannedFigure(
        f"curve_shapes{f'-{slug(label)}' if label else ''}",
        "Left: 1 - return against interactions (points, averaged over seeds) and the shapes fitted "
        "to the first quarter of training; shaded: what they predict; dashed: the first 1/64, "
        "which those named late leave out. Right: root mean square error of the predicted return, "
        "a point per width and horizon, and the geometric mean with its 95% interval over seeds."
        f"{f' Runs of {label}.' if label else ''}",
        lambda: figures.curve_shapes(law),
    )

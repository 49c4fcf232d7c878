"""Which shape a learning curve has, and whether it predicts its end."""

from collections.abc import Iterator

from analysis.data.families import slug
from analysis.figures import curve_shapes as figures
from analysis.laws import ShapesCompared
from analysis.page.content import Content
from analysis.page.curve_claims import shapes_claim, shapes_table, whole_claim
from analysis.page.section import Detail, PlannedFigure, Section


def sections(content: Content) -> Iterator[Section]:
    """One section, where some curves are long enough; the figure is of the first such family."""
    found: dict[str, ShapesCompared] = {
        family.label: law
        for family in content.families
        for law in content.laws("curve_shapes", family)
        if isinstance(law, ShapesCompared)
    }
    if not found:
        return
    entries = {label: law.to_json() for label, law in found.items()}
    label, first = next(iter(found.items()))
    details = [
        Detail(name, [shapes_claim(entry), whole_claim(entry)])
        for name, entry in entries.items()
        if name != label
    ]
    title = "Every shape, in numbers"
    numbers = Detail(title, [whole_claim(entries[label])], tables=[shapes_table(entries)])
    yield Section(
        "curve-shapes",
        "Does the start of a learning curve predict its end?",
        [shapes_claim(entries[label])],
        _figure(first, label if len(found) > 1 else ""),
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

"""What of the cost is the task, and what learning from rewards adds to it."""

from collections.abc import Iterator

from analysis.data.families import Family
from analysis.figures import decomposition as figures
from analysis.laws import Decomposition
from analysis.page.claims import Claim
from analysis.page.content import Content
from analysis.page.decomposition_claims import decomposition_claims
from analysis.page.section import Detail, PlannedFigure, Section
from analysis.page.tables import decomposition_table


def sections(content: Content) -> Iterator[Section]:
    """One section, where runs of RL have references; the first family with them answers."""
    found = [family for family in content.families if content.laws("decomposition", family)]
    if not found:
        return
    claims = {family.label: _claims(content, family) for family in found}
    planned = {family.label: list(_figures(content, family)) for family in found}
    first, *others = planned[found[0].label]
    details = [
        Detail(
            f"Every width and return: {family.label}",
            claims[family.label][family is found[0] :],
            figures=others if family is found[0] else planned[family.label],
            tables=[decomposition_table(content.of_family("decomposition", family))],
        )
        for family in found
    ]
    yield Section(
        "parts",
        "What of the cost is the task, and what does learning from rewards add?",
        claims[found[0].label][:1],
        first,
        details,
    )


def _claims(content: Content, family: Family) -> list[Claim]:
    """At the main width, the main threshold first."""
    entries = content.at_width("decomposition", family)
    return [claim for entry in entries for claim in decomposition_claims(entry)]


def _figures(content: Content, family: Family) -> Iterator[PlannedFigure]:
    laws: list[Decomposition] = content.laws("decomposition", family)
    suffix = f"-{family.slug}" if len(content.families) > 1 else ""
    bounds = any(law.bounds for law in laws)
    yield PlannedFigure(
        f"interactions_by_part{suffix}",
        "What the interactions to a return are spent on, by width: supervised learning (dots); the "
        "change to the exact gradient of the expected return, and from it to RL at h = 1 (bars, "
        "from one level to the next); what each further step of horizon adds (diamonds). Lines: "
        "95% intervals over seeds. Hollow: not determined by these runs"
        f"{'; triangles: bounds, where runs are censored' if bounds else ''}.",
        lambda: figures.interactions_by_part(laws),
    )
    ratios = [law for law in laws if set(figures.RATIO_LOOKS) & set(law.quantities)]
    if ratios:
        yield PlannedFigure(
            f"ratios_by_width{suffix}",
            "Interactions of the exact gradient over those of supervised learning, and of RL at "
            "h = 1 over those of the exact gradient, with 95% intervals over seeds; dashes: the "
            "latter as the measured noise of the gradient predicts it, where it was measured.",
            lambda: figures.ratios_by_width(ratios),
        )

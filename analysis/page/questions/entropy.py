"""How the policy's entropy falls along training."""

from collections.abc import Iterator
from functools import partial

from analysis.data.families import slug
from analysis.figures import entropy_course as figures
from analysis.page.content import Content
from analysis.page.entropy_claims import course_claims
from analysis.page.section import Detail, PlannedFigure, Section


def sections(content: Content) -> Iterator[Section]:
    """One section, where some runs have a course; the figure is of the first such family."""
    found = [
        (family.label, law)
        for family in content.families
        for law in content.laws("entropy_course", family)
    ]
    if not found:
        return
    several = len(content.families) > 1
    (label, first), *others = found
    label = label if several else ""
    claims = course_claims(first.to_json(), label)
    figure = PlannedFigure(
        f"entropy_course{f'-{slug(label)}' if label else ''}",
        "Left and middle: entropy against interactions and against the square root of KL from the "
        "initial policy, until it has fallen by 80% (means over seeds, largest width). Right: the "
        "error of predicting the second half of the course from the first, over the whole change, "
        "by the quantity that a straight line is fitted in; 95% intervals over seeds.",
        partial(figures.entropy_course, first),
    )
    yield Section(
        "entropy",
        "How does the policy's entropy fall?",
        claims[:1],
        None,
        [
            Detail("Entropy and KL", claims[1:], [figure]),
            *(Detail(name, course_claims(law.to_json(), name)) for name, law in others),
        ],
        is_result=False,
    )

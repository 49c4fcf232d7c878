"""Whether bits or noise say what a sparse reward costs."""

from collections.abc import Iterator
from functools import partial

from analysis.data.families import slug
from analysis.figures import bits as figures
from analysis.laws.bits import BitsLaw
from analysis.page.bits_claims import bits_claim
from analysis.page.content import Content
from analysis.page.section import Detail, PlannedFigure, Section


def sections(content: Content) -> Iterator[Section]:
    """One section, where several schedules reach a return; the figure is of the main width."""
    laws: list[BitsLaw] = content.laws("bits_law")
    if not laws:
        return
    first = min(laws, key=lambda law: _distance(law, content))
    others = [law for law in laws if law is not first]
    several = len({law.group["task"] for law in laws}) > 1
    task = str(first.group["task"]) if several else ""
    yield Section(
        "bits",
        "Do bits or noise say what a sparse reward costs?",
        [bits_claim(first.to_json())],
        PlannedFigure(
            f"interactions_against_bits{f'-{slug(task)}' if task else ''}",
            "Interactions to the return by schedule and horizon (points, means over seeds), "
            "against the bits that a reward can tell of an answer (left) and against 1 over the "
            "noise of a step (right), both averaged along the runs. On the dashed line all need "
            "the same in total.",
            partial(figures.interactions_against_bits, first),
        ),
        [Detail("Every width and return", [bits_claim(law.to_json()) for law in others])],
    )


def _distance(law: BitsLaw, content: Content) -> tuple[bool, bool]:
    return law.group.get("width") != content.width, law.threshold != content.threshold

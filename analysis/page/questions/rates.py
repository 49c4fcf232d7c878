"""Whether the learning rates that were tried hold the best one."""

from collections.abc import Iterator

from analysis.data.curves import learning_rate_scores
from analysis.figures import rates as figures
from analysis.page.claims import Claim
from analysis.page.content import Content
from analysis.page.section import PlannedFigure, Section


def sections(content: Content) -> Iterator[Section]:
    """One section, where the first family has several rates."""
    family = content.main
    if not family.several_learning_rates:
        return
    yield Section(
        "rates",
        "Are the learning rates good?",
        [_answer(content)],
        PlannedFigure(
            "learning_rate_rule",
            "Learning rates over widths, at the shortest and the longest horizon: the return "
            "averaged over log interactions, bars are 95% intervals over seeds, rings mark the "
            "best of each width.",
            lambda: figures.learning_rate_rule(family.frame, content.measured.unfinished),
        ),
        is_result=False,
    )


def _answer(content: Content) -> Claim:
    scores = learning_rate_scores(content.main.frame)
    cells = scores.groupby(["horizon", "width"])["learning_rate"]
    outermost = (scores["learning_rate"] == cells.transform("min")) | (
        scores["learning_rate"] == cells.transform("max")
    )
    tried = cells.transform("size") > 1
    best = scores[scores["best"] & tried]
    edge = int(outermost[best.index].sum())
    text = (
        f"The best of the learning rates tried is the lowest or the highest of them at {edge} of "
        f"{len(best)} pairs of width and horizon"
    )
    if edge:
        return Claim(f"{text}: there, a rate not tried may be better.", False, "rates", "edge")
    return Claim(f"{text}.", True, "rates", "inside")

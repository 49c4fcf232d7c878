"""The parts of a page: sections by question, each with claims, one figure, and folded details."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from analysis.figures import theme
from analysis.page.claims import Claim


@dataclass(frozen=True)
class PlannedFigure:
    """A figure that can be drawn: file name, caption, and the drawing itself."""

    name: str
    caption: str
    draw: Callable[[], theme.Drawn]

    def save(self, directory: Path) -> None:
        """Draw it and write its files (`theme.save`)."""
        theme.save(*self.draw(), directory, self.name)


def triangles(crossings: pd.DataFrame, what: str) -> str:
    """The part of a caption on open triangles; empty where no run is censored.

    Args:
        crossings: what is drawn.
        what: what a triangle is.
    """
    return f"; open triangles: {what}" if crossings["censored"].any() else ""


@dataclass(frozen=True)
class Table:
    """A table of texts."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""


@dataclass(frozen=True)
class Detail:
    """What is folded under a section.

    Attributes:
        title: the line that unfolds it.
        claims: sentences.
        figures: figures.
        tables: tables.
    """

    title: str
    claims: Sequence[Claim] = ()
    figures: Sequence[PlannedFigure] = ()
    tables: Sequence[Table] = ()


@dataclass(frozen=True)
class Section:
    """One question and its answer.

    Attributes:
        key: its anchor on the page, one word.
        question: in plain words, the heading.
        answers: the most important sentences, in this order; empty where nothing is known.
        figure: what shows the answer.
        details: folded.
        is_result: whether its first sentence may stand at the top of the page.
    """

    key: str
    question: str
    answers: Sequence[Claim] = ()
    figure: PlannedFigure | None = None
    details: Sequence[Detail] = field(default_factory=tuple)
    is_result: bool = True

    @property
    def claims(self) -> list[Claim]:
        """Every sentence, those of the details too."""
        return [*self.answers, *(claim for detail in self.details for claim in detail.claims)]

    @property
    def figures(self) -> list[PlannedFigure]:
        """Every figure, those of the details too."""
        shown = [self.figure] if self.figure else []
        return [*shown, *(figure for detail in self.details for figure in detail.figures)]

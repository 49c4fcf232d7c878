"""How tasks and optimisers differ in the cost of the horizon."""

from collections.abc import Iterator

from analysis.figures import comparisons as figures
from analysis.page.claims import Entry
from analysis.page.content import Content
from analysis.page.factor_claims import compared_answer
from analysis.page.horizon_claims import horizon_answer
from analysis.page.section import Detail, PlannedFigure, Section


def sections(content: Content) -> Iterator[Section]:
    """A section on several tasks, and one on several optimisers."""
    tasks, optimizers = content.fits["task_law"], content.fits["optimizer_law"]
    if tasks:
        yield _section(
            content,
            "task",
            "Do tasks differ in what the horizon costs?",
            PlannedFigure(
                "multiplier_by_task",
                "Interactions over those at h = 1 against horizon by task under dense rewards, "
                "with the fitted laws, and the knees of the affine laws. Bars: 95% intervals.",
                lambda: figures.multiplier_by_task(tasks),
            ),
        )
    if optimizers:
        yield _section(
            content,
            "optimizer",
            "Do optimisers differ in what the horizon costs?",
            PlannedFigure(
                "multiplier_by_optimizer",
                "Interactions over those at h = 1 against horizon by optimiser, with the learning "
                "rate chosen at each horizon or once at h = 1 (always by the other seeds), and the "
                "knees of the affine laws. Bars: 95% intervals.",
                lambda: figures.multiplier_by_optimizer(optimizers),
            ),
        )


def _section(content: Content, factor: str, question: str, figure: PlannedFigure) -> Section:
    named = [(_name(factor, entry), entry) for entry in content.entries[f"{factor}_law"]]
    thresholds = sorted({entry["threshold"] for _, entry in named})
    main = content.threshold if content.threshold in thresholds else thresholds[-1]
    compared = [(name, entry) for name, entry in named if entry["threshold"] == main]
    details = [
        Detail(
            f"To a return of {threshold:g}",
            [horizon_answer(entry, n) for n, entry in named if entry["threshold"] == threshold],
        )
        for threshold in thresholds
    ]
    return Section(factor, question, [compared_answer(compared)], figure, details)


def _name(factor: str, entry: Entry) -> str:
    if factor == "task":
        return str(entry["task"])
    return f"{entry['optimizer']}, learning rate of {entry['rates']}"

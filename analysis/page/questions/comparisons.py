"""How tasks and optimisers differ in the cost of the horizon."""

from collections.abc import Iterator, Sequence

from analysis.figures import comparisons as figures
from analysis.laws.knee_prediction import KneeAgreement, TaskLaw
from analysis.page.claims import Entry
from analysis.page.content import Content
from analysis.page.factor_claims import compared_answer, knee_prediction_claim
from analysis.page.horizon_claims import horizon_answer
from analysis.page.section import Detail, PlannedFigure, Section
from analysis.page.tables import knee_prediction_table


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
            _prediction(content),
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


def _prediction(content: Content) -> list[Detail]:
    """Knees that gradient noise predicts, where enough tasks have them."""
    laws = _of_most_tasks(content.fits["task_law"])
    if not laws:
        return []
    entries = [law.to_json() for law in laws]
    by_return = {one["threshold"]: one for one in entries}
    figure = PlannedFigure(
        "knee_predicted_against_measured",
        "The horizon that doubles the interactions, measured, against the one predicted from the "
        "gradient noise of the runs at h = 1 alone. Bars: 95% intervals over seeds.",
        lambda: figures.knee_predicted_against_measured(laws),
    )
    claims = [knee_prediction_claim(by_return[threshold]) for threshold in sorted(by_return)]
    title = "Knees predicted from each task's own gradient noise"
    return [Detail(title, claims, [figure], [knee_prediction_table(entries)])]


def _of_most_tasks(laws: Sequence[TaskLaw]) -> list[TaskLaw]:
    """Laws of tasks with an agreement: of groups that differ in other settings the largest one."""
    most: dict[float, KneeAgreement] = {}
    for law in laws:
        found, known = law.over_tasks, most.get(law.threshold)
        if found and (known is None or len(found.measured) > len(known.measured)):
            most[law.threshold] = found
    return [law for law in laws if law.over_tasks and law.over_tasks == most[law.threshold]]


def _section(
    content: Content,
    factor: str,
    question: str,
    figure: PlannedFigure,
    more: Sequence[Detail] = (),
) -> Section:
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
    return Section(factor, question, [compared_answer(compared)], figure, [*more, *details])


def _name(factor: str, entry: Entry) -> str:
    if factor == "task":
        return str(entry["task"])
    return f"{entry['optimizer']}, learning rate of {entry['rates']}"

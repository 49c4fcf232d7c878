"""Which horizon is best where rewards are delayed."""

from collections.abc import Iterator, Sequence

from analysis.data.families import Family, schedule_of
from analysis.figures import delay as figures
from analysis.figures import schedule as schedule_figures
from analysis.laws import ScheduleLaw
from analysis.page.content import Content
from analysis.page.delay_claims import delay_answer, delay_claims
from analysis.page.section import Detail, PlannedFigure, Section, triangles


def sections(content: Content) -> Iterator[Section]:
    """One section on every family with a delay; the shortest delay answers."""
    found = sorted(
        (one for one in content.delayed() if one.frame["horizon"].nunique() > 1),
        key=lambda family: (not schedule_of(family.settings).adds_up, _period(family)),
    )
    if not found:
        return
    answers = [delay_answer(entry) for f in found for entry in content.at_width("delay_law", f)[:1]]
    together = list(_together(content))
    figure = together[0] if together else _figure(content, found[0])
    details = [
        _detail(content, family, drawn=family is found[0] and not together) for family in found
    ]
    if together[1:]:
        details.append(Detail("Best horizons against the delay", figures=together[1:]))
    yield Section(
        "delay",
        "Which horizon is best when rewards are delayed?",
        answers,
        figure,
        details,
    )


def _period(family: Family) -> float:
    return float(schedule_of(family.settings).period)


def _detail(content: Content, family: Family, drawn: bool) -> Detail:
    entries = content.at_width("delay_law", family)
    claims = [claim for entry in entries for claim in delay_claims(entry)]
    shown = [] if drawn else [_figure(content, family)]
    return Detail(f"{family.label}, width {content.width}", claims, shown)


def _figure(content: Content, family: Family) -> PlannedFigure:
    crossings = family.select(content.measured.crossings)
    crossings = crossings[crossings["width"] == content.width]
    laws = [
        law for law in content.laws("delay_law", family) if law.group.get("width") == content.width
    ]
    suffix = f"-{family.slug}" if family.slug else ""
    censored = triangles(crossings, "right-censored runs")
    return PlannedFigure(
        f"interactions_under_delay{suffix}",
        f"Interactions needed against horizon at width {content.width}, {family.label}: a short "
        "horizon does not see the delayed reward, a long one adds noise. Points: geometric means "
        f"over seeds with 95% intervals, and runs{censored}.",
        lambda: figures.interactions_against_horizon(crossings, laws, content.measured.unfinished),
    )


def _together(content: Content) -> Iterator[PlannedFigure]:
    """The delays of the law of horizon and schedule in one figure, at the main width."""
    laws: Sequence[ScheduleLaw] = [
        law for law in content.fits["joint_law"] if law.group.get("width") == content.width
    ]
    laws = [law for law in laws if law.group["batch"] == laws[0].group["batch"]]
    best = [one for law in laws for one in law.best_horizons]
    if not best:
        return
    runs = content.measured.crossings
    bounds = triangles(runs[runs["width"] == content.width], "lower bounds")
    yield PlannedFigure(
        "interactions_by_delay",
        f"Interactions against horizon by delay k at width {content.width}: measured (marks, 95% "
        f"intervals{bounds}) and by the law of all schedules (lines). "
        "Stars: best horizons.",
        lambda: schedule_figures.interactions_by_delay(laws, best),
    )
    yield PlannedFigure(
        "best_horizon_against_delay",
        "Best horizon of each delay, measured with 95% intervals (open: at the end of what was "
        "measured), and by the law.",
        lambda: schedule_figures.best_horizon_against_delay(laws, best),
    )

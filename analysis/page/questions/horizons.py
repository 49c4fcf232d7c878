"""How the cost grows with the horizon, where rewards are not delayed."""

from collections.abc import Iterator, Sequence

from analysis.data.families import Family, references_of
from analysis.figures import horizon as figures
from analysis.page.claims import Entry
from analysis.page.content import Content
from analysis.page.horizon_claims import horizon_answer, horizon_claims
from analysis.page.section import Detail, PlannedFigure, Section, triangles
from analysis.page.tables import horizon_table


def sections(content: Content) -> Iterator[Section]:
    """One section on every family without a delay; the first family answers."""
    found = [family for family in content.without_delay() if _has_horizons(family)]
    if not found:
        return
    first = found[0]
    entries = _in_h(content.at_width("horizon_law", first))
    details = [
        *(_at_threshold(entry) for entry in entries),
        *_pooled(content, first),
        *(_other(content, family) for family in found[1:]),
    ]
    table = [e for family in found for e in _in_h(content.of_family("horizon_law", family))]
    if table:
        details.append(Detail("Every fit, in numbers", tables=[horizon_table(table)]))
    yield Section(
        "horizon",
        "How does the cost grow with the horizon?",
        [horizon_answer(entry) for entry in (*entries[:1], *_of_all_widths(content, first)[:1])],
        _figure(content, first),
        details,
    )


def _has_horizons(family: Family) -> bool:
    return family.frame["horizon"].nunique() > 1


def _in_h(entries: Sequence[Entry]) -> list[Entry]:
    return [entry for entry in entries if entry["regressor"] == "h-1"]


def _at_threshold(entry: Entry) -> Detail:
    runs = f"{entry['runs']} runs"
    if entry["censored"]:
        runs += f", {entry['censored']} of them right-censored"
    title = f"To a return of {entry['threshold']:g} at width {entry['group']['width']} ({runs})"
    return Detail(title, horizon_claims(entry))


def _pooled(content: Content, family: Family) -> Iterator[Detail]:
    """The law of all widths together, where there are several."""
    entries = _of_all_widths(content, family)
    if not entries:
        return
    laws = [
        law
        for law in content.laws("horizon_law", family)
        if law.regressor == "h-1" and "width" not in law.group
    ]
    figure = PlannedFigure(
        f"multiplier_against_horizon{_suffix(content, family)}",
        "Interactions over the fitted ones at h = 1 of the same width, all widths on one law. "
        "Points are geometric means over seeds.",
        lambda: figures.multiplier_against_horizon(family.select(content.measured.crossings), laws),
    )
    claims = [claim for entry in entries for claim in horizon_claims(entry)]
    yield Detail("All widths together", claims, [figure])


def _of_all_widths(content: Content, family: Family) -> list[Entry]:
    """Entries of pooled widths, the main threshold first."""
    entries = _in_h(content.of_family("horizon_law", family))
    pooled = [one for one in entries if "width" not in one["group"]]
    return sorted(pooled, key=lambda one: (one["threshold"] != content.threshold, one["threshold"]))


def _other(content: Content, family: Family) -> Detail:
    """Another family, at the same width."""
    entries = _in_h(content.at_width("horizon_law", family))
    claims = [horizon_answer(entry) for entry in entries]
    return Detail(f"The same for {family.label}", claims, [_figure(content, family)])


def _figure(content: Content, family: Family) -> PlannedFigure:
    every = content.measured.crossings
    every = every[every["width"] == content.width]
    crossings = family.select(every)
    references = references_of(every, family.settings, "width", "horizon")
    laws = [
        law
        for law in content.laws("horizon_law", family)
        if law.regressor == "h-1" and law.group.get("width") == content.width
    ]
    at_zero = ""
    if len(references):
        at_zero = " At the left, as h = 0: what is learned without sampled rewards."
    censored = triangles(crossings, "right-censored runs, which stay in the fit")
    return PlannedFigure(
        f"interactions_against_horizon{_suffix(content, family)}",
        f"Interactions needed against horizon at width {content.width}, {family.label}. Points: "
        f"geometric means over seeds with 95% intervals, and runs{censored}. Lines: fitted laws; "
        f"blue band: the knee with its interval.{at_zero}",
        lambda: figures.interactions_against_horizon(
            crossings, laws, content.measured.unfinished, references
        ),
    )


def _suffix(content: Content, family: Family) -> str:
    """What tells files of several families apart."""
    return f"-{family.slug}" if len(content.families) > 1 else ""

"""Whether the horizon, or the schedule, changes how the cost falls with size."""

from collections.abc import Iterator, Sequence
from functools import partial

from analysis.data.families import Family, slug, task_label
from analysis.figures import power as power_figures
from analysis.figures import size as size_figures
from analysis.laws import BestSizes, PowerLawFit, SizeExponent
from analysis.laws.equality import POWER, Equality
from analysis.laws.power.equality import laws_of_references
from analysis.page.best_size_claims import best_size_answer, best_size_claims
from analysis.page.claims import Claim, Entry
from analysis.page.content import Content
from analysis.page.equality_claims import (
    best_size_equality_claims,
    equality_claims,
    network_claims,
)
from analysis.page.factor_claims import size_claims
from analysis.page.power_claims import power_answer, power_law_claims
from analysis.page.ratio_claims import ratio_answers, ratio_claims
from analysis.page.section import Detail, PlannedFigure, Section
from analysis.page.tables import equality_tables, power_table
from analysis.page.wording import is_determined


def sections(content: Content) -> Iterator[Section]:
    """One section on the power law, and one on sizes under each schedule."""
    yield from _power_law(content)
    yield from _by_schedule(content)


def _power_law(content: Content) -> Iterator[Section]:
    every = (*content.families, *content.references)
    found = [family for family in every if content.of_family("power_law", family)]
    if not found:
        return
    entries = {
        family.label: [
            one for one in content.of_family("power_law", family) if one["compute"] == "NE"
        ]
        for family in found
    }
    equality = {family.label: content.of_family("exponent_equality", family) for family in found}
    first, figures = _figures_in_order(content, found[0], entries[found[0].label])
    details = [
        Detail(
            name,
            [*power_law_claims(laws), *_equality(laws, equality[name])],
            figures if place == 0 else [],
        )
        for place, (name, laws) in enumerate(entries.items())
    ]
    ratios = content.of_family("ratio_by_size", found[0])
    answers = ratio_answers(ratios, content.threshold)
    details[:0] = [
        Detail("Ratios of interactions", ratio_claims(ratios), list(_ratios(content, found[0]))),
        Detail("The best size, measured", _best_size_claims(content, found[0])),
    ]
    by_network = network_claims(content.entries.get("exponents_by_network", []))
    details += [Detail("Networks", by_network)] if by_network else []
    compared = [one for laws in equality.values() for one in laws]
    details += [Detail("Equal exponents", tables=equality_tables(compared))] if compared else []
    fits = [one for family in found for one in content.of_family("power_law", family)]
    details.append(Detail("Every fit, in numbers", tables=power_table(fits)))
    yield Section(
        "size",
        "Does the horizon change how the cost falls with size?",
        [
            *answers[:1],
            *_best_size_answers(content, found[0]),
            *answers[1:],
            *_answers(entries[found[0].label], equality[found[0].label]),
        ],
        first,
        details,
    )


def _figures_in_order(
    content: Content, family: Family, laws: Sequence[Entry]
) -> tuple[PlannedFigure | None, list[PlannedFigure]]:
    """The figure of exponents that are determined, where some are, and all others."""
    figures, best = list(_figures(content, family)), list(_best_size_figure(content, family))
    if any(is_determined(one, _BEST) for one in _best_sizes(content, family)):
        return best[0], figures
    if any(map(_is_known, laws)):
        return figures[0], [*figures[1:], *best]
    return None, [*figures, *best]


def _equality(laws: Sequence[Entry], equality: Sequence[Entry]) -> list[Claim]:
    """Claims on equal exponents that do not contradict the comparison of models."""
    joint = any(map(_shows_changes, laws))
    return equality_claims(equality, changes_are_shown=joint)


def _shows_changes(entry: Entry) -> bool:
    return bool(entry.get("joint")) and entry["verdict"] == "free"


def _answers(laws: Sequence[Entry], equality: Sequence[Entry]) -> list[Claim]:
    """What is decided of the horizons, or the shared exponents, and of the references."""
    decided = [claim for claim in _equality(laws, equality) if claim.decided]
    over_horizons = [claim for claim in decided if claim.about == "equal_over_horizons"]
    first = over_horizons or [power_answer(laws)]
    return [*first, *(claim for claim in decided if claim not in first)]


def _is_known(entry: Entry) -> bool:
    """Whether the runs determine an exponent of a fit."""
    return is_determined(entry, "alpha_n") or is_determined(entry, "alpha_e")


def _figures(content: Content, family: Family) -> Iterator[PlannedFigure]:
    laws = [law for law in content.laws("power_law", family) if law.compute == "NE"]
    single = [law for law in laws if isinstance(law, PowerLawFit)]
    entries = [law.to_json() for law in laws]
    beside = [law.to_json() for law in _references(content, single[0])]
    yield PlannedFigure(
        "exponents_against_horizon",
        "Exponents and E_c against horizon with 95% intervals over seeds. Blue: each horizon "
        f"fitted separately{_LEFT * bool(beside)}; orange: exponents shared over the horizons, E_c "
        "free. Hollow grey: not determined by these runs, at the edge of a panel where it lies "
        "beyond.",
        lambda: power_figures.exponents_against_horizon([*entries, *beside]),
    )
    yield from _changes(content.laws("exponent_equality", family))
    if any(fit.misfit is not None and fit.misfit.residuals for fit in single):
        yield PlannedFigure(
            "residuals_by_size",
            "How many times the law's interactions each size needs, by horizon, with 95% "
            "intervals: 1 where the sizes follow one law. Rings: sizes that the law of the others "
            "does not explain.",
            lambda: power_figures.residuals_by_size(single),
        )
    yield PlannedFigure(
        "intrinsic_performance_against_interactions",
        "Intrinsic performance, the least compute of any size for the same return, against "
        "interactions by size: measured (points, 95% intervals over seeds) and fitted (lines).",
        lambda: power_figures.intrinsic_performance_against_interactions(single),
    )
    if not any(map(_is_known, entries)):
        return  # a frontier of a law that is not determined means nothing
    yield PlannedFigure(
        "intrinsic_performance_against_compute",
        "Intrinsic performance against the compute that was used: all sizes lie under the frontier "
        "I = C. The early part of training is left out.",
        lambda: power_figures.intrinsic_performance_against_compute(single),
    )


def _ratios(content: Content, family: Family) -> Iterator[PlannedFigure]:
    laws = content.laws("ratio_by_size", family)
    if laws:
        yield PlannedFigure(
            "ratio_by_size",
            "What longer horizons multiply the interactions by, and learning from rewards, against "
            "the number of parameters, with 95% intervals over seeds; lines are fitted powers of "
            "N. Level lines: only the coefficient of the cost in size changes.",
            lambda: size_figures.ratio_by_size(laws),
        )


_BEST = "optimal_size_exponent"


def _laws_of_best_sizes(content: Content, family: Family) -> list[BestSizes]:
    """Measured best sizes of a family and of the references beside it."""
    laws: list[BestSizes] = content.laws("best_sizes", family)
    if not laws:
        return []
    beside = laws_of_references(content.fits["best_sizes"], laws[0])
    return [*laws, *(law for law in beside if law not in laws)]


def _best_sizes(content: Content, family: Family) -> list[Entry]:
    return [law.to_json() for law in _laws_of_best_sizes(content, family)]


def _best_size_claims(content: Content, family: Family) -> list[Claim]:
    equality = content.of_family("best_size_equality", family)
    claims = best_size_claims(_best_sizes(content, family))
    return [*claims, *best_size_equality_claims(equality)]


def _best_size_answers(content: Content, family: Family) -> list[Claim]:
    """The measured exponents, and what is decided of their equality."""
    answer = best_size_answer(_best_sizes(content, family))
    equality = best_size_equality_claims(content.of_family("best_size_equality", family))
    return [*([answer] if answer else []), *(claim for claim in equality if claim.decided)]


def _best_size_figure(content: Content, family: Family) -> Iterator[PlannedFigure]:
    laws = _laws_of_best_sizes(content, family)
    if laws:
        yield PlannedFigure(
            "optimal_size_against_compute",
            "The size that needs the least compute for its return, against that compute, by "
            "horizon (dashed: algorithms without one). Slopes are with 95% intervals.",
            partial(power_figures.optimal_size_against_compute, laws),
        )


def _references(content: Content, fit: PowerLawFit) -> list[PowerLawFit]:
    """The fits of algorithms without a horizon that stand beside those of a family."""
    every = [law for law in content.fits["power_law"] if isinstance(law, PowerLawFit)]
    found = laws_of_references([law for law in every if law.compute == fit.compute], fit)
    return [law for law in found if law.group != fit.group]


_LEFT = ", and, at the left, algorithms that have no horizon"


def _changes(found: Sequence[Equality]) -> Iterator[PlannedFigure]:
    """The figure of the differences, of all conditions of a family."""
    for equality in sorted(found, key=lambda one: -len(one.conditions))[:1]:
        yield PlannedFigure(
            "exponent_changes",
            f"Exponents less those at {equality.conditions[0].name}, with 95% intervals over "
            "seeds. The band is the upper limit of the largest difference, dashed lines are at the "
            "smallest change that the test of equal exponents finds with probability "
            f"{POWER:g}. Hollow grey: the residuals refuse the power law.",
            partial(power_figures.exponent_changes, equality),
        )


def _by_schedule(content: Content) -> Iterator[Section]:
    exponents: list[SizeExponent] = list(content.fits["size_exponents"])
    if not exponents:
        return
    by_task: dict[str, list[SizeExponent]] = {}
    for one in exponents:
        by_task.setdefault(task_label(one.group), []).append(one)
    claims, planned = [], []
    for task, laws in by_task.items():
        for threshold in sorted({one.threshold for one in laws}):
            rows = [one.to_json() for one in laws if one.threshold == threshold]
            claims += size_claims(rows)
        planned.append(_exponent_figure(task if len(by_task) > 1 else "", laws))
    first = [one for one in exponents if one.threshold == content.threshold] or exponents
    answers = size_claims([one.to_json() for one in first])
    yield Section(
        "size-by-schedule",
        "Does sparsity change how the cost falls with size?",
        answers[:1],
        planned[0],
        [Detail("Every schedule and threshold", claims, planned[1:])],
    )


def _exponent_figure(task: str, laws: list[SizeExponent]) -> PlannedFigure:
    return PlannedFigure(
        f"size_exponent_by_schedule{f'-{slug(task)}' if task else ''}",
        "Exponent in size, from the smallest and the largest width, by schedule with 95% "
        "intervals: equal to that of dense where sparsity changes the coefficient only.",
        lambda: size_figures.size_exponent_by_schedule(laws),
    )

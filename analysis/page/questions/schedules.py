"""What rare, delayed or all-or-nothing rewards cost beside dense ones."""

from collections.abc import Iterator, Sequence

import pandas as pd

from analysis.data.families import label, schedule_names, slug, without_references
from analysis.data.ratios import Ratio, ratio
from analysis.figures import schedule as figures
from analysis.laws import ScheduleLaw
from analysis.page.claims import Claim
from analysis.page.content import Content
from analysis.page.factor_claims import schedule_claims, schedule_cost
from analysis.page.section import Detail, PlannedFigure, Section
from mnist_horizon.schedules import parse


def sections(content: Content) -> Iterator[Section]:
    """One section, where there are several schedules."""
    crossings = content.measured.crossings
    if "schedule" not in crossings or schedule_names(crossings).nunique() < 2:
        return
    laws = content.fits["joint_law"]
    groups = _groups(sorted(laws, key=lambda law: law.group["width"] != content.width))
    several = len(groups) > 1
    first = next(iter(groups.values()), [])
    law = [one for one in first if one.threshold == content.threshold]
    planned = {
        name: list(_figures(found, name if several else "")) for name, found in groups.items()
    }
    shown, cost = next(iter(planned.values()), []), _cost(content)
    details = [Detail("What every schedule costs", cost[1:])] if cost[1:] else []
    yield Section(
        "schedule",
        "What do rare or delayed rewards cost?",
        [*cost[:1], *(schedule_claims(law[0].to_json())[:1] if law else [])],
        shown.pop(0) if shown else None,
        details + [_law(name, found, planned[name]) for name, found in groups.items()],
    )


def _law(name: str, laws: Sequence[ScheduleLaw], figures: Sequence[PlannedFigure]) -> Detail:
    claims = [claim for one in laws for claim in schedule_claims(one.to_json())]
    return Detail(f"The law of all schedules and horizons: {name}", claims, figures)


def _groups(laws: Sequence[ScheduleLaw]) -> dict[str, list[ScheduleLaw]]:
    """Laws by group and width, in the order of the results."""
    groups: dict[str, list[ScheduleLaw]] = {}
    for law in laws:
        columns = [name for name in ("batch", "optimizer") if law.group.get(name)]
        groups.setdefault(label(law.group, columns), []).append(law)
    return groups


def _cost(content: Content) -> list[Claim]:
    """What each kind of schedule needs over dense at its best horizon, at the main width."""
    table = without_references(content.measured.crossings)
    table = table[(table["width"] == content.width) & (table["threshold"] == content.threshold)]
    table = table.assign(name=schedule_names(table))
    dense = table[table["name"] == "dense"]
    if dense.empty:
        return []
    ratios: dict[str, Ratio] = {}
    for name in sorted(set(table["name"]) - {"dense"}, key=parse):
        found = _at_best(table[table["name"] == name], dense)
        if found is not None:
            ratios[name] = found
    return schedule_cost(ratios, content.width, content.threshold) if ratios else []


def _at_best(runs: pd.DataFrame, dense: pd.DataFrame) -> Ratio | None:
    """The ratio to dense, each at the horizon at which it needs least."""
    return ratio(_best(runs), _best(dense))


def _best(runs: pd.DataFrame) -> pd.DataFrame:
    """The runs at the horizon of fewest interactions, of those that all seeds reach if any."""
    cells = runs.groupby("horizon").agg(c=("censored", "any"), e=("interactions", "mean"))
    reached = cells[~cells["c"]]
    horizon = (reached if len(reached) else cells)["e"].idxmin()
    return runs[runs["horizon"] == horizon]


def _figures(laws: Sequence[ScheduleLaw], name: str) -> Iterator[PlannedFigure]:
    """Figures of the law of one group and width; `name` tells their files apart."""
    suffix = f"-{slug(name)}" if name else ""
    yield PlannedFigure(
        f"interactions_heat_map{suffix}",
        f"Interactions needed over horizon and schedule{f', {name}' if name else ''}. Hatched: "
        "some seeds are right-censored, the number is a lower bound. Dashed: equal cost by the "
        "fitted law.",
        lambda: figures.interactions_heat_map(laws),
    )
    yield PlannedFigure(
        f"collapse{suffix}",
        "Interactions of all schedules and horizons against the law's B + B_noise, in which they "
        "fall on one line if the theory holds. Bars are 95% intervals over seeds, open triangles "
        "(if any) lower bounds; schedules whose rewards do not add up are not part of the fit.",
        lambda: figures.collapse(laws),
    )
    if any(one.ratio is not None for law in laws for one in law.departures):
        yield PlannedFigure(
            f"departures{suffix}",
            "Interactions that each schedule needs over what the law fitted to the other schedules "
            "predicts, with 95% intervals; 1 where the theory holds.",
            lambda: figures.departures(laws),
        )

"""Whether the learning rates that were tried hold the best one, and what another one changes."""

from collections.abc import Iterator

import pandas as pd

from analysis.data.curves import learning_rate_scores
from analysis.data.rates import FLAT, rate_changes
from analysis.figures import rates as figures
from analysis.page import wording
from analysis.page.claims import Claim
from analysis.page.content import Content
from analysis.page.section import Detail, PlannedFigure, Section, Table


def sections(content: Content) -> Iterator[Section]:
    """One section, where the first family has several rates."""
    family = content.main
    if not family.several_learning_rates:
        return
    changes = rate_changes(content.families)
    yield Section(
        "rates",
        "Are the learning rates good?",
        [_answer(content), *_flatness(changes)],
        PlannedFigure(
            "learning_rate_rule",
            "Learning rates over widths, at the shortest and the longest horizon: the return "
            "averaged over log interactions, bars are 95% intervals over seeds, rings mark the "
            "best of each width.",
            lambda: figures.learning_rate_rule(family.frame, content.measured.unfinished),
        ),
        [Detail("What another rate changes", tables=[_table(changes)])] if len(changes) else [],
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


def _flatness(changes: pd.DataFrame) -> list[Claim]:
    """Whether the interactions are flat in the rate: what another rate changes, at most."""
    known = changes[~changes["censored"].astype(bool)]
    if known.empty:
        return []
    factors = " and ".join(f"x {factor:.2g}" for factor in sorted({*changes["factor"].round(2)}))
    flat = known["change"].abs() <= FLAT
    most = known.loc[known["change"].abs().idxmax()]
    short = len(changes) - len(known)
    text = (
        f"Rates {factors} of the middle one change the interactions to a return by at most "
        f"{FLAT:.0%} in {int(flat.sum())} of {len(known)} comparisons, and most, by "
        f"{_change(most)}, at width {most['width']:g}, h = {most['horizon']:g}, "
        f"{most['algorithm']}, to {most['threshold']:g}"
        + f"; {short} more have runs that do not reach the return"
        * bool(short)
    )
    beyond = (known["low"] > FLAT) | (known["high"] < -FLAT)
    within = (known["low"] >= -FLAT) & (known["high"] <= FLAT)
    verdict = "steep" if beyond.any() else "flat" if within.all() else "undecided"
    numbers = {"largest_change": (float(most["change"]), _ends(most))}
    return [Claim(f"{text}.", verdict != "undecided", "flatness", verdict, numbers)]


def _table(changes: pd.DataFrame) -> Table:
    head = ("algorithm", "width", "h", "return", "rate", "change of interactions", "within 5%")
    rows = [
        (
            *(str(row["algorithm"]), f"{row['width']:g}", f"{row['horizon']:g}"),
            *(f"{row['threshold']:g}", f"x {row['factor']:.2g}"),
            *(("not reached", "") if row["censored"] else (_change(row), _is_flat(row))),
        )
        for _, row in changes.iterrows()
    ]
    caption = (
        "Interactions at another rate than the middle one: geometric mean over seeds of the ratio, "
        "paired by seed, with its 95% interval."
    )
    return Table(head, rows, caption)


def _is_flat(row: pd.Series) -> str:
    return "yes" if abs(row["change"]) <= FLAT else "no"


def _change(row: pd.Series) -> str:
    return wording.change(row["change"], _ends(row))


def _ends(row: pd.Series) -> list[float] | None:
    ends = [float(row["low"]), float(row["high"])]
    return None if pd.isna(ends).any() else ends

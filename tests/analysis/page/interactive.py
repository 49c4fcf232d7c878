"""Pages with the interactive parts of a report, for the tests of these."""

import functools
from pathlib import Path

import pandas as pd

from analysis.data.measurements import Measurements, measure
from analysis.laws import AllFits, fit_horizon_laws
from analysis.laws.synthetic import Design
from analysis.page import explorer_charts
from analysis.page.explorer import STYLE
from mnist_horizon.results import Results
from tests.analysis.report_sweeps import sweep_frame
from tests.analysis.sparse_runs import censored_crossings, censored_law

WIDTHS = (390, 768, 1280, 1920)
"""Of the windows that pages are tested in."""

OVER = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
"""How far a page is wider than its window, without the scroll bar."""

DESIGN = Design(horizons=(1, 7, 31), widths=(8, 32), seeds=3, budget=200_000, evaluations=45)
"""No run of width 8 reaches a return of 0.85, and not all runs of width 32 do."""


@functools.cache
def dense() -> tuple[Measurements, AllFits]:
    """A sweep over horizons and widths, with its laws of the horizon."""
    measured = measure(Results(sweep_frame(DESIGN), ()))
    return measured, AllFits({"horizon_law": fit_horizon_laws(measured.crossings).entries})


@functools.cache
def sparse() -> tuple[Measurements, AllFits]:
    """Five schedules without curves, with both kinds of laws."""
    table = censored_crossings()
    empty = sweep_frame(DESIGN)[:0]
    measured = Measurements(table, empty, table, table, pd.DataFrame())
    dense_runs = table[table["schedule"] == "dense"]
    laws = {"horizon_law": fit_horizon_laws(dense_runs).entries, "joint_law": (censored_law(),)}
    return measured, AllFits(laws)


fixed_parts = functools.cache(explorer_charts.fixed_parts)
"""It takes seconds."""


def write_page(path: Path, *parts: str) -> Path:
    """Write a page that has nothing but some parts and their style."""
    head = '<!doctype html><html lang="en"><meta charset="utf-8"><link rel="icon" href="data:,">'
    path.write_text(
        f"{head}<title>parts</title><style>body {{ margin: 1rem }} {STYLE.read_text()}</style>"
        + "\n".join(parts)
    )
    return path

"""Contents of small reports, made from tables of crossings without learning curves."""

import pandas as pd

from analysis.data.measurements import Measurements
from analysis.laws import AllFits, Fits
from analysis.page.content import Content
from analysis.page.section import Section


def content_of(table: pd.DataFrame, noise: pd.DataFrame | None = None, **laws: Fits) -> Content:
    """Content of a table of crossings, each run at its own rate.

    Args:
        table: interactions to threshold; it stands for the results as well.
        noise: rows of noise tables.
        laws: by key.
    """
    runs = table.drop_duplicates("run_id")
    curves = runs.assign(return_mean=0.5)[:0]
    noise = pd.DataFrame() if noise is None else noise
    measured = Measurements(runs, curves, table, table, noise)
    return Content.of(measured, AllFits({key: found.entries for key, found in laws.items()}))


def names(section: Section) -> list[str]:
    """Names of a section's figures."""
    return [figure.name for figure in section.figures]

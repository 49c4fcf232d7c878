"""The section on batches has the law's constants beside those that were measured."""

import numpy as np
import pandas as pd

from analysis.laws import fit_batch_laws
from analysis.page.questions import batches
from tests.analysis.horizon_runs import over_batches
from tests.analysis.page.questions.contents import content_of, names


def noise_of(table: pd.DataFrame) -> pd.DataFrame:
    """Noise rows of dense runs at half of the interactions that they needed."""
    x = (table["horizon"] - 2 + 1 / table["horizon"]) / 4
    rows = table[["run_id", "task", "schedule", "schedule_level", "width", "batch", "seed"]]
    rows = rows.assign(horizon=table["horizon"], interactions=table["interactions"] // 2)
    parts = {"future": 1.2 * x, "action": 8.0, "state": 2.0, "total": 10 + 1.2 * x}
    columns = {"signal": 0.02, "discount": 1 - 2 / (table["horizon"] + 1), "baseline": "none"}
    return rows.assign(**columns, **parts)


def test_the_section_has_the_law_and_the_measured_noise():
    table = over_batches(np.random.default_rng(0), 0.05, (128, 512))
    fits = fit_batch_laws(table)
    (section,) = batches.sections(content_of(table, batch_law=fits))
    assert [claim.about for claim in section.answers] == ["batch_knee"]
    assert len(section.details[0].claims) == 1
    (section,) = batches.sections(content_of(table, noise_of(table), batch_law=fits))
    assert names(section) == ["interactions_by_batch"]
    # (8 + 2) / 0.02 and 1.2 / 0.02, alike in all seeds.
    measured = section.details[0].claims[1].text
    assert "n_0 = 500 [500, 500] and n_1 = 60 [60, 60] at B = 128" in measured


def test_one_batch_has_no_section():
    table = over_batches(np.random.default_rng(0), 0.05, (128,))
    assert not list(batches.sections(content_of(table, batch_law=fit_batch_laws(table))))

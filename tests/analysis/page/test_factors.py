"""Sections on what moves the horizon's cost are there where the data have several of a factor."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from analysis.data.measurements import Measurements
from analysis.laws import (
    AllFits,
    fit_batch_laws,
    fit_optimizer_laws,
    fit_size_exponents,
    fit_task_laws,
)
from analysis.page.factors import factor_sections
from analysis.page.page import FamilySection
from tests.analysis.horizon_runs import over_batches
from tests.analysis.report_sweeps import sweep_frame
from tests.analysis.sparse_runs import (
    TRUTH,
    censored_crossings,
    censored_law,
    crossings,
    two_widths,
)


def measured(table: pd.DataFrame, noise: pd.DataFrame | None = None) -> Measurements:
    """Measurements of a table of crossings, each run at its own rate; without curves."""
    curves = sweep_frame()[:0]
    noise = pd.DataFrame() if noise is None else noise
    return Measurements(curves, curves, table, table, noise)


def sections(fits: AllFits, table: pd.DataFrame, folder, noise=None) -> list[FamilySection]:
    return list(factor_sections(fits, measured(table, noise), folder))


def test_no_factor_gives_no_section(tmp_path):
    assert sections(AllFits(), censored_crossings(), tmp_path) == []


def test_schedules_have_a_section_with_claims_and_every_figure(tmp_path):
    table = censored_crossings()
    (section,) = sections(AllFits({"joint_law": (censored_law(),)}), table, tmp_path)
    assert section.label.startswith("Horizon and schedule together: synthetic, width 32")
    (claims,) = section.claims.values()
    assert any("the prediction fails" in claim.text for claim in claims)
    names = [figure.path.stem for figure in section.figures]
    assert names == [
        *("interactions_heat_map", "collapse", "interactions_by_delay"),
        *("best_horizon_against_delay", "departures"),
    ]
    assert all(figure.path.exists() for figure in section.figures)


def test_a_schedule_without_delay_or_departure_lacks_their_figures(tmp_path):
    bare = replace(censored_law(), best_horizons=(), departures=())
    (section,) = sections(AllFits({"joint_law": (bare,)}), censored_crossings(), tmp_path)
    assert [figure.path.stem for figure in section.figures] == ["interactions_heat_map", "collapse"]


def test_sizes_have_a_section(tmp_path):
    table = two_widths()
    found = AllFits({"size_exponents": fit_size_exponents(table).entries})
    (section,) = sections(found, table, tmp_path)
    assert section.label == "Does sparsity change the exponent in size?"
    assert list(section.claims) == ["To a return of 0.7, size under each schedule:"]
    assert [figure.path.stem for figure in section.figures] == ["size_exponent_by_schedule"]


def noise_of(table: pd.DataFrame) -> pd.DataFrame:
    """Noise rows of dense runs at half of the interactions that they needed."""
    x = (table["horizon"] - 2 + 1 / table["horizon"]) / 4
    rows = table[["run_id", "task", "schedule", "schedule_level", "width", "batch", "seed"]]
    rows = rows.assign(horizon=table["horizon"], interactions=table["interactions"] // 2)
    parts = {"future": 1.2 * x, "action": 8.0, "state": 2.0, "total": 10 + 1.2 * x}
    columns = {"signal": 0.02, "discount": 1 - 2 / (table["horizon"] + 1), "baseline": "none"}
    return rows.assign(**columns, **parts)


def test_batches_have_a_section_with_the_measured_noise(tmp_path):
    table = over_batches(np.random.default_rng(0), 0.05, (128, 512))
    fits = AllFits({"batch_law": fit_batch_laws(table).entries})
    (section,) = sections(fits, table, tmp_path)
    (claims,) = section.claims.values()
    assert len(claims) == 1
    (section,) = sections(fits, table, tmp_path, noise_of(table))
    assert section.label == "The batch as a factor: t, dense, width 8"
    (claims,) = section.claims.values()
    # (8 + 2) / 0.02 and 1.2 / 0.02, alike in all seeds.
    assert "n_0 = 500 [500, 500] and n_1 = 60 [60, 60] at B = 128" in claims[1].text
    assert [figure.path.stem for figure in section.figures] == ["interactions_by_batch"]


def test_tasks_and_optimisers_are_compared_in_the_report(tmp_path):
    rng = np.random.default_rng
    one = crossings(TRUTH, rng(0), schedules=("dense",)).assign(task="one")
    noisier = TRUTH + np.array([0, 1.0, 0, 0])
    two = crossings(noisier, rng(1), schedules=("dense",)).assign(task="two")
    two["run_id"] += "-two"
    other = crossings(TRUTH, rng(2), schedules=("dense",)).assign(task="one", optimizer="sgd")
    other["run_id"] += "-sgd"
    table = pd.concat([one, two, other], ignore_index=True).assign(score=0.5)
    laws = {"optimizer_law": fit_optimizer_laws(table), "task_law": fit_task_laws(table)}
    fits = AllFits({key: found.entries for key, found in laws.items()})
    # The other optimiser is a group of its own and has one task.
    alone = fit_task_laws(pd.concat([one, two], ignore_index=True)).entries
    tasks = fits["task_law"]
    assert [law.quantities for law in alone] == [law.quantities for law in tasks]
    knees = {law.labels["task"]: law.quantities["knee"].value for law in tasks}
    assert knees["two"] < knees["one"]
    found = sections(fits, table, tmp_path)
    assert [section.label for section in found] == [
        "The optimiser as a factor",
        "The task as a factor",
    ]
    written = pd.read_csv(tmp_path / "multiplier_by_task.csv")
    drawn_knees = written[written["what"] == "knee"].set_index("name")["knee"]
    shown = {law.labels["task"]: law.shown_knee for law in tasks}
    assert drawn_knees.to_dict() == pytest.approx(
        {task: knee.value for task, knee in shown.items() if knee is not None}
    )
    assert len(drawn_knees)
    assert all(len(section.claims) == 1 for section in found)

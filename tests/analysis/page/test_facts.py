"""The paper beside our settings, family by family, and how the runs were made."""

import json
from typing import Any

import pandas as pd
import pytest

from analysis.page.facts import comparison, provenance, read_sweeps
from mnist_horizon.results import DEFAULTS
from tests.analysis.page.entries import LAW
from tests.analysis.report_sweeps import SMALL, sweep_frame, write_sweep


def family(task: str, threshold: float, a: float, **changes: Any) -> dict[str, Any]:
    group = {**LAW["group"], "task": task}
    found = {**LAW, "group": group, "threshold": threshold, "a": a, "a_ci": [a, a]}
    return {**found, "runs": 10, "censored": 0, **changes}


def small_frame() -> pd.DataFrame:
    """A sweep with every column that results have when they are read."""
    frame = sweep_frame(SMALL).assign(optimizer="adam", learning_rate=1e-3)
    return frame.assign(**{name: DEFAULTS[name] for name in DEFAULTS if name not in frame})


def rows_of(laws: list[dict[str, Any]], power: list[dict[str, Any]]) -> dict[str, str]:
    found = comparison(small_frame(), [], laws, power)
    return {name: ours for name, _, ours in found}


def test_laws_of_two_families_are_named_and_not_mixed():
    """One row of MNIST at 0.5 and digits at 0.85 would look like one family's two thresholds."""
    laws = [
        family("mnist", 0.5, 5000.0, runs=30),
        family("digits", 0.85, 800.0, verdict="affine"),
        family("digits", 0.85, 700.0, regressor="variance_horizon"),
    ]
    rows = rows_of(laws, [])
    constants = "b = 500 [400, 600]"
    assert rows["Constants of that law"] == (
        f"mnist, dense: return 0.5: a = 5,000 [5,000, 5,000], {constants}. "
        f"digits, dense: return 0.85: a = 800 [800, 800], {constants}"
    )
    assert rows["Interactions against horizon"] == (
        "mnist, dense: return 0.5: free. digits, dense: return 0.85: affine"
    )


def test_one_family_needs_no_name_and_has_all_its_thresholds():
    rows = rows_of([family("digits", 0.85, 800.0), family("digits", 0.5, 300.0)], [])
    assert rows["Interactions against horizon"] == "return 0.5: free; return 0.85: free"
    assert rows["Constants of that law"].startswith("return 0.5: a = 300 ")


def test_shared_power_laws_are_named_by_family_too():
    numbers = {"alpha_n": 0.5, "alpha_e": 0.4, "joint": True, "compute": "NE", "verdict": "shared"}
    groups = [{**LAW["group"], "task": task} for task in ("mnist", "digits")]
    ends = {"alpha_n_ci": [0.4, 0.6], "alpha_e_ci": [0.3, 0.5]}
    power = [{"group": groups[0], **numbers, **ends}, {"group": groups[1], **numbers}]
    power.append({**power[0], "compute": "flops"})
    power.append({**power[0], "joint": False})
    text = rows_of([], power)["Power law over horizons"]
    assert text == (
        "mnist, dense: alpha_N = 0.5 [0.4, 0.6], alpha_E = 0.4 [0.3, 0.5], against free ones: "
        "shared. digits, dense: not determined by these runs"
    )
    assert "mnist" not in rows_of([], power[:1])["Power law over horizons"]


def test_without_laws_it_is_said():
    rows = rows_of([], [])
    assert rows["Constants of that law"] == "no fit"
    assert rows["Power law over horizons"] == "no shared fit"
    assert rows["Horizons"] == "1, 7, 31"
    assert rows["Batch (interactions per update)"] == "256"
    assert rows["Reward schedule"] == "dense"


def test_rules_of_the_learning_rate_are_those_of_the_sweeps():
    optimizer = {"name": "adam", "learning_rates": [1e-3], "decay_interactions": 100}
    found = comparison(small_frame(), [{"optimizer": optimizer}, {}], [], [])
    ours = {name: text for name, _, text in found}
    assert ours["Learning rates"] == "0.001 (decay interactions 100)"


def test_provenance_counts_runs_and_programs_and_notes_what_is_missing(tmp_path):
    frame = sweep_frame(SMALL)
    whole, bare = write_sweep(tmp_path / "whole", frame, done=False), tmp_path / "bare"
    bare.mkdir()
    rows, notes = provenance([whole, bare], frame, 2)
    facts = dict(rows)
    assert facts["Runs"] == "6 (2 not done)"
    assert facts["Programs"] == "1, 0 done"
    assert facts["Commit"] == "0123abc"
    assert facts["Versions"] == "python 3.11.2, jax 0.10.2"
    assert facts["Device"] == "platform cpu, kind cpu, count 1"
    assert notes == [f"{bare}: how it was run is not recorded there (programs/*.json)"]
    sweeps, notes = read_sweeps([whole, bare])
    assert list(sweeps) == [str(whole)]
    assert len(notes) == 1
    assert "settings are not shown" in notes[0]


def test_many_numbers_of_programs_are_told_as_a_span(tmp_path):
    workdir = write_sweep(tmp_path / "sweep", sweep_frame(SMALL))
    for number in range(5):
        record = {"program_id": f"p{number}", "runs": [], "done": True, "seconds": 10.0 + number}
        (workdir / "programs" / f"p{number}.json").write_text(json.dumps(record))
    rows, _ = provenance([workdir], sweep_frame(SMALL), 0)
    assert dict(rows)["Seconds"] == "10 to 14"
    assert dict(rows)["Runs"] == "6, all done"


@pytest.mark.parametrize("damage", ["{", "[]"])
def test_damaged_records_are_noted(tmp_path, damage):
    workdir = write_sweep(tmp_path / "sweep", sweep_frame(SMALL))
    (workdir / "programs" / "bad.json").write_text(damage)
    rows, notes = provenance([workdir], sweep_frame(SMALL), 0)
    assert dict(rows)["Programs"] == "1, 1 done"
    assert "bad.json: left out" in notes[0]


def test_records_and_settings_of_others_are_shown_as_text(tmp_path):
    workdir = write_sweep(tmp_path / "sweep", sweep_frame(SMALL), optimizer=3)
    odd = {"commit": "a\x1b[2J", "device": [1, {"a": None}], "versions": "x", "cut": 3, "task": {}}
    record = {"program_id": "odd", "runs": [], **odd}
    (workdir / "programs" / "odd.json").write_text(json.dumps(record))
    facts = dict(provenance([workdir], sweep_frame(SMALL), 0)[0])
    assert facts["Commit"] == r"a\x1b[2J; 0123abc"
    assert facts["Device"].startswith("1, a None; ")
    sweeps, _ = read_sweeps([workdir])
    ours = dict(row[::2] for row in comparison(small_frame(), sweeps.values(), [], []))
    assert ours["Learning rates"] == "0.001"

import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.laws.law import Quantity
from analysis.laws.synthetic import Design, HorizonTruth, Noise, PowerLawTruth
from analysis.plan import (
    Planned,
    design_of,
    format_plan,
    horizon_plan,
    measured_truth,
    power_law_plan,
    what_to_add,
)
from mnist_horizon.errors import InputError
from tests.analysis.synthetic_workdir import write_workdir
from tests.launch import commands

CONFIG = {
    "widths": (16, 8),
    "horizons": (7.0, 1.0),
    "schedules": ("dense",),
    "seeds": 3,
    "budget": 1000,
}


def test_design_takes_the_axes_of_a_config():
    design = design_of(CONFIG | {"stop_at_return": 0.9, "evaluations": 7})
    assert (design.widths, design.horizons, design.seeds) == ((8, 16), (1.0, 7.0), 3)
    assert (design.budget, design.evaluations, design.stop_at_return) == (1000, 7, 0.9)
    assert design_of(CONFIG | {"stop_at_return": 0.0}).stop_at_return == 1.0


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"widths": ()}, "may not be empty"),
        ({"horizons": (0.5,)}, "each >= 1"),
        ({"seeds": 0}, "must be >= 1"),
        ({"budget": "much"}, "--config: "),
        ({"schedules": ("sometimes",)}, "unknown schedule"),
    ],
)
def test_impossible_configs_are_refused_by_name(change, says):
    with pytest.raises(InputError, match=says):
        design_of(CONFIG | change)


def test_a_config_without_an_axis_is_refused():
    with pytest.raises(InputError, match="lacks horizons"):
        design_of({name: value for name, value in CONFIG.items() if name != "horizons"})


@pytest.mark.slow
def test_more_seeds_give_narrower_intervals():
    widths = {}
    for seeds in (3, 8):
        design = Design(horizons=(1, 7, 31, 127), seeds=seeds, evaluations=30)
        rng = np.random.default_rng(0)
        table, verdicts, censored = horizon_plan(design, HorizonTruth(), Noise(), 8, rng)
        widths[seeds] = table.set_index("number")["width"]
        assert sum(verdicts.values()) == 8
        assert censored == 0
        assert (table["determined"] == 8).all()
    assert (widths[8] < widths[3]).all()


def test_a_budget_that_is_too_small_is_seen():
    design = Design(horizons=(1, 7, 31, 127), budget=5_000, evaluations=10)
    table, verdicts, censored = horizon_plan(
        design, HorizonTruth(), Noise(), 2, np.random.default_rng(0)
    )
    assert verdicts == {}
    assert censored == 1
    assert (table["determined"] == 0).all()
    assert format_plan(table).count("not determined") == 3
    assert set(table["needs"]) == {"a larger budget: there is no fit"}


def law_of(**quantities: Quantity) -> Any:
    """Stands for a fitted law with these numbers."""
    return SimpleNamespace(
        determined_quantities=quantities, determined_by={"knee": "longer horizons than 63"}
    )


def planned(*found: Quantity | None, seeds: int = 4) -> Planned:
    number = Planned("knee", 20.0, seeds)
    for one in found:
        number.add(None if one is None else law_of(knee=one))
    return number


NARROW = Quantity(20.0, (10.0, 40.0), least=1.0)
ALMOST = Quantity(20.0, (6.0, 66.0), least=1.0)  # 5 seeds would do
OPEN = Quantity(20.0, (10.0, np.inf), least=1.0)


@pytest.mark.parametrize(
    ("found", "determined", "needs"),
    [
        ([NARROW] * 8 + [OPEN] * 2, 8, ""),
        ([NARROW] * 7 + [ALMOST] * 3, 7, "about 5 seeds instead of 4"),
        ([NARROW] * 7 + [OPEN] * 3, 7, "longer horizons than 63"),
        ([NARROW] * 7 + [ALMOST] + [None] * 2, 7, "about 5 seeds instead of 4"),
        ([ALMOST] * 9 + [OPEN], 0, "about 5 seeds instead of 4"),
        ([None] * 10, 0, "a larger budget: there is no fit"),
    ],
)
def test_a_plan_says_in_how_many_draws_a_number_is_determined_and_what_it_needs(
    found, determined, needs
):
    row = planned(*found).row()
    assert (row["determined"], row["draws"], row["needs"]) == (determined, 10, needs)
    assert np.isfinite(row["width"]) == (determined > 4)
    shown = format_plan(pd.DataFrame([row]))
    assert f"{determined} of 10 draws" in shown
    assert ("[10, 40]" in shown) == (determined > 4)
    assert ("not determined" in shown) == (determined < 5)


def test_one_seed_needs_a_second():
    assert planned(Quantity(20.0), seeds=1).needs == "at least 2 seeds"


def test_the_last_line_names_what_is_missing():
    rows = pd.DataFrame([planned(*[OPEN] * 3).row(), planned(*[NARROW] * 3).row()])
    assert what_to_add(rows[:1], 4) == (
        "With 4 seeds less than 80% of draws determine knee (needed: longer horizons than 63)."
    )
    assert what_to_add(rows[1:], 4) == "With 4 seeds at least 80% of draws determine knee."


def test_truth_of_a_measured_sweep_is_that_sweep_s_fit(tmp_path):
    truth = HorizonTruth(a=20_000, knee=20.0)
    noise = Noise(seed=0.1, run=0.1, run_at_largest=0.1)
    design = Design(seeds=12, evaluations=80)
    write_workdir(tmp_path, truth, design, np.random.default_rng(0), noise)
    found, size, note = measured_truth(str(tmp_path), 0.7)
    assert note == ""
    assert found.a == pytest.approx(20_000, rel=0.15)
    assert found.knee == pytest.approx(20, rel=0.3)
    assert size.run == pytest.approx(0.1, abs=0.03)
    with pytest.raises(InputError, match="another --threshold"):
        measured_truth(str(tmp_path), 0.999)


def test_a_measured_truth_without_a_determined_knee_says_so(tmp_path):
    design = Design(horizons=(1, 3, 7), seeds=2, evaluations=30)
    write_workdir(tmp_path, HorizonTruth(knee=3000.0), design, np.random.default_rng(0))
    truth, _, note = measured_truth(str(tmp_path), 0.7)
    assert "not determined by these runs (needed: longer horizons than 7)" in note
    assert note.endswith(f"planned with a knee of {truth.knee:.3g}")


@pytest.mark.slow
def test_exponents_of_the_power_law_are_planned():
    design = Design(widths=(4, 13, 40, 128, 405), horizons=(1.0, 31.0), seeds=4)
    table = power_law_plan(design, PowerLawTruth(), Noise(), 2, np.random.default_rng(0))
    assert table["number"].tolist() == ["alpha_n", "alpha_e", "optimal_size_exponent"]
    exponents = table[:2]  # the best size needs more widths close to it
    assert (exponents["determined"] == 2).all()
    assert (exponents["width"] < 1).all(), "a sweep as large as horizon.py pins the exponents down"


CONFIG_FILE = """
import ml_collections
def get_config():
    return ml_collections.ConfigDict(dict(widths=(8,), horizons=(1., 7., 31., 63.),
        schedules=('{schedule}',), seeds=2, budget=300_000, evaluations=30))
"""


def test_a_delay_has_no_horizon_law_to_plan(tmp_path):
    file = tmp_path / "config.py"
    file.write_text(CONFIG_FILE.format(schedule="periodic:4"))
    done = commands.run(tmp_path, f"--config={file}", module="analysis.plan")
    assert done.process.exitcode == 0, done.err
    assert "no horizon law: the first schedule, periodic:4, has a delay" in done.out
    assert "knee" not in done.out
    done = commands.run(tmp_path, f"--config={file}", "--until=knee", module="analysis.plan")
    assert done.process.exitcode == 2
    assert done.err == "error: --until=knee: what is planned here is no number\n"


def test_until_tries_more_seeds_up_to_the_first_that_do(tmp_path):
    file = tmp_path / "config.py"
    file.write_text(CONFIG_FILE.format(schedule="dense"))
    done = commands.run(
        tmp_path, f"--config={file}", "--draws=4", "--until=a,knee", module="analysis.plan"
    )
    assert done.process.exitcode == 0, done.err
    sizes = [line for line in done.out.splitlines() if " runs: " in line]
    assert [line.split()[0] for line in sizes] == ["8", "16"]
    *_, last = done.out.strip().splitlines()
    assert last == "With 4 seeds at least 80% of draws determine a, knee."


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "analysis.plan", *arguments], capture_output=True, text=True
    )


@pytest.mark.slow
def test_command_plans_a_config_file(tmp_path):
    file = tmp_path / "config.py"
    file.write_text(CONFIG_FILE.format(schedule="dense"))
    done = command(f"--config={file}", "--draws=2")
    assert done.returncode == 0, done.stderr
    assert "8 runs: 1 widths x 4 horizons x 2 seeds" in done.stdout
    assert "knee" in done.stdout
    assert "at least 3 widths" in done.stdout
    assert command(f"--config={file}", "--draws=2").stdout == done.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "--config: name a sweep"),
        (["--config=/nowhere.py"], "/nowhere.py"),
        (["--config=launch/configs/smoke.py", "--threshold=0.05"], "choose one between"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(arguments, says, tmp_path):
    done = commands.run(tmp_path, *arguments, module="analysis.plan")
    assert done.process.exitcode == 2
    assert says in done.err
    assert len(done.err.strip().splitlines()) == 1

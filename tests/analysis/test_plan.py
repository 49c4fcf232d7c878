import subprocess
import sys

import numpy as np
import pytest

from analysis.laws.synthetic import Design, HorizonTruth, Noise, PowerLawTruth
from analysis.plan import design_of, format_plan, horizon_plan, measured_truth, power_law_plan
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
        assert (table["found"] == 1).all()
    assert (widths[8] < widths[3]).all()


def test_a_budget_that_is_too_small_is_seen():
    design = Design(horizons=(1, 7, 31, 127), budget=5_000, evaluations=10)
    table, verdicts, censored = horizon_plan(
        design, HorizonTruth(), Noise(), 2, np.random.default_rng(0)
    )
    assert verdicts == {}
    assert censored == 1
    assert (table["found"] == 0).all()
    assert "none" in format_plan(table)


def test_truth_of_a_measured_sweep_is_that_sweep_s_fit(tmp_path):
    truth = HorizonTruth(a=20_000, knee=20.0)
    noise = Noise(seed=0.1, run=0.1, run_at_largest=0.1)
    design = Design(seeds=12, evaluations=80)
    write_workdir(tmp_path, truth, design, np.random.default_rng(0), noise)
    found, size = measured_truth(str(tmp_path), 0.7)
    assert found.a == pytest.approx(20_000, rel=0.15)
    assert found.knee == pytest.approx(20, rel=0.3)
    assert size.run == pytest.approx(0.1, abs=0.03)
    with pytest.raises(InputError, match="another --threshold"):
        measured_truth(str(tmp_path), 0.999)


@pytest.mark.slow
def test_exponents_of_the_power_law_are_planned():
    design = Design(widths=(4, 13, 40, 128, 405), horizons=(1.0, 31.0), seeds=4)
    table = power_law_plan(design, PowerLawTruth(), Noise(), 2, np.random.default_rng(0))
    assert table["number"].tolist() == ["alpha_n", "alpha_e"]
    assert (table["found"] == 1).all()
    assert (table["width"] < 1).all(), "a sweep as large as horizon.py pins the exponents down"


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "analysis.plan", *arguments], capture_output=True, text=True
    )


@pytest.mark.slow
def test_command_plans_a_config_file(tmp_path):
    file = tmp_path / "config.py"
    file.write_text(
        "import ml_collections\n"
        "def get_config():\n"
        "    return ml_collections.ConfigDict(dict(widths=(8,), horizons=(1., 7., 31., 63.),\n"
        "        schedules=('dense',), seeds=4, budget=300_000, evaluations=30))\n"
    )
    done = command(f"--config={file}", "--draws=2")
    assert done.returncode == 0, done.stderr
    assert "16 runs: 1 widths x 4 horizons x 4 seeds" in done.stdout
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

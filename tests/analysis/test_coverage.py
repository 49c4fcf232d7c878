from dataclasses import dataclass, replace

import numpy as np
import pytest

from analysis.coverage import (
    POWER_LAW_NUMBERS,
    DrawnInterval,
    HorizonTarget,
    coverage_table,
    draw_values,
    format_table,
    horizon_targets,
    power_law_targets,
)
from analysis.data import read
from analysis.laws.synthetic import Design, HorizonTruth
from tests.analysis.report_sweeps import TRUTH
from tests.analysis.synthetic_workdir import write_workdir
from tests.launch import commands


@dataclass(frozen=True)
class KnownTarget:
    """Intervals that hold the truth in a known share of draws."""

    label: str
    share: float

    def draw(self, rng: np.random.Generator) -> list[DrawnInterval]:
        inside = rng.random() < self.share
        return [DrawnInterval("x", 2.0, (1.0, 3.0) if inside else (3.0, 5.0))]


def test_coverage_of_intervals_with_known_coverage():
    targets = [KnownTarget("all", 1.0), KnownTarget("half", 0.5), KnownTarget("none", 0.0)]
    table = coverage_table(targets, draws=400, seed=0, processes=1)
    assert table["coverage"].tolist()[::2] == [1.0, 0.0]
    assert table["coverage"][1] == pytest.approx(0.5, abs=0.08)
    assert table["coverage_low"][1] < 0.5 < table["coverage_high"][1]
    assert table["width"].tolist() == [1.0] * 3
    assert "100.0%" in format_table(table)


@pytest.mark.slow
def test_the_table_does_not_depend_on_the_number_of_processes():
    targets = [KnownTarget("a", 0.5), KnownTarget("b", 0.7)]
    one, two = (coverage_table(targets, 20, 3, processes) for processes in (1, 2))
    assert one.equals(two)


@pytest.fixture(scope="module", name="sweep")
def _sweep(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("sweep")
    design = Design(horizons=(1, 7, 31, 127), budget=220_000)
    write_workdir(workdir, HorizonTruth(), design, np.random.default_rng(0))
    return workdir


def test_drawn_data_have_the_shape_and_noise_of_the_fit(sweep):
    targets, _ = horizon_targets(read([sweep]))
    target = targets[1]
    assert isinstance(target, HorizonTarget)
    law = target.law.affine
    rng = np.random.default_rng(0)
    drawn = [draw_values(law, rng) for _ in range(400)]
    assert all((data.horizon == law.data.horizon).all() for data in drawn)
    exact = np.array([np.where(data.values.exact, data.values.log_e, np.nan) for data in drawn])
    level, _, log_tau = law.fit.spread
    first = int(np.argmin(law.data.horizon))
    spread = np.hypot(np.exp(log_tau), np.exp(level))
    assert np.nanmean(exact[:, first]) == pytest.approx(law.fit.means[first], abs=0.02)
    assert np.nanstd(exact[:, first]) == pytest.approx(spread, rel=0.15)


def test_targets_compare_the_four_numbers(sweep):
    targets, _ = horizon_targets(read([sweep]))
    intervals = targets[1].draw(np.random.default_rng(0))
    assert [outcome.number for outcome in intervals] == ["a", "b", "knee", "g"]
    assert all(outcome.interval[0] < outcome.interval[1] for outcome in intervals)


@pytest.mark.slow
def test_coverage_of_the_horizon_law_is_as_stated(sweep):
    targets, _ = horizon_targets(read([sweep]))
    table = coverage_table(targets[1:2], draws=200, seed=0, processes=2)
    assert table["coverage"].between(0.90, 0.995).all(), table


@pytest.fixture(scope="module", name="sizes")
def _sizes(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("sizes")
    design = Design(horizons=(1, 31), widths=(4, 16, 64, 256), seeds=4, evaluations=40)
    write_workdir(workdir, TRUTH, design, np.random.default_rng(0))
    return power_law_targets(read([workdir]))


def test_power_laws_are_drawn_and_refitted_at_each_horizon(sizes):
    targets, notes = sizes
    labels = [target.label for target in targets]
    assert labels == [f"power law, synthetic, dense, all widths, horizon {h}" for h in (1, 31)]
    assert notes == []
    found = coverage_table(targets, draws=8, seed=0, processes=1)
    assert found["number"].tolist() == 2 * [*POWER_LAW_NUMBERS]
    assert (found["draws"] == 8).all()
    assert (found["coverage"] > 0.5).all()
    assert found["width"].between(0.01, 10).all()
    truth = targets[0].estimate
    exponents = np.exp(truth.fit.arguments[:2])
    assert found["truth"][:2].tolist() == pytest.approx(exponents.tolist())


def test_draws_that_allow_no_fit_are_not_counted(sizes):
    (target, _), _ = sizes
    fit = target.estimate.fit
    low, _ = target.estimate.problem.bounds()
    at_bound = replace(fit, arguments=np.array([low[0], *fit.arguments[1:]]))
    lost = replace(target, estimate=replace(target.estimate, fit=at_bound))
    assert lost.draw(np.random.default_rng(0)) == []


@pytest.mark.slow
def test_coverage_of_the_power_law_is_as_stated(sizes):
    table = coverage_table(sizes[0][:1], draws=200, seed=0, processes=2)
    assert table["coverage"].between(0.90, 0.995).all(), table


@pytest.mark.parametrize(
    ("arguments", "says"),
    [([], "name a working directory"), (["/nowhere/at/all"], "no results to read")],
)
def test_bad_input_is_one_line_and_exit_code_2(arguments, says, tmp_path):
    done = commands.run(tmp_path, *arguments, module="analysis.coverage")
    assert done.process.exitcode == 2
    assert says in done.err
    assert done.err.count("\n") == 1

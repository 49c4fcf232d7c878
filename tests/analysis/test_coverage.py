from dataclasses import dataclass, replace

import numpy as np
import pytest

from analysis.coverage import (
    POWER_LAW_NUMBERS,
    DrawnInterval,
    HorizonTarget,
    coverage_table,
    draw_values,
    drawn_intervals,
    format_table,
    horizon_targets,
    power_law_targets,
)
from analysis.data import read
from analysis.laws.law import Quantity
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
        return [DrawnInterval("x", 2.0, (1.0, 3.0) if inside else (3.0, 5.0), True)]


def test_coverage_of_intervals_with_known_coverage():
    targets = [KnownTarget("all", 1.0), KnownTarget("half", 0.5), KnownTarget("none", 0.0)]
    table = coverage_table(targets, draws=400, seed=0, processes=1)
    assert table["coverage"].tolist()[::2] == [1.0, 0.0]
    assert table["coverage"][1] == pytest.approx(0.5, abs=0.08)
    assert table["coverage_low"][1] < 0.5 < table["coverage_high"][1]
    assert table["width"].tolist() == [1.0] * 3
    assert table["determined"].tolist() == [400] * 3
    assert "100.0%" in format_table(table)


@dataclass(frozen=True)
class WideTarget:
    """Intervals that are wide in a known share of draws; each holds the truth."""

    label: str
    share: float

    def draw(self, rng: np.random.Generator) -> list[DrawnInterval]:
        wide = rng.random() < self.share
        return drawn_intervals(
            {"x": Quantity(2.0), "y": Quantity(np.inf), "z": Quantity(1.0)},
            {
                "x": Quantity(2.1, (1e-3, 1e4) if wide else (1.0, 3.0)),
                "y": Quantity(3.0, (2.0, 4.0)),
                "z": Quantity(1.0),
            },
        )


def test_a_width_beyond_a_factor_10_is_called_wide_with_the_count_of_the_narrow_ones():
    targets = [WideTarget("mostly", 0.9), WideTarget("seldom", 0.1)]
    table = coverage_table(targets, draws=200, seed=0, processes=1)
    assert table["number"].tolist() == ["x", "x"], "no interval or no finite truth: no row"
    assert table["coverage"].tolist() == [1.0, 1.0]
    assert table["width"].tolist() == [np.inf, 1.0]
    assert table["determined"].tolist() == pytest.approx([20, 180], abs=12)
    often, seldom = format_table(table).splitlines()[1:]
    assert "wide" in often
    assert "100.0%" in seldom
    assert "500" not in often, "no per cent of a number that is not determined"
    assert str(table["determined"][0]) in often.split()


def test_an_open_end_is_not_determined():
    found = {"knee": Quantity(20.0, (1.0, 60.0), least=1.0), "g": Quantity(1.0, (0.8, 1.2))}
    drawn = drawn_intervals({"knee": Quantity(20.0), "g": Quantity(1.0)}, found)
    assert [one.is_determined for one in drawn] == [False, True]


def test_runs_without_a_horizon_law_give_no_target(tmp_path):
    """Such as those of a delay alone, or of one horizon."""
    design = Design(horizons=(7,), seeds=2, budget=100_000, evaluations=10)
    write_workdir(tmp_path, HorizonTruth(), design, np.random.default_rng(0))
    assert horizon_targets(read([tmp_path]))[0] == []
    done = commands.run(tmp_path, str(tmp_path), module="analysis.coverage")
    assert done.process.exitcode == 0, done.err
    assert "nothing to simulate" in done.out


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
    exponents = found["number"] != "e_c"  # the coefficient at h = 31 spans a factor 10 in most
    assert (found["determined"][exponents] == 8).all()
    assert found["width"][exponents].between(0.01, 2).all()
    assert np.isfinite(found["width"]).tolist() == (found["determined"] > 4).tolist()
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

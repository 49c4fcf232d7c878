import numpy as np
import pytest

from analysis.data.crossings import interactions_to_threshold
from analysis.laws.synthetic import (
    Design,
    HorizonTruth,
    Noise,
    PowerLawTruth,
    simulate,
)
from mnist_horizon.results import read_results
from tests.analysis.synthetic_workdir import write_workdir

QUIET = Noise(seed=0.0, run=0.0, run_at_largest=0.0, evaluation=0.0, transient=1e-3)


def test_written_sweep_is_read_back_without_a_note(tmp_path):
    design = Design(widths=(8, 16), seeds=2, evaluations=5)
    write_workdir(tmp_path, HorizonTruth(), design, np.random.default_rng(0))
    read = read_results(tmp_path)
    assert read.notes == ()
    assert read.frame["run_id"].nunique() == 2 * 7 * 2
    assert (read.frame.groupby("run_id").size() == 5).all()


def test_the_same_generator_gives_the_same_rows():
    design = Design(seeds=2, evaluations=5)
    one, two = (simulate(HorizonTruth(), design, np.random.default_rng(7)) for _ in range(2))
    assert one.equals(two)


def test_without_noise_thresholds_are_reached_when_the_truth_says():
    truth = HorizonTruth(a=20_000, knee=10.0, exponent=0.8)
    design = Design(horizons=(1, 10, 100), seeds=1, evaluations=200)
    table = interactions_to_threshold(
        simulate(truth, design, np.random.default_rng(0), QUIET), (0.7,)
    )
    expected = truth.interactions(np.array([1, 10, 100]), 64)
    np.testing.assert_allclose(expected[:2], [20_000, 40_000])
    np.testing.assert_allclose(table.sort_values("horizon")["interactions"], expected, rtol=5e-3)


def test_seed_effects_are_shared_by_the_horizons_of_a_seed():
    design = Design(horizons=(1, 3, 7, 15), seeds=60, evaluations=40)
    noise = Noise(seed=0.3, run=0.1, run_at_largest=0.1)
    frame = simulate(HorizonTruth(), design, np.random.default_rng(0), noise)
    table = interactions_to_threshold(frame, (0.7,))
    needed = np.log(table.pivot(index="seed", columns="horizon", values="interactions"))
    correlation = np.corrcoef(needed.to_numpy().T)[np.triu_indices(4, 1)]
    assert correlation.mean() == pytest.approx(0.9, abs=0.05)  # 0.09 / (0.09 + 0.01)


def test_power_law_meets_its_constraint_on_the_frontier():
    truth = PowerLawTruth(alpha_n=0.7, alpha_e=0.5, n_c=2e-3)
    sizes = np.geomspace(1e-3, 1e7, 20_001)
    level = 1e6
    by_size = (truth.n_c / sizes) ** truth.alpha_n
    spare = level**-truth.beta - by_size
    reachable = spare > 0
    interactions = truth.e_c(1.0) * spare[reachable] ** (-1 / truth.alpha_e)
    assert (sizes[reachable] * interactions).min() == pytest.approx(level, rel=1e-4)
    assert truth.performance(sizes[reachable][5], interactions[5], 1.0) == pytest.approx(level)


def test_e_c_grows_with_the_horizon_by_the_knee():
    truth = PowerLawTruth(knee=30.0)
    assert truth.e_c(30.0) / truth.e_c(1.0) == pytest.approx(2.0)


def test_runs_stop_at_the_return_asked_for():
    design = Design(seeds=2, stop_at_return=0.6)
    frame = simulate(HorizonTruth(), design, np.random.default_rng(0))
    below = frame.groupby("run_id")["return_mean"].apply(lambda r: (r >= 0.6).sum())
    assert (below <= 1).all()
    assert frame["interactions"].max() < design.budget

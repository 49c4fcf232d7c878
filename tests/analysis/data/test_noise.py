import numpy as np
import pandas as pd
import pytest
from scipy.stats import t as student

from analysis.data import noise
from mnist_horizon import results, theory
from mnist_horizon.horizon import discount_from_horizon
from mnist_horizon.schedules import Schedule, parse
from tests.analysis.reference_runs import noise_of, sweep

DENSE = parse("dense")
MOMENTS = theory.moments_from_ratio(2.0, 0.25, 0.02)


def table(
    schedule: Schedule,
    horizons: tuple[float, ...] = (1.0, 3.0, 15.0, 63.0),
    seeds: int = 4,
    factor: float = 1.0,
    spread: float = 0.0,
) -> pd.DataFrame:
    """Noise tables whose measurements are `factor` times the prediction, as the trainer writes."""
    rng, rows = np.random.default_rng(1), []
    for seed in range(seeds):
        off = factor * np.exp(spread * rng.normal())
        for horizon in horizons:
            discount = discount_from_horizon(horizon)
            parts_of = schedule.covariance(discount, MOMENTS)
            # The state part is 0 in these moments; a little of it keeps every ratio defined.
            parts = {"future": parts_of.future, "action": parts_of.action - 0.01, "state": 0.01}
            parts["total"] = sum(parts.values())
            for interactions in (1000, 4000):
                rows.append(
                    {
                        "run_id": f"r{horizon}-{seed}",
                        "task": "digits",
                        "schedule": schedule.kind,
                        "schedule_level": float(schedule.level),
                        "baseline": "expected_reward",
                        "width": 16,
                        "horizon": horizon,
                        "discount": discount,
                        "seed": seed,
                        "batch": 512,
                        "interactions": interactions,
                        "signal": 0.02,
                    }
                    | {name: float(value) * off for name, value in parts.items()}
                    | {f"predicted_{name}": float(value) for name, value in parts.items()}
                )
    return pd.DataFrame(rows)


def test_tables_survive_the_disk(tmp_path):
    rows = table(DENSE)
    results.write_results(tmp_path / "noise" / "p.parquet", rows, results.NOISE_SCHEMA)
    read = results.read_noise(tmp_path).frame
    assert len(noise.variance_by_horizon(read)) == 4 * 2 * 4


def test_variance_has_the_t_interval_over_seeds():
    rows = table(DENSE, spread=0.1)
    found = noise.variance_by_horizon(rows, ["total"])
    row = found[(found["horizon"] == 15) & (found["interactions"] == 1000)].iloc[0]
    values = rows[(rows["horizon"] == 15) & (rows["interactions"] == 1000)]["total"]
    assert row["measured"] == pytest.approx(values.mean())
    reach = student.ppf(0.975, 3) * values.std(ddof=1) / 2
    assert row["high"] - row["measured"] == pytest.approx(reach)
    assert row["predicted"] == pytest.approx(rows.loc[values.index[0], "predicted_total"])
    assert row["seeds"] == 4


def test_agreement_finds_the_ratio_and_counts_seeds_not_rows():
    rows = table(DENSE, horizons=(3.0, 15.0), factor=1.1, spread=0.05)
    found, notes = noise.agreement(rows)
    assert not notes
    total = found[found["part"] == "total"].iloc[0]
    assert total["low"] < 1.1 < total["high"]
    per_seed = np.log(rows["total"] / rows["predicted_total"]).groupby(rows["seed"]).mean()
    reach = student.ppf(0.975, 3) * per_seed.std(ddof=1) / 2
    assert np.log(total["high"] / total["ratio"]) == pytest.approx(reach)
    assert total["rows"] == len(rows)
    by_horizon, _ = noise.agreement(rows, by=["horizon"])
    assert set(by_horizon["horizon"]) == {3.0, 15.0}


def test_agreement_says_what_it_left_out():
    found, notes = noise.agreement(table(DENSE, horizons=(1.0, 3.0)))
    assert any("future" in note and "8 of 16" in note for note in notes)  # h = 1 has no future
    assert found[found["part"] == "future"]["ratio"].iloc[0] == pytest.approx(1)
    assert np.isnan(noise.agreement(table(DENSE, seeds=1))[0]["low"]).all()


@pytest.mark.parametrize("text", ["dense", "revealed:0.25", "periodic:4"])
def test_noise_scale_is_that_of_the_theory(text):
    schedule = parse(text)
    found, notes = noise.scale_along_training(table(schedule))
    assert not notes
    for row in found.itertuples():
        expected = theory.noise_over_signal(schedule, row.horizon, MOMENTS)
        assert row.noise_scale == pytest.approx(expected)
        assert row.low == pytest.approx(expected)


def test_noise_scale_leaves_out_what_it_cannot_have():
    lost = table(DENSE).assign(signal=-1e-6)
    streaks = table(DENSE).assign(schedule="streak", schedule_level=3.0)
    found, notes = noise.noise_scale(pd.concat([lost, streaks], ignore_index=True))
    assert found.empty
    assert len(notes) == 2
    along, _ = noise.scale_along_training(lost)
    assert along.empty


def test_coefficients_and_knee_are_those_of_the_theory():
    found, _ = noise.horizon_coefficients(table(DENSE, spread=0.05))
    row = found.iloc[0]
    for batch, name in ((512, "knee"), (0, "knee_small_batch")):
        assert row[name] == pytest.approx(theory.knee(MOMENTS, batch), rel=0.1 if batch else 1e-6)
    assert row["noise_growth"] == pytest.approx(1 / 0.02, rel=0.1)
    assert row["noise_growth_low"] < 1 / 0.02 < row["noise_growth_high"]
    assert row["seeds"] == 4


def test_before_a_threshold_is_from_a_quarter_of_the_interactions_to_a_threshold_up_to_it():
    rows = table(DENSE, horizons=(1.0, 3.0), seeds=2)  # rows at 1,000 and 4,000
    needed = {"r1.0-0": 4000.0, "r1.0-1": 3999.0, "r3.0-0": 16_001.0, "r3.0-1": 4000.0}
    crossings = pd.DataFrame({"run_id": needed, "interactions": needed}).assign(censored=False)
    crossings["run_id"] = crossings.index
    crossings.loc["r3.0-1", "censored"] = True
    found = noise.before_threshold(rows, crossings)
    left = found[["run_id", "interactions"]].to_numpy().tolist()
    assert sorted(left) == [["r1.0-0", 1000], ["r1.0-0", 4000], ["r1.0-1", 1000]]


def test_the_ratio_of_action_noise_is_the_harmonic_mean_over_interactions():
    runs = sweep(np.random.default_rng(0), horizons=(1.0, 7.0))
    rows = noise_of(runs)
    # (B |m|^2 + state + action) / (B |m|^2 + state) = (20 + 10 + 30) / (20 + 10)
    ratio = noise.action_noise_ratio(rows, runs)
    at_one = (runs["algorithm"] == "vpg") & (runs["horizon"] == 1)
    assert ratio[at_one].to_numpy() == pytest.approx([2.0] * 4)
    assert ratio[~at_one].isna().all()
    # Rows at 0.1, 0.5, 0.9 and 2 times E stand for what lies between their geometric means.
    run = runs.loc[at_one, "run_id"].iloc[0]
    end = runs.loc[at_one, "interactions"].iloc[0]
    quiet = rows["action"].where(rows["interactions"] > 0.3 * end, 0.0)
    found = noise.action_noise_ratio(rows.assign(action=quiet), runs)[at_one].iloc[0]
    share = np.sqrt(0.1 * 0.5)  # of the interactions, without noise of actions
    assert found == pytest.approx(1 / (share + (1 - share) / 2), rel=1e-3)
    assert run.startswith("w64-vpg-h1")


def test_estimates_below_0_count_as_0():
    runs = sweep(np.random.default_rng(0), horizons=(1.0,))
    at_one = runs["algorithm"] == "vpg"
    rows = noise_of(runs)
    weak = noise.action_noise_ratio(rows.assign(signal=-1.0), runs)[at_one]
    assert weak.to_numpy() == pytest.approx([4.0] * 4)  # (state + action) / state
    none = rows.assign(signal=-1.0, state=-1.0)
    assert noise.action_noise_ratio(none, runs).isna().all()


def test_action_noise_needs_rows_near_the_crossing_of_dense_runs_that_reach_it():
    runs = sweep(np.random.default_rng(0), horizons=(1.0,))
    rows = noise_of(runs)
    assert noise.action_noise_ratio(rows[:0], runs).isna().all()
    assert noise.action_noise_ratio(pd.DataFrame(), runs).isna().all()
    early = rows.sort_values("interactions").drop_duplicates("run_id")
    assert noise.action_noise_ratio(early, runs).isna().all()
    assert noise.action_noise_ratio(rows.assign(schedule="revealed"), runs).isna().all()
    censored = runs.assign(censored=runs["seed"] == 0)
    found = noise.action_noise_ratio(rows, censored)[runs["algorithm"] == "vpg"]
    assert found.isna().tolist() == [True, False, False, False]

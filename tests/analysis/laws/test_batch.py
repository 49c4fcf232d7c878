import json

import numpy as np
import pandas as pd
import pytest

from analysis.laws.batch import BatchMean, fit_batch_laws
from analysis.laws.horizon import horizon_of, regressor_values

STEPS, CONSTANT, GROWTH = 40.0, 500.0, 60.0


def table_of(rng: np.random.Generator, spread: float, batches: tuple[int, ...]) -> pd.DataFrame:
    rows = []
    for batch in batches:
        for seed in range(4):
            for horizon in (1.0, 7.0, 31.0, 127.0):
                x = regressor_values(np.array([horizon]), "variance_horizon")[0]
                needed = STEPS * (batch + CONSTANT + GROWTH * x)
                rows.append(
                    {
                        "run_id": f"b{batch}-h{horizon:g}-s{seed}",
                        "batch": batch,
                        "environments": 1,
                        "rollout_length": batch,
                        "seed": seed,
                        "horizon": horizon,
                        "interactions": needed * np.exp(spread * rng.standard_normal()),
                    }
                )
    settings = {"task": "t", "schedule": "dense", "schedule_level": 1.0, "width": 8}
    frame = pd.DataFrame(rows).assign(threshold=0.7, censored=False, early=False)
    return frame.assign(**settings)


def test_noiseless_data_give_the_constants_back():
    laws, notes = fit_batch_laws(table_of(np.random.default_rng(0), 0.0, (128, 512, 2048)))
    (law,) = laws
    assert notes == []
    assert law.s_min == pytest.approx(STEPS, rel=1e-2)
    assert law.noise_constant == pytest.approx(CONSTANT, rel=1e-2)
    assert law.noise_growth == pytest.approx(GROWTH, rel=1e-2)
    small = horizon_of(CONSTANT / GROWTH, "variance_horizon")
    assert law.knee_small_batch == pytest.approx(small, rel=1e-2)
    at_512 = horizon_of((512 + CONSTANT) / GROWTH, "variance_horizon")
    assert law.knees[512] == pytest.approx(at_512, rel=1e-2)
    json.dumps(law.to_json(), allow_nan=False)


@pytest.mark.slow
def test_intervals_hold_the_knee_at_small_batch():
    rng = np.random.default_rng(1)
    truth = horizon_of(CONSTANT / GROWTH, "variance_horizon")
    held = []
    for _ in range(20):
        ((law,), _) = fit_batch_laws(table_of(rng, 0.1, (128, 512, 2048)))
        assert law.knee_small_batch_ci is not None
        held.append(law.knee_small_batch_ci[0] <= truth <= law.knee_small_batch_ci[1])
    assert np.mean(held) >= 0.8


def test_one_batch_is_no_batch_law():
    assert fit_batch_laws(table_of(np.random.default_rng(0), 0.1, (128,)))[0] == []


def test_derivatives():
    x = np.array([0.0, 2.0, 9.0])
    mean = BatchMean(np.array([64.0, 64.0, 256.0]), x, np.array([0, 1, 1]), 2)
    theta = np.array([1.0, 2.0, 4.0, 3.0])
    _, derivatives = mean(theta)
    for i, change in enumerate(1e-6 * np.eye(4)):
        slope = (mean(theta + change)[0] - mean(theta - change)[0]) / 2e-6
        np.testing.assert_allclose(derivatives[:, i], slope, atol=1e-8)


def test_noise_that_is_lost_beside_the_batch_has_no_interval(monkeypatch):
    monkeypatch.setattr("tests.analysis.test_batch_law.CONSTANT", 0.0)
    ((law,), notes) = fit_batch_laws(table_of(np.random.default_rng(0), 0.1, (128, 512, 2048)))
    assert law.noise_constant_ci is None
    assert law.knee_small_batch_ci is None
    assert law.noise_growth_ci is not None
    (note,) = notes
    assert "no interval of the knee at small batches" in note

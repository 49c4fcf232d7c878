import json

import numpy as np
import pandas as pd
import pytest

from analysis.laws.batch import BatchMean, fit_batch_laws
from analysis.laws.regressors import horizon_of
from tests.analysis.horizon_runs import CONSTANT, GROWTH, STEPS, over_batches


def test_noiseless_data_give_the_constants_back():
    fits = fit_batch_laws(over_batches(np.random.default_rng(0), 0.0, (128, 512, 2048)))
    (law,) = fits.entries
    assert fits.notes == ()
    values = {name: one.value for name, one in law.quantities.items()}
    assert values["s_min"] == pytest.approx(STEPS, rel=1e-2)
    assert values["noise_constant"] == pytest.approx(CONSTANT, rel=1e-2)
    assert values["noise_growth"] == pytest.approx(GROWTH, rel=1e-2)
    small = horizon_of(CONSTANT / GROWTH, "variance_horizon")
    assert values["knee_small_batch"] == pytest.approx(small, rel=1e-2)
    at_512 = horizon_of((512 + CONSTANT) / GROWTH, "variance_horizon")
    assert law.knees[512] == pytest.approx(at_512, rel=1e-2)
    json.dumps(law.to_json(), allow_nan=False)


@pytest.mark.slow
def test_intervals_hold_the_knee_at_small_batch():
    rng = np.random.default_rng(1)
    truth = horizon_of(CONSTANT / GROWTH, "variance_horizon")
    held = []
    for _ in range(20):
        (law,) = fit_batch_laws(over_batches(rng, 0.1, (128, 512, 2048))).entries
        low, high = law.quantities["knee_small_batch"].interval
        held.append(low <= truth <= high)
    assert np.mean(held) >= 0.8


def test_one_batch_is_no_batch_law():
    table = over_batches(np.random.default_rng(0), 0.1, (128,))
    assert fit_batch_laws(table).entries == ()
    assert fit_batch_laws(table.drop(columns="batch")).entries == ()


def test_derivatives():
    x = np.array([0.0, 2.0, 9.0])
    mean = BatchMean(np.array([64.0, 64.0, 256.0]), x, np.array([0, 1, 1]), 2)
    theta = np.array([1.0, 2.0, 4.0, 3.0])
    _, derivatives = mean(theta)
    for i, change in enumerate(1e-6 * np.eye(4)):
        slope = (mean(theta + change)[0] - mean(theta - change)[0]) / 2e-6
        np.testing.assert_allclose(derivatives[:, i], slope, atol=1e-8)


def test_noise_that_is_lost_beside_the_batch_has_no_interval():
    fits = fit_batch_laws(
        over_batches(np.random.default_rng(0), 0.1, (128, 512, 2048), constant=0.0)
    )
    (law,) = fits.entries
    assert law.quantities["noise_constant"].interval is None
    assert law.quantities["knee_small_batch"].interval is None
    assert law.quantities["noise_growth"].interval is not None
    (note,) = fits.notes
    assert "no interval of the knee at small batches" in note


def test_several_widths_are_pooled_and_share_the_noise():
    one = over_batches(np.random.default_rng(0), 0.0, (128, 2048))
    wide = one.assign(width=32, run_id="w-" + one["run_id"], interactions=one["interactions"] / 4)
    laws = fit_batch_laws(pd.concat([one, wide])).entries
    assert [law.group.get("width") for law in laws] == [8, 32, None]
    pooled = laws[-1]
    assert pooled.quantities["s_min"].value == pytest.approx(STEPS / 2, rel=1e-2)
    assert pooled.quantities["noise_growth"].value == pytest.approx(GROWTH, rel=1e-2)
    predicted = pooled.predict(pd.DataFrame({"horizon": [1.0], "batch": [128]}))
    assert predicted[0] == pytest.approx(STEPS / 2 * (128 + CONSTANT), rel=1e-2)

"""One power law for several horizons, of which only E_c differs."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from analysis.laws.power.curves import FitError
from analysis.laws.power.level_estimate import LevelEstimate
from analysis.laws.power.shared import SharedPowerLaw, estimate_jointly
from analysis.laws.power.single import estimate_each, power_law_groups
from tests.analysis.power_runs import over_horizons, simulate


def estimates(
    frame: pd.DataFrame, reference_horizon: float | None = None
) -> tuple[LevelEstimate, list[LevelEstimate]]:
    """Level sets that the horizons of one group share, and of each alone."""
    generator = np.random.default_rng(0)
    (group,) = power_law_groups(frame)
    alone, _ = estimate_each(group, generator)
    return estimate_jointly(alone, reference_horizon, generator), alone


def fit_shared(frame: pd.DataFrame, reference_horizon: float | None = None) -> SharedPowerLaw:
    return SharedPowerLaw.of(*estimates(frame, reference_horizon), "NE")


def test_a_shared_law_shares_exponents_and_finds_how_e_c_grows() -> None:
    horizons = (1.0, 7.0, 31.0)
    shared = fit_shared(over_horizons(np.random.default_rng(11), horizons))
    assert shared.verdict == "shared"
    assert shared.reference_horizon == 1.0
    assert shared.quantities["alpha_n"].value == pytest.approx(0.55, rel=0.1)
    for horizon in horizons[1:]:
        assert shared.e_c[horizon].value / shared.e_c[1.0].value == pytest.approx(
            1 + (horizon - 1) / 30, rel=0.15
        )
    entry = json.loads(json.dumps(shared.to_json()))
    assert entry["joint"] is True
    assert "horizon" not in entry["group"]
    assert [one["horizon"] for one in entry["e_c_by_horizon"]] == list(horizons)
    assert set(entry["aicc"]) == {"shared", "exponents", "free"}


@pytest.mark.slow
def test_exponents_that_move_with_the_horizon_are_noticed() -> None:
    frame = over_horizons(np.random.default_rng(12), (1.0, 7.0, 31.0), exponent_drift=0.3)
    shared = fit_shared(frame)
    assert shared.verdict == "free"


def test_a_shared_law_needs_two_horizons_and_a_reference_among_them() -> None:
    generator = np.random.default_rng(13)
    with pytest.raises(FitError, match=r"1 horizon with .* at least 2"):
        fit_shared(simulate(generator))
    with pytest.raises(FitError, match="reference horizon 5"):
        fit_shared(over_horizons(generator, (1.0, 7.0)), reference_horizon=5.0)


@pytest.fixture(scope="module", name="levels")
def _levels() -> tuple[LevelEstimate, list[LevelEstimate]]:
    """Shared level sets of two horizons, and those of each alone."""
    return estimates(over_horizons(np.random.default_rng(5), (1.0, 7.0)))


def test_an_open_end_of_an_interval_is_null_in_the_entry(levels) -> None:
    together, alone = levels
    scattered = together.without_seed.copy()
    scattered[:, 3] += [-300.0, 0.0, 0.0, 300.0]  # log E_c at h = 7, over that at h = 1
    law = SharedPowerLaw.of(replace(together, without_seed=scattered), alone, "NE")
    assert law.e_c[7.0].interval == (0.0, np.inf)
    entry = json.loads(json.dumps(law.to_json(), allow_nan=False))
    at_one, at_seven = (one["e_c_ci"] for one in entry["e_c_by_horizon"])
    assert at_seven == [None, None]
    assert at_one[0] < law.e_c[1.0].value < at_one[1]


@pytest.mark.parametrize("compute", ["NE", "flops"])
def test_any_horizon_can_be_the_reference(levels, compute) -> None:
    _, alone = levels
    other = estimate_jointly(alone, 7.0, np.random.default_rng(0))
    assert other.curves[0].horizon == 7.0
    law = SharedPowerLaw.of(other, alone, compute)
    assert law.reference_horizon == 7.0
    assert list(law.e_c) == [1.0, 7.0]
    assert law.e_c[7.0].value / law.e_c[1.0].value == pytest.approx(1.2, rel=0.15)
    assert law.e_c[7.0].value == law.quantities["e_c"].value


def test_predictions_move_with_e_c_of_the_horizon(levels) -> None:
    law = SharedPowerLaw.of(*levels, "NE")
    ratio = law.e_c[7.0].value / law.e_c[1.0].value
    rows = pd.DataFrame({"parameters": [1e4] * 2, "interactions": [2e5, 2e5 * ratio]})
    at_one, at_seven = law.predict(rows.assign(horizon=[1.0, 7.0]))
    assert at_one == pytest.approx(at_seven)


@pytest.mark.parametrize(
    ("scores", "verdict"),
    [((1.0, 6.0, 9.0), "shared"), ((9.0, 7.0, 1.0), "free"), ((1.0, 4.9, 9.0), "undecided")],
)
def test_a_model_is_named_where_aicc_is_lower_by_4(levels, scores, verdict) -> None:
    law = SharedPowerLaw.of(*levels, "NE")
    aicc = dict(zip(("shared", "exponents", "free"), scores, strict=True))
    assert replace(law, aicc=aicc).verdict == verdict

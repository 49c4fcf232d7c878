"""One power law for several horizons, of which only E_c differs."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from analysis.laws.power.comparison import compare_models
from analysis.laws.power.curves import FitError
from analysis.laws.power.level_estimate import LevelEstimate
from analysis.laws.power.misfit import measure_misfit
from analysis.laws.power.shared import SharedPowerLaw, _refusal, estimate_jointly, fit_shared
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


def shared_law(frame: pd.DataFrame, reference_horizon: float | None = None) -> SharedPowerLaw:
    together, alone = estimates(frame, reference_horizon)
    return SharedPowerLaw.of(together, compare_models(together, alone), "NE")


def test_a_shared_law_shares_exponents_and_finds_how_e_c_grows() -> None:
    horizons = (1.0, 7.0, 31.0)
    shared = shared_law(over_horizons(np.random.default_rng(11), horizons))
    assert min(shared.comparison.aicc, key=shared.comparison.aicc.get) == "shared"
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


def test_a_shared_law_needs_two_horizons_and_a_reference_among_them() -> None:
    generator = np.random.default_rng(13)
    with pytest.raises(FitError, match=r"1 horizon with .* at least 2"):
        shared_law(simulate(generator))
    with pytest.raises(FitError, match="reference horizon 5"):
        shared_law(over_horizons(generator, (1.0, 7.0)), reference_horizon=5.0)


@pytest.fixture(scope="module", name="levels")
def _levels() -> tuple[LevelEstimate, list[LevelEstimate]]:
    """Shared level sets of two horizons, and those of each alone."""
    return estimates(over_horizons(np.random.default_rng(5), (1.0, 7.0)))


def test_an_open_end_of_an_interval_is_null_in_the_entry(levels) -> None:
    together, alone = levels
    scattered = together.without_seed.copy()
    scattered[:, 3] += [-300.0, 0.0, 0.0, 300.0]  # log E_c at h = 7, over that at h = 1
    law = SharedPowerLaw.of(
        replace(together, without_seed=scattered), compare_models(together, alone), "NE"
    )
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
    law = SharedPowerLaw.of(other, compare_models(other, alone), compute)
    assert law.reference_horizon == 7.0
    assert list(law.e_c) == [1.0, 7.0]
    assert law.e_c[7.0].value / law.e_c[1.0].value == pytest.approx(1.2, rel=0.15)
    assert law.e_c[7.0].value == law.quantities["e_c"].value


def test_predictions_move_with_e_c_of_the_horizon(levels) -> None:
    law = SharedPowerLaw.of(levels[0], compare_models(*levels), "NE")
    ratio = law.e_c[7.0].value / law.e_c[1.0].value
    rows = pd.DataFrame({"parameters": [1e4] * 2, "interactions": [2e5, 2e5 * ratio]})
    at_one, at_seven = law.predict(rows.assign(horizon=[1.0, 7.0]))
    assert at_one == pytest.approx(at_seven)


def test_the_growth_of_e_c_has_an_interval_of_its_own(levels) -> None:
    together, alone = levels
    law = SharedPowerLaw.of(together, compare_models(together, alone), "NE")
    growth = law.quantities["e_c_growth"]
    assert growth.value == pytest.approx(law.e_c[7.0].value / law.e_c[1.0].value)
    assert growth.interval[0] < 1.2 < growth.interval[1]
    alone_width = np.ptp(np.log(law.e_c[7.0].interval))
    assert np.ptp(np.log(growth.interval)) < alone_width  # what both share cancels


def test_the_shared_law_is_refused_with_those_of_its_horizons(levels) -> None:
    together, alone = levels
    good = [measure_misfit(one) for one in alone]
    laws = fit_shared(alone, good, np.random.default_rng(0))
    assert [law.compute for law in laws] == ["NE", "flops"]
    assert {law.refusal for law in laws} == {""}
    assert laws[0].comparison.test.draws == 99
    assert laws[0].determined["alpha_n"]
    for change, reason in (
        ({"sizes": 3}, "unchecked"),
        ({"plateaus": (1000.0,)}, "plateau"),
        ({"fit_test": 1e-6}, "misfit"),
    ):
        bad = [good[0], replace(good[1], **change)]
        law = SharedPowerLaw.of(together, laws[0].comparison, "NE", _refusal(together, bad))
        assert law.refusal == reason
        assert not any(law.determined.values())

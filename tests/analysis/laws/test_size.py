"""How E falls with size under each schedule."""

import numpy as np
import pandas as pd
import pytest

from analysis.laws.law import Fits
from analysis.laws.size import SizeExponent, fit_size_exponents
from tests.analysis.sparse_runs import FIVE_SCHEDULES, TRUTH, crossings, two_widths


@pytest.fixture(scope="module", name="exponents")
def _exponents() -> dict[str, SizeExponent]:
    return {one.schedule: one for one in fit_size_exponents(two_widths()).entries}


def test_size_exponents_see_a_schedule_of_its_own_exponent(exponents):
    assert set(exponents) == set(FIVE_SCHEDULES)
    # Four times the parameters need half the interactions: an exponent of 1/2, streaks of 0.
    assert exponents["dense"].quantities["exponent"].value == pytest.approx(0.5, abs=0.15)
    assert exponents["periodic:4"].quantities["change"].value == pytest.approx(0, abs=0.1)
    change = exponents["streak:2"].quantities["change"]
    assert change.value == pytest.approx(-0.5, abs=0.1)
    assert change.interval[1] < 0
    assert exponents["dense"].quantities["change"].value == 0
    assert exponents["dense"].seeds == [0, 1, 2, 3]


def test_intervals_are_students_over_seeds(exponents):
    one = exponents["periodic:4"]
    values = (one.exponents - one.of_dense).to_numpy()
    change = one.quantities["change"]
    assert change.value == pytest.approx(values.mean())
    reach = 3.182446 * values.std(ddof=1) / 2  # t of 3 degrees of freedom
    assert change.interval == pytest.approx((change.value - reach, change.value + reach))


def test_predictions_are_over_the_smallest_size(exponents):
    one = exponents["dense"]
    found = one.predict(pd.DataFrame({"parameters": [1600, 6400]}))
    np.testing.assert_allclose(found, [1.0, 4.0 ** -one.quantities["exponent"].value])


def test_the_entry_has_settings_and_ends_side_by_side(exponents):
    entry = exponents["dense"].to_json()
    assert entry["task"] == "synthetic"
    assert entry["exponent_low"] < entry["exponent"] < entry["exponent_high"]
    assert entry["horizons"] == 6
    assert "learning_rate" not in entry
    alone = exponents["dense"].without_seed(0).without_seed(1).without_seed(2)
    assert alone.to_json()["exponent_low"] is None
    two = exponents["dense"].without_seed(0).without_seed(1)
    low, high = two.quantities["exponent"].interval  # Student's t of 1 degree of freedom
    assert high - low == pytest.approx(12.7062 * abs(np.diff(two.exponents)[0]), rel=1e-4)


def test_an_exponent_is_determined_where_its_sign_and_width_are_known(exponents):
    assert exponents["dense"].determined["exponent"]
    assert not exponents["streak:2"].determined["exponent"]  # it is 0
    assert exponents["streak:2"].determined["change"]
    assert (
        not exponents["dense"]
        .without_seed(0)
        .without_seed(1)
        .without_seed(2)
        .determined["exponent"]
    )


def test_horizons_at_which_a_seed_does_not_reach_the_return_are_left_out():
    table = two_widths()
    table["censored"] = (table["schedule"] == "streak") & (table["horizon"] >= 31)
    table["left_censored"] = (table["schedule"] == "dense") & (table["horizon"] == 1)
    found = {one.schedule: one.horizons for one in fit_size_exponents(table).entries}
    assert found["streak:2"] == 3
    assert found["periodic:4"] == 5


def test_without_two_widths_or_without_dense_there_is_none_and_a_note():
    rng = np.random.default_rng
    dense = crossings(TRUTH, rng(0), schedules=("dense",))
    assert fit_size_exponents(dense) == Fits()
    one_width = crossings(TRUTH, rng(0))
    others = two_widths()
    for table in (one_width, others[others["schedule"] != "dense"]):
        fits = fit_size_exponents(table)
        assert fits.entries == ()
        assert "needs two widths that reach a threshold under dense" in fits.notes[0]

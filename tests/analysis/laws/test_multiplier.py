"""What the longest horizon costs, without a law."""

import numpy as np
import pandas as pd
import pytest

from analysis.laws.law import Quantity
from analysis.laws.multiplier import Multiplier, Ratio, SeedValues
from tests.analysis.horizon_runs import data_of

T_OF_TWO = 12.7062047


def runs(by_horizon: dict[float, list[float]], width: int = 8) -> pd.DataFrame:
    """Interactions of each seed by horizon; a negative number is a censored run."""
    rows = [
        {"horizon": h, "seed": seed, "interactions": abs(e), "censored": e < 0}
        for h, values in by_horizon.items()
        for seed, e in enumerate(values)
    ]
    table = pd.DataFrame(rows).assign(width=width, left_censored=False, task="t", threshold=0.7)
    return table.assign(run_id=[f"r{n}" for n in range(len(table))])


def of(*tables: pd.DataFrame) -> Multiplier:
    return Multiplier.of(data_of(pd.concat(tables, ignore_index=True)))


def test_it_is_the_geometric_mean_of_the_ratios_of_each_seed():
    # Seeds differ a hundredfold, their ratios are 2 and 8: log error of the mean is log 2.
    found = of(runs({1.0: [100, 1e4], 7.0: [150, 2e4], 31.0: [200, 8e4]}))
    assert found.bound is None
    assert found.measured is not None
    assert found.measured.horizons == (1.0, 31.0)
    assert found.measured.ratio.value == pytest.approx(4)
    assert found.measured.ratio.interval == pytest.approx(
        (4 * 2**-T_OF_TWO, 4 * 2**T_OF_TWO), rel=1e-6
    )
    assert found.verdict == "undecided"


@pytest.mark.parametrize(("factor", "verdict"), [(3.0, "more"), (0.3, "less")])
def test_its_verdict_is_that_of_the_interval(factor, verdict):
    found = of(runs({1.0: [100, 110], 31.0: [100 * factor, 112 * factor]}))
    assert found.verdict == verdict
    entry = found.to_json()
    assert entry["multiplier"] == pytest.approx(factor * np.sqrt(112 / 110))
    assert entry["multiplier_horizons"] == [1.0, 31.0]
    assert entry["multiplier_verdict"] == verdict
    assert entry["multiplier_beyond"] is None


def test_censored_runs_at_the_longest_horizon_give_a_lower_bound():
    found = of(runs({1.0: [100, 110], 7.0: [101, 109], 31.0: [900, -990]}))
    assert found.measured is not None
    assert found.bound is not None
    assert found.measured.horizons == (1.0, 7.0)
    assert found.measured.verdict == "undecided"
    assert found.verdict == "more"
    beyond = found.to_json()["multiplier_beyond"]
    assert beyond == {"horizons": [1.0, 31.0], "at_least": pytest.approx(9.0)}


def test_a_bound_is_never_less():
    low = Quantity(0.5, (0.4, 0.6))
    assert Ratio((1.0, 7.0), low).verdict == "less"
    assert Ratio((1.0, 7.0), low, is_bound=True).verdict == "undecided"


def test_pooled_widths_are_compared_within_each_width():
    wide = runs({1.0: [1000, 1100], 31.0: [2000, 2200]}, width=64)
    narrow = runs({1.0: [10, 11], 31.0: [80, 88]})
    found = of(narrow, wide)
    assert found.measured is not None
    assert found.measured.ratio.value == pytest.approx(4)
    assert found.measured.ratio.interval == pytest.approx((4, 4))


def test_without_a_horizon_that_all_runs_reach_there_is_none():
    found = of(runs({1.0: [100, -200], 31.0: [300, -200]}))
    assert (found.measured, found.bound, found.verdict) == (None, None, "undecided")
    assert "multiplier" not in found.to_json()


def test_one_seed_decides_nothing():
    found = of(runs({1.0: [100], 31.0: [900]}))
    assert found.measured is not None
    assert found.measured.ratio == Quantity(pytest.approx(9.0))
    assert found.verdict == "undecided"


def test_horizons_that_all_runs_reach():
    table = runs({1.0: [100, 110], 7.0: [200, -220], 31.0: [900, 990]})
    assert SeedValues.of(data_of(table)).reached == [1.0, 31.0]

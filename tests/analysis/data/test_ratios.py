"""Ratios of interactions are paired by seed, and say so where runs are censored."""

import numpy as np
import pandas as pd
import pytest

from analysis.data.ratios import ratio


def runs(interactions, seeds=None, censored=False) -> pd.DataFrame:
    seeds = range(len(interactions)) if seeds is None else seeds
    table = pd.DataFrame({"seed": seeds, "interactions": np.asarray(interactions, dtype=float)})
    return table.assign(censored=censored)


def test_what_seeds_share_cancels_in_a_paired_ratio():
    base = np.array([100.0, 1000.0, 10.0])
    found = ratio(runs(3 * base), runs(base))
    assert found.value == pytest.approx(3)
    assert found.interval == pytest.approx((3, 3))
    assert found.verdict == "more"
    assert found.seeds == 3


def test_only_common_seeds_are_paired():
    found = ratio(runs([2.0, 4.0, 1e9], [0, 1, 2]), runs([1.0, 2.0, 5.0], [0, 1, 9]))
    assert found.value == pytest.approx(2)
    assert found.seeds == 2


def test_other_seeds_are_compared_by_their_means():
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(200):
        first, second = (np.exp(0.3 * rng.standard_normal(4)) for _ in range(2))
        found = ratio(runs(2 * first, range(4)), runs(second, range(4, 8)))
        held += found.interval[0] <= 2 <= found.interval[1]
    assert 180 <= held <= 200


@pytest.mark.parametrize(
    ("above", "below", "bound", "verdict"),
    [
        (False, False, "", "more"),
        (True, False, "at least", "more"),
        (False, True, "at most", "undecided"),
        (True, True, "unknown", "undecided"),
    ],
)
def test_censored_runs_give_a_bound(above, below, bound, verdict):
    found = ratio(runs([3.0, 3.1], censored=above), runs([1.0, 1.0], censored=below))
    assert found.bound == bound
    assert found.verdict == verdict
    assert (found.interval is None) == bool(bound)


def test_one_seed_has_no_interval_and_no_runs_no_ratio():
    found = ratio(runs([2.0]), runs([1.0]))
    assert (found.value, found.interval, found.verdict) == (2.0, None, "undecided")
    assert ratio(runs([2.0])[:0], runs([1.0])) is None

"""The test of equal exponents: its size, its power, the upper limit, and verdicts."""

import json
from dataclasses import replace

import numpy as np
import pytest

from analysis.laws.equality import (
    MARGIN,
    Condition,
    Equality,
    EqualityTest,
    Exponents,
    Part,
    change,
)

PLAIN = Exponents(("a", "b"), np.asarray, lambda at: np.eye(2), deciding=("a", "b"))


def conditions(
    generator: np.random.Generator,
    count: int,
    seeds: int,
    shifts: np.ndarray | float = 0.0,
    spread: float = 0.1,
) -> list[Condition]:
    """Means over seeds of normal exponents, noisier from condition to condition."""
    root = np.linalg.cholesky(np.array([[1.0, -0.6], [-0.6, 1.0]]))
    deviation = spread * np.linspace(0.5, 1.5, count)
    shared, own = (
        generator.standard_normal((seeds, 1, 2)),
        generator.standard_normal((seeds, count, 2)),
    )
    values = (np.sqrt(0.4) * shared + np.sqrt(0.6) * own) @ root.T * deviation[:, None] + shifts
    found = []
    for k in range(count):
        of_all = values[:, k].sum(axis=0)
        left_out = {seed: (of_all - values[seed, k]) / (seeds - 1) for seed in range(seeds)}
        horizon = 2.0**k
        found.append(Condition("vpg", horizon, of_all / seeds, left_out, deviation[k] ** 2))
    return found


@pytest.mark.parametrize(("count", "seeds"), [(2, 4), (4, 4), (4, 8), (9, 8)])
def test_it_refuses_5_percent_of_what_is_equal(count, seeds):
    generator = np.random.default_rng(count + seeds)
    p = [EqualityTest.of(conditions(generator, count, seeds)).p for _ in range(600)]
    assert 0.02 <= np.mean(np.array(p) <= 0.05) <= 0.08  # 5% +- 1.8% by chance, at 95%
    assert np.mean(np.array(p) <= 0.5) > 0.3


@pytest.mark.parametrize("place", [0, 1])
def test_the_smallest_change_is_found_with_its_probability(place):
    generator = np.random.default_rng(place)
    pattern = np.linspace(0, 1, 4)[:, None] * np.eye(2)[place]
    tests = [EqualityTest.of(conditions(generator, 4, 8)) for _ in range(60)]
    size = float(np.median([test.smallest_change(pattern) for test in tests]))
    drawn = [conditions(generator, 4, 8, size * pattern) for _ in range(200)]
    found = np.mean([EqualityTest.of(one).p <= 0.05 for one in drawn])
    assert 0.68 <= found <= 0.92
    third = [conditions(generator, 4, 8, size / 3 * pattern) for _ in range(200)]
    assert np.mean([EqualityTest.of(one).p <= 0.05 for one in third]) < 0.4


def equality(found: list[Condition], **more) -> Equality:
    return Equality({"task": "made"}, "horizons", PLAIN, tuple(found), **more)


def test_the_upper_limit_holds_the_largest_difference():
    generator = np.random.default_rng(5)
    shifts = np.array([[0.0, 0.0], [0.0, 0.0], [0.1, 0.0]])
    limits = [equality(conditions(generator, 3, 4, shifts)).within["a"] for _ in range(300)]
    assert np.mean(np.array(limits) < 0.1) <= 0.05


def test_changes_are_paired_by_seed():
    generator = np.random.default_rng(0)
    (first,) = conditions(generator, 1, 4)
    moved = {seed: value + 0.3 for seed, value in first.left_out.items()}
    same = replace(first, values=first.values + 0.3, left_out=moved)
    value, ends = change(PLAIN, [first], [same])["a"]
    assert value == pytest.approx(0.3)
    assert ends == pytest.approx((0.3, 0.3))
    others = {seed + 4: value for seed, value in moved.items()}
    low, high = change(PLAIN, [first], [replace(same, left_out=others)])["a"][1]
    assert high - low > 0.1  # without common seeds both spreads count


def close(**more) -> Equality:
    return equality(conditions(np.random.default_rng(1), 3, 8, spread=0.01), **more)


def far(**more) -> Equality:
    shifts = np.array([[0.0, 0.0], [0.1, 0.0], [0.3, 0.1]])
    return equality(conditions(np.random.default_rng(1), 3, 8, shifts, spread=0.01), **more)


def wide(**more) -> Equality:
    return equality(conditions(np.random.default_rng(1), 3, 4, spread=0.5), **more)


KEEP, REVERSE = Part("size N = 10", 0.2), Part("size N = 10", 1e-4)


@pytest.mark.parametrize(
    ("found", "verdict", "reason"),
    [
        (close(), "equal", ""),
        (close(parts=(KEEP,), other="equal"), "equal", ""),
        (close(parts=(REVERSE, KEEP)), "undecided", "reversed"),
        (close(other="differ"), "undecided", "reversed"),
        (close(refused=("h = 1",)), "undecided", "refused"),
        (far(), "differ", ""),
        (far(parts=(REVERSE,), other="differ"), "differ", ""),
        (far(parts=(REVERSE, KEEP)), "undecided", "reversed"),
        (far(other="equal"), "undecided", "reversed"),
        (far(other="undecided"), "undecided", "reversed"),
        (far(refused=("h = 1",)), "undecided", "refused"),
        (wide(), "undecided", "wide"),
    ],
)
def test_a_verdict_needs_a_law_that_holds_and_parts_that_agree(found, verdict, reason):
    assert (found.verdict, found.reason) == (verdict, reason)
    entry = found.to_json()
    assert entry == json.loads(json.dumps(entry, allow_nan=False))
    assert entry["verdict"] == verdict
    assert (max(found.within.values()) <= MARGIN) is (
        found.verdict == "equal" or "close" in reason
    ) or (reason in ("reversed", "refused"))


def test_one_seed_decides_nothing():
    several = conditions(np.random.default_rng(0), 3, 4)
    single = equality([replace(one, left_out={0: one.values}) for one in several])
    assert (single.verdict, single.reason) == ("undecided", "seeds")
    assert single.test is None
    entry = single.to_json()
    assert "p" not in entry
    assert entry["conditions"][1]["a_change_ci"] is None
    assert json.loads(json.dumps(entry, allow_nan=False)) == entry


def test_two_seeds_refuse_hardly_anything_that_is_equal():
    generator = np.random.default_rng(2)
    tests = [EqualityTest.of(conditions(generator, 4, 2)) for _ in range(200)]
    assert np.mean([test is not None and test.p <= 0.05 for test in tests]) <= 0.05


def test_the_entry_has_every_condition_and_its_change():
    found = far()
    entry = found.to_json()
    assert [one["name"] for one in entry["conditions"]] == ["h = 1", "h = 2", "h = 4"]
    assert "a_change" not in entry["conditions"][0]
    row = entry["conditions"][2]
    assert row["a_change"] == pytest.approx(row["a"] - entry["conditions"][0]["a"])
    low, high = row["a_change_ci"]
    assert low < 0.3 < high
    assert entry["within"]["a"] == pytest.approx(high)
    assert set(entry["smallest_change"]) == {"a", "b"}

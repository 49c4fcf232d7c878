"""What every law of the registry can do, and how numbers and their intervals are written."""

import functools
import json
import math
import pickle
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.data.frontier import gold_curves
from analysis.laws import LAWS, FittedLaw, fit_horizon_laws
from analysis.laws.law import (
    AllFits,
    Fits,
    LawKind,
    Quantity,
    flat,
    leave_out_interval,
    plain,
)
from analysis.laws.synthetic import Design, HorizonTruth, Noise, PowerLawTruth, simulate
from analysis.stats.intervals import LOG
from tests.analysis.bits_runs import bits_runs
from tests.analysis.curve_runs import curve_frame, sigmoid
from tests.analysis.entropy_runs import entropy_runs, linear
from tests.analysis.horizon_runs import over_batches, over_optimizers, over_tasks, table_of
from tests.analysis.laws.test_ratio_by_size import table as over_sizes
from tests.analysis.proxy_runs import frontiers_of, proxy_runs
from tests.analysis.reference_runs import sweep
from tests.analysis.report_sweeps import sweep_frame
from tests.analysis.sparse_runs import crossings, theta

KINDS = {kind.key: kind for kind in LAWS}


def over_schedules(widths: tuple[int, ...] = (16,), seeds: int = 2) -> pd.DataFrame:
    """E falls as the width to the minus 1/2."""
    schedules = ("dense", "revealed:0.0625", "periodic:4")
    tables = [
        crossings(
            theta(s_min=160.0 / math.sqrt(width), noise_scale=60.0, share=0.5, accuracy=0.4),
            np.random.default_rng(width),
            schedules=schedules,
            width=width,
            seeds=seeds,
        )
        for width in widths
    ]
    return pd.concat(tables, ignore_index=True)


def with_gold() -> pd.DataFrame:
    frame = proxy_runs(np.random.default_rng(0), seeds=3)
    return gold_curves(frame, frontiers_of(frame))


SWEEPS: dict[str, Callable[[], pd.DataFrame]] = {
    "horizon_law": lambda: table_of(np.random.default_rng(0), HorizonTruth(), seeds=3),
    "delay_law": lambda: crossings(
        theta(s_min=40.0, noise_scale=60.0, share=0.5, accuracy=0.4),
        np.random.default_rng(0),
        schedules=("periodic:4",),
        seeds=3,
    ),
    "power_law": lambda: sweep_frame(
        Design(horizons=(1, 7), widths=(8, 32, 128), seeds=2, budget=1_000_000, evaluations=20)
    ),
    "batch_law": lambda: over_batches(np.random.default_rng(0), 0.05, (128, 512), seeds=3),
    "joint_law": over_schedules,
    "size_exponents": lambda: over_schedules((16, 64)),
    "optimizer_law": over_optimizers,
    "task_law": over_tasks,
    "decomposition": lambda: sweep(
        np.random.default_rng(0), seeds=2, horizons=(1.0, 3.0, 7.0, 15.0, 31.0, 63.0)
    ),
    "best_sizes": lambda: simulate(
        PowerLawTruth(),
        Design((1.0,), (4, 6, 9, 14, 20, 30, 45, 65, 100), 2, budget=4_000_000, evaluations=40),
        np.random.default_rng(0),
        Noise(seed=0.03, run=0.03, run_at_largest=0.03, evaluation=0.001),
    ),
    "ratio_by_size": lambda: over_sizes(0.3, widths=(8, 16, 32, 64, 128, 256)).query(
        "algorithm == 'vpg' and seed < 2"
    ),
    "curve_shapes": lambda: curve_frame(sigmoid, np.random.default_rng(0), horizons=(1.0, 7.0)),
    "early_stopping": with_gold,
    "bits_law": lambda: bits_runs("steps", np.random.default_rng(0), seeds=2),
    "entropy_course": lambda: entropy_runs(linear, np.random.default_rng(0), seeds=2),
}
"""A small sweep for each law of the registry, of one width where widths are no matter."""


@functools.cache
def fitted(key: str) -> tuple[pd.DataFrame, Fits]:
    table = SWEEPS[key]()
    return table, KINDS[key].fit(table)


def test_every_law_of_the_registry_is_tested_here():
    assert set(SWEEPS) == set(KINDS)
    assert len(KINDS) == len(LAWS)
    assert {kind.table for kind in LAWS} == {
        *("crossings", "crossings_with_noise", "all_crossings", "curves", "gold_curves")
    }


@pytest.fixture(params=sorted(KINDS))
def key(request: pytest.FixtureRequest) -> str:
    return request.param


def test_entries_survive_json(key):
    _, fits = fitted(key)
    assert fits.entries
    for law in fits.entries:
        assert isinstance(law, FittedLaw)
        entry = law.to_json()
        assert json.loads(json.dumps(entry, allow_nan=False)) == entry
        for name, one in law.quantities.items():
            assert entry[name] == pytest.approx(one.value)
        group = entry.get("group", entry)
        assert {name: group[name] for name in law.group} == plain(law.group)


def test_fits_can_be_sent_from_the_process_that_made_them(key):
    _, fits = fitted(key)
    sent = pickle.loads(pickle.dumps(fits))
    assert [law.to_json() for law in sent.entries] == [law.to_json() for law in fits.entries]


def test_summaries_show_every_quantity_with_its_interval(key):
    for law in fitted(key)[1].entries:
        table = law.summary()
        assert table.index.tolist() == list(law.quantities)
        for name, one in law.quantities.items():
            assert one.interval is not None, name
            known = law.is_determined(name, one)
            assert table.loc[name].tolist() == [one.value, *one.interval, known]
            assert name in law._repr_html_()
            (line,) = [text for text in str(law).splitlines() if text.split()[0] == name]
            assert (f"{one.value:.4g}" in line.split()) is known
            assert ("not determined, needed: " in line) is not known
        assert "<table" in law._repr_html_()
        assert type(law).__name__ in str(law)


def measured(key: str, law: Any, table: pd.DataFrame) -> tuple[pd.DataFrame, np.ndarray]:
    """Rows that a law was fitted to, with its regressors, and the logs of what was measured."""
    if key == "power_law":
        curves = law.estimate.curves
        columns = {
            name: [getattr(c, name) for c in curves] for name in ("parameters", "interactions")
        }
        rows = pd.DataFrame({name: np.concatenate(parts) for name, parts in columns.items()})
        rows["horizon"] = np.concatenate([np.full(len(c.mean), c.horizon) for c in curves])
        return rows, np.log(np.concatenate([c.mean for c in curves]))
    if key == "ratio_by_size":
        ratios = law.log_ratios.stack()
        return pd.DataFrame({"parameters": ratios.index.get_level_values(1)}), ratios.to_numpy()
    if key == "bits_law":
        return law.table, law.table["interactions"].to_numpy()
    if key == "entropy_course":
        rows = pd.concat(
            [pd.DataFrame({"kl_initial": one.kl, "entropy": one.entropy}) for one in law.courses]
        )
        return rows, np.log(rows["entropy"].to_numpy())
    if key == "best_sizes":
        rows = law.table()
        return rows, np.log(rows["parameters"].to_numpy())
    if key == "curve_shapes":
        rows = table[table["horizon"].isin([law.group.get("horizon", one) for one in (1.0, 7.0)])]
        return rows, np.log(rows["return_mean"].to_numpy(float))
    if key == "early_stopping":
        rows = table[table["kl_coef"] == 0]
        return rows, np.log(rows["test_gold"].to_numpy(float))
    if key == "size_exponents":
        rows = table[table["schedule"] == law.schedule.partition(":")[0]]
        log_e = np.log(rows["interactions"])
        at_small = log_e[rows["width"] == 16].groupby(rows["horizon"]).mean()
        return rows, (log_e - rows["horizon"].map(at_small)).to_numpy()
    rows = table[table["algorithm"] == "vpg"] if key == "decomposition" else table
    for name in ("task", "optimizer"):
        if name in getattr(law, "labels", {}):
            rows = rows[rows[name] == law.labels[name]]
    if "learning_rate" in rows and key == "optimizer_law":
        rows = rows[rows["learning_rate"] == 1e-3]
    return rows, np.log(rows["interactions"].to_numpy(float))


def test_predictions_at_its_own_data_are_close_to_them(key):
    table, fits = fitted(key)
    for law in fits.entries:
        rows, values = measured(key, law, table)
        if key == "power_law" and not hasattr(law, "e_c"):
            assert set(rows["horizon"]) == {law.group["horizon"]}
        gap = np.log(law.predict(rows)) - values
        assert len(gap) > 10
        assert np.median(np.abs(gap)) < 0.15
        assert abs(gap.mean()) < 0.1
        assert np.std(values) > 2 * np.std(gap), "a law that says nothing would be as close"


def test_without_a_seed_it_is_a_law_of_the_same_kind_without_intervals(key):
    _, fits = fitted(key)
    for law in fits.entries:
        others = [law.without_seed(seed) for seed in law.seeds]
        assert len(others) > 1
        for other in others:
            assert type(other) is type(law)
            assert other.group == law.group
            assert list(other.quantities) == list(law.quantities)
            assert {one.interval for one in other.quantities.values()} == {None}
            json.dumps(other.to_json(), allow_nan=False)
        for name, one in law.quantities.items():
            if one.interval == (0, 0):  # the change of `dense` from itself
                continue
            values = [other.quantities[name].value for other in others]
            assert len(set(values)) > 1, f"{name} is the same without any seed"
            assert min(values) < one.interval[1]
            assert max(values) > one.interval[0]


def test_an_end_that_the_data_do_not_determine_is_null():
    assert Quantity(2.0, (1.0, 3.0)).ends == [1.0, 3.0]
    assert Quantity(2.0, (1.0, math.inf), least=1.0).ends == [None, None]
    assert Quantity(2.0, (-math.inf, 3.0)).ends == [None, 3.0]
    assert Quantity(2.0).ends is None
    assert Quantity(2.0, (1.0, 3.0)).is_bounded
    assert not Quantity(2.0, (1.0, 3.0), least=1.0).is_bounded
    assert not Quantity(2.0).is_bounded


@pytest.mark.parametrize(
    ("one", "determined"),
    [
        (Quantity(2.0, (1.0, 9.0)), True),
        (Quantity(-2.0, (-9.0, -1.0)), True),
        (Quantity(2.0, (1.0, 11.0)), False),
        (Quantity(2.0, (-1.0, 3.0)), False),
        (Quantity(2.0, (1.0, math.inf)), False),
        (Quantity(2.0), False),
        (Quantity(0.4, (0.01, 0.9), within=(0.0, 1.0)), True),
        (Quantity(0.4, (0.3, 1.1), within=(0.0, 1.0)), False),
    ],
)
def test_a_number_is_determined_by_an_interval_that_says_what_it_is(one, determined):
    assert one.is_determined is determined


def test_entries_say_which_of_their_numbers_are_determined():
    law = fitted("horizon_law")[1].entries[0]
    known = law.to_json()["determined"]
    assert set(known) == {"a", "b", "knee", "g", "free_knee", "multiplier"}
    assert known["a"] is law.quantities["a"].is_determined is True
    assert known["g"] is law.free_power["g"].is_determined


def half_width(spread: float, seeds: int) -> float:
    """Student's t with `seeds - 1` degrees of freedom, from a table."""
    return {4: 3.182, 9: 2.306, 10: 2.262, 20: 2.093, 21: 2.086}[seeds] * spread / seeds**0.5


@pytest.mark.parametrize(("seeds", "enough"), [(9, False), (10, True)])
def test_seeds_needed_are_the_fewest_at_which_the_ends_are_a_factor_10_apart(seeds, enough):
    spread = math.log(10) / 2 / half_width(1.0, 10) * 1.001  # just too wide with 10
    if enough:
        spread *= 0.998
    half = half_width(spread, 4)
    one = Quantity(50.0, (50 * math.exp(-half), 50 * math.exp(half)), least=1.0)
    assert not one.is_determined
    assert one.seeds_needed(4) == (10 if enough else 11)
    assert (half_width(spread, seeds) < math.log(10) / 2) is enough


def test_seeds_needed_for_a_sign_and_for_a_share():
    # The sign of 2 is open by as much as its ends are apart: half the width must be below 2, and
    # for a factor 10 below 18 / 11 (2 + w < 10 (2 - w)).
    for spread, needed in ((18 / 11 / half_width(1, 20), 20), (18 / 11 / half_width(1, 21), 21)):
        half = half_width(spread * 0.9999, 4)
        for sign in (1, -1):
            one = Quantity(sign * 2.0, tuple(sorted((sign * 2 - half, sign * 2 + half))))
            assert one.seeds_needed(4) == needed
    half = half_width(0.2 / half_width(1, 9) * 0.9999, 4)
    share = Quantity(0.8, (0.8 - half, 0.8 + half), within=(0.0, 1.0))
    assert share.seeds_needed(4) == 9
    assert share.with_width(0.5).interval == pytest.approx((0.8 - half / 2, 0.8 + half / 2))


@pytest.mark.parametrize(
    "one",
    [
        Quantity(2.0, (1.0, math.inf)),
        Quantity(2.0, (1.0, 30.0), least=1.0),
        Quantity(2.0),
        Quantity(0.01, (-3.0, 3.0)),
        Quantity(1.2, (0.5, 1.9), within=(0.0, 1.0)),
    ],
)
def test_no_number_of_seeds_is_proposed_where_none_up_to_64_would_do(one):
    assert one.seeds_needed(4) is None


def test_entries_say_what_would_determine_the_other_numbers(key):
    for law in fitted(key)[1].entries:
        entry = law.to_json()
        missing = {name for name, known in entry["determined"].items() if not known}
        assert set(entry["needs"]) == missing
        alone = law.needs_of({"x": Quantity(2.0, (1.0, math.inf))})
        assert alone == {"x": "more than 64 seeds"}
        wide = {name: Quantity(2.0, (1.0, math.inf)) for name in law.determined_quantities}
        assert all(needed and needed[-1].isalnum() for needed in law.needs_of(wide).values())


def test_needs_name_the_seeds_or_else_the_axis():
    law = fitted("horizon_law")[1].entries[0]
    assert law.measured[1] == 127
    almost = Quantity(20.0, (6.0, 66.0), least=1.0)
    open_above = Quantity(20.0, (6.0, math.inf), least=1.0)
    assert law.needs_of({"knee": almost}) == {"knee": "about 4 seeds instead of 3, at this spread"}
    assert law.needs_of({"knee": open_above}) == {"knee": "longer horizons than 127"}
    known = Quantity(20.0, (10.0, 40.0))
    assert law.needs_of({"a": known}) == {}
    assert law.verdict == "undecided", "the affine knee of another form is not determined"
    assert law.needs_of({"knee": known}) == {"knee": "longer horizons than 127"}
    single = fit_horizon_laws(table_of(np.random.default_rng(0), HorizonTruth(), seeds=1))
    assert set(single.entries[0].to_json()["needs"].values()) == {"at least 2 seeds"}
    assert single.entries[0].to_json()["free_power"]["needs"]["g"] == "at least 2 seeds"
    power = fitted("power_law")[1].entries[0]
    assert power.refusal == "unchecked"
    assert set(power.determined_by.values()) == {"a fourth size, to check the law"}


def test_numbers_within_an_entry_have_their_own_needs():
    law = fitted("joint_law")[1].entries[0]
    best, departure = law.best_horizons[0], law.departures[0]
    wide = Quantity(2.0, (0.0, math.inf), least=0.0)
    law = replace(
        law,
        best_horizons=(replace(best, measured=wide),),
        departures=(replace(departure, ratio=wide), replace(departure, ratio=None)),
    )
    entry = law.to_json()
    assert entry["best_horizons"][0]["needs"]["measured"] == "horizons on both sides of the best"
    assert [one["needs"] for one in entry["departures"]] == [{"ratio": "a larger budget"}, {}]
    shared = next(law for law in fitted("power_law")[1].entries if hasattr(law, "e_c"))
    shared = replace(shared, e_c={**shared.e_c, 7.0: wide})
    needs = {one["horizon"]: one["needs"] for one in shared.to_json()["e_c_by_horizon"]}
    assert needs[7.0] == {"e_c": "a fourth size, to check the law"}


def test_where_no_run_at_the_longest_horizon_reached_the_return_budget_is_needed():
    table = table_of(np.random.default_rng(0), HorizonTruth(), seeds=3)
    table["censored"] |= table["horizon"] == table["horizon"].max()
    law = fit_horizon_laws(table, ("h-1",)).entries[0]
    assert law.determined_by["g"] == "a larger budget: no run at h = 127 reached the return"


def test_entries_hold_a_number_and_beside_it_its_interval():
    found = flat({"a": Quantity(2.0, (1.0, math.inf)), "b": Quantity(3.0)})
    assert found == {"a": 2.0, "a_ci": [1.0, None], "b": 3.0}


def test_values_are_made_plain_for_json():
    value = {1: (np.float64(2.0), math.nan), "x": [np.int64(3), {"y": math.inf}], "z": None}
    assert plain(value) == {"1": [2.0, None], "x": [3, {"y": None}], "z": None}
    assert type(plain(np.int64(3))) is int


def test_interval_by_leaving_out_is_on_the_scale_given():
    left_out = np.array([[1.0], [2.0], [4.0]])
    low, high = leave_out_interval(lambda theta: theta[0], np.array([2.0]), left_out, LOG)
    assert low * high == pytest.approx(4.0)
    assert leave_out_interval(lambda theta: theta[0], np.array([2.0]), left_out[:1]) is None


def test_fits_that_are_not_there_are_none():
    fits = AllFits({"horizon_law": (fitted("horizon_law")[1].entries[0],)})
    assert fits["task_law"] == ()
    assert len(fits["horizon_law"]) == 1
    assert set(fits.to_json()) == {"horizon_law"}
    assert LawKind("x", lambda table: Fits()).table == "crossings"

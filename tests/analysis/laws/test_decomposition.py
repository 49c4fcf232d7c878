"""The parts of the interactions are those of made runs, and intervals hold them."""

import json

import numpy as np
import pandas as pd
import pytest

from analysis.data.noise import action_noise_ratio
from analysis.laws import LAWS, fit_horizon_laws
from analysis.laws.decomposition import PARTS, Decomposition, fit_decompositions
from tests.analysis.reference_runs import (
    ACTIONS,
    LEVELS,
    OBJECTIVE,
    STEP,
    TASK,
    noise_of,
    runs_of,
    settings_of,
    sweep,
)

TRUE = {
    "task": TASK,
    "objective": OBJECTIVE,
    "action_noise": ACTIONS,
    "horizon": STEP,
    "exact_over_supervised": LEVELS["exact"] / LEVELS["supervised"],
    "h1_over_exact": LEVELS["vpg"] / LEVELS["exact"],
}


def only(table: pd.DataFrame) -> Decomposition:
    """The one decomposition of a table."""
    (one,) = fit_decompositions(table).entries
    return one


def with_censored(table: pd.DataFrame, run: str, side: str = "censored") -> pd.DataFrame:
    """The table with one run censored."""
    return table.assign(**{side: table[side] | (table["run_id"] == run)})


@pytest.fixture(scope="module", name="table")
def _table() -> pd.DataFrame:
    return sweep(np.random.default_rng(0))


@pytest.mark.parametrize("alone", [False, True])
def test_parts_without_noise_are_those_that_the_runs_were_made_of(alone):
    one = only(sweep(np.random.default_rng(0), shared=0.0, own=1e-6, alone=alone))
    found = {name: quantity.value for name, quantity in one.quantities.items()}
    assert found == pytest.approx(TRUE, rel=1e-3)
    assert one.group["algorithm"] == "vpg"
    assert all(one.determined.values())
    horizons = pd.DataFrame({"horizon": [1.0, 11.0]})
    np.testing.assert_allclose(
        one.predict(horizons), LEVELS["vpg"] + np.array([0, 10 * STEP]), 1e-3
    )


def test_parts_are_paired_by_seed(table):
    # Seeds differ by 20%, which an unpaired difference would not be without.
    one = only(table)
    runs = table[table["horizon"] == 1].pivot_table(
        index="seed", columns="algorithm", values="interactions"
    )
    gaps = (runs["vpg"] - runs["exact"]).to_numpy()
    reach = 3.182446 * gaps.std(ddof=1) / 2  # t of 3 degrees of freedom
    part = one.quantities["action_noise"]
    assert part.value == pytest.approx(gaps.mean())
    assert part.interval == pytest.approx((gaps.mean() - reach, gaps.mean() + reach))
    logs = np.log(runs["vpg"] / runs["exact"]).to_numpy()
    reach = np.exp(3.182446 * logs.std(ddof=1) / 2)
    ratio = one.quantities["h1_over_exact"]
    assert ratio.value == pytest.approx(np.exp(logs.mean()))
    assert ratio.interval == pytest.approx((ratio.value / reach, ratio.value * reach))
    total = sum(one.quantities[name].value for name in PARTS)
    assert total == pytest.approx(runs["vpg"].mean())


def test_the_part_of_the_horizon_is_the_slope_of_the_horizon_law(table):
    one = only(table)
    rl = table[table["algorithm"] == "vpg"]
    (law,) = fit_horizon_laws(rl, regressors=("h-1",)).entries
    assert one.quantities["horizon"] == law.quantities["b"]
    assert one.group == law.group


def test_a_refused_horizon_law_determines_no_part_of_the_horizon(table):
    flat = table.assign(interactions=table["interactions"].where(table["horizon"] < 31, 5_000))
    one = only(flat)
    assert not one.determined["horizon"]
    assert "another law" in one.needs["horizon"]


def test_intervals_hold_the_truth_in_95_of_100_sweeps():
    sweeps, seeds, shared, own = 200, 4, 0.15, 0.08
    rng = np.random.default_rng(1)
    effects = np.exp(shared * rng.standard_normal(sweeps * seeds))
    parts = [
        runs_of(name, effects * np.exp(own * rng.standard_normal(len(effects)))) for name in LEVELS
    ]
    table = pd.concat(parts, ignore_index=True)
    # Widths tell the sweeps apart: that each has runs of its own is all that they are for here.
    table = table.assign(width=1 + table["seed"] // seeds, seed=table["seed"] % seeds)
    mean = np.exp((shared**2 + own**2) / 2)  # of a factor with these spreads of its log
    held = dict.fromkeys([name for name in TRUE if name != "horizon"], 0)
    for one in fit_decompositions(table).entries:
        for name in held:
            low, high = one.quantities[name].interval
            held[name] += low <= TRUE[name] * (mean if name in PARTS else 1) <= high
    for name, count in held.items():  # three standard errors of the count about 95%
        error = 3 * np.sqrt(0.95 * 0.05 / sweeps)
        assert count / sweeps == pytest.approx(0.95, abs=error), name


def test_the_references_of_the_groups_own_settings_are_taken(table):
    other = runs_of("exact", [9.0] * 4, settings=settings_of("ppo"))
    other = other.assign(run_id=other["run_id"] + "@ppo")
    both = pd.concat([other, table], ignore_index=True)
    assert only(both).quantities["action_noise"] == only(table).quantities["action_noise"]
    elsewhere = other.assign(settings=settings_of("vpg", batch={"rollout_length": 7}))
    both = pd.concat([table[table["algorithm"] != "exact"], elsewhere], ignore_index=True)
    assert set(only(both).quantities) == {"task", "horizon"}


def test_two_algorithms_of_rl_have_parts_of_their_own(table):
    ppo = runs_of("vpg", [2.0] * 4, settings=settings_of("ppo")).assign(algorithm="ppo")
    ppo = ppo.assign(run_id=ppo["run_id"] + "-ppo")
    found = fit_decompositions(pd.concat([table, ppo], ignore_index=True)).entries
    by_name = {one.group["algorithm"]: one for one in found}
    assert set(by_name) == {"vpg", "ppo"}
    assert by_name["vpg"].quantities == only(table).quantities
    exact = table.loc[table["algorithm"] == "exact", "interactions"].mean()
    action = by_name["ppo"].quantities["action_noise"].value
    assert action == pytest.approx(2 * LEVELS["vpg"] - exact)


def test_tables_without_settings_have_parts(table):
    plain = table.drop(columns="settings").assign(
        entropy_coef=np.where(table["algorithm"] == "supervised", 0.0, 0.1)
    )
    assert only(plain).quantities == only(table).quantities


def test_widths_and_thresholds_have_parts_of_their_own():
    rng = np.random.default_rng(2)
    low = sweep(rng, widths=(32, 64))
    table = pd.concat([low, low.assign(threshold=0.85, interactions=2 * low["interactions"])])
    found = {(one.group["width"], one.threshold): one for one in fit_decompositions(table).entries}
    assert set(found) == {(32, 0.7), (64, 0.7), (32, 0.85), (64, 0.85)}
    doubled = found[64, 0.85].quantities["objective"].value
    assert doubled == pytest.approx(2 * found[64, 0.7].quantities["objective"].value)


@pytest.mark.parametrize(
    ("name", "side", "bounds"),
    [
        ("supervised", "censored", {"task": "at_least", "objective": "at_most"}),
        ("supervised", "left_censored", {"task": "at_most", "objective": "at_least"}),
        ("exact", "censored", {"objective": "at_least", "action_noise": "at_most"}),
        ("vpg", "censored", {"action_noise": "at_least"}),
    ],
)
def test_parts_with_censored_runs_are_bounds(table, name, side, bounds):
    run = f"w64-{name}-h1-s2"
    fits = fit_decompositions(with_censored(table, run, side))
    (one,) = fits.entries
    assert {part: [*bound] for part, bound in one.bounds.items() if part in PARTS} == {
        part: [bound] for part, bound in bounds.items()
    }
    assert not set(bounds) & set(one.quantities)
    complete = only(table)
    assert set(PARTS) - set(bounds) == set(PARTS) & set(one.quantities)
    for part, bound in bounds.items():  # the end of what is known
        end = complete.quantities[part].interval[bound == "at_most"]
        rel = 0.02 if part == "task" else 1e-9  # that of the task is symmetric in log of the mean
        assert one.bounds[part][bound] == pytest.approx(end, rel=rel)
        assert any(f"no part {part}" in note and run in note for note in fits.notes)
    assert len(fits.notes) == len(bounds)


def test_a_part_with_censored_runs_on_both_sides_has_no_bound(table):
    both = with_censored(table, "w64-exact-h1-s2")
    one = only(with_censored(both, "w64-vpg-h1-s0"))
    assert "action_noise" not in one.bounds
    assert "action_noise" not in one.quantities
    assert one.to_json()["censored"] == {"supervised": 0, "exact": 1, "h1": 1}


def test_many_censored_runs_are_counted_not_listed():
    table = sweep(np.random.default_rng(3), seeds=8)
    (_, note) = fit_decompositions(table.assign(censored=table["algorithm"] == "supervised")).notes
    assert "s4 and 3 more" in note


@pytest.mark.parametrize(
    ("names", "parts"),
    [
        (("supervised",), {"task"}),
        (("exact",), {"action_noise", "h1_over_exact"}),
    ],
)
def test_a_part_that_needs_a_missing_reference_is_absent(names, parts):
    fits = fit_decompositions(sweep(np.random.default_rng(0), names=names))
    (one,) = fits.entries
    assert set(one.quantities) == {*parts, "horizon"}
    assert not fits.notes


def test_without_references_there_is_nothing(table):
    rl = table[table["algorithm"] == "vpg"]
    for rows in (rl, table[table["algorithm"] != "vpg"], rl.drop(columns="algorithm"), table[:0]):
        assert fit_decompositions(rows).entries == ()
        assert fit_decompositions(rows).notes == ()


def test_one_horizon_or_none_at_1(table):
    one = only(table[table["horizon"] == 1])
    assert "horizon" not in one.quantities
    assert np.isnan(one.predict(pd.DataFrame({"horizon": [2.0]}))).all()
    longer = table[(table["algorithm"] != "vpg") | (table["horizon"] > 1)]
    fits = fit_decompositions(longer)
    assert set(fits.entries[0].quantities) == {
        *("task", "objective", "horizon", "exact_over_supervised")
    }
    assert any("no runs at h = 1" in note for note in fits.notes)


def test_seeds_that_only_one_side_has_are_left_out_of_a_difference(table):
    fewer = table[(table["algorithm"] != "exact") | (table["seed"] < 3)]
    without = only(fewer).quantities["action_noise"]
    assert without == only(table).without_seed(3).quantities["action_noise"]
    none = fewer.assign(seed=fewer["seed"] + 10 * (fewer["algorithm"] == "exact"))
    fits = fit_decompositions(none)
    assert set(fits.entries[0].quantities) == {"task", "horizon"}
    assert sum("share no seed" in note for note in fits.notes) == 2


def test_one_seed_has_no_intervals(table):
    one = only(table[table["seed"] == 0])
    assert {quantity.interval for quantity in one.quantities.values()} == {None}
    assert not any(one.determined.values())
    assert set(one.needs.values()) == {"at least 2 seeds"}
    censored = only(with_censored(table[table["seed"] == 0], "w64-vpg-h1-s0"))
    values = {n: part.value for n, part in one.quantities.items()}
    assert censored.bounds["action_noise"]["at_least"] == pytest.approx(values["action_noise"])
    assert censored.bounds["h1_over_exact"]["at_least"] == pytest.approx(values["h1_over_exact"])


def test_a_part_of_which_the_sign_is_open_is_not_determined():
    table = sweep(np.random.default_rng(4), own=0.3, shared=0.0, horizons=(1.0,))
    same = table.assign(
        interactions=table["interactions"].where(
            table["algorithm"] != "exact", table["interactions"] * TASK / LEVELS["exact"]
        )
    )
    one = only(same)
    assert not one.determined["objective"]
    assert "seeds" in one.needs["objective"]


def test_the_noise_of_actions_predicts_the_ratio(table):
    noise = noise_of(table)
    priced = table.assign(action_noise_ratio=action_noise_ratio(noise, table))
    one = only(priced)
    # (B |m|^2 + state + action) / (B |m|^2 + state) = (20 + 10 + 30) / (20 + 10)
    predicted = one.quantities["predicted_h1_over_exact"]
    assert predicted.value == pytest.approx(2.0)
    assert predicted.interval == pytest.approx((2.0, 2.0))
    assert "predicted_h1_over_exact" not in only(table).quantities
    (kind,) = [kind for kind in LAWS if kind.key == "decomposition"]
    assert kind.fit is fit_decompositions


def test_without_a_seed_it_is_the_fit_without_its_runs(table):
    one, without = only(table).without_seed(1), only(table[table["seed"] != 1])
    assert one.seeds == without.seeds == [0, 2, 3]
    for name in PARTS:
        assert one.quantities[name] == without.quantities[name]
    near = without.quantities["horizon"].value
    assert one.quantities["horizon"].value == pytest.approx(near, rel=1e-3)
    assert only(table[table["seed"] == 0]).without_seed(0).quantities == {}


def test_the_entry_is_valid_json(table):
    entry = json.loads(json.dumps(only(table).to_json(), allow_nan=False))
    assert entry["threshold"] == 0.7
    assert entry["runs"] == {"supervised": 4, "exact": 4, "h1": 4}
    assert entry["bounds"] == {}
    assert entry["task_ci"][0] < entry["task"] < entry["task_ci"][1]
    assert entry["group"]["width"] == 64


def test_the_entry_has_the_learning_rates_of_each_side(table):
    assert only(table).to_json()["learning_rates"] == {}
    rates = np.where(table["algorithm"] == "exact", 0.04, 0.02)
    found = only(table.assign(learning_rate=rates)).to_json()["learning_rates"]
    assert found == {"supervised": [0.02], "exact": [0.04], "h1": [0.02]}

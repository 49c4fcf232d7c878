import json
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.data.crossings import interactions_to_threshold
from analysis.laws.horizon import (
    HorizonLaw,
    affine_numbers,
    fit_horizon_laws,
    knee_interval,
    main_entries,
    verdict,
    without_delays,
)
from analysis.laws.horizon_forms import EXPONENT_BOUNDS, FormFit, fit_form
from analysis.laws.law import Quantity
from analysis.laws.regressors import regressor_values
from analysis.laws.synthetic import Design, HorizonTruth, Noise, simulate
from tests.analysis.horizon_runs import HORIZONS, NONE, data_of, table_of


def only(table: pd.DataFrame, regressor: str = "h-1") -> HorizonLaw:
    (entry,) = fit_horizon_laws(table, (regressor,), profiles=False).entries
    return entry


@pytest.mark.parametrize("regressor", ["h-1", "variance_horizon"])
def test_noiseless_affine_data_give_their_constants_back(regressor):
    truth = HorizonTruth(a=5000.0, knee=20.0, regressor=regressor)
    entry = only(table_of(np.random.default_rng(0), truth, NONE), regressor)
    assert entry.quantities["a"].value == pytest.approx(5000, rel=1e-3)
    x_knee = regressor_values(np.array([20.0]), regressor)[0]
    assert entry.quantities["b"].value == pytest.approx(5000 / x_knee, rel=1e-3)
    assert entry.quantities["knee"].value == pytest.approx(20, rel=1e-3)
    assert entry.r2 == pytest.approx(1, abs=1e-5)
    assert entry.heldout_error["affine"] < 1e-3
    np.testing.assert_allclose(
        entry.affine.predict(HORIZONS), truth.interactions(HORIZONS, 64), rtol=1e-3
    )


def test_noiseless_free_and_proportional_data_give_their_constants_back():
    free = only(table_of(np.random.default_rng(0), HorizonTruth(knee=12.0, exponent=0.7), NONE))
    assert free.free_power["g"].value == pytest.approx(0.7, rel=1e-3)
    assert free.free_power["knee"].value == pytest.approx(12, rel=1e-2)
    straight = only(table_of(np.random.default_rng(0), HorizonTruth(knee=2.0), NONE))
    assert straight.quantities["knee"].value == pytest.approx(2, rel=1e-3)
    prediction = straight.forms["proportional"].predict(np.array([1.0, 10.0]))
    np.testing.assert_allclose(prediction, [40_000, 400_000], rtol=1e-3)


def test_falling_interactions_have_no_knee_and_a_negative_b():
    falling = table_of(np.random.default_rng(0), HorizonTruth())
    falling["interactions"] = 1e5 * np.exp(
        -0.1 * np.log(falling["horizon"]) + 0.01 * falling["seed"]
    )
    entry = only(falling)
    slope = entry.quantities["b"]
    assert slope.value < 0
    assert slope.interval is not None
    assert slope.interval[1] < 0
    assert entry.quantities["knee"].value == np.inf
    assert "knee" not in entry.to_json()
    assert entry.multiplier.verdict == "less"
    assert not entry.costs
    assert entry.verdict == "undecided"


def test_entries_are_plain_json():
    table = table_of(np.random.default_rng(0), HorizonTruth(), widths=(8, 16))
    laws = fit_horizon_laws(table)
    assert len(laws.entries) == 3 * 2
    for entry in laws.entries:
        loaded = json.loads(json.dumps(entry.to_json(), allow_nan=False))
        assert {"group", "threshold", "regressor", "a", "b", "a_ci", "b_ci", "r2"} <= set(loaded)
        assert {"knee", "knee_ci", "free_power", "aicc", "heldout_error"} <= set(loaded)
        assert set(loaded["aicc"]) == {"affine", "proportional", "free"}
        assert loaded["free_power"]["g_ci"][0] < loaded["free_power"]["g"]
    assert [("width" in entry.group) for entry in laws.entries] == [True] * 4 + [False] * 2


def test_pooled_widths_share_the_multiplier_and_keep_their_own_level():
    truth = HorizonTruth(a={8: 1e4, 64: 1e5}, knee=20.0)
    pooled = fit_horizon_laws(
        table_of(np.random.default_rng(0), truth, NONE, widths=(8, 64)), ("h-1",), profiles=False
    ).entries[-1]
    assert pooled.a_by_width == {8: pytest.approx(1e4, rel=1e-3), 64: pytest.approx(1e5, rel=1e-3)}
    assert pooled.quantities["a"].value == pytest.approx(np.sqrt(1e9), rel=1e-3)
    assert pooled.quantities["knee"].value == pytest.approx(20, rel=1e-3)
    assert pooled.affine.predict(np.array([20.0]), width=8)[0] == pytest.approx(2e4, rel=1e-3)


def test_groups_differ_in_every_setting_held_fixed():
    one = table_of(np.random.default_rng(0), HorizonTruth())
    other = one.assign(schedule="revealed", schedule_level=0.25, run_id=one["run_id"] + "p")
    laws = fit_horizon_laws(pd.concat([one, other]), ("h-1",), profiles=False)
    assert [entry.group["schedule"] for entry in laws.entries] == ["dense", "revealed"]
    assert all(entry.runs == 28 for entry in laws.entries)


def test_a_schedule_with_a_delay_has_no_horizon_law_and_one_note():
    parts = []
    for kind, level in (("dense", 1.0), ("periodic", 4.0), ("streak", 2.0)):
        rows = table_of(np.random.default_rng(0), HorizonTruth(), widths=(8, 16))
        rows = rows.assign(schedule=kind, schedule_level=level, run_id=kind + rows["run_id"])
        parts += [rows, rows.assign(threshold=0.5)]
    table = pd.concat(parts, ignore_index=True)
    laws = fit_horizon_laws(table, ("h-1",), profiles=False)
    assert {entry.group["schedule"] for entry in laws.entries} == {"dense"}
    notes = [note for note in laws.notes if "delay_law" in note]
    assert [note.split(":")[0] for note in notes] == ["periodic", "streak"]
    kept, _ = without_delays(table)
    assert set(kept["schedule"]) == {"dense"}
    assert len(without_delays(table.drop(columns="schedule"))[0]) == len(table)


@pytest.fixture(scope="module", name="draws")
def _draws() -> dict[str, np.ndarray]:
    """a, knee and g of 40 draws with their intervals, at a truth of knee 30 and g 1."""
    rng = np.random.default_rng(0)
    found: dict[str, list[tuple[float, float, float]]] = {"a": [], "b": [], "knee": [], "g": []}
    for _ in range(40):
        entry = only(table_of(rng, HorizonTruth(a=40_000, knee=30.0)))
        numbers = {**entry.quantities, "g": entry.free_power["g"]}
        for name, values in found.items():
            assert numbers[name].interval is not None
            values.append((numbers[name].value, *numbers[name].interval))
    return {name: np.array(values) for name, values in found.items()}


TRUE = {"a": 40_000.0, "b": 40_000 / 29, "knee": 30.0, "g": 1.0}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["a", "b", "knee", "g"])
def test_recovery_is_unbiased(draws, name):
    bias = np.exp(np.log(draws[name][:, 0]).mean()) / TRUE[name] - 1
    assert abs(bias) < (0.03 if name == "g" else 0.05)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["a", "b", "knee", "g"])
def test_intervals_hold_the_truth_as_often_as_they_say(draws, name):
    held = np.mean((draws[name][:, 1] <= TRUE[name]) & (TRUE[name] <= draws[name][:, 2]))
    assert held >= 0.85  # of 40 draws at 95%, fewer than 34 happen once in 2,000 times
    width = np.median(draws[name][:, 2] - draws[name][:, 1]) / TRUE[name]
    assert width < 1.0


@pytest.mark.slow
def test_recovery_through_whole_learning_curves():
    rng = np.random.default_rng(1)
    truth = HorizonTruth(knee=30.0)
    knees = []
    for _ in range(20):
        frame = simulate(truth, Design(horizons=(1, 7, 31, 127), budget=600_000), rng)
        knees.append(only(interactions_to_threshold(frame, (0.7,))).quantities["knee"].value)
    assert np.exp(np.mean(np.log(knees))) == pytest.approx(30, rel=0.05)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("truth", "form"),
    [
        (HorizonTruth(knee=30.0), "affine"),
        (HorizonTruth(knee=2.0), "proportional"),
        (HorizonTruth(knee=8.0, exponent=0.55), "free"),
    ],
    ids=["affine", "proportional", "free"],
)
def test_forms_are_told_apart_where_the_data_can(truth, form):
    rng = np.random.default_rng(3)
    small = Noise(seed=0.08, run=0.04, run_at_largest=0.06)
    told = [only(table_of(rng, truth, small, seeds=6)).verdict for _ in range(10)]
    assert told.count(form) >= 8
    assert set(told) <= {form, "undecided"} | ({"free"} if form != "free" else set())


@pytest.mark.slow
def test_forms_are_undecided_where_the_data_cannot_tell():
    rng = np.random.default_rng(4)
    large = Noise(seed=0.2, run=0.3, run_at_largest=0.4)
    horizons = np.array([1.0, 3, 7, 15])
    told = [
        only(table_of(rng, HorizonTruth(knee=10.0), large, seeds=3, horizons=horizons)).verdict
        for _ in range(10)
    ]
    assert told.count("undecided") >= 9


def g(low: float, high: float) -> dict[str, Quantity]:
    """A free power with this interval of its exponent."""
    return {"g": Quantity((low + high) / 2, (low, high))}


def test_verdict_by_its_rules():
    aicc = {"affine": 0.0, "proportional": 50.0, "free": 1.0}
    pinned = g(0.9, 1.1)
    assert verdict(aicc, pinned, (20.0, 40.0)) == "affine"
    assert verdict(aicc, g(0.81, 1.24), (20.0, 40.0)) == "affine"
    assert verdict(aicc, g(0.79, 1.1), (20.0, 40.0)) == "undecided"
    assert verdict(aicc, g(0.9, 1.26), (20.0, 40.0)) == "undecided"
    assert verdict(aicc, g(0.5, 1.1), (20.0, 40.0)) == "undecided"
    assert verdict(aicc, g(0.5, 0.9), (20.0, 40.0)) == "undecided"
    assert verdict(aicc | {"free": -0.1}, pinned, (20.0, 40.0)) == "undecided"
    assert verdict(aicc | {"free": -5.0}, g(0.5, 0.9), (20.0, 40.0)) == "free"
    assert verdict(aicc, pinned, (1.8, 2.2)) == "undecided"
    assert verdict(aicc | {"proportional": -1.0}, pinned, (1.8, 2.2)) == "proportional"
    assert verdict(aicc | {"proportional": -1.0}, pinned, (1.1, 9.0)) == "undecided"
    assert verdict(aicc, {}, (20.0, 40.0)) == "undecided"
    assert verdict(aicc, g(1.1, 1.4), (20.0, 40.0), affine_exponent=1.2) == "affine"


def heldout_error(table: pd.DataFrame, form: str) -> float | None:
    return fit_form(data_of(table), form, leave_out=False).heldout_error


def test_held_out_error_is_that_of_the_largest_horizons():
    table = table_of(np.random.default_rng(0), HorizonTruth(a=1000.0, knee=11.0), NONE)
    largest = table["horizon"] >= 63
    table.loc[largest, "interactions"] *= np.exp(0.5)
    assert heldout_error(table, "affine") == pytest.approx(0.5, abs=1e-2)
    first = table["seed"] == 0
    table.loc[largest & ~first, "censored"] = True
    assert heldout_error(table, "affine") == pytest.approx(0.5, abs=1e-2)
    # Seen less far than predicted: those runs have no error, the fourth run has all of it.
    table.loc[largest & ~first, "interactions"] /= np.exp(1.0)
    assert heldout_error(table, "affine") == pytest.approx(0.125, abs=1e-2)


def test_right_censored_runs_give_no_held_out_error():
    table = table_of(np.random.default_rng(0), HorizonTruth(a=1000.0, knee=11.0))
    table["censored"] = table["horizon"] == 127
    one = heldout_error(table, "affine")
    without = table[table["horizon"] < 127]
    assert one == pytest.approx(_error_at_63(without), rel=0.1)  # 63 alone is judged
    table["censored"] = table["horizon"] >= 63
    for form in ("affine", "proportional", "free"):
        assert heldout_error(table, form) is None
    laws = fit_horizon_laws(table, ("h-1",), profiles=False)
    assert laws.entries[0].to_json()["heldout_error"] == {}
    assert any("no held-out error" in note for note in laws.notes)


def _error_at_63(table: pd.DataFrame) -> float:
    """The affine law fitted up to 31 and judged at 63, in log E."""
    affine = fit_form(data_of(table[table["horizon"] <= 31]), "affine", leave_out=False)
    predicted = np.log(affine.predict(np.array([63.0]))[0])
    return abs(np.log(table.loc[table["horizon"] == 63, "interactions"]).mean() - predicted)


@pytest.mark.parametrize("profiles", [True, False])
def test_an_interval_that_reaches_the_end_of_the_search_is_open(profiles):
    noise = Noise(seed=0.2, run=0.5, run_at_largest=0.6)
    table = table_of(np.random.default_rng(2), HorizonTruth(knee=60.0), noise, seeds=2)
    laws = fit_horizon_laws(table, ("h-1",), profiles=profiles)
    (entry,) = laws.entries
    assert entry.free_power["g"].interval == (0, np.inf)
    loaded = json.loads(json.dumps(entry.to_json(), allow_nan=False))
    assert loaded["free_power"]["g_ci"] == [None, None]
    assert not loaded["determined"]["g"]
    assert entry.verdict == "undecided"


def test_profile_interval_of_the_knee_agrees_with_leaving_out_seeds():
    affine = fit_form(data_of(table_of(np.random.default_rng(5), HorizonTruth())), "affine")
    profile = knee_interval(affine, profiles=True)
    plain = knee_interval(affine, profiles=False)
    assert profile is not None
    assert plain is not None
    np.testing.assert_allclose(np.log(profile), np.log(plain), atol=0.15)
    level = affine_numbers(affine)["a"]
    assert level.interval is not None
    assert level.interval[0] < level.value


def notes_of(table: pd.DataFrame) -> tuple[int, str]:
    laws = fit_horizon_laws(table, ("h-1",), profiles=False)
    assert all("\n" not in note for note in laws.notes)
    return len(laws.entries), " | ".join(laws.notes)


@pytest.mark.parametrize(
    ("change", "entries", "says"),
    [
        (lambda t: t[t["horizon"] == 3], 0, "1 horizon; at least 2 are needed"),
        (lambda t: t.assign(censored=True), 0, "all are censored"),
        (lambda t: t.assign(left_censored=True), 0, "earlier evaluations are needed"),
        (lambda t: t.assign(censored=t["horizon"] > 1), 0, "1 horizon with runs that reach it"),
        (lambda t: t[t["seed"] == 0], 1, "no intervals: 1 seed"),
        (lambda t: t[t["horizon"] <= 3], 1, "no free exponent: 2 horizons"),
        (lambda t: t[(t["seed"] == 0) & (t["horizon"] <= 3)], 1, "no intervals"),
        (lambda t: t[t["seed"] < 2], 1, ""),
        (lambda t: t[:0], 0, ""),
    ],
    ids=[
        *(
            "one horizon",
            "all censored",
            "all left-censored",
            "one reached",
            "one seed",
            "two horizons",
        ),
        *("two points", "two seeds", "nothing"),
    ],
)
def test_poor_data_give_what_they_can_and_say_the_rest(change, entries, says):
    table = table_of(np.random.default_rng(0), HorizonTruth())
    found, notes = notes_of(change(table).reset_index(drop=True))
    assert found == entries
    assert says in notes


def test_a_width_of_which_all_runs_are_censored_is_left_out_of_the_pool():
    table = table_of(np.random.default_rng(0), HorizonTruth(), widths=(8, 64))
    table["censored"] = table["width"] == 8
    laws = fit_horizon_laws(table, ("h-1",), profiles=False)
    assert [set(entry.a_by_width) for entry in laws.entries] == [{64}, {64}]
    assert any("widths 8 left out" in note for note in laws.notes)


def entry_of(**changes: Any) -> dict[str, Any]:
    """What `main_entries` looks at of an entry, with its group's changes first."""
    group = {"task": "digits", "schedule": "dense", "width": 8, "learning_rate": 1e-3}
    named = {"threshold": 0.5, "regressor": "h-1", "runs": 10, "censored": 0}
    group |= {name: value for name, value in changes.items() if name not in named}
    named |= {name: value for name, value in changes.items() if name in named}
    return {"group": {n: v for n, v in group.items() if v is not None}, **named}


def test_main_entries_are_one_per_family_and_threshold():
    pooled = entry_of(width=None, parameters=None, learning_rate=[1e-3, 2e-3], runs=20)
    few = entry_of(width=16, parameters=99, censored=4)
    most = entry_of(threshold=0.7, width=16, censored=1)
    fewer = entry_of(threshold=0.7, width=8, censored=3)
    other = entry_of(task="mnist", runs=30)
    entries = [entry_of(), few, fewer, pooled, most, other, entry_of(regressor="variance_horizon")]
    assert main_entries(entries) == [[other], [pooled, most]]
    assert main_entries([]) == []


FLAT = HorizonTruth(knee=1e6)


def flat_laws(count: int) -> list[HorizonLaw]:
    rng = np.random.default_rng(5)
    return [only(table_of(rng, FLAT)) for _ in range(count)]


def test_where_the_horizon_does_nothing_neither_g_nor_a_knee_is_determined():
    for law in flat_laws(8):
        assert not law.costs
        assert law.verdict == "undecided"
        assert not law.determined["g"]
        assert not law.determined["knee"]
        assert not law.determined.get("free_knee", False)
        assert "free" not in law.drawn
        assert law.to_json()["free_power"]["g"] > 0  # the raw number stays


@pytest.mark.slow
def test_where_the_horizon_does_nothing_a_cost_is_shown_as_seldom_as_its_level_says():
    laws = flat_laws(60)
    assert np.mean([law.multiplier.verdict != "undecided" for law in laws]) <= 0.12
    assert np.mean([law.costs for law in laws]) <= 0.07


@pytest.mark.parametrize("without_a_seed", [False, True])
def test_a_number_at_a_bound_of_the_search_is_no_number(without_a_seed):
    law = only(table_of(np.random.default_rng(0), HorizonTruth(), Noise(0.08, 0.03, 0.03)))
    assert law.determined["g"]
    assert law.verdict == "affine"
    free = law.forms["free"]
    at = np.where(np.arange(3) == 2, EXPONENT_BOUNDS[0], free.fit.theta)
    if without_a_seed:
        left_out = np.concatenate([[at], free.left_out[1:]])
        free = replace(free, left_out=left_out)
    else:
        free = replace(free, fit=replace(free.fit, theta=at))
    law = replace(law, forms={**law.forms, "free": free})
    assert not any(law.determined[name] for name in ("g", "knee", "free_knee"))
    assert law.shown_knee is None
    assert law.verdict == "undecided"
    assert "free" not in law.drawn


def test_the_knee_is_that_of_the_power_where_the_affine_form_is_not_shown():
    rng, truth = np.random.default_rng(0), HorizonTruth(knee=30.0, exponent=0.9)
    laws = (only(table_of(rng, truth)) for _ in range(10))
    law = next(law for law in laws if law.verdict == "undecided")
    assert not law.determined["knee"]
    assert law.shown_knee == law.free_power["knee"]
    small = only(table_of(np.random.default_rng(0), HorizonTruth(), Noise(0.08, 0.03, 0.03)))
    assert small.shown_knee == small.quantities["knee"]


def test_two_horizons_determine_no_knee():
    two = only(table_of(np.random.default_rng(0), HorizonTruth(), horizons=np.array([1.0, 127.0])))
    assert two.costs
    assert two.shown_knee is None


def stepped(factor: float = 2.0) -> HorizonLaw:
    table = table_of(np.random.default_rng(0), FLAT)
    table["interactions"] *= np.where(table["horizon"] >= 15, factor, 1.0)
    return only(table)


def test_no_verdict_and_no_number_come_from_a_law_that_the_runs_refuse():
    law = stepped()
    entry = law.to_json()
    assert law.multiplier.verdict == "more"
    assert entry["fit_test"]["free"] < 0.01
    assert set(law.refused) == {"affine", "proportional", "free"}
    assert law.verdict == "undecided"
    assert law.drawn == {}
    decided = {name for name, known in law.determined.items() if known}
    assert decided == {"multiplier"}
    assert {"a", "b", "knee", "free_power"} <= set(entry)


def test_where_only_the_affine_law_is_refused_the_knee_is_that_of_the_power():
    truth = HorizonTruth(knee=8.0, exponent=0.55)
    law = only(table_of(np.random.default_rng(0), truth))
    assert "affine" in law.refused
    assert "free" not in law.refused
    assert law.verdict == "free"
    assert not law.determined["knee"]
    assert not law.determined["b"]
    assert law.determined["free_knee"]
    low, high = law.free_power["knee"].interval
    assert low <= 8 <= high


@pytest.mark.slow
def test_affine_is_seldom_said_of_an_exponent_of_085_and_then_its_margin_holds_it():
    rng = np.random.default_rng(6)
    truth = HorizonTruth(knee=20.0, exponent=0.85)
    told = [fit_horizon_laws(table_of(rng, truth), ("h-1",)).entries[0] for _ in range(40)]
    affine = [law for law in told if law.verdict == "affine"]
    assert len(affine) <= 8
    assert all(law.free_power["g"].interval[0] > 0.8 for law in affine)


def test_runs_that_fell_back_are_counted_apart_from_the_censored():
    table = table_of(np.random.default_rng(0), HorizonTruth(), budget=1.5e5)
    assert only(table).to_json()["fell_back"] == 0
    fell = (table["horizon"] == 7) & (table["seed"] < 3)
    entry = only(table.assign(fell_back=fell)).to_json()
    assert entry["fell_back"] == 3
    assert entry["fell_back_runs"] == table.loc[fell, "run_id"].tolist()
    assert entry["censored"] == table["censored"].sum() > 0


def test_the_forms_share_what_does_not_depend_on_the_regressor():
    table = table_of(np.random.default_rng(0), HorizonTruth())
    one, other = fit_horizon_laws(table, profiles=False).entries
    assert isinstance(one.forms["free"], FormFit)
    assert one.forms["free"] is other.forms["free"]
    assert one.forms["affine"] is not other.forms["affine"]


def test_runs_of_other_settings_are_never_in_one_law():
    """Two sweeps that differ in what is no column (as `optimizer.decay_interactions`)."""
    rng = np.random.default_rng(0)
    parts = {}
    for decay, knee in ((0, 30.0), (100, 8.0)):
        settings = json.dumps({"optimizer": {"decay_interactions": decay}})
        rows = table_of(rng, HorizonTruth(knee=knee), NONE).assign(settings=settings)
        parts[settings] = rows.assign(run_id=f"{decay}-" + rows["run_id"])
    laws = fit_horizon_laws(pd.concat(parts.values()), ("h-1",), profiles=False).entries
    found = {law.group["settings"]: law for law in laws}
    assert set(found) == set(parts)
    for settings, knee in zip(parts, (30.0, 8.0), strict=True):
        assert found[settings].runs == len(parts[settings])
        assert found[settings].quantities["knee"].value == pytest.approx(knee, rel=1e-2)

import json

import numpy as np
import pandas as pd
import pytest

from analysis.data.crossings import interactions_to_threshold
from analysis.laws.horizon import (
    HorizonData,
    HorizonLaw,
    affine_numbers,
    fit_form,
    fit_horizon_laws,
    heldout_error,
    horizon_data,
    horizon_of,
    knee_interval,
    knee_of,
    regressor_values,
    verdict,
)
from analysis.laws.synthetic import Design, HorizonTruth, Noise, simulate

HORIZONS = np.array([1.0, 3, 7, 15, 31, 63, 127])


def table_of(
    rng: np.random.Generator,
    truth: HorizonTruth,
    noise: Noise | None = None,
    seeds: int = 4,
    widths: tuple[int, ...] = (64,),
    horizons: np.ndarray = HORIZONS,
    budget: float = np.inf,
) -> pd.DataFrame:
    """Interactions to threshold with the noise of synthetic runs, without drawing their curves."""
    noise = noise or Noise()
    share = np.log(horizons) / (np.log(horizons.max()) or 1.0)
    spread = noise.run + (noise.run_at_largest - noise.run) * share
    rows = []
    for width in widths:
        mean = np.log(truth.interactions(horizons, width))
        for seed in range(seeds):
            effect = noise.seed * rng.standard_normal()
            log_e = mean + effect + spread * rng.standard_normal(len(horizons))
            rows.append(
                pd.DataFrame(
                    {
                        "run_id": [f"w{width}-h{h:g}-s{seed}" for h in horizons],
                        "horizon": horizons,
                        "interactions": np.minimum(np.exp(log_e), budget),
                        "censored": np.exp(log_e) > budget,
                        "seed": seed,
                        "width": width,
                    }
                )
            )
    settings = {"task": "synthetic", "schedule": "dense", "schedule_level": 1.0, "threshold": 0.7}
    return pd.concat(rows, ignore_index=True).assign(early=False, **settings)


def data_of(table: pd.DataFrame) -> HorizonData:
    data, _ = horizon_data(table)
    assert data is not None
    return data


def only(table: pd.DataFrame, regressor: str = "h-1") -> HorizonLaw:
    (entry,) = fit_horizon_laws(table, (regressor,), profiles=False).entries
    return entry


NONE = Noise(seed=0.0, run=1e-9, run_at_largest=1e-9)


def test_regressors_and_their_inverse():
    np.testing.assert_allclose(regressor_values(np.array([1, 3]), "h-1"), [0, 2])
    np.testing.assert_allclose(regressor_values(np.array([1, 3]), "variance_horizon"), [0, 1 / 3])
    for regressor in ("h-1", "variance_horizon"):
        x = float(regressor_values(np.array([17.0]), regressor)[0])
        assert horizon_of(x, regressor) == pytest.approx(17.0)
        assert horizon_of(np.inf, regressor) == np.inf


@pytest.mark.parametrize("regressor", ["h-1", "variance_horizon"])
def test_noiseless_affine_data_give_their_constants_back(regressor):
    truth = HorizonTruth(a=5000.0, knee=20.0, regressor=regressor)
    entry = only(table_of(np.random.default_rng(0), truth, NONE), regressor)
    assert entry.a == pytest.approx(5000, rel=1e-3)
    x_knee = regressor_values(np.array([20.0]), regressor)[0]
    assert entry.b == pytest.approx(5000 / x_knee, rel=1e-3)
    assert entry.knee == pytest.approx(20, rel=1e-3)
    assert entry.r2 == pytest.approx(1, abs=1e-5)
    assert entry.heldout_error["affine"] < 1e-3
    np.testing.assert_allclose(
        entry.laws["affine"].predict(HORIZONS), truth.interactions(HORIZONS, 64), rtol=1e-3
    )


def test_noiseless_free_and_proportional_data_give_their_constants_back():
    free = only(table_of(np.random.default_rng(0), HorizonTruth(knee=12.0, exponent=0.7), NONE))
    assert free.free_power is not None
    assert free.free_power["g"] == pytest.approx(0.7, rel=1e-3)
    assert free.free_power["knee"] == pytest.approx(12, rel=1e-2)
    straight = only(table_of(np.random.default_rng(0), HorizonTruth(knee=2.0), NONE))
    assert straight.knee == pytest.approx(2, rel=1e-3)
    prediction = straight.laws["proportional"].predict(np.array([1.0, 10.0]))
    np.testing.assert_allclose(prediction, [40_000, 400_000], rtol=1e-3)


def test_falling_interactions_have_no_knee_and_a_negative_b():
    falling = table_of(np.random.default_rng(0), HorizonTruth())
    falling["interactions"] = 1e5 * np.exp(
        -0.1 * np.log(falling["horizon"]) + 0.01 * falling["seed"]
    )
    entry = only(falling)
    assert entry.b < 0
    assert entry.b_ci is not None
    assert entry.b_ci[1] < 0
    assert entry.knee == np.inf
    assert "knee" not in entry.to_json()


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
    assert pooled.a == pytest.approx(np.sqrt(1e9), rel=1e-3)
    assert pooled.knee == pytest.approx(20, rel=1e-3)
    assert pooled.laws["affine"].predict(np.array([20.0]), width=8)[0] == pytest.approx(
        2e4, rel=1e-3
    )


def test_groups_differ_in_every_setting_held_fixed():
    one = table_of(np.random.default_rng(0), HorizonTruth())
    other = one.assign(schedule="periodic", schedule_level=8.0, run_id=one["run_id"] + "p")
    laws = fit_horizon_laws(pd.concat([one, other]), ("h-1",), profiles=False)
    assert [entry.group["schedule"] for entry in laws.entries] == ["dense", "periodic"]
    assert all(entry.runs == 28 for entry in laws.entries)


@pytest.fixture(scope="module", name="draws")
def _draws() -> dict[str, np.ndarray]:
    """a, knee and g of 40 draws with their intervals, at a truth of knee 30 and g 1."""
    rng = np.random.default_rng(0)
    found: dict[str, list[tuple[float, float, float]]] = {"a": [], "b": [], "knee": [], "g": []}
    for _ in range(40):
        entry = only(table_of(rng, HorizonTruth(a=40_000, knee=30.0)))
        assert entry.a_ci is not None
        assert entry.b_ci is not None
        assert entry.knee_ci is not None
        assert entry.free_power is not None
        found["a"].append((entry.a, *entry.a_ci))
        found["b"].append((entry.b, *entry.b_ci))
        found["knee"].append((entry.knee, *entry.knee_ci))
        found["g"].append((entry.free_power["g"], *entry.free_power["g_ci"]))
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
        knees.append(only(interactions_to_threshold(frame, (0.7,))).knee)
    assert np.exp(np.mean(np.log(knees))) == pytest.approx(30, rel=0.05)


def test_censored_runs_leave_the_knee_unbiased_where_dropping_them_does_not():
    rng = np.random.default_rng(2)
    noise = Noise(seed=0.15, run=0.15, run_at_largest=0.3)
    kept, dropped, share = [], [], []
    for _ in range(30):
        table = table_of(rng, HorizonTruth(knee=30.0), noise, seeds=6, budget=1.9e5)
        share.append(table["censored"].mean())
        rest = table[~table["censored"]]
        kept.append(np.log(fitted_knee(table)))
        dropped.append(np.log(fitted_knee(rest)))
    assert 0.05 < np.mean(share) < 0.3
    truth = np.log(30)
    assert abs(np.mean(kept) - truth) < 0.06
    assert abs(np.mean(dropped) - truth) > 2 * abs(np.mean(kept) - truth)
    assert abs(np.mean(dropped) - truth) > 0.1


def fitted_knee(table: pd.DataFrame) -> float:
    affine = fit_form(data_of(table), "affine", leave_out=False)
    return knee_of(affine.fit.theta[-1], affine.law.x_max, "h-1")


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


def test_verdict_by_its_rules():
    aicc = {"affine": 0.0, "proportional": 50.0, "free": 1.0}
    pinned = {"g_ci": (0.9, 1.1)}
    assert verdict(aicc, pinned, (20.0, 40.0)) == "affine"
    assert verdict(aicc, {"g_ci": (0.5, 1.1)}, (20.0, 40.0)) == "undecided"
    assert verdict(aicc, {"g_ci": (0.5, 0.9)}, (20.0, 40.0)) == "undecided"
    assert verdict(aicc | {"free": -5.0}, {"g_ci": (0.5, 0.9)}, (20.0, 40.0)) == "free"
    assert verdict(aicc, pinned, (1.8, 2.2)) == "undecided"
    assert verdict(aicc | {"proportional": -1.0}, pinned, (1.8, 2.2)) == "proportional"
    assert verdict(aicc | {"proportional": -1.0}, pinned, (1.1, 9.0)) == "undecided"
    assert verdict(aicc, None, (20.0, 40.0)) == "undecided"
    assert verdict(aicc, {"g_ci": (1.1, 1.4)}, (20.0, 40.0), affine_exponent=1.2) == "affine"


def test_held_out_error_is_that_of_the_largest_horizons():
    table = table_of(np.random.default_rng(0), HorizonTruth(a=1000.0, knee=11.0), NONE)
    largest = table["horizon"] >= 63
    table.loc[largest, "interactions"] *= np.exp(0.5)
    assert heldout_error(data_of(table), "affine", "h-1") == pytest.approx(0.5, abs=1e-2)
    first = table["seed"] == 0
    table.loc[largest & ~first, "censored"] = True
    assert heldout_error(data_of(table), "affine", "h-1") == pytest.approx(0.5, abs=1e-2)
    # Seen less far than predicted: those runs have no error, the fourth run has all of it.
    table.loc[largest & ~first, "interactions"] /= np.exp(1.0)
    assert heldout_error(data_of(table), "affine", "h-1") == pytest.approx(0.125, abs=1e-2)


def test_runs_that_never_get_there_give_no_held_out_error():
    table = table_of(np.random.default_rng(0), HorizonTruth(a=1000.0, knee=11.0))
    table["censored"] = table["horizon"] == 127
    one = heldout_error(data_of(table), "affine", "h-1")
    without = table[table["horizon"] < 127]
    assert one == pytest.approx(_error_at_63(without), rel=0.1)  # 63 alone is judged
    table["censored"] = table["horizon"] >= 63
    for form in ("affine", "proportional", "free"):
        assert heldout_error(data_of(table), form, "h-1") is None
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
    assert entry.free_power is not None
    low, high = entry.free_power["g_ci"]
    assert low == 0
    assert high == np.inf
    loaded = json.loads(json.dumps(entry.to_json(), allow_nan=False))
    assert loaded["free_power"]["g_ci"] == [None, None]
    assert entry.verdict == "undecided"
    assert any(
        "do not bound the free exponent (searched from 0.05 to 8) from below nor from above" in note
        for note in laws.notes
    )


def test_profile_interval_of_the_knee_agrees_with_leaving_out_seeds():
    affine = fit_form(data_of(table_of(np.random.default_rng(5), HorizonTruth())), "affine")
    profile = knee_interval(affine, "h-1", profiles=True)
    plain = knee_interval(affine, "h-1", profiles=False)
    assert profile is not None
    assert plain is not None
    np.testing.assert_allclose(np.log(profile), np.log(plain), atol=0.15)
    assert affine_numbers(affine)["a_ci"][0] < affine_numbers(affine)["a"]


def notes_of(table: pd.DataFrame) -> tuple[int, str]:
    laws = fit_horizon_laws(table, ("h-1",), profiles=False)
    assert all("\n" not in note for note in laws.notes)
    return len(laws.entries), " | ".join(laws.notes)


@pytest.mark.parametrize(
    ("change", "entries", "says"),
    [
        (lambda t: t[t["horizon"] == 3], 0, "1 horizon; at least 2 are needed"),
        (lambda t: t.assign(censored=True), 0, "all are censored"),
        (lambda t: t.assign(early=True), 0, "earlier evaluations are needed"),
        (lambda t: t.assign(censored=t["horizon"] > 1), 0, "1 horizon with runs that reach it"),
        (lambda t: t[t["seed"] == 0], 1, "no intervals: 1 seed"),
        (lambda t: t[t["horizon"] <= 3], 1, "no free exponent: 2 horizons"),
        (lambda t: t[(t["seed"] == 0) & (t["horizon"] <= 3)], 1, "no intervals"),
        (lambda t: t[t["seed"] < 2], 1, ""),
        (lambda t: t[:0], 0, ""),
    ],
    ids=[
        *("one horizon", "all censored", "all early", "one reached", "one seed", "two horizons"),
        *("two points", "two seeds", "nothing"),
    ],
)
def test_poor_data_give_what_they_can_and_say_the_rest(change, entries, says):
    table = table_of(np.random.default_rng(0), HorizonTruth())
    found, notes = notes_of(change(table).reset_index(drop=True))
    assert found == entries
    assert says in notes


def test_a_width_that_never_gets_there_is_left_out_of_the_pool():
    table = table_of(np.random.default_rng(0), HorizonTruth(), widths=(8, 64))
    table["censored"] = table["width"] == 8
    laws = fit_horizon_laws(table, ("h-1",), profiles=False)
    assert [set(entry.a_by_width) for entry in laws.entries] == [{64}, {64}]
    assert any("widths 8 left out" in note for note in laws.notes)

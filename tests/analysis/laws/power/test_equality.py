"""Exponents over horizons, with references and between networks, in sweeps of known exponents."""

import json
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from analysis.laws import fit_power_laws, together
from analysis.laws.equality import OTHER_TEST
from analysis.laws.law import LawKind
from analysis.laws.power import comparison
from analysis.laws.power.comparison import ExponentTest
from analysis.laws.power.equality import compare_exponents, compare_networks, limits_of_size
from analysis.laws.synthetic import Design, Noise, PowerLawTruth, simulate

NOISE = Noise(seed=0.03, run=0.03, run_at_largest=0.05, evaluation=0.002)
EQUAL = PowerLawTruth()
CHANGED = PowerLawTruth(alpha_e=0.28)
RL = "vpg"


def runs(
    law: PowerLawTruth,
    seed: int,
    algorithm: str = RL,
    horizon: float = 1.0,
    seeds: int = 4,
    network: str = "mlp",
    **columns: object,
) -> pd.DataFrame:
    widths = (4, 12, 36, 108, 324)
    design = Design((horizon,), widths, seeds, budget=3_000_000, evaluations=36)
    frame = simulate(law, design, np.random.default_rng(seed), NOISE)
    names = network + algorithm + frame["run_id"]
    return frame.assign(run_id=names, algorithm=algorithm, network=network, **columns)


def fitted(frames: Sequence[pd.DataFrame]):
    return fit_power_laws(pd.concat(frames, ignore_index=True)).entries


@pytest.fixture(autouse=True)
def few_draws(monkeypatch):
    """The comparison of models draws data sets, which takes longer than all else here."""
    monkeypatch.setattr(comparison, "DRAWS", 19)
    monkeypatch.setattr(comparison, "POWER_DRAWS", 1)


@pytest.fixture(scope="module", name="laws")
def _laws():
    """Two horizons and supervised with the same exponents, `exact` with another alpha_E."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(comparison, "DRAWS", 19)
        patch.setattr(comparison, "POWER_DRAWS", 1)
        return fitted(
            [
                runs(EQUAL, 1),
                runs(EQUAL, 2, horizon=7.0),
                runs(EQUAL, 3, "supervised"),
                runs(CHANGED, 4, "exact"),
            ]
        )


def sound(laws):
    """The same, not refused by their residuals, which some that follow the law are by chance."""
    single = [replace(one, misfit=None) for one in laws if not hasattr(one, "e_c_growth")]
    return [*single, *(one for one in laws if hasattr(one, "e_c_growth"))]


def test_horizons_references_and_both_are_compared(laws):
    found = {one.among: one for one in compare_exponents(sound(laws))}
    names = {among: [c.name for c in one.conditions] for among, one in found.items()}
    assert names == {
        "horizons": ["h = 1", "h = 7"],
        "references": ["h = 1", "supervised", "exact"],
        "all": ["h = 1", "h = 7", "supervised", "exact"],
    }
    assert found["horizons"].test.p > 0.05
    assert found["references"].test.p <= 0.05
    changes = found["references"].changes
    assert changes[1]["alpha_e"][0] == pytest.approx(0.28 - 0.42, abs=0.04)
    assert abs(changes[0]["alpha_e"][0]) < 0.04
    assert found["horizons"].group["algorithm"] == RL
    for one in found.values():
        assert one.verdict != "equal" or one.among == "horizons"
        assert len(one.parts) == 6
        json.dumps(one.to_json(), allow_nan=False)


def test_the_comparisons_stand_in_the_fits(laws):
    kind = LawKind("power_law", fit_power_laws, "curves")
    fits = together([type("F", (), {"entries": laws, "notes": ()})], [kind])
    assert [one["among"] for one in fits.to_json()["exponent_equality"]] == [
        *("horizons", "references", "all")
    ]
    assert fits["exponents_by_network"] == ()


def test_a_law_that_is_refused_has_no_verdict(laws):
    single = [law for law in laws if not hasattr(law, "e_c_growth")]
    off = [replace(law, misfit=replace(law.misfit, fit_test=0.0)) for law in single]
    for one in compare_exponents(off):
        assert (one.verdict, one.reason) == ("undecided", "refused")
        assert one.parts == ()
        assert set(one.refused) == {c.name for c in one.conditions}


def test_the_comparison_of_models_must_agree(laws):
    joint = next(one for one in laws if hasattr(one, "e_c_growth") and one.compute == "NE")
    rest = [one for one in sound(laws) if not hasattr(one, "e_c_growth")]
    power = {"alpha_n": 1.0, "alpha_e": 1.0}
    for p, p_delayed, verdict in ((0.01, 0.01, "undecided"), (0.5, 0.5, "equal")):
        test = ExponentTest(p, p_delayed, 99, power)
        beside = replace(joint, comparison=replace(joint.comparison, test=test))
        found = compare_exponents([*rest, beside])[0]
        assert found.verdict == verdict
        assert (OTHER_TEST in found.reversed_by) is (verdict == "undecided")


def test_references_of_another_sweep_are_compared_too():
    rl = [runs(EQUAL, 1, settings='{"algorithm": {"name": "vpg"}}', baseline="value_net")]
    own = runs(
        EQUAL, 2, "supervised", settings='{"algorithm": {"name": "supervised"}}', baseline=""
    )
    (found,) = compare_exponents(fitted([*rl, own]))
    assert found.among == "references"
    assert [one.name for one in found.conditions] == ["h = 1", "supervised"]
    other_batch = own.assign(batch=512)
    assert compare_exponents(fitted([rl[0].assign(batch=256), other_batch])) == []


def test_references_alone_are_compared_with_each_other():
    laws = fitted([runs(EQUAL, 1, "supervised"), runs(EQUAL, 2, "exact")])
    (found,) = compare_exponents(laws)
    assert [one.name for one in found.conditions] == ["supervised", "exact"]
    assert found.test.p > 0.01


def test_references_have_no_law_over_horizons_and_no_note():
    fits = fit_power_laws(runs(EQUAL, 1, "supervised"))
    assert {type(one).__name__ for one in fits.entries} == {"PowerLawFit"}
    assert fits.notes == ()


def test_one_horizon_alone_is_compared_with_nothing():
    assert compare_exponents(fitted([runs(EQUAL, 1)])) == []


def test_networks_are_compared_beside_the_horizon(laws):
    assert compare_networks(laws) == []
    frames = [
        runs(law, seed, horizon=horizon, network=network)
        for law, seed, horizon, network in (
            *((EQUAL, 1, 1.0, "mlp"), (EQUAL, 2, 7.0, "mlp")),
            *((CHANGED, 3, 1.0, "cnn"), (CHANGED, 4, 7.0, "cnn")),
        )
    ]
    (found,) = compare_networks(fitted(frames))
    assert found.networks == ("cnn", "mlp")
    assert found.horizons == (1.0, 7.0)
    assert found.changes["alpha_e"][0] == pytest.approx(0.42 - 0.28, abs=0.04)
    entry = found.to_json()
    assert json.loads(json.dumps(entry, allow_nan=False)) == entry
    sure = replace(found, refused=False)
    assert sure.verdict("alpha_e") == "more"
    bounds = {**found.by_horizon, "alpha_e": (0.5, 0.6)}
    assert replace(sure, by_horizon=bounds).verdict("alpha_e") == "less"
    assert replace(sure, by_horizon={}).verdict("alpha_e") == "undecided"
    assert replace(found, refused=True).verdict("alpha_e") == "undecided"


def test_limits_of_size():
    assert limits_of_size((-0.3, 0.1)) == (0.0, 0.3)
    assert limits_of_size((0.1, 0.3)) == (0.1, 0.3)
    assert limits_of_size((-0.3, -0.1)) == (0.1, 0.3)

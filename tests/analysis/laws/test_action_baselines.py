"""Shares, ratios and biases of made sweeps are those that were put in."""

from dataclasses import replace

import pandas as pd
import pytest

from analysis.laws import action_baselines as law
from mnist_horizon.errors import InputError
from tests.analysis.baseline_sweeps import BUG, HALF, made, sweeps


def known() -> law.Sweeps:
    made_sweeps = sweeps()
    return law.by_baseline(list(made_sweeps), list(made_sweeps.values()))


def test_shares_are_those_before_the_threshold() -> None:
    found = law.parts(made()).set_index(["horizon", "part"])
    assert found["share"][1.0, "action"] == pytest.approx(3 / 4)
    assert found["share"][8.0, "action"] == pytest.approx(3 / 8)
    assert found["share"][8.0, "future"] == pytest.approx(4 / 8)
    assert set(found["seeds"]) == {3}
    assert law.parts(replace(made(), noise=pd.DataFrame())).empty


def test_shares_along_training_are_those_of_each_mark() -> None:
    found = law.parts_along_training(made())
    at = found[(found["horizon"] == 1) & (found["part"] == "action")].set_index("interactions")
    assert at["share"][1000.0] == pytest.approx(3 / 4)
    assert at["share"][6000.0] == pytest.approx(100 / 101)


def test_each_sweep_is_compared_with_the_one_that_isolates_its_change() -> None:
    found = {(one["of"], one["horizon"]): one for one in law.ratios(known())}
    over = {of: found[of, 1.0]["over"] for of, _ in found}
    half = "phi = 0.5 E[A | x, a]"
    assert over == {
        f"{half}{law.BUG}": f"{half}, normalised",
        "no phi, normalised": "no phi",
        f"{half}, normalised": "no phi, normalised",
        "phi = E[A | x, a]": "no phi",
    }
    assert found["phi = E[A | x, a]", 1.0]["ratio"] == pytest.approx(0.5)
    assert found["phi = E[A | x, a]", 1.0]["ratio_ci"] == pytest.approx((0.5, 0.5))
    assert found["phi = E[A | x, a]", 1.0]["verdict"] == "less"
    assert found["phi = E[A | x, a]", 8.0]["ratio"] == pytest.approx(1)
    bug = found[f"{half}{law.BUG}", 1.0]
    assert (bug["ratio"], bug["verdict"]) == (pytest.approx(1.5), "more")


def test_a_bound_decides_nothing() -> None:
    late = made()
    late.crossings.loc[0, "censored"] = True
    exact = made(0.5, action_baseline={"fraction": 1.0})
    entry = law.ratios(law.by_baseline(["a", "b"], [late, exact]))[0]
    assert (entry["bound"], entry["ratio_ci"], entry["censored"]) == ("at most", None, 1)
    assert entry["verdict"] == "undecided"


def test_the_bias_is_averaged_along_training_and_over_seeds() -> None:
    entries = law.bias_entries(law.biased_rows(known()))
    assert [one["horizon"] for one in entries] == [1.0, 8.0]
    assert {one["of"] for one in entries} == {f"phi = 0.5 E[A | x, a]{law.BUG}"}
    assert entries[0]["cosine"] == pytest.approx((0.4 + 0.5) / 2)
    assert entries[0]["first_cosine"] == pytest.approx(0.4)
    assert entries[0]["length"] == pytest.approx((0.5 + 0.6 + 0.5) / 3)
    low, high = entries[0]["length_ci"]
    assert low < 0.5 < 0.6 < high
    assert entries[0]["interactions"] == 300
    assert law.bias_entries(law.biased_rows({law.Baseline(): made()})) == []


def test_runs_that_fall_are_counted() -> None:
    assert {(one["runs"], one["fell"]) for one in law.falls(known())} == {(6, 1)}


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(InputError, match="b: differs from a in more than action_baseline"):
        law.by_baseline(["a", "b"], [made(), made(baseline="none")])
    with pytest.raises(InputError, match="b: another sweep has its action_baseline, no phi"):
        law.by_baseline(["a", "b"], [made(), made()])


@pytest.mark.parametrize(
    ("settings", "label", "short"),
    [
        ({}, "no phi", "none"),
        ({"fraction": 1.0}, "phi = E[A | x, a]", "f = 1"),
        (HALF, "phi = 0.5 E[A | x, a], normalised", "f = 0.5, normalised"),
        (
            {**BUG, "error": 0.5},
            "phi = 0.5 E[A | x, a] with an error of 0.5 about one action" + law.BUG,
            "f = 0.5, error = 0.5, advantage normalised",
        ),
    ],
)
def test_labels_say_phi_and_what_is_normalised(settings, label, short) -> None:
    baseline = law.Baseline(**settings)
    assert (baseline.label, baseline.short) == (label, short)

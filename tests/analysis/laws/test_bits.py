"""What is the same under all schedules has the smaller spread."""

import numpy as np
import pandas as pd
import pytest

from analysis.laws.bits import BitsLaw, fit_bits_laws, weights_of
from mnist_horizon.schedules import parse
from tests.analysis.bits_runs import ACCURACY, bits_runs


def fitted(same: str, **settings) -> BitsLaw:
    frame = bits_runs(same, np.random.default_rng(0), **settings)
    return next(law for law in fit_bits_laws(frame).entries if law.threshold == 0.7)


@pytest.mark.parametrize(("same", "verdict"), [("bits", "bits"), ("steps", "noise")])
def test_what_was_put_in_predicts_better(same: str, verdict: str) -> None:
    law = fitted(same)
    assert law.verdict == verdict
    assert law.quantities[f"{same}_spread"].value == pytest.approx(0.05, abs=0.05)
    assert law.quantities["interactions_spread"].value > 0.3
    assert law.details()["runs_left_out"] == 0


def test_schedules_that_do_not_reach_the_return_are_left_out() -> None:
    frame = bits_runs("bits", np.random.default_rng(0))
    late = frame["schedule"].eq("streak") & frame["seed"].eq(1)
    frame.loc[late, "return_mean"] = ACCURACY
    law = next(one for one in fit_bits_laws(frame).entries if one.threshold == 0.7)
    assert "streak:2" not in law.details()["schedules"]
    assert law.left_out == 8
    two = frame[frame["schedule"].isin(["dense", "periodic"])]
    assert not fit_bits_laws(two).entries


def test_returns_beyond_a_share_have_no_bits() -> None:
    frame = bits_runs("bits", np.random.default_rng(0))
    assert fit_bits_laws(frame).entries
    frame.loc[frame.index[0], "return_mean"] = -0.1
    assert not fit_bits_laws(frame).entries


def test_returns_that_are_no_shares_are_left_out_with_a_note() -> None:
    frame = bits_runs("bits", np.random.default_rng(0))
    fits = fit_bits_laws(frame.assign(return_mean=frame["return_mean"] - 1))
    assert not fits.entries
    (note,) = fits.notes
    assert "returns are not in 0 to 1" in note


def test_a_run_is_weighed_along_its_own_curve() -> None:
    run = pd.DataFrame({"interactions": [100, 300, 1000], "return_mean": [0.1, 0.5, 0.9]})
    values = weights_of(run, parse("dense"), 1.0, 400.0)
    assert values["interactions"] == 400.0
    bits = parse("dense").bits(np.array([0.1, 0.5, 0.9]))
    assert values["bits"] == pytest.approx(float(100 * bits[0] + 200 * bits[1] + 100 * bits[2]))
    # Dense rewards at h = 1 have the noise A / (F v) = 1, so that a step is worth one.
    assert values["steps"] == pytest.approx(400.0, rel=0.01)

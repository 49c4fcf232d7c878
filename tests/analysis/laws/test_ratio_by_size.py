"""Ratios of interactions over sizes: the slope that was put in, from runs that reach the return."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest

from analysis.laws.ratio_by_size import RatioBySize, fit_ratios_by_size
from tests.analysis.reference_runs import runs_of

WIDTHS = (8, 32, 128, 512)
EFFECTS = np.exp([-0.05, 0.0, 0.02, 0.05])


def table(slope: float, noise: float = 0.01, widths: Sequence[int] = WIDTHS) -> pd.DataFrame:
    """RL at h = 1 and at h = 31, whose cost over h = 1 goes as N^slope, and supervised learning."""
    rng = np.random.default_rng(0)
    frames = []
    for width in widths:
        slowness = np.exp(noise * rng.standard_normal((len(EFFECTS), 2)))
        slowness[:, 1] *= (width / 64) ** slope
        frames.append(runs_of("vpg", EFFECTS, (1.0, 31.0), width, slowness=slowness))
        frames.append(runs_of("supervised", EFFECTS, width=width))
    return pd.concat(frames, ignore_index=True)


def laws(frame: pd.DataFrame) -> dict[tuple[str, str], RatioBySize]:
    return {(law.of, law.over): law for law in fit_ratios_by_size(frame).entries}


@pytest.mark.parametrize(
    ("slope", "verdict"), [(0.0, "same"), (-0.05, "same"), (0.3, "grows"), (-0.3, "falls")]
)
def test_the_slope_is_the_one_put_in(slope: float, verdict: str) -> None:
    found = laws(table(slope))
    law = found["h = 31", "h = 1"]
    change = law.quantities["exponent_change"]
    assert change.value == pytest.approx(slope, abs=0.01)
    assert change.interval is not None
    assert change.interval[0] < slope < change.interval[1]
    assert law.verdict == verdict
    assert law.determined == {"exponent_change": True, "ratio": True}
    # RL and supervised learning of `runs_of` differ by a factor of 4 at every size.
    reference = found["h = 1", "supervised"]
    assert reference.quantities["ratio"].value == pytest.approx(4.0, rel=0.02)
    assert reference.verdict == "same"


def test_seeds_that_differ_by_much_decide_nothing_and_say_what_would() -> None:
    law = laws(table(0.0, noise=0.8))["h = 31", "h = 1"]
    assert law.verdict == "undecided"
    entry = law.to_json()
    assert not entry["determined"]["exponent_change"]
    assert "exponent_change" in entry["needs"]


def test_sizes_with_a_censored_run_are_left_out_and_counted() -> None:
    frame = table(0.0)
    frame.loc[
        (frame["width"] == 8) & (frame["horizon"] == 31) & (frame["seed"] == 1), "censored"
    ] = True
    law = laws(frame)["h = 31", "h = 1"]
    assert law.details()["sizes_left_out"] == 1
    assert law.details()["parameters"] == [3200.0, 51200.0]
    frame.loc[(frame["width"] == 32) & (frame["horizon"] == 31), "censored"] = True
    assert ("h = 31", "h = 1") not in laws(frame)


def test_leaving_out_a_seed_and_predictions() -> None:
    law = laws(table(0.2))["h = 31", "h = 1"]
    assert law.without_seed(1).seeds == [0, 2, 3]
    by_size = law.by_size()
    np.testing.assert_allclose(law.predict(by_size), by_size["value"], rtol=0.05)
    assert (by_size["low"] < by_size["value"]).all()

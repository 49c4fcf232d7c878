"""Ratios and shares of made sweeps are those that were put in."""

import json
from dataclasses import replace

import pandas as pd
import pytest

from analysis import action_baselines
from analysis.data.measurements import Measurements
from mnist_horizon.errors import InputError


def made(factor: float = 1.0, action: float = 3.0, **settings: object) -> Measurements:
    cells = [
        {"run_id": f"h{h:g}-s{s}", "width": 8, "horizon": h, "schedule": "dense", "seed": s}
        for h in (1.0, 8.0)
        for s in range(3)
    ]
    ends = [1000.0 * (1 + one["seed"]) * (factor if one["horizon"] == 1 else 1) for one in cells]
    crossings = pd.DataFrame(cells).assign(interactions=ends, censored=False, threshold=0.5)
    noise = pd.DataFrame(cells).assign(interactions=ends, action=action, state=1.0)
    noise["future"] = (noise["horizon"] - 1) * 4 / 7
    late = noise.assign(interactions=noise["interactions"] * 2, action=100.0)
    noise = pd.concat([noise, late], ignore_index=True)
    text = json.dumps({"baseline": "state", **settings})
    frame = pd.DataFrame(cells).assign(settings=text, task_settings="{}")
    return Measurements(frame, frame, crossings, crossings, noise)


def test_shares_are_those_before_the_threshold():
    found = action_baselines.shares(made()).set_index(["horizon", "part"])["share"]
    assert found[1.0, "action"] == pytest.approx(3 / 4)
    assert found[8.0, "action"] == pytest.approx(3 / 8)
    assert found[8.0, "future"] == pytest.approx(4 / 8)
    assert action_baselines.shares(replace(made(), noise=pd.DataFrame())).empty


def test_ratios_are_paired_by_seed_and_count_censored_runs():
    found = {cell[1]: one for cell, one, _ in action_baselines.ratios(made(), made(0.5))}
    assert found[1.0].value == pytest.approx(0.5)
    assert found[1.0].interval == pytest.approx((0.5, 0.5))
    assert found[8.0].value == pytest.approx(1)
    late = made(0.5)
    late.crossings.loc[0, "censored"] = True
    _, bounded, censored = next(action_baselines.ratios(made(), late))
    assert (bounded.bound, bounded.interval, censored) == ("at least", None, 1)
    assert "| at least 0.5 | 3 | 1 |" in action_baselines.text(["a", "b"], [made(), late])


def test_sweeps_that_differ_in_more_are_refused():
    exact = {"fraction": 1.0, "normalise": "none"}
    action_baselines.check_comparable(["a", "b"], [made(), made(action_baseline=exact)])
    with pytest.raises(InputError, match="b: differs from a in more than action_baseline"):
        action_baselines.check_comparable(["a", "b"], [made(), made(baseline="none")])
    with pytest.raises(InputError, match="two working directories"):
        action_baselines.main(["command", "a"])

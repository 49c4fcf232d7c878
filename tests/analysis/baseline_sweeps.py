"""Made sweeps of action-dependent baselines, with known shares, ratios and biases."""

import json

import pandas as pd

from analysis.data.measurements import Measurements

HORIZONS = (1.0, 8.0)


def made(
    factor: float = 1.0, action: float = 3.0, cosine: float = float("nan"), **settings: object
) -> Measurements:
    """Three seeds at two horizons; at h = 1 with `factor` times the interactions.

    The last run falls from 0.9 to 0.5. Noise measured after the threshold has another action part.
    """
    cells = [
        {"run_id": f"h{h:g}-s{s}", "width": 8, "horizon": h, "schedule": "dense", "seed": s}
        for h in HORIZONS
        for s in range(3)
    ]
    ends = [1000.0 * (1 + one["seed"]) * (factor if one["horizon"] == 1 else 1) for one in cells]
    crossings = pd.DataFrame(cells).assign(interactions=ends, censored=False, threshold=0.5)
    noise = pd.DataFrame(cells).assign(interactions=ends, action=action, state=1.0)
    noise = noise.assign(future=(noise["horizon"] - 1) * 4 / 7)
    noise = noise.assign(bias_cosine=cosine, bias_length=0.5)
    noise.loc[noise["seed"] == 1, "bias_length"] = 0.6
    late = noise.assign(
        interactions=noise["interactions"] * 2, action=100.0, bias_cosine=cosine + 0.1
    )
    noise = pd.concat([noise, late], ignore_index=True)
    curves = pd.concat(
        [pd.DataFrame(cells).assign(interactions=at, return_mean=0.9) for at in (1000, 9000)],
        ignore_index=True,
    )
    curves.loc[len(curves) - 1, "return_mean"] = 0.5
    text = json.dumps({"baseline": "state", **settings})
    frame = pd.DataFrame(cells).assign(settings=text, task_settings="{}")
    return Measurements(frame, curves, crossings, crossings, noise)


HALF = {"fraction": 0.5, "normalise": "both"}
BUG = {**HALF, "normalise": "advantage"}


def sweeps() -> dict[str, Measurements]:
    """By name: without phi, with phi = E[A | x, a], half of it, and half of it with the bug."""
    return {
        "bug": made(0.3, 0.75, 0.4, action_baseline=BUG),
        "none": made(),
        "normalised": made(0.9, action_baseline={"normalise": "both"}),
        "half": made(0.2, 0.75, action_baseline=HALF),
        "exact": made(0.5, 0.0, action_baseline={"fraction": 1.0}),
    }

"""Entries of `fits.json`, made by hand."""

from typing import Any

LAW: dict[str, Any] = {
    "group": {"task": "digits", "schedule": "dense", "schedule_level": 1.0},
    "threshold": 0.7,
    "regressor": "h-1",
    "a": 1e4,
    "b": 500.0,
    "b_ci": [400.0, 600.0],
    "knee": 21.0,
    "knee_ci": [15.0, 30.0],
    "free_power": {"g": 0.8, "g_ci": [0.7, 0.9], "knee": 19.0, "knee_ci": [14.0, 25.0]},
    "aicc": {"affine": 10.0, "free": 2.0},
    "heldout_error": {"affine": 0.2, "free": 0.1},
    "fit_test": {"affine": 0.2, "proportional": 1e-9, "free": 0.6},
    "multiplier": 8.4,
    "multiplier_ci": [7.1, 10.0],
    "multiplier_horizons": [1.0, 127.0],
    "multiplier_verdict": "more",
    "costs": True,
    "determined": {
        **{"a": True, "b": True, "multiplier": True},
        **{"knee": False, "g": True, "free_knee": True},
    },
    "measured": [1.0, 127.0],
    "verdict": "free",
    "runs": 28,
    "censored": 0,
    "fell_back": 0,
    "fell_back_runs": [],
}
"""One of `horizon_law`, that decides everything that it can."""

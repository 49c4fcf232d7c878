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
    "free_power": {"g": 0.8, "g_ci": [0.7, 0.9]},
    "aicc": {"affine": 10.0, "free": 2.0},
    "heldout_error": {"affine": 0.2, "free": 0.1},
    "measured": [1.0, 127.0],
    "verdict": "free",
}
"""One of `horizon_law`, that decides everything that it can."""

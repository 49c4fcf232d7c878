"""What the intervals of a law's predictions are made of: its numbers, and these without each seed.

`fits.json` holds them as `bands`, so that any program can evaluate a law anywhere, with its
interval: where E is the prediction and E_(s) that of the numbers without seed s, of S seeds,

    log E +- t sqrt((S - 1) / S sum_s (log E_(s) - log E)^2),   t the 97.5% point at S - 1 degrees

as `stats.intervals.jackknife_interval` on a log scale. At h = 1 this is the interval of a.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from analysis.laws.horizon_forms import FormFit
from analysis.laws.regressors import regressor_values
from analysis.stats.intervals import LOG, jackknife_interval, t_factor

Numbers = dict[str, float]


def bands(
    numbers: Callable[[np.ndarray], Numbers], theta: np.ndarray, left_out: np.ndarray
) -> dict[str, Any]:
    """The entry `bands` of a law.

    Args:
        numbers: a law's numbers at some parameters.
        theta: parameters of the full fit, shape [parameter].
        left_out: parameters without each seed in turn, shape [seed, parameter].

    Returns:
        `estimate`, `without_seed` (a list; empty with one seed) and `t` (None with one seed).
    """
    seeds = len(left_out)
    return {
        "estimate": numbers(theta),
        "without_seed": [numbers(one) for one in left_out] if seeds > 1 else [],
        "t": t_factor(seeds) if seeds > 1 else None,
    }


def horizon_bands(forms: Mapping[str, FormFit], verdict: str) -> dict[str, Any]:
    """`bands` of a horizon law: a, b and g of `E = a + b x^g`.

    Of the free power in h - 1 where the data select it, else of the affine form (g = 1), whose
    regressor is that of the law. Of pooled widths, a is the geometric mean.
    """
    name = "free" if verdict == "free" else "affine"
    form = forms[name]
    widths, x_max = form.mean.widths, form.mean.x_max

    def numbers(theta: np.ndarray) -> Numbers:
        a = float(np.exp(theta[:widths].mean()))
        g = float(np.exp(theta[widths + 1])) if name == "free" else 1.0
        return {"a": a, "b": float(a * np.expm1(theta[widths]) / x_max**g), "g": g}

    regressor = "h-1" if name == "free" else form.regressor
    return {
        "form": name,
        "regressor": regressor,
        **bands(numbers, form.fit.theta, form.left_out),
    }


def horizon_curve(entry: Mapping[str, Any], horizon: np.ndarray) -> pd.DataFrame:
    """Predictions of a horizon law from its entry in `fits.json`, with 95% intervals.

    Args:
        entry: of `horizon_law`.
        horizon: where, shape [horizon].

    Returns:
        As `with_band`.
    """
    known = entry["bands"]
    x = regressor_values(horizon, known["regressor"])

    def predicted(numbers: Mapping[str, float]) -> np.ndarray:
        return np.asarray(numbers["a"] + numbers["b"] * x ** numbers["g"])

    left_out = [predicted(numbers) for numbers in known["without_seed"]]
    return with_band(horizon, predicted(known["estimate"]), left_out)


def with_band(
    horizon: np.ndarray, estimate: np.ndarray, left_out: Sequence[np.ndarray]
) -> pd.DataFrame:
    """Predictions with their 95% intervals.

    Args:
        horizon: where, shape [horizon].
        estimate: predictions from all seeds, shape [horizon].
        left_out: predictions without each seed in turn, each of shape [horizon].

    Returns:
        Rows of `horizon`, `interactions`, `low` and `high` (NaN with one seed, or where a
        prediction without a seed is not positive), only where the estimate is positive.
    """
    rows = []
    for place in np.flatnonzero(estimate > 0):
        others = [float(one[place]) for one in left_out]
        positive = all(one > 0 for one in others)
        ends = jackknife_interval(estimate[place], others, LOG) if positive else None
        rows.append((float(horizon[place]), float(estimate[place]), *(ends or (np.nan, np.nan))))
    return pd.DataFrame(rows, columns=["horizon", "interactions", "low", "high"])

"""Whether single hidden units are a privileged basis: along training, against random rotations.

For each seed, hidden layer and number of interactions, Z [unit, example] are the layer's values on
test examples, before the activation function, less each unit's mean over the examples. Compared are

    T(Z) = excess kurtosis over units, mean over examples (`kurtosis.excess_kurtosis`)

and T(Q Z) of 100 random rotations Q. The mean of T(Q Z) is -6 / (d + 2) whatever Z; `difference` is
the mean over seeds of T(Z) less that. Before training the rows of a layer's kernel are draws from a
normal distribution, so that Q Z has the distribution of Z: T(Z) is then one more draw of T(Q Z),
for every activation function. The same holds after training where both the network and the
optimiser commute with Q: a linear network and (stochastic) gradient descent, with momentum or
without; not Adam, which divides each coordinate of a gradient by its own size. After a nonlinear
activation function (`stage` "after") Z is no such draw even before training.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from analysis.data.activations import Condition, Layer, layers_of
from analysis.stats.intervals import mean_interval
from analysis.stats.kurtosis import (
    excess_kurtosis,
    random_rotations,
    rotated_kurtosis,
    rotated_mean,
)

ROTATIONS = 100
MARGIN = 0.1
"""Differences below it count as none; they can be up to d - 3 above, and -2 below."""

BAND = (0.025, 0.975)


def basis_table(conditions: Sequence[Condition]) -> pd.DataFrame:
    """A row for each condition, layer, stage and number of interactions.

    Columns: `label` and the condition's settings; `layer` (from 1), `stage`, `interactions`,
    `seeds`, `return_mean`; `kurtosis`, mean of T(Z) over seeds; `difference` with the 95% interval
    `low`, `high` over seeds; of the rotations, of which only stage "before" has some, `band_low`
    and `band_high`, between which 95% of their differences lie (each the mean over seeds of T(Q Z)
    less the same number), and `p`, the share of Q and of the basis itself that are at least as far
    from 0.
    """
    rotations: dict[int, np.ndarray] = {}
    rows: list[dict[str, Any]] = []
    for condition in conditions:
        for mark, seeds in layers_of(condition):
            for number, layers in enumerate(zip(*seeds, strict=True), 1):
                units = len(layers[0].before)
                if units not in rotations:
                    rng = np.random.default_rng(0)
                    rotations[units] = random_rotations(units, ROTATIONS, rng)
                about = {"label": condition.label, **condition.settings, "layer": number}
                about["return_mean"] = condition.returns.get(mark, float("nan"))
                about |= {"interactions": mark, "seeds": len(layers)}
                rows += [{**about, **one} for one in _stages(layers, rotations[units])]
    return pd.DataFrame(rows)


def _stages(layers: Sequence[Layer], rotations: np.ndarray) -> list[dict[str, Any]]:
    before = [_centred(layer.before) for layer in layers]
    after = [_centred(layer.after) for layer in layers]
    units = len(rotations[0])
    rotated = np.mean([rotated_kurtosis(values, rotations) for values in before], axis=0)
    rotated -= rotated_mean(units)
    found = _numbers([excess_kurtosis(values) for values in before], units)
    low, high = np.quantile(rotated, BAND)
    share = float(np.mean(np.abs([*rotated, found["difference"]]) >= abs(found["difference"])))
    return [
        {"stage": "before", **found, "band_low": low, "band_high": high, "p": share},
        {"stage": "after", **_numbers([excess_kurtosis(values) for values in after], units)},
    ]


def _centred(values: np.ndarray) -> np.ndarray:
    """Less each unit's mean, a vector that would be a large part of every example."""
    centred: np.ndarray = values - values.mean(axis=1, keepdims=True)
    return centred


def _numbers(values: Sequence[float], units: int) -> dict[str, float]:
    mean, low, high = mean_interval(np.array(values))
    centre = rotated_mean(units)
    numbers = {"kurtosis": mean, "difference": mean - centre}
    return {**numbers, "low": low - centre, "high": high - centre}


def verdict(low: float, high: float) -> str:
    """What an interval of the difference says: none (within `MARGIN`), above, below, undecided."""
    if low > -MARGIN and high < MARGIN:
        return "none"
    return "above" if low > 0 else "below" if high < 0 else "undecided"


def basis_entries(table: pd.DataFrame) -> list[dict[str, Any]]:
    """For each condition and layer the difference before training and at the end, and since when.

    `since` is the number of interactions from which on every interval has the verdict of the end;
    None where that is neither above nor below. `seeds` at the end are fewer than `seeds_initial`
    where runs are not finite.
    """
    entries = []
    for (label, layer), rows in table[table["stage"] == "before"].groupby(
        ["label", "layer"], sort=False
    ):
        rows = rows.sort_values("interactions")
        first, last = rows.iloc[0], rows.iloc[-1]
        verdicts = [verdict(*ends) for ends in zip(rows["low"], rows["high"], strict=True)]
        since = len(verdicts)
        while since and verdicts[since - 1] == verdicts[-1]:
            since -= 1
        has_sign = verdicts[-1] in ("above", "below")
        entries.append(
            {
                **{"label": label, "layer": int(layer)},
                **{"seeds": int(last["seeds"]), "seeds_initial": int(first["seeds"])},
                **{"verdict": verdicts[-1], "verdict_initial": verdicts[0]},
                "interactions": int(last["interactions"]),
                "return": None if np.isnan(last["return_mean"]) else float(last["return_mean"]),
                "since": int(rows["interactions"].iloc[since]) if has_sign else None,
                **{"end": float(last["difference"]), "initial": float(first["difference"])},
                **{"end_ci": _ends(last), "initial_ci": _ends(first)},
            }
        )
    return entries


def _ends(row: pd.Series) -> list[float] | None:
    """The interval; None with one seed."""
    return None if np.isnan(row["low"]) else [float(row["low"]), float(row["high"])]

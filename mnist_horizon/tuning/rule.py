"""The fields of a sweep that come nearest to what a search found in its cells.

One decay and one entropy bonus for all cells of an algorithm, and for the rate
`rate(w, h) = rate_64 f(64 / w) (1 + (h - 1) / h_c)^(-1/2)`, with f of `networks.RULES` and the same
f for all algorithms; references have h = 1 and a `rate_64` of their own.
"""

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from mnist_horizon import schedules, theory
from mnist_horizon.algorithms import REFERENCES
from mnist_horizon.networks import REFERENCE_WIDTH, RULES
from mnist_horizon.tuning.settings import Cell, Tuning

UNIFORM_RULES = tuple(name for name in RULES if name != "mup")
"""Rules that are one factor for all layers; the search tries rates that are common to all."""

CRITICAL_HORIZONS = np.geomspace(1.0, 1e5, 501)
"""Values of h_c that are tried, 2% apart."""

NEAR = 2.1
"""Factor from the best rate tried within which scores are taken as quadratic in the log rate."""

PAIR = ["decay_interactions", "entropy_coef"]
CELL = ["algorithm", "width", "horizon"]

Pair = tuple[float, float]


@dataclass(frozen=True)
class Best:
    """The best rate of a cell under a decay and bonus.

    Attributes:
        cell: width, horizon and algorithm.
        rate: of the first update, at this width and horizon, interpolated between those tried.
        tied: lowest and highest rate that the noise over seeds does not tell from the best.
        rates: tried, increasing, shape [rate].
        excess: log interactions above those of the best rate tried, shape [rate]. A rate that was
            dropped has the difference at the end of its last rung.
        at_edge: whether the best of the rates tried is the lowest or the highest of all.
    """

    cell: Cell
    rate: float
    tied: tuple[float, float]
    rates: Float[np.ndarray, "rate"]
    excess: Float[np.ndarray, "rate"]
    at_edge: bool

    def cost(self, rate: float) -> float | None:
        """Log interactions that another rate costs, linear in log rate; None beyond those tried."""
        if not self.rates[0] <= rate <= self.rates[-1]:
            return None
        return float(np.interp(math.log(rate), np.log(self.rates), self.excess))


@dataclass(frozen=True)
class RateFit:
    """A rule of the rates: `optimizer.rule`, h_c (0: none), the rates at width 64, and its rms."""

    rule: str
    critical_horizon: float
    rates: Mapping[str, float]
    rms: float

    def rate(self, cell: Cell, horizon: float) -> float:
        """Of a cell, with the dense horizon that its schedule is equivalent to."""
        shift = log_shift(self.rule, self.critical_horizon, cell, horizon)
        return self.rates[cell.algorithm] * math.exp(shift)


def log_shift(rule: str, critical_horizon: float, cell: Cell, horizon: float) -> float:
    """Log of the factor on the rate of width 64 at h = 1."""
    shift = math.log(RULES[rule](REFERENCE_WIDTH / cell.width))
    if critical_horizon and cell.algorithm not in REFERENCES:
        shift -= 0.5 * math.log1p((horizon - 1) / critical_horizon)
    return shift


def fit(tuning: Tuning, table: pd.DataFrame) -> dict[str, Any]:
    """The rule of a finished search, as in `rule.json`.

    Args:
        tuning: the search.
        table: rows of all its cells (`cells.run_cell`).

    Returns:
        `config` (fields of a sweep), `spread` (`rms_log_rate` about the rule, `cost`: mean and
        largest log interactions above those of each cell's best rate), `rules` (the rms of each of
        `networks.RULES`), `width_exponent` (free, with its standard error), `pairs` (decay and
        bonus for each algorithm alone, and what sharing costs) and `cells`.
    """
    own = tuning.sweep.algorithm.name
    pairs = {name: best_pair(tuning, rows) for name, rows in table.groupby("algorithm")}
    shared = pairs[own]
    best = [best_rate(rows, shared) for _, rows in table.groupby(CELL)]
    fits = {name: fit_rates(tuning, best, name) for name in UNIFORM_RULES}
    chosen = min(fits.values(), key=lambda found: found.rms)
    rates = {b.cell: chosen.rate(b.cell, dense_horizon(tuning, b.cell)) for b in best}
    costs = {b.cell: b.cost(rates[b.cell]) for b in best}
    known = [cost for cost in costs.values() if cost is not None]
    return {
        "config": config_fields(tuning, chosen, shared),
        "spread": {
            "rms_log_rate": chosen.rms,
            "mean_cost": float(np.mean(known)) if known else None,
            "largest_cost": max(known, default=None),
        },
        "rules": {name: found.rms for name, found in fits.items()},
        "width_exponent": width_exponent(tuning, best, chosen.critical_horizon),
        "pairs": {
            name: {**dict(zip(PAIR, pair, strict=True)), **_sharing(table, name, pair, shared)}
            for name, pair in pairs.items()
        },
        "cells": [
            {
                **vars(b.cell),
                "best_rate": b.rate,
                "tied_rates": list(b.tied),
                "at_edge": b.at_edge,
                "rule_rate": rates[b.cell],
                "cost": costs[b.cell],
            }
            for b in best
        ],
    }


def best_pair(tuning: Tuning, rows: pd.DataFrame) -> Pair:
    """Decay and bonus with the lowest score at each cell's best rate, averaged over cells.

    The sweep's own are taken where the mean difference from the best, paired by cell and seed,
    is within its standard error.

    Args:
        tuning: the search.
        rows: of one algorithm.
    """
    scores = pd.DataFrame({pair: _pair_scores(part) for pair, part in rows.groupby(PAIR)})
    means = scores.mean()
    best = means.idxmin()
    optimizer = tuning.sweep.optimizer
    preferred = (optimizer.decay_interactions, tuning.sweep.entropy_coef)
    if (rows["algorithm"] == "supervised").all():
        preferred = (preferred[0], 0.0)
    if preferred in scores and len(scores) > 1:
        more = scores[preferred] - scores[best]
        if more.mean() <= more.std() / math.sqrt(len(more)):
            return preferred
    decay, bonus = best
    return float(decay), float(bonus)


def _pair_scores(rows: pd.DataFrame) -> pd.Series:
    """Score of each cell and seed at the rate that is best in the cell's last rung."""
    found = []
    for _, cell in rows.groupby(CELL):
        last = cell[cell["rung"] == cell["rung"].max()]
        means = last.groupby("learning_rate")["score"].mean()
        found.append(last[last["learning_rate"] == means.idxmin()])
    return pd.concat(found).set_index([*CELL, "seed"])["score"].sort_index()


def _sharing(table: pd.DataFrame, name: str, pair: Pair, shared: Pair) -> dict[str, float]:
    """Log interactions that the pair of the RL runs costs an algorithm, at its best rates."""
    scores = [_pair_scores(_with_pair(table, name, which)).mean() for which in (pair, shared)]
    return {"cost_of_sharing": float(scores[1] - scores[0])}


def best_rate(rows: pd.DataFrame, pair: Pair) -> Best:
    """The best rate of a cell under a decay and bonus.

    It is the lowest point of the parabola in log rate through the rates within a factor `NEAR` of
    the best one tried: rates are 1.4 apart, and the best of several noisy ones is mostly one of
    its neighbours. Without a lowest point among them it is the best one tried.

    Rates are tied whose score is within the noise of the best: within the standard deviation of a
    difference of two means over seeds, `s sqrt(2 / seeds)`, s of what neither candidate nor seed
    explains of the scores of the last rung (from their median, since a few runs stall). Taking of
    the tied rates that nearest to the rule in use would draw the fit to it: so it is not done.

    Args:
        rows: of one cell.
        pair: decay and bonus; cross-entropy has no bonus.
    """
    first = rows.iloc[0]
    cell = Cell(str(first["algorithm"]), int(first["width"]), float(first["horizon"]))
    own = _with_pair(rows, cell.algorithm, pair)
    scores = own.pivot_table(index="learning_rate", columns="rung", values="score")
    last = scores[scores.columns.max()].dropna()
    tied = last[last <= last.min() + _noise(rows)].index
    excess = scores.sub(scores.loc[last.idxmin()], axis=1).ffill(axis=1).iloc[:, -1]
    rates, more = scores.index.to_numpy(float), excess.to_numpy(float)
    best = float(last.idxmin())
    return Best(
        cell,
        _lowest_point(rates, more, best),
        (float(tied.min()), float(tied.max())),
        rates,
        more,
        best in (rates[0], rates[-1]),
    )


def _with_pair(rows: pd.DataFrame, algorithm: str, pair: Pair) -> pd.DataFrame:
    """Rows of one algorithm with this decay and bonus; cross-entropy has no bonus."""
    decay, bonus = pair
    wanted = [decay, 0.0 if algorithm == "supervised" else bonus]
    return rows[(rows["algorithm"] == algorithm) & (rows[PAIR] == wanted).all(axis=1)]


def _lowest_point(
    rates: Float[np.ndarray, "rate"], excess: Float[np.ndarray, "rate"], best: float
) -> float:
    near = np.abs(np.log(rates / best)) <= math.log(NEAR)
    if near.sum() < 3:
        return best
    logs = np.log(rates[near] / best)
    curvature, slope, _ = np.polyfit(logs, excess[near], 2)
    if curvature <= 0 or not logs[0] <= (lowest := -slope / (2 * curvature)) <= logs[-1]:
        return best
    return best * math.exp(lowest)


def _noise(rows: pd.DataFrame) -> float:
    """Standard deviation of the difference of two candidates' scores, of the last rung."""
    last = rows[rows["rung"] == rows["rung"].max()]
    scores = last.pivot_table(index=[*PAIR, "learning_rate"], columns="seed", values="score")
    values = scores.to_numpy(float)
    candidates, seeds = values.shape
    if min(candidates, seeds) < 2:
        return 0.0
    rest = values - values.mean(axis=0) - values.mean(axis=1, keepdims=True) + values.mean()
    degrees = (candidates - 1) * (seeds - 1) / (candidates * seeds)
    deviation = 1.4826 * float(np.median(np.abs(rest))) / math.sqrt(degrees)
    return deviation * math.sqrt(2 / seeds)


def dense_horizon(tuning: Tuning, cell: Cell) -> float:
    """The dense horizon with the noise of the cell's schedule (`theory.equivalent_horizon`)."""
    if cell.algorithm in REFERENCES:
        return 1.0
    return _equivalent_horizon(tuning.sweep.schedules[0], cell.horizon)


@functools.cache
def _equivalent_horizon(schedule: str, horizon: float) -> float:
    return theory.equivalent_horizon(schedules.parse(schedule), horizon)


def fit_rates(tuning: Tuning, best: list[Best], rule: str) -> RateFit:
    """Least squares of the log rates: h_c, and the rate at width 64 of each algorithm."""
    horizons = {dense_horizon(tuning, b.cell) for b in best}
    found = [_rates_at(tuning, best, rule, 0.0)]
    if len(horizons) > 1:
        found += [_rates_at(tuning, best, rule, float(h_c)) for h_c in CRITICAL_HORIZONS]
    return min(found, key=lambda one: one.rms)


def _rates_at(tuning: Tuning, best: list[Best], rule: str, critical: float) -> RateFit:
    logs: dict[str, list[float]] = {}
    for b in best:
        shift = log_shift(rule, critical, b.cell, dense_horizon(tuning, b.cell))
        logs.setdefault(b.cell.algorithm, []).append(math.log(b.rate) - shift)
    rest = np.concatenate([np.array(values) - np.mean(values) for values in logs.values()])
    rates = {name: math.exp(float(np.mean(values))) for name, values in logs.items()}
    return RateFit(rule, critical, rates, math.sqrt(float((rest**2).mean())))


def width_exponent(tuning: Tuning, best: list[Best], critical: float) -> dict[str, float] | None:
    """p of `rate ~ width^-p` with its standard error, at this h_c; None where it is not determined.

    It says whether `networks.RULES` has what the rates need.
    """
    names = sorted({b.cell.algorithm for b in best})
    columns = [[math.log(REFERENCE_WIDTH / b.cell.width) for b in best]]
    columns += [[float(b.cell.algorithm == name) for b in best] for name in names]
    design = np.array(columns).T
    target = np.array(
        [
            math.log(b.rate)
            - log_shift("constant", critical, b.cell, dense_horizon(tuning, b.cell))
            for b in best
        ]
    )
    degrees = len(best) - len(columns)
    if degrees < 1 or np.linalg.matrix_rank(design) < len(columns):
        return None
    solution = np.linalg.lstsq(design, target, rcond=None)[0]
    variance = float(((target - design @ solution) ** 2).sum()) / degrees
    error = math.sqrt(variance * float(np.linalg.inv(design.T @ design)[0, 0]))
    return {"p": float(solution[0]), "standard_error": error}


def config_fields(tuning: Tuning, found: RateFit, pair: Pair) -> dict[str, Any]:
    """Fields of a sweep's config, numbers to two or three digits."""
    own = tuning.sweep.algorithm.name
    fields: dict[str, Any] = {
        "optimizer.learning_rates": [_rounded(found.rates[own], 3)],
        "optimizer.rule": found.rule,
        "optimizer.critical_horizon": _rounded(found.critical_horizon, 2),
        "optimizer.decay_interactions": pair[0],
        "entropy_coef": pair[1],
    }
    for name in tuning.choice.references:
        fields[f"references.{name}"] = [_rounded(found.rates[name], 3)]
    return fields


def config_lines(rule: Mapping[str, Any]) -> list[str]:
    """Lines for a config file that set the fields of a rule (`fit`)."""
    values = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in rule["config"].items()
    }
    return [f"config.{name} = {value!r}" for name, value in values.items()]


def _rounded(number: float, digits: int) -> float:
    return float(f"{number:.{digits}g}")

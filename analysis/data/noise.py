"""Measured against predicted gradient noise, and the noise scale that the horizon law needs.

The trainer's noise tables hold, for each run and evaluation, the parts of tr Cov of a step's
gradient, |m|^2 and what `mnist_horizon.theory` predicts for rollouts of that length. Seeds are the
independent units: intervals are Student's t over seeds, however many rows a seed has.

With the reward of `periodic:k` the mean gradient is s1 m and steps of one reward window are
correlated, so that the noise scale of a batch mean is

    B_noise = (tr Cov + (k s1^2 - s2) |m|^2) / (s1^2 |m|^2)

(`Schedule.covariance`; the last term is absent under the `state` baseline), and the interactions
needed are `E = S_min (B + B_noise)`. For dense rewards `B_noise = n_0 + n_1 x`, x the variance
horizon, n_0 = (action + state) / |m|^2 and n_1 = future / (x |m|^2).
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from analysis.stats.intervals import t_reach
from mnist_horizon import theory
from mnist_horizon.horizon import horizon_from_discount, variance_horizon
from mnist_horizon.moments import Moments
from mnist_horizon.schedules import make

PARTS = ("total", "future", "action", "state")
GROUP = ("task", "schedule", "schedule_level", "baseline", "width", "batch")
"""What is held fixed when measurements are compared over horizons."""


def variance_by_horizon(noise: pd.DataFrame, part_names: Sequence[str] = PARTS) -> pd.DataFrame:
    """Mean over seeds of each part, measured and predicted, at each evaluation.

    Args:
        noise: rows of noise tables (`results.read_noise`).
        part_names: of `PARTS`.

    Returns:
        One row for each group, horizon, interactions and part: `measured`, `low` and `high` (95%,
        NaN with one seed), `predicted`, `seeds`.
    """
    keys = [*GROUP, "horizon", "interactions"]
    long = noise.melt([*keys, "seed"], list(part_names), "part", "measured")
    predicted = noise.melt(
        [*keys, "seed"], [f"predicted_{name}" for name in part_names], "part", "predicted"
    )
    long["predicted"] = predicted["predicted"]  # melts of the same rows have the same order
    by_seed = long.groupby([*keys, "part", "seed"], sort=True)[["measured", "predicted"]].mean()
    return _over_seeds(by_seed, [*keys, "part"], "measured", {"predicted": "mean"})


def agreement(noise: pd.DataFrame, by: Sequence[str] = ()) -> tuple[pd.DataFrame, list[str]]:
    """Measured over predicted, as a geometric mean over evaluations, clustered by seed.

    Args:
        noise: rows of noise tables.
        by: further columns to group by, such as `horizon`.

    Returns:
        One row for each group (and `by`) and part: `ratio`, `low`, `high` (95%, NaN with one
        seed), `seeds`, `rows`; and a note where rows had to be left out.
    """
    keys, notes, tables = [*GROUP, *by], [], []
    for part in PARTS:
        measured, predicted = noise[part], noise[f"predicted_{part}"]
        good = (measured > 0) & (predicted > 0)
        if not good.all():
            notes.append(
                f"gradient noise: {int((~good).sum())} of {len(good)} rows are left out of the "
                f"ratio of the {part} part: it is not positive there, or has no prediction"
            )
        rows = noise[good].assign(part=part, log=np.log(measured[good] / predicted[good]))
        if rows.empty:
            continue
        by_seed = rows.groupby([*keys, "part", "seed"])["log"].agg(["mean", "size"])
        by_seed = by_seed.rename(columns={"mean": "ratio", "size": "rows"})
        table = _over_seeds(by_seed, [*keys, "part"], "ratio", {"rows": "sum"})
        tables.append(
            table.assign(**{name: np.exp(table[name]) for name in ("ratio", "low", "high")})
        )
    return (pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()), notes


def noise_scale(noise: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """B_noise of each row, in interactions, by the module's equation.

    Returns:
        The rows with a column `noise_scale`, without those where |m|^2 was not measured above 0
        and without schedules that have no scale (a streak's signal needs the accuracy); and a note
        for what was left out.
    """
    notes = []
    pairs = list(zip(noise["schedule"], noise["schedule_level"], strict=True))
    known = {pair: _has_scale(*pair) for pair in set(pairs)}
    other = pd.Series([not known[pair] for pair in pairs], index=noise.index, dtype=bool)
    if other.any():
        notes.append(
            f"gradient noise scale: {int(other.sum())} rows left out of schedules whose signal "
            "depends on the accuracy, or that have no known closed form"
        )
    weak = ~other & ~(noise["signal"] > 0)
    if weak.any():
        notes.append(
            f"gradient noise scale: {int(weak.sum())} rows left out where |m|^2 is not above 0: "
            "increase noise.samples"
        )
    rows = noise[~other & ~weak]
    scale = [
        _scale(*values)
        for values in rows[
            ["schedule", "schedule_level", "discount", "baseline", "total", "signal"]
        ].itertuples(index=False)
    ]
    return rows.assign(noise_scale=np.array(scale, dtype=float)), notes


def _has_scale(kind: str, level: float) -> bool:
    schedule = make(kind, level)
    return schedule.adds_up and theory.has_closed_form(schedule)


def _scale(
    kind: str, level: float, discount: float, baseline: str, total: float, signal: float
) -> float:
    moments = Moments(1.0, 0.0, 0.0, signal, signal)
    theory = make(kind, level).covariance(discount, moments, baseline)
    return float((total + theory.within) / (theory.signal_factor**2 * signal))


def scale_along_training(noise: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Geometric mean over seeds of B_noise, at each evaluation and horizon.

    Returns:
        One row for each group, horizon and interactions: `noise_scale`, `low`, `high` (95%, NaN
        with one seed), `seeds`; and the notes of `noise_scale`.
    """
    rows, notes = noise_scale(noise)
    keys = [*GROUP, "horizon", "interactions"]
    rows = rows.assign(noise_scale=np.log(rows["noise_scale"]))
    by_seed = rows.groupby([*keys, "seed"])[["noise_scale"]].mean()
    table = _over_seeds(by_seed, keys, "noise_scale", {})
    columns = ("noise_scale", "low", "high")
    return table.assign(**{name: np.exp(table[name]) for name in columns}), notes


def before_threshold(noise: pd.DataFrame, crossings: pd.DataFrame) -> pd.DataFrame:
    """Rows measured from a quarter of the interactions to a threshold up to it.

    Most of the interactions lie there, so this is the noise during most of the training. Runs
    that are right-censored have no such rows.

    Args:
        noise: rows of noise tables.
        crossings: interactions to one threshold (`crossings.interactions_to_threshold`).
    """
    reached = crossings[~crossings["censored"]].set_index("run_id")["interactions"]
    end = noise["run_id"].map(reached)
    return noise[noise["interactions"].between(end / 4, end)]


def action_noise_ratio(noise: pd.DataFrame, crossings: pd.DataFrame) -> pd.Series:
    """What sampled actions cost by the noise measured: E at h = 1 over E of the exact gradient.

    Training needs `dE = (B + B_noise) dS` interactions for the progress dS of a step without noise,
    with `B_noise = (state + action) / |m|^2` for RL at h = 1 under dense rewards, and without the
    action part where the expectation over actions is exact. Along a run of RL the exact gradient
    thus needs the share `(B |m|^2 + state) / (B |m|^2 + state + action)` of each interaction: the
    ratio is the harmonic mean, over the interactions up to the crossing, of the inverse shares.

    A row of noise stands for the interactions nearest to it in log E, the first one for all before
    it. Estimates below 0 count as 0: to leave such rows out would choose those of a strong signal.

    Args:
        noise: rows of noise tables.
        crossings: interactions to thresholds.

    Returns:
        The ratio for each row of the crossings; NaN at other horizons and schedules, where a run is
        censored, and where nothing was measured in the last three quarters before the crossing.
    """
    ratios = pd.Series(np.nan, index=crossings.index)
    if noise.empty or crossings.empty:
        return ratios
    rows = noise[(noise["schedule"] == "dense") & (noise["horizon"] == 1)]
    runs = dict(list(rows.sort_values("interactions").groupby("run_id")))
    known = crossings["run_id"].isin(list(runs)) & ~crossings["censored"]
    for place, run_id, end in crossings.loc[known, ["run_id", "interactions"]].itertuples():
        ratios[place] = _ratio_until(runs[run_id], end)
    return ratios


def _ratio_until(rows: pd.DataFrame, end: float) -> float:
    """`action_noise_ratio` of one run, its rows in order, up to `end`; NaN where not known."""
    places = rows["interactions"].to_numpy(float)
    if places[-1] < end / 4:
        return np.nan
    edges = np.concatenate([[0.0], np.sqrt(places[1:] * places[:-1]), [np.inf]])
    weight = np.diff(np.minimum(edges, end))
    state, action, signal = (
        np.maximum(rows[name].to_numpy(float), 0.0) for name in ("state", "action", "signal")
    )
    exact = rows["batch"].to_numpy(float) * signal + state
    known = (exact > 0) & (weight > 0)
    share = exact[known] / (exact + action)[known]
    return float(weight[known].sum() / (weight[known] @ share)) if known.any() else np.nan


def horizon_coefficients(noise: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """n_0 and n_1 of `B_noise = n_0 + n_1 x` for dense rewards, and the knees they predict.

    n_0 is from all horizons, n_1 from horizons above 1, each a geometric mean over evaluations,
    clustered by seed. A rollout of finite length lowers the measured future, and n_1 with it.

    Returns:
        One row for each group of dense rewards: `noise_constant` (n_0), `noise_growth` (n_1), with
        `_low` and `_high`, the `knee` at the group's batch and `knee_small_batch` as B goes to 0,
        `seeds`; and notes.
    """
    rows, notes = noise_scale(noise[noise["schedule"] == "dense"])
    constant = (rows["action"] + rows["state"]) / rows["signal"]
    x = variance_horizon(rows["horizon"].to_numpy(float))
    growing = (x > 0) & (rows["future"] > 0)
    growth = np.where(growing, rows["future"] / np.where(growing, x, 1.0) / rows["signal"], np.nan)
    rows = rows.assign(noise_constant=np.log(constant), noise_growth=np.log(growth))
    names = ("noise_constant", "noise_growth")
    by_seed = rows.groupby([*GROUP, "seed"])[list(names)].mean()
    table = (
        by_seed.reset_index().groupby(list(GROUP))["seed"].nunique().rename("seeds").reset_index()
    )
    for name in names:
        means = _over_seeds(by_seed, list(GROUP), name, {})
        ends = {"low": f"{name}_low", "high": f"{name}_high"}
        means = means.drop(columns="seeds").rename(columns=ends)
        for column in (name, *ends.values()):
            means[column] = np.exp(means[column])
        table = table.merge(means, on=list(GROUP))
    ratio = table["noise_constant"] / table["noise_growth"]
    with_batch = ratio + table["batch"] / table["noise_growth"]
    return table.assign(
        knee=_horizon_of(with_batch.to_numpy(float)),
        knee_small_batch=_horizon_of(ratio.to_numpy(float)),
    ), notes


def _horizon_of(x: np.ndarray) -> np.ndarray:
    """The horizon whose variance horizon is x: gamma^2 = x / (1 + x)."""
    return horizon_from_discount(np.sqrt(x / (1 + x)))


def _over_seeds(
    by_seed: pd.DataFrame, keys: list[str], name: str, others: dict[str, str]
) -> pd.DataFrame:
    """Mean of `name` over seeds with its t interval; `others` are columns and their aggregation."""
    groups = by_seed.groupby(level=keys, sort=True)
    mean, spread, seeds = groups[name].mean(), groups[name].std(ddof=1), groups[name].count()
    half = t_reach(spread.to_numpy(float), seeds.to_numpy(int))
    table = pd.DataFrame({name: mean, "low": mean - half, "high": mean + half})
    for other, how in others.items():
        table[other] = groups[other].agg(how)
    return table.assign(seeds=seeds).reset_index()

"""Interactions to threshold drawn from a law of horizon and schedule with known constants."""

import functools

import numpy as np
import pandas as pd

from analysis.laws.schedule import ScheduleLaw, ScheduleMean, fit_schedule_laws
from mnist_horizon.horizon import discount_from_horizon
from mnist_horizon.schedules import parse

SCHEDULES = (
    *("dense", "revealed:0.25", "revealed:0.0625", "periodic:2", "periodic:4", "periodic:16"),
    "streak:2",
)
HORIZONS = (1.0, 3.0, 7.0, 15.0, 31.0, 63.0)


def theta(s_min: float, noise_scale: float, share: float, accuracy: float) -> np.ndarray:
    """Parameters of `ScheduleMean` from the constants themselves."""
    odds = [np.log(share / (1 - share)), np.log(accuracy / (1 - accuracy))]
    return np.array([np.log(s_min), np.log(noise_scale), *odds])


TRUTH = theta(s_min=40.0, noise_scale=60.0, share=0.5, accuracy=0.4)
FIVE_SCHEDULES = ("dense", "revealed:0.25", "periodic:4", "periodic:16", "streak:2")


def crossings(
    truth: np.ndarray,
    rng: np.random.Generator,
    *,
    schedules: tuple[str, ...] = SCHEDULES,
    streak_costs: float = 1.0,
    budget: float = np.inf,
    width: int = 32,
    seeds: int = 4,
    batch: int = 256,
    threshold: float = 0.7,
) -> pd.DataFrame:
    """A table as `data.interactions_to_threshold` returns it."""
    parsed = tuple(parse(name) for name in schedules)
    shared = 0.08 * rng.standard_normal(seeds)
    frames = []
    for schedule in parsed:
        horizon = np.tile(HORIZONS, seeds)
        seed = np.repeat(np.arange(seeds), len(HORIZONS))
        same = np.zeros(len(horizon), dtype=int)
        sizes = np.full(len(horizon), float(batch))
        log_e = ScheduleMean((schedule,), same, horizon, sizes, threshold)(truth)[0]
        log_e = log_e + shared[seed] + 0.06 * rng.standard_normal(len(seed))
        log_e += np.log(streak_costs) * (not schedule.adds_up)
        rows = pd.DataFrame({"horizon": horizon, "seed": seed, "interactions": np.exp(log_e)})
        rows = rows.assign(schedule=schedule.kind, schedule_level=schedule.level)
        names = [f"{schedule}-w{width}-h{h:g}-s{s}" for h, s in zip(horizon, seed, strict=True)]
        # By rule, as a sweep does: other than between schedules and horizons they must not split.
        discount = discount_from_horizon(horizon)
        rates = {"learning_rate": 0.02 / np.sqrt(horizon)}
        rates["entropy_coef"] = 0.1 * schedule.mean_discount(discount)
        frames.append(rows.assign(run_id=names, discount=discount, **rates))
    table = pd.concat(frames, ignore_index=True)
    table = table.assign(
        censored=table["interactions"] > budget,
        left_censored=False,
        interactions=np.minimum(table["interactions"], budget),
    )
    return table.assign(
        task="synthetic",
        network="mlp",
        algorithm="vpg",
        optimizer="adam",
        width=width,
        parameters=100 * width,
        flops_per_interaction=600.0 * width,
        batch=batch,
        threshold=threshold,
    )


@functools.cache
def censored_crossings() -> pd.DataFrame:
    """Five schedules with some runs censored; a streak costs twice what the law says."""
    rng = np.random.default_rng(0)
    return crossings(TRUTH, rng, schedules=FIVE_SCHEDULES, budget=90_000, streak_costs=2.0)


@functools.cache
def censored_law() -> ScheduleLaw:
    """The law fitted to `censored_crossings`."""
    (law,) = fit_schedule_laws(censored_crossings()).entries
    return law


def two_widths() -> pd.DataFrame:
    """Widths 16 and 64, where four times the parameters need half the interactions.

    Under the streak they need as many.
    """
    rng = np.random.default_rng
    wide = theta(s_min=20.0, noise_scale=60.0, share=0.5, accuracy=0.4)
    tables = [
        crossings(TRUTH, rng(0), schedules=FIVE_SCHEDULES, width=16),
        crossings(wide, rng(1), schedules=FIVE_SCHEDULES, width=64, streak_costs=2.0),
    ]
    return pd.concat(tables, ignore_index=True)

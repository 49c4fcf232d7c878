"""Learning curves drawn from a power law of known constants."""

from dataclasses import replace

import numpy as np
import pandas as pd

from analysis.data.crossings import place_in_interval
from analysis.laws.power.frontier import PowerLaw, product_law
from analysis.laws.synthetic import Design, PowerLawTruth
from analysis.laws.synthetic import simulate as simulate_sweep

TRUTH = product_law(0.55, 0.42, 0.55 * np.log(3e4) - 0.42 * np.log(1e5))
MIDDLE = float(np.log(TRUTH.intrinsic_performance(np.array(3e4), np.array(1e5))))


def simulate(
    generator: np.random.Generator,
    law: PowerLaw = TRUTH,
    sizes: int = 5,
    seeds: int = 4,
    noise: float = 0.003,
    shift: float = 0.08,
    transient: float = 0.0,
    fading: float = 4.0,
    asleep: float = 0.0,
    stop_early: bool = False,
    horizon: float = 1.0,
    rows: int = 40,
) -> pd.DataFrame:
    """Runs whose return is a logistic function of log I of the law.

    Seeds are ahead or behind by `shift` in log E, rows have `noise` on the return; early in
    training a run is as if it had seen the share `transient` less, which fades `fading` times by
    1/64 of training; its return does not move for the share `asleep` of the way to half its end;
    of runs that stop early 3 in 10 end between 1/2 and all of the evaluations.
    """
    ends = np.unique(np.logspace(3, 6.5, rows).astype(int))
    places = place_in_interval(ends.astype(float))
    runs = []
    for width, size in enumerate(np.logspace(3, 5.5, sizes).astype(int)):
        for seed in range(seeds):
            interactions = places * np.exp(shift * generator.standard_normal())
            interactions = interactions * (1 - transient * np.exp(-fading * 64 * places / ends[-1]))
            level = np.log(law.intrinsic_performance(np.array(float(size)), interactions))
            returns = 0.1 + 0.85 / (1 + np.exp(-0.5 * (level - MIDDLE)))
            if asleep:
                middle = np.interp(0.5 * (0.1 + returns[-1]), returns, places)
                returns = 0.1 + (returns - 0.1) * -np.expm1(-((places / (asleep * middle)) ** 2))
            returns += noise * generator.standard_normal(len(ends))
            stops = stop_early and generator.random() < 0.3
            kept = int(len(ends) * generator.uniform(0.5, 1)) if stops else len(ends)
            runs.append(
                pd.DataFrame(
                    {
                        "run_id": f"h{horizon}-w{width}-s{seed}",
                        "task": "made",
                        "schedule": "dense",
                        "schedule_level": 1.0,
                        "parameters": size,
                        "flops_per_interaction": 6.0 * size**0.95,
                        "horizon": horizon,
                        "seed": seed,
                        "interactions": ends[:kept],
                        "return_mean": returns[:kept],
                    }
                )
            )
    return pd.concat(runs, ignore_index=True)


def over_horizons(
    generator: np.random.Generator, horizons: tuple[float, ...], exponent_drift: float = 0.0
) -> pd.DataFrame:
    """Runs at several horizons: E_c grows by 1/30 a step of the horizon.

    Where alpha_E drifts, N_c and E_c move with it, so that both terms still matter to the runs.
    """
    frames = []
    for i, horizon in enumerate(horizons):
        growth = 1 + (horizon - 1) / 30
        law = replace(TRUTH, e_c=TRUTH.e_c * growth)
        if exponent_drift:
            alpha_e = TRUTH.alpha_e * (1 + exponent_drift * i)
            balance = TRUTH.alpha_n * np.log(3e4) - alpha_e * np.log(1e5 * growth)
            law = product_law(TRUTH.alpha_n, alpha_e, balance)
        frames.append(simulate(generator, law, horizon=horizon))
    return pd.concat(frames, ignore_index=True)


WIDTHS = (4, 16, 64, 256, 1024)


def with_a_wrong_width(seed: int, factor: float) -> pd.DataFrame:
    """Five widths of a power law, of which the largest needs `factor` times the interactions."""
    design = Design(horizons=(1,), widths=WIDTHS, seeds=4, budget=3_000_000, evaluations=50)
    frame = simulate_sweep(PowerLawTruth(), design, np.random.default_rng(seed))
    wrong = frame["width"] == max(WIDTHS)
    slow = (factor * frame["interactions"]).round().astype(int)
    return frame.assign(interactions=frame["interactions"].where(~wrong, slow))

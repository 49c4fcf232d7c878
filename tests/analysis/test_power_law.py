"""The power law fitted to curves of known constants."""

import numpy as np
import pandas as pd
import pytest

from analysis.frontier import PowerLaw, product_law
from analysis.learning_curves import FitError, learning_curves
from analysis.level_fit import LevelProblem
from analysis.power_law import fit_power_law
from analysis.thresholds import place_in_interval

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
    stop_early: bool = False,
    horizon: float = 1.0,
    rows: int = 40,
) -> pd.DataFrame:
    """Runs whose return is a logistic function of log I of the law.

    Seeds are ahead or behind by `shift` in log E, rows have `noise` on the return; early in
    training a run is late by `transient` (as a share of 1/64 of training, fading as 1/E); of runs
    that stop early 3 in 10 end between 1/2 and all of the evaluations.
    """
    ends = np.unique(np.logspace(3, 6.5, rows).astype(int))
    places = place_in_interval(ends.astype(float))
    runs = []
    for width, size in enumerate(np.logspace(3, 5.5, sizes).astype(int)):
        for seed in range(seeds):
            interactions = places * np.exp(shift * generator.standard_normal())
            interactions /= 1 + transient * ends[-1] / 64 / interactions / 10
            level = np.log(law.intrinsic_performance(np.array(float(size)), interactions))
            returns = 0.1 + 0.85 / (1 + np.exp(-0.5 * (level - MIDDLE)))
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


def test_gradient_is_exact() -> None:
    problem = LevelProblem.of([learning_curves(simulate(np.random.default_rng(0)))])
    arguments = np.array([-0.5, -0.9, 0.3])

    def half_loss(at: np.ndarray) -> float:
        return 0.5 * float(np.sum(problem.linked(at).residuals ** 2))

    linked = problem.linked(arguments)
    for i, step in enumerate(1e-5 * np.eye(3)):
        slope = (half_loss(arguments + step) - half_loss(arguments - step)) / 2e-5
        assert linked.jacobian[:, i] @ linked.residuals == pytest.approx(slope, rel=1e-4)


def test_without_noise_the_law_is_found() -> None:
    generator = np.random.default_rng(1)
    frame = simulate(generator, noise=1e-6, shift=1e-6, rows=160)
    fit = fit_power_law(frame, generator=generator)
    assert fit.law.alpha_n == pytest.approx(0.55, rel=0.01)
    assert fit.law.alpha_e == pytest.approx(0.42, rel=0.01)
    assert fit.law.n_c == pytest.approx(TRUTH.n_c, rel=0.1)
    assert fit.estimate.fit.agreeing > 50


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: f[f["parameters"] == f["parameters"].min()], "1 network size "),
        (lambda f: f[f["seed"] == 0], "1 seed "),
        (lambda f: f.assign(return_mean=np.nan), "no run has returns that are numbers"),
        (lambda f: f.iloc[:0], "no rows"),
        (lambda f: pd.concat([f, f.assign(horizon=7.0)]), "horizon takes 2 values"),
    ],
)
def test_bad_input_is_refused_in_one_line(damage, message: str) -> None:  # type: ignore[no-untyped-def]
    generator = np.random.default_rng(2)
    with pytest.raises(FitError, match=message) as caught:
        fit_power_law(damage(simulate(generator)), generator=generator)
    assert "\n" not in str(caught.value)

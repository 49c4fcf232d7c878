"""The power law fitted to curves of known constants, one horizon at a time."""

import json
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from analysis.laws.power.curves import FitError
from analysis.laws.power.frontier import PowerLaw
from analysis.laws.power.shared import SharedPowerLaw
from analysis.laws.power.single import (
    PowerLawFit,
    fit_power_law,
    fit_power_laws,
    intrinsic_performance_table,
)
from tests.analysis.power_runs import TRUTH, over_horizons, simulate, with_a_wrong_width


def recover(
    draws: int, first: int, sizes: int, seeds: int, shift: float
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Estimates and whether their intervals hold the truth, by number, each of shape [draw]."""
    truth = {
        "alpha_n": TRUTH.alpha_n,
        "alpha_e": TRUTH.alpha_e,
        "beta": TRUTH.beta,
        "optimal_size_exponent": TRUTH.alpha_e / (TRUTH.alpha_n + TRUTH.alpha_e),
    }
    fits = []
    for draw in range(draws):
        generator = np.random.default_rng(first + draw)
        frame = simulate(
            generator, sizes=sizes, seeds=seeds, shift=shift, transient=0.5, stop_early=True
        )
        fits.append(fit_power_law(frame, generator=generator))
    numbers = {name: [fit.quantities[name] for fit in fits] for name in truth}
    found = {name: np.array([one.value for one in numbers[name]]) / truth[name] for name in truth}
    held = {
        name: np.array([one.interval[0] <= t <= one.interval[1] for one in numbers[name]])
        for name, t in truth.items()
    }
    return found, held


def test_without_noise_the_law_is_found() -> None:
    generator = np.random.default_rng(1)
    frame = simulate(generator, noise=1e-6, shift=1e-6, rows=160)
    fit = fit_power_law(frame, generator=generator)
    assert fit.law.alpha_n == pytest.approx(0.55, rel=0.01)
    assert fit.law.alpha_e == pytest.approx(0.42, rel=0.01)
    assert fit.law.n_c == pytest.approx(TRUTH.n_c, rel=0.1)
    assert fit.estimate.fit.starts == 10
    assert fit.estimate.fit.agreeing >= 8


@pytest.mark.slow
def test_exponents_are_recovered_from_noisy_runs() -> None:
    found, held = recover(draws=20, first=100, sizes=6, seeds=6, shift=0.05)
    for name in found:
        assert abs(found[name].mean() - 1) < 0.03, name
        assert held[name].sum() >= 16, name  # 95% intervals: 15 or fewer of 20 in 1 of 3000


@pytest.mark.slow
def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    found, held = recover(draws=200, first=1000, sizes=5, seeds=4, shift=0.08)
    for name in found:
        assert abs(found[name].mean() - 1) < 0.03, name
        assert 0.88 <= held[name].mean() <= 0.99, name


def test_the_same_generator_gives_the_same_numbers() -> None:
    frame = simulate(np.random.default_rng(3))
    first, second = (
        fit_power_law(frame, generator=np.random.default_rng(4)).to_json() for _ in range(2)
    )
    assert first == second


def test_numbers_of_the_entry_are_not_rounded() -> None:
    generator = np.random.default_rng(5)
    fit = fit_power_law(simulate(generator), compute="flops", generator=generator)
    entry = json.loads(json.dumps(fit.to_json()))
    names = ("alpha_n", "alpha_e", "beta", "n_c", "e_c")
    again = PowerLaw(**{name: entry[name] for name in names})
    assert again == fit.law
    assert all(entry[f"{name}_ci"][0] < entry[name] < entry[f"{name}_ci"][1] for name in names)
    np.testing.assert_allclose(
        again.intrinsic_performance(
            fit.frontier.parameters,
            fit.frontier.compute / (6 * fit.frontier.parameters**0.95),
        ),
        fit.frontier.compute,
        rtol=1e-3,
    )


@pytest.mark.parametrize("compute", ["NE", "flops"])
def test_measured_intrinsic_performance_follows_the_law_under_the_frontier(compute: str) -> None:
    generator = np.random.default_rng(6)
    frame = simulate(generator, noise=1e-3, shift=0.01)
    fit = fit_power_law(frame, compute=compute, generator=generator)  # type: ignore[arg-type]
    table = intrinsic_performance_table(fit)
    power = 1.0 if compute == "NE" else 0.95
    scale = 1.0 if compute == "NE" else 6.0
    np.testing.assert_allclose(
        table["compute"], scale * table["parameters"] ** power * table["interactions"], rtol=1e-9
    )
    known = table.dropna()
    assert len(known) > 0.9 * len(table)
    ratio = np.log(known["intrinsic_performance"] / known["law"])
    assert ratio.abs().median() < 0.05
    assert (known["law"] <= known["compute"] * (1 + 1e-3)).all()
    inside = known["intrinsic_performance"].between(known["intrinsic_low"], known["intrinsic_high"])
    assert inside.all()


def test_all_that_can_be_fitted_is_and_the_rest_is_noted() -> None:
    generator = np.random.default_rng(14)
    dense = over_horizons(generator, (1.0, 7.0))
    sparse = simulate(generator).assign(schedule="revealed", schedule_level=0.25)
    sparse = sparse[sparse["parameters"] == sparse["parameters"].min()]
    laws = fit_power_laws(pd.concat([dense, sparse]), generator)
    single = [fit for fit in laws.entries if isinstance(fit, PowerLawFit)]
    shared = [fit for fit in laws.entries if isinstance(fit, SharedPowerLaw)]
    assert [(fit.group["horizon"], fit.compute) for fit in single] == [
        *((1.0, "NE"), (1.0, "flops"), (7.0, "NE"), (7.0, "flops"))
    ]
    assert [fit.compute for fit in shared] == ["NE", "flops"]
    assert any(re.search("revealed:0.25.*, horizon 1: 1 network size", note) for note in laws.notes)
    assert any(
        re.search("power law over horizons, .*revealed:0.25.*: 0 horizons", note)
        for note in laws.notes
    )
    entries = [fit.to_json() for fit in laws.entries]
    assert len(json.loads(json.dumps(entries, allow_nan=False))) == 6


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: f[f["parameters"] == f["parameters"].min()], "1 network size "),
        (lambda f: f[f["seed"] == 0], "1 seed "),
        (lambda f: f.assign(return_mean=np.nan), "every run has returns that are not numbers"),
        (lambda f: f.iloc[:0], "no rows"),
        (lambda f: f.groupby("run_id").head(3), "every run has fewer than 4 rows"),
        (lambda f: f.assign(return_mean=0.1 + 0.01 * (f["seed"] % 2)), "the return stays within"),
        (lambda f: f.assign(return_mean=0.5), "the returns of all seeds"),
        (lambda f: pd.concat([f, f.assign(horizon=7.0)]), "2 groups of settings"),
    ],
)
def test_bad_input_is_refused_in_one_line(damage, message: str) -> None:  # type: ignore[no-untyped-def]
    generator = np.random.default_rng(2)
    with pytest.raises(FitError, match=message) as caught:
        fit_power_law(damage(simulate(generator)), generator=generator)
    assert "\n" not in str(caught.value)


def test_returns_of_any_unit_give_the_same_exponents() -> None:
    frame = simulate(np.random.default_rng(3))

    def numbers(shift: float, scale: float) -> list[float]:
        moved = frame.assign(return_mean=shift + scale * frame["return_mean"])
        law = fit_power_law(moved, generator=np.random.default_rng(0)).law
        return [law.alpha_n, law.alpha_e, law.n_c]

    for shift, scale in ((-0.5, 1.0), (-1.0, 1.0), (3.0, 1.0), (0.0, 10.0)):
        np.testing.assert_allclose(numbers(shift, scale), numbers(0.0, 1.0), rtol=1e-5)


def test_a_size_exponent_lies_in_the_unit_interval_and_a_wide_one_is_not_determined() -> None:
    generator = np.random.default_rng(0)
    fit = fit_power_law(simulate(generator), generator=generator)
    assert fit.determined["optimal_size_exponent"]
    low, high = fit.quantities["optimal_size_exponent"].interval
    assert 0 < low < high < 1
    scattered = fit.estimate.without_seed + np.array(
        [[3.0, 0, 0], [-3.0, 0, 0], [0, 0, 0], [0, 0, 0]]
    )
    wide = PowerLawFit.of(replace(fit.estimate, without_seed=scattered), "NE")
    low, high = wide.quantities["optimal_size_exponent"].interval
    assert 0 < low < high < 1
    assert not wide.determined["optimal_size_exponent"]
    assert wide.needs["alpha_n"] == "sizes over more than 2.5 decades"
    assert "alpha_e" not in wide.needs


def test_a_fit_that_its_residuals_refuse_determines_nothing_and_keeps_its_numbers() -> None:
    frame = with_a_wrong_width(2000, 2.0)
    entry = fit_power_law(frame, generator=np.random.default_rng(0)).to_json()
    assert entry["refused"] == "off_law"
    assert not any(entry["determined"].values())
    assert set(entry["needs"]) == set(entry["determined"])
    assert entry["alpha_n"] > 0
    assert entry["loss"] > 0
    (off,) = entry["off_law"]
    assert off["parameters"] == frame["parameters"].max()
    assert off["ci"][0] < 2 < off["ci"][1]


def test_runs_of_single_rows_are_refused_at_once() -> None:
    frame = simulate(np.random.default_rng(0), rows=1)
    with pytest.raises(FitError, match="fewer than 4 rows"):
        fit_power_law(frame, generator=np.random.default_rng(0))

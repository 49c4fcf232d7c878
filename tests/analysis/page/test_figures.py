"""Which figures a family's data allow, and that figures and laws are of the same runs."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from analysis.data import Measurements, families, measure
from analysis.data.curves import seed_averages
from analysis.laws import AllFits, PowerLawFit, fit_horizon_laws, fit_power_laws
from analysis.laws.power.curves import learning_curves
from analysis.laws.synthetic import Design
from analysis.page import figures
from analysis.page.figures import FamilyFits, main_width, planned_figures
from mnist_horizon.results import Results
from tests.analysis.report_sweeps import SMALL, noise_rows, sweep_frame, two_rates

WIDE = Design(horizons=(1, 7), widths=(8, 32, 128), seeds=3, budget=1_000_000, evaluations=24)


def fits_of(measured: Measurements) -> AllFits:
    laws = {
        "horizon_law": fit_horizon_laws(measured.crossings, profiles=False),
        "power_law": fit_power_laws(measured.curves),
    }
    return AllFits({key: found.entries for key, found in laws.items()})


def only_family(measured: Measurements, fits: AllFits) -> FamilyFits:
    (family,) = families(measured.frame)
    return FamilyFits.of(family, measured, fits)


def names(found: FamilyFits) -> list[str]:
    return [plan.name for plan in planned_figures(found)]


@pytest.fixture(scope="module", name="measured")
def _measured() -> Measurements:
    """Two rates that are about as good, so that seeds of a cell choose different ones."""
    frame = sweep_frame(WIDE)
    cells = frame[["width", "horizon", "seed"]].drop_duplicates().reset_index(drop=True)
    factor = 1 + 0.04 * np.random.default_rng(0).standard_normal(len(cells))
    factors = cells.assign(factor=factor)
    other = frame.merge(factors, on=["width", "horizon", "seed"])
    other["return_mean"] = np.clip(other["return_mean"] * other.pop("factor"), 0, 1)
    other = other.assign(run_id=other["run_id"] + "-b", learning_rate=3e-3)
    both = pd.concat([frame.assign(learning_rate=1e-3), other], ignore_index=True)
    noise = Results(noise_rows(frame), (), frozenset())
    return measure(Results(both, (), frozenset()), noise)


@pytest.fixture(scope="module", name="found")
def _found(measured) -> FamilyFits:
    return only_family(measured, fits_of(measured))


def test_laws_and_figures_are_of_the_same_runs(measured, found):
    chosen = set(measured.crossings["run_id"])
    runs = measured.frame[measured.frame["run_id"].isin(chosen)].drop_duplicates("run_id")
    cells = runs.groupby(["width", "horizon"])
    assert (cells["seed"].nunique() == 3).all()
    assert (cells["seed"].size() == 3).all()
    assert cells["learning_rate"].nunique().max() == 2, "all seeds of each cell chose alike"
    frame = measured.frame[measured.frame["run_id"].isin(chosen)]
    # The horizon law: its values are those of these runs.
    laws = [law for law in found.fits["horizon_law"] if law.regressor == "h-1"]
    assert laws
    for law in laws:
        rows = found.crossings[found.crossings["threshold"] == law.threshold]
        rows = rows[rows["width"].isin(law.data.widths)]
        needed = np.sort(np.exp(law.data.values.log_e))
        np.testing.assert_allclose(needed, np.sort(rows["interactions"]))
    # The power law: its curves are those of these runs.
    single = [law for law in found.fits["power_law"] if isinstance(law, PowerLawFit)]
    assert single
    for law in single:
        expected = learning_curves(frame[frame["horizon"] == law.group["horizon"]])
        np.testing.assert_array_equal(law.estimate.curves[0].returns, expected.returns)
    # The figures.
    draw = {plan.name: plan.draw for plan in planned_figures(found)}
    _, curves = draw["return_by_horizon"]()
    pd.testing.assert_frame_equal(curves, seed_averages(frame, ["return_mean"]))
    _, points = draw["interactions_against_horizon"]()
    width = main_width(found.crossings)
    assert set(points["run_id"].dropna()) == set(runs.loc[runs["width"] == width, "run_id"])


def test_what_the_data_allow_is_planned(measured, found):
    assert names(found) == [
        *("interactions_against_horizon", "multiplier_against_horizon"),
        *("return_against_interactions", "return_by_horizon", "return_against_compute"),
        *("entropy_and_divergence", "intrinsic_performance_against_compute"),
        *("intrinsic_performance_against_interactions", "optimal_size_against_compute"),
        *("exponents_against_horizon", "gradient_variance", "gradient_noise_scale"),
        "learning_rate_rule",
    ]
    lost = measured.noise.assign(signal=-1.0)
    assert "gradient_noise_scale" not in names(replace(found, noise=lost))
    assert "gradient_variance" in names(replace(found, noise=lost))
    bare = replace(found, fits=AllFits(), noise=pd.DataFrame())
    assert names(bare) == [
        *("interactions_against_horizon", "return_against_interactions", "return_by_horizon"),
        *("return_against_compute", "entropy_and_divergence", "learning_rate_rule"),
    ]


def test_a_family_takes_its_own_laws_and_rows():
    frame = sweep_frame(SMALL)
    sparse = frame.assign(run_id="s-" + frame["run_id"], schedule="revealed", schedule_level=0.25)
    results = Results(pd.concat([frame, sparse], ignore_index=True), (), frozenset())
    measured = measure(results, Results(noise_rows(frame, (0, 5)), (), frozenset()))
    fits = AllFits({"horizon_law": fit_horizon_laws(measured.crossings, profiles=False).entries})
    parts = [FamilyFits.of(family, measured, fits) for family in families(measured.frame)]
    assert len(parts) == 2
    for part, schedule in zip(parts, ("dense", "revealed"), strict=True):
        assert set(part.curves["schedule"]) == set(part.crossings["schedule"]) == {schedule}
        assert {law.group["schedule"] for law in part.fits["horizon_law"]} == {schedule}
        assert part.noise.empty == (schedule == "revealed")
    assert sum(len(part.fits["horizon_law"]) for part in parts) == len(fits["horizon_law"])


def test_figures_bear_the_familys_slug_and_unfinished_runs_are_named(tmp_path, monkeypatch):
    frame = two_rates(sweep_frame(SMALL))
    run = frame["run_id"].iloc[0]
    measured = measure(Results(frame, (), frozenset({run})))
    found = only_family(measured, AllFits())
    (curve,) = [plan for plan in planned_figures(found) if plan.name == "return_by_horizon"]
    assert "faded: runs that are not done" in curve.caption
    monkeypatch.setattr(figures, "planned_figures", lambda _: iter([curve]))
    (plain,) = figures.save_figures(found, tmp_path)
    named = replace(found, family=replace(found.family, slug="a-slug"))
    (page,) = figures.save_figures(named, tmp_path)
    assert plain.path == tmp_path / "return_by_horizon.svg"
    assert page.path == tmp_path / "return_by_horizon-a-slug.svg"
    assert page.path.read_bytes() == plain.path.read_bytes()
    assert page.caption == curve.caption


def test_the_main_width_is_the_largest_of_those_with_most_runs_that_reach():
    crossings = pd.DataFrame(
        {"width": [8, 8, 32, 32, 128, 128], "censored": [True, False, False, False, False, False]}
    )
    assert main_width(crossings) == 128
    crossings["censored"] = [False, False, False, False, True, False]
    assert main_width(crossings) == 32

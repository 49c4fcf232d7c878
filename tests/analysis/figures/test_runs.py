"""Figures draw the numbers of their tables, mark what is censored or unfinished, and repeat."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis.data.crossings import interactions_to_threshold
from analysis.data.curves import families, seed_averages, with_best_learning_rates
from analysis.figures import runs as figures
from analysis.figures import theme
from analysis.laws.horizon import fit_horizon_laws
from analysis.laws.power.single import fit_all
from analysis.laws.synthetic import Design
from tests.analysis.report_sweeps import DESIGN, noise_rows, sweep_frame


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return sweep_frame()


def lines(figure: Figure, gid: str | None = None) -> Iterator[Line2D]:
    for axis in figure.axes:
        for line in axis.get_lines():
            if len(line.get_xdata()) and (gid is None or line.get_gid() == gid):
                yield line


def drawn(figure: Figure, gid: str | None = None) -> np.ndarray:
    """All points of the lines of a figure, in order of x and y, shape [point, 2]."""
    points = np.concatenate([line.get_xydata() for line in lines(figure, gid)])
    return points[np.lexsort(points.T)]


def tabled(table: pd.DataFrame, x: str, y: str) -> np.ndarray:
    points = table[[x, y]].to_numpy(float)
    return points[np.lexsort(points.T)]


@pytest.mark.parametrize(
    ("draw", "x"),
    [
        (figures.return_against_interactions, "interactions"),
        (figures.return_by_horizon, "interactions"),
        (figures.return_against_compute, "flops"),
    ],
)
def test_curves_are_those_of_the_table(frame, draw, x):
    figure, table = draw(frame)
    np.testing.assert_allclose(drawn(figure), tabled(table, x, "return_mean"))
    panels = 3
    assert len(figure.axes) == panels


def test_averages_are_over_seeds(frame):
    one = frame[(frame["width"] == 32) & (frame["horizon"] == 7)]
    table = seed_averages(one, ["return_mean"])
    by_row = one.pivot(index="interactions", columns="seed", values="return_mean")
    np.testing.assert_allclose(table["return_mean"], by_row.mean(axis=1))
    np.testing.assert_allclose(table["return_mean_lowest"], by_row.min(axis=1))
    np.testing.assert_allclose(table["return_mean_highest"], by_row.max(axis=1))
    assert set(table["seeds"]) == {3}


def test_unfinished_runs_are_faded_and_not_averaged(frame):
    run = frame["run_id"].iloc[0]
    cut = frame[(frame["run_id"] != run) | (frame["interactions"] < 50_000)]
    figure, table = figures.return_against_interactions(cut, {run})
    (faded,) = lines(figure, "unfinished")
    assert faded.get_alpha() == theme.FADED
    alone = table[table["run_id"] == run]
    np.testing.assert_allclose(faded.get_ydata(), alone["return_mean"])
    cell = table[(table["width"] == alone["width"].iloc[0]) & (table["run_id"] == "")]
    assert cell[cell["horizon"] == alone["horizon"].iloc[0]]["seeds"].eq(2).all()


@pytest.fixture(scope="module")
def crossings(frame) -> pd.DataFrame:
    return interactions_to_threshold(frame)


def test_interactions_against_horizon_draws_runs_laws_and_knee(frame, crossings):
    one = crossings[crossings["width"] == 8]
    laws = [
        law
        for law in fit_horizon_laws(one, ("h-1",), profiles=False).entries
        if law.group.get("width") == 8
    ]
    figure, table = figures.interactions_against_horizon(one, laws)
    assert one["censored"].any()
    assert not one["censored"].all()
    for gid, censored in (("run", False), ("censored", True)):
        expected = one[one["censored"] == censored]
        points = tabled(expected, "horizon", "interactions")
        np.testing.assert_allclose(drawn(figure, gid), points)
    assert {line.get_marker() for line in lines(figure, "censored")} == {"^"}
    for form in laws[0].laws:
        points = tabled(table[table["what"] == form], "horizon", "interactions")
        np.testing.assert_allclose(drawn(figure, form), points)
    knees = sorted(line.get_xdata()[0] for line in lines(figure, "knee"))
    assert knees == sorted(law.knee for law in laws if 1 < law.knee < 31)


def test_the_interval_of_the_mean_is_students(crossings):
    one = crossings[(crossings["width"] == 128) & (crossings["threshold"] == 0.5)]
    _, table = figures.interactions_against_horizon(one, [])
    average = table[(table["what"] == "average") & (table["horizon"] == 7)].iloc[0]
    log_e = np.log(one.loc[one["horizon"] == 7, "interactions"])
    reach = 4.302653 * log_e.std() / np.sqrt(3)  # t of 2 degrees of freedom
    assert average["interactions"] == pytest.approx(np.exp(log_e.mean()))
    assert average["high"] == pytest.approx(np.exp(log_e.mean() + reach), rel=1e-6)
    assert average["low"] == pytest.approx(np.exp(log_e.mean() - reach), rel=1e-6)


def test_multipliers_of_all_widths(crossings):
    entries = fit_horizon_laws(crossings, ("h-1",), profiles=False).entries
    pooled = [law for law in entries if "width" not in law.group]
    figure, table = figures.multiplier_against_horizon(crossings, pooled)
    averages = table[table["what"] == "average"]
    reached = averages[~averages["censored"].astype(bool)]
    points = tabled(reached, "horizon", "multiplier")
    np.testing.assert_allclose(drawn(figure, "average"), points)
    affine = table[(table["what"] == "affine") & (table["horizon"] == 1)]
    np.testing.assert_allclose(affine["multiplier"], 1.0)


@pytest.fixture(scope="module")
def laws():
    design = replace(DESIGN, horizons=(1, 7))
    return fit_all(sweep_frame(design), np.random.default_rng(0))


def test_power_law_figures(laws):
    single = [fit for fit in laws.single if fit.compute == "NE"]
    assert len(single) == 2
    figure, table = figures.intrinsic_performance_against_compute(single)
    points = tabled(table, "compute", "intrinsic_performance")
    np.testing.assert_allclose(drawn(figure, "measured"), points)
    for line in lines(figure, "frontier"):
        np.testing.assert_allclose(line.get_xdata(), line.get_ydata())
    figure, table = figures.intrinsic_performance_against_interactions(single)
    np.testing.assert_allclose(drawn(figure, "law"), tabled(table, "interactions", "law"))
    figure, table = figures.optimal_size_against_compute(single)
    for fit in single:
        rows = table[table["horizon"] == fit.group["horizon"]]
        slope = np.polyfit(np.log(rows["compute"]), np.log(rows["optimal_parameters"]), 1)[0]
        assert slope == pytest.approx(rows["slope"].iloc[0])


def test_exponents_figure_holds_every_number_of_the_fits(laws):
    entries = [entry for entry in laws.to_json() if entry["compute"] == "NE"]
    figure, table = figures.exponents_against_horizon(entries)
    alone = table[~table["joint"]]
    for entry in entries:
        if not entry.get("joint"):
            rows = alone[alone["horizon"] == entry["group"]["horizon"]].set_index("number")
            assert rows.loc["alpha_n", "value"] == entry["alpha_n"]
            assert [*rows.loc["e_c", ["low", "high"]]] == entry["e_c_ci"]
    assert len(figure.axes) == 3


def test_gradient_variance_draws_measured_and_predicted(frame):
    figure, table = figures.gradient_variance(noise_rows(frame))
    assert len(figure.axes) == 3
    points = tabled(table[table["part"] == "total"], "horizon", "predicted")
    np.testing.assert_allclose(drawn(figure, "total"), points)
    np.testing.assert_allclose(table["measured"] / table["predicted"], 1.05)


def test_gradient_noise_scale(frame):
    noise = noise_rows(frame)
    figure, table = figures.gradient_noise_scale(noise)
    (axis,) = figure.axes
    curves = [bar.lines[0] for bar in axis.containers]
    for curve, (_, rows) in zip(curves, table.groupby("horizon"), strict=True):
        place, height = curve.get_xydata().T
        np.testing.assert_allclose(height, rows["noise_scale"])
        np.testing.assert_allclose(place, rows["interactions"], rtol=0.1)


def test_entropy_and_divergence(frame):
    figure, table = figures.entropy_and_divergence(frame[frame["width"] == 32])
    left, right = figure.axes
    assert sum(len(line.get_xdata()) for line in left.get_lines()) == len(table)
    values = np.concatenate([line.get_ydata() for line in right.get_lines()])
    np.testing.assert_allclose(np.sort(values), np.sort(table["kl_initial"]))


def test_learning_rate_rule_marks_the_best(frame):
    faster = frame.assign(run_id=frame["run_id"] + "-b", learning_rate=3e-3)
    faster["return_mean"] = 0.5 * faster["return_mean"]
    both = pd.concat([frame.assign(learning_rate=1e-3), faster])
    figure, table = figures.learning_rate_rule(both)
    assert set(table["horizon"]) == {1, 31}
    assert set(table.loc[table["best"], "learning_rate"]) == {1e-3}
    assert len(list(lines(figure, "best"))) == 6
    kept = with_best_learning_rates(both)
    assert set(kept["run_id"]) == set(frame["run_id"])


def test_families_hold_everything_but_size_horizon_and_seed():
    frame = sweep_frame(Design(horizons=(1,), widths=(8,), seeds=2, evaluations=5))
    sparse = frame.assign(
        run_id="sparse-" + frame["run_id"], schedule="revealed", schedule_level=0.25, seed=0
    )
    found = families(pd.concat([frame, sparse]))
    assert [family.label for family in found] == ["digits, dense", "digits, revealed:0.25"]
    assert [family.slug for family in found] == ["digits-dense", "digits-revealed-0.25"]
    assert found[1].matches({"schedule": "revealed", "width": 8})
    assert not found[1].matches({"schedule": "dense"})
    assert len(found[0].select(pd.concat([frame, sparse]))) == len(frame)


@pytest.mark.parametrize("make", [theme.horizon_looks, theme.size_looks])
def test_colours_are_ordered_in_lightness_and_markers_differ(make):
    looks = make([1, 3, 7, 15, 31, 63, 127])
    light = [np.dot(to_rgb(look.color), (0.2126, 0.7152, 0.0722)) for look in looks.values()]
    assert np.all(np.diff(light) > 0.02)
    assert len({look.marker for look in looks.values()}) == len(looks)


def test_saved_files_are_small_and_repeat(frame, tmp_path):
    for name in ("first", "second"):
        figure, table = figures.return_against_interactions(frame)
        theme.save(figure, table, tmp_path / name, "curves")
    for ending in ("png", "svg", "csv"):
        first, second = (tmp_path / name / f"curves.{ending}" for name in ("first", "second"))
        assert first.read_bytes() == second.read_bytes()
    assert (tmp_path / "first" / "curves.png").stat().st_size < 300_000
    kept = pd.read_csv(tmp_path / "first" / "curves.csv")
    np.testing.assert_allclose(kept["return_mean"], table["return_mean"])


@pytest.mark.parametrize(
    ("value", "text"), [(50_890, "50.9k"), (3.2e9, "3.2G"), (12.5, "12.5"), (0.031, "0.031")]
)
def test_compact_numbers(value, text):
    assert theme.compact(value) == text


def test_the_design_has_censored_and_finished_runs(crossings):
    assert 0 < crossings["censored"].sum() < len(crossings)
    assert len(crossings) == 3 * len(DESIGN.horizons) * len(DESIGN.widths) * DESIGN.seeds

"""Looks, axes and files of figures."""

import math
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from PIL import Image

from analysis.figures import curves, theme
from tests.analysis.report_sweeps import sweep_frame


@pytest.mark.parametrize("make", [theme.horizon_looks, theme.size_looks])
def test_colours_are_ordered_in_lightness_and_markers_differ(make):
    looks = make([1, 3, 7, 15, 31, 63, 127])
    light = [np.dot(to_rgb(look.color), (0.2126, 0.7152, 0.0722)) for look in looks.values()]
    assert np.all(np.diff(light) > 0.02)
    assert len({look.marker for look in looks.values()}) == len(looks)


def test_many_values_are_thinned_evenly_with_both_ends_and_none_have_no_looks():
    assert theme.spread([3, 1, 2, 2], 3) == [1, 2, 3]
    assert theme.spread(range(11), 3) == [0, 5, 10]
    assert len(theme.spread(range(240), 12)) == 12
    assert theme.looks([], "viridis") == {}


def test_saved_files_are_small_and_repeat(tmp_path):
    frame = sweep_frame()
    for name in ("first", "second"):
        figure, table = curves.return_against_interactions(frame)
        theme.save(figure, table, tmp_path / name, "curves")
    for ending in ("png", "svg", "csv"):
        first, second = (tmp_path / name / f"curves.{ending}" for name in ("first", "second"))
        assert first.read_bytes() == second.read_bytes()
    assert (tmp_path / "first" / "curves.png").stat().st_size < 300_000
    kept = pd.read_csv(tmp_path / "first" / "curves.csv")
    np.testing.assert_allclose(kept["return_mean"], table["return_mean"])


@pytest.mark.parametrize("ending", ["png", "svg", "csv"])
def test_a_file_that_cannot_be_written_to_its_end_is_left_as_it_was(ending, tmp_path, monkeypatch):
    figure, table = curves.return_against_interactions(sweep_frame())
    (tmp_path / f"curves.{ending}").write_text("whole")

    def half(_, file, *args, **kwargs):
        Path(file).write_bytes(b"half") if isinstance(file, Path) else file.write(b"half")
        raise OSError("No space left on device")

    writers = {"png": (Image.Image, "save"), "svg": (Figure, "savefig")}
    monkeypatch.setattr(*writers.get(ending, (pd.DataFrame, "to_csv")), half)
    with pytest.raises(OSError, match="No space left"):
        theme.save(figure, table, tmp_path, "curves")
    assert (tmp_path / f"curves.{ending}").read_text() == "whole"
    assert not list(tmp_path.glob(".*"))


def test_figures_do_not_depend_on_a_users_matplotlibrc(tmp_path):
    theirs = {"text.usetex": True, "font.family": "Comic Sans MS", "lines.linewidth": 9.0}
    for name, settings in {"plain": {}, "theirs": theirs}.items():
        with mpl.rc_context(settings):
            figure, table = curves.return_against_interactions(sweep_frame())
            theme.save(figure, table, tmp_path / name, "curves")
    for ending in ("png", "svg"):
        plain, other = (tmp_path / name / f"curves.{ending}" for name in ("plain", "theirs"))
        assert plain.read_bytes() == other.read_bytes()


def test_a_dollar_in_a_name_is_shown_where_it_is_no_mathematics(tmp_path):
    figure, axes = theme.panels(2)
    axes[0].set_title(r"task $\frac{$")
    axes[1].set_title("N$_c$")
    theme.save(figure, pd.DataFrame(), tmp_path, "names")
    assert [axis.title.get_parse_math() for axis in axes] == [False, True]


@pytest.mark.parametrize(
    ("value", "text"), [(50_890, "50.9k"), (3.2e9, "3.2G"), (12.5, "12.5"), (0.031, "0.031")]
)
def test_compact_numbers(value, text):
    assert theme.compact(value) == text


def test_things_of_different_kinds_have_a_colour_and_a_marker_each():
    looks = theme.kind_looks(["one", "two", "three"])
    assert list(looks) == ["one", "two", "three"]
    assert len({look.color for look in looks.values()}) == 3
    assert len({look.marker for look in looks.values()}) == 3


def test_bars_reach_to_the_ends_and_are_0_without_one():
    rows = pd.DataFrame({"x": [2.0, 3.0], "low": [1.5, np.nan], "high": [4.0, np.nan]})
    assert theme.bars(rows, "x").tolist() == [[0.5, 0.0], [2.0, 0.0]]


def test_means_are_marks_with_bars_and_bounds_open_triangles():
    rows = pd.DataFrame(
        {"horizon": [1.0, 3.0], "interactions": [5.0, 9.0], "censored": [False, True]}
    )
    figure, axis = theme.single()
    theme.draw_means(axis, rows.assign(low=4.0, high=6.0), theme.Look("#000000", "s"))
    (bound,) = [line for line in axis.get_lines() if line.get_gid() == "censored"]
    assert bound.get_xydata().tolist() == [[3.0, 9.0]]
    assert (bound.get_marker(), bound.get_markerfacecolor()) == ("^", "none")
    (bars,) = axis.containers
    assert bars.lines[0].get_xydata().tolist() == [[1.0, 5.0]]
    assert figure.axes == [axis]


@pytest.mark.parametrize(
    ("value", "text"),
    [(1.0, "1"), (100.0, "100"), (0.1, "0.1"), (1e4, "$10^{4}$"), (2.0, ""), (0.0, "")],
)
def test_ticks_are_named_at_powers_of_ten(value, text):
    assert theme.power_of_ten(value) == text


@pytest.mark.parametrize(
    ("count", "rows"), [(1, 1), (3, 1), (4, 1), (5, 2), (6, 2), (7, 2), (9, 3)]
)
def test_panels_fill_rows_and_share_axes(count, rows):
    figure, axes = theme.panels(count)
    assert len(axes) == len(figure.axes) == count
    places = {round(axis.get_subplotspec().get_position(figure).y0, 6) for axis in axes}
    assert len(places) == rows
    axes[0].set_xlim(2, 5)
    assert axes[-1].get_xlim() == (2, 5)


def test_horizons_too_close_together_are_thinned_and_the_largest_stays():
    _, axis = theme.single()
    theme.horizon_axis(axis, [1, 3, 4, 7, 31, 32])
    assert [label.get_text() for label in axis.get_xticklabels()] == ["1", "3", "7", "32"]


def test_log_axes_of_a_short_span_are_ticked_at_1_2_5():
    _, axis = theme.single()
    axis.set_xlim(1e3, 1e4)
    theme.log_axis(axis, "x")
    ticks = axis.xaxis.get_major_locator().tick_values(1e3, 1e4)
    assert {1000.0, 2000.0, 5000.0} <= {round(tick) for tick in ticks}
    assert axis.xaxis.get_major_formatter()(2000.0) == "2k"
    axis.set_ylim(1, 1e6)
    theme.log_axis(axis, "y")
    assert axis.yaxis.get_major_formatter()(1e4) == "$10^{4}$"
    assert math.isclose(axis.get_ylim()[1], 1e6)


@pytest.mark.parametrize("limits", [(1.7e3, 4.7e4), (1.2, 1.4), (3.0, 8.0), (1.0, 1e6), (0.9, 1.1)])
def test_a_logarithmic_axis_has_two_labels_or_more(limits):
    with theme.style():
        figure, axis = theme.single()
        axis.set_ylim(*limits)
        theme.log_axis(axis, "y")
        figure.canvas.draw()
        low, high = axis.get_ylim()
        ticks = zip(axis.get_yticks(), axis.get_yticklabels(), strict=True)
        shown = [text for at, text in ticks if low <= at <= high and text.get_text()]
    assert len(shown) >= 2


@pytest.mark.parametrize("name", ["a$\\frac$b", "$x^$", "$\\sqrt" + "{$" * 50])
def test_names_with_dollar_signs_are_drawn_as_they_are(tmp_path, name):
    figure = Figure()
    axis = figure.add_subplot()
    axis.plot([1, 2], label=name)
    axis.set_title(name)
    axis.set_yticks([1, 2], [name, "S$_{min}$"])
    axis.legend()
    table = pd.DataFrame({"family": ["=1+1", name], "return_mean": [-1.0, 2.0]})
    theme.save(figure, table, tmp_path, "a")
    assert (tmp_path / "a.svg").read_text().count("<svg") == 1
    assert axis.title.get_parse_math() is False
    assert axis.get_yticklabels()[1].get_parse_math() is True
    assert pd.read_csv(tmp_path / "a.csv")["family"].tolist() == ["'=1+1", name]


def test_a_figure_replaces_links_and_never_what_they_lead_to(tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("precious")
    out = tmp_path / "out"
    out.mkdir()
    for number, ending in enumerate(("png", "svg", "csv")):
        plant = (out / f"a.{ending}").hardlink_to if number else (out / f"a.{ending}").symlink_to
        plant(victim)
    figure = Figure()
    figure.add_subplot()
    theme.save(figure, pd.DataFrame({"a": [1]}), out, "a")
    assert victim.read_text() == "precious"
    assert {path.name for path in out.iterdir()} == {"a.png", "a.svg", "a.csv"}
    assert not any(path.is_symlink() or path.stat().st_nlink > 1 for path in out.iterdir())

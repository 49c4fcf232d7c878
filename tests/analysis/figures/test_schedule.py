"""Horizon and schedule together: cells, delays, the collapse and the departures."""

from dataclasses import replace

import numpy as np
import pytest

from analysis.data.crossings import means_over_seeds
from analysis.figures import schedule
from analysis.laws.law import Quantity
from mnist_horizon.schedules import kinds, parse
from tests.analysis.drawings import artists
from tests.analysis.sparse_runs import (
    FIVE_SCHEDULES,
    HORIZONS,
    censored_crossings,
    censored_law,
)


@pytest.fixture(name="laws")
def _laws():
    return [censored_law()]


def test_heat_map_shows_each_cell_and_hatches_the_censored(laws):
    figure, numbers = schedule.interactions_heat_map(laws)
    assert len(numbers) == len(FIVE_SCHEDULES) * len(HORIZONS)
    cell = numbers[(numbers["schedule"] == "dense") & (numbers["horizon"] == 7)].iloc[0]
    table = censored_crossings()
    runs = table[(table["schedule"] == "dense") & (table["horizon"] == 7)]
    assert cell["interactions"] == pytest.approx(np.exp(np.log(runs["interactions"]).mean()))
    assert len(artists(figure, "censored")) == numbers["censored"].sum() > 0


def test_cells_are_means_with_the_laws_prediction(laws):
    numbers = schedule.cells(laws[0])
    means = means_over_seeds(censored_crossings(), ["schedule", "schedule_level", "horizon"])
    assert len(numbers) == len(means)
    delay = numbers[numbers["schedule"] == "periodic:4"]
    np.testing.assert_allclose(
        delay["predicted"], laws[0].curve(parse("periodic:4"), delay["horizon"].to_numpy())
    )
    np.testing.assert_allclose(numbers["ratio"], numbers["interactions"] / numbers["predicted"])


def test_delays_are_drawn_with_their_law_and_best_horizon(laws):
    best = laws[0].best_horizons
    figure, numbers = schedule.interactions_by_delay(laws, best)
    assert len(artists(figure, "law")) == 3
    stars = artists(figure, "best")
    places = [float(star.get_xdata()[0]) for star in stars]
    assert places == [one.measured.value for one in best]
    assert set(numbers["what"]) == {"measured", "law"}


def test_best_horizons_are_drawn_against_the_delay_and_at_an_edge_open(laws):
    inside, other = laws[0].best_horizons
    edge = replace(other, edge="longest", measured=Quantity(63.0))
    figure, numbers = schedule.best_horizon_against_delay(laws, [inside, edge])
    assert numbers["edge"].tolist() == ["", "longest"]
    assert numbers["measured"].tolist() == [inside.measured.value, 63.0]
    assert numbers["delay"].tolist() == [4, 16]
    (mark,) = [line for line in artists(figure, "edge") if len(line.get_xdata())]
    assert (mark.get_marker(), mark.get_ydata().tolist()) == ("^", [63.0])
    (law,) = artists(figure, "law")
    assert law.get_ydata().tolist() == numbers["predicted"].tolist()


def test_collapse_puts_additive_schedules_on_the_line_and_streaks_above(laws):
    _, numbers = schedule.collapse(laws)
    seen = numbers[~numbers["censored"]]
    gap = np.log(seen["interactions"] / (seen["s_min"] * seen["batch_and_noise"]))
    assert gap[seen["kind"] != "streak"].abs().max() < 0.25
    assert gap[seen["kind"] == "streak"].mean() == pytest.approx(np.log(2), abs=0.2)


def test_departures_are_those_of_the_laws(laws):
    _, numbers = schedule.departures(laws)
    assert numbers["ratio"].tolist() == [one.ratio.value for one in laws[0].departures]
    ends = [one.ratio.interval for one in laws[0].departures]
    assert [*zip(numbers["low"], numbers["high"], strict=True)] == ends


def test_every_kind_of_schedule_has_a_look_of_its_own():
    looks = schedule.kind_looks()
    assert set(looks) == set(kinds())
    assert len({look.color for look in looks.values()}) == len(looks)

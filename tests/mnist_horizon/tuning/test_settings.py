"""What a search tries: cells, candidates, rungs; and what is refused."""

import itertools
import json
from typing import Any

import pytest

from mnist_horizon.errors import SweepError
from mnist_horizon.tuning import Cell, tuning_from
from mnist_horizon.tuning.settings import RATES
from tests.mnist_horizon.tuning.small import CHOICE, SMALL, small


def test_cells_are_widths_and_horizons_and_references_once_a_width() -> None:
    tuning = small({"references": ("supervised", "exact")}, widths=(8, 4))
    names = [cell.name for cell in tuning.cells]
    assert names[:4] == ["exact-w4", "supervised-w4", "vpg-w4-h1", "vpg-w4-h3"]
    assert [name.replace("w8", "w4") for name in names[4:]] == names[:4]


def test_every_rate_is_tried_with_every_decay_and_bonus_and_cross_entropy_without_bonus() -> None:
    tuning = small({"entropy_coefs": (0.0, 0.1)})
    assert len(tuning.candidates("vpg")) == 4 * 2 * 2
    supervised = tuning.candidates("supervised")
    assert len(supervised) == 4 * 2
    assert {candidate.entropy_coef for candidate in supervised} == {0.0}


def test_rates_tried_by_default_are_1_4_apart_over_two_decades() -> None:
    assert all(1.39 < high / low < 1.44 for low, high in itertools.pairwise(RATES))
    assert RATES[-1] / RATES[0] > 100


def test_rungs_grow_threefold_to_the_budget_which_grows_with_the_horizon() -> None:
    tuning = small({"rungs": 3, "budget_horizon": 2.0})
    assert tuning.rung_updates(Cell("vpg", 4, 1.0)) == [2, 6, 18]
    assert tuning.rung_updates(Cell("vpg", 4, 3.0)) == [4, 12, 36]
    assert tuning.rung_sizes(Cell("vpg", 4, 1.0)) == [8, 6, 6]
    assert {2, 6, 18} <= set(tuning.marks(Cell("vpg", 4, 1.0)))


def test_seeds_are_none_of_a_sweeps() -> None:
    tuning = small()
    assert tuning.seeds == (1000, 1001)
    assert not {*tuning.seeds} & {*range(tuning.sweep.seeds)}


def test_what_is_written_is_without_what_only_adds_cells_or_is_only_preferred() -> None:
    before = small()
    other = small(
        {"references": ("exact",)}, widths=(8,), horizons=(2.0,), entropy_coef=0.3, seeds=8
    )
    assert json.dumps(before.to_json()) == json.dumps(other.to_json())
    for changed in (small({"seeds": 3}), small(budget=2000), small(schedules=("revealed:0.5",))):
        assert json.dumps(changed.to_json()) != json.dumps(before.to_json())


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown field": ({"tuning": {"rate": 1}}, "tuning.rate: unknown field"),
    "no group": ({"tuning": 3}, "tuning: must be a group"),
    "seeds of a sweep": ({"tuning": {"first_seed": 3}}, "tuning.first_seed: must be at least 4"),
    "too few rates": ({"tuning": {"learning_rates": (0.1,)}}, "tuning.learning_rates: give"),
    "a rate twice": ({"tuning": {"learning_rates": (0.1, 0.1, 1.0)}}, "holds a value twice"),
    "a rate of 0": ({"tuning": {"learning_rates": (0.0, 0.1, 1.0)}}, "tuning.learning_rates[0]"),
    "no decays": ({"tuning": {"decay_interactions": ()}}, "tuning.decay_interactions"),
    "a negative bonus": ({"tuning": {"entropy_coefs": (-0.1,)}}, "tuning.entropy_coefs[0]"),
    "an unknown reference": ({"tuning": {"references": ("ppo",)}}, "tuning.references[0]"),
    "no rungs": ({"tuning": {"rungs": 0}}, "tuning.rungs"),
    "no seeds": ({"tuning": {"seeds": 0}}, "tuning.seeds"),
    "no growth": ({"tuning": {"budget_horizon": 0.0}}, "tuning.budget_horizon: must be above 0"),
    "two schedules": ({"schedules": ("dense", "revealed:0.5")}, "schedules: a search is for one"),
    "two preferred rates": ({"optimizer": {"learning_rates": (0.1, 0.2)}}, "give the one"),
    "mup": ({"optimizer": {"rule": "mup"}}, "optimizer.rule"),
    "references of the sweep": ({"references": {"exact": (0.1,)}}, "tuning.references"),
    "an early end": ({"stop_at_return": 0.9}, "stop_at_return"),
    "a sweep's field": ({"widths": ()}, "widths: must not be empty"),
}


@pytest.mark.parametrize(("changes", "message"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_setting_is_refused_with_its_name(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SweepError) as caught:
        tuning_from({**SMALL, "tuning": CHOICE, **changes})
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)

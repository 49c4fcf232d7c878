"""The candidates of a cell: trained once, each as if alone, and the best of them kept."""

import numpy as np
import pandas as pd
import pytest

from mnist_horizon import tasks
from mnist_horizon.sweeps.runner import Interrupted
from mnist_horizon.tuning import Cell, Tuning, cells
from mnist_horizon.tuning.settings import Candidate
from tests.mnist_horizon.tuning.small import small

SETTING = ["learning_rate", "decay_interactions", "entropy_coef", "seed"]


def searched(tuning: Tuning, cell: Cell) -> pd.DataFrame:
    task = tasks.load("digits", {}).task
    return pd.DataFrame(cells.run_cell(tuning, cell, task, lambda: False))


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return searched(small(), Cell("vpg", 4, 1.0))


def test_every_rung_has_a_row_for_each_candidate_and_seed(table: pd.DataFrame) -> None:
    assert table.groupby("rung").size().to_dict() == {0: 8 * 2, 1: 6 * 2}
    assert set(table["seed"]) == {1000, 1001}
    assert table.groupby("rung")["interactions"].first().to_dict() == {0: 6 * 64, 1: 18 * 64}
    assert table.groupby("rung")["kept"].sum().to_dict() == {0: 6 * 2, 1: 6 * 2}


def test_what_a_rung_keeps_has_the_best_scores_of_its_decay(table: pd.DataFrame) -> None:
    first = table[table["rung"] == 0]
    keys = ["decay_interactions", "learning_rate"]
    means = first.groupby(keys).agg(score=("score", "mean"), kept=("kept", "all"))
    for _, own in means.groupby("decay_interactions"):
        assert own.loc[own["kept"], "score"].max() <= own.loc[~own["kept"], "score"].min()
    later = table[table["rung"] == 1].groupby(keys).size()
    assert set(later.index) == set(means.index[means["kept"]])


def test_kept_candidates_go_on_as_if_they_had_been_alone(table: pd.DataFrame) -> None:
    """The same numbers as those of one long rung; another cut may round otherwise."""
    alone = searched(small({"rungs": 1}), Cell("vpg", 4, 1.0)).set_index(SETTING)
    last = table[table["rung"] == 1].set_index(SETTING)
    np.testing.assert_allclose(last["return_mean"], alone.loc[last.index, "return_mean"], rtol=1e-3)
    assert last["return_mean"].nunique() == len(last)


def test_a_search_gives_the_same_numbers_again(table: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(table, searched(small(), Cell("vpg", 4, 1.0)))


def test_the_numbers_of_a_candidate_are_those_asked_for() -> None:
    tuning = small(optimizer={"learning_rates": (0.5,), "rule": "sqrt_width"})
    tried = [Candidate(0.0, 0.0, 0.01), Candidate(1000.0, 0.2, 0.03)]
    program = cells.program_of(tuning, Cell("vpg", 4, 3.0), tried)
    runs = cells.run_params(tuning, program, tried)
    np.testing.assert_allclose(runs.learning_rate, [0.01, 0.03] * 2)
    np.testing.assert_allclose(runs.entropy_coef, [0.0, 0.2] * 2)
    np.testing.assert_allclose(runs.decay, [0.0, 64 / 1000] * 2)
    np.testing.assert_allclose(runs.discount, [0.5] * 4)
    assert tuning.spec.train_spec(4).rule == "constant"


def test_a_reference_is_trained_by_its_own_algorithm() -> None:
    tuning = small({"references": ("supervised",)}, schedules=("revealed:0.5",))
    program = cells.program_of(tuning, Cell("supervised", 4, 1.0), tuning.candidates("supervised"))
    assert program.reference == "supervised"
    assert {str(variant.schedule) for variant in program.variants} == {"dense"}
    own = cells.program_of(tuning, Cell("vpg", 4, 1.0), tuning.candidates("vpg"))
    assert own.reference == ""
    assert {str(variant.schedule) for variant in own.variants} == {"revealed:0.5"}


def test_a_search_that_is_asked_to_stop_does() -> None:
    task = tasks.load("digits", {}).task
    with pytest.raises(Interrupted):
        cells.run_cell(small(), Cell("vpg", 4, 1.0), task, lambda: True)

"""Differences from rotations: none for random kernels, above for sparse, below for equal units."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.data.activations import Layer, read_conditions
from analysis.laws.privileged_basis import (
    MARGIN,
    ROTATIONS,
    _stages,
    basis_entries,
    basis_table,
    verdict,
)
from analysis.stats.kurtosis import random_rotations, rotated_mean
from tests.analysis.kept_runs import MARKS, UNITS, write_kept

RNG = np.random.default_rng(2)
TURNS = random_rotations(UNITS, ROTATIONS, RNG)


def stages(draw, seeds=12, examples=60):
    """The rows of one layer whose values each seed draws."""
    layers = [Layer(values := draw((UNITS, examples)), np.maximum(values, 0)) for _ in range(seeds)]
    before, after = _stages(layers, TURNS)
    return before, after


def test_random_kernels_have_no_basis_before_the_activation_and_one_after_it():
    before, after = stages(lambda shape: RNG.standard_normal(shape))
    assert before["low"] < 0 < before["high"]
    assert before["band_low"] < before["difference"] < before["band_high"]
    assert before["p"] > 0.05
    assert after["low"] > 0.2, "the ReLU of a normal draw is privileged by construction"
    assert before["kurtosis"] - before["difference"] == pytest.approx(rotated_mean(UNITS))


def test_a_rotation_hides_what_the_basis_shows():
    few_units = lambda shape: RNG.standard_normal(shape) * (RNG.random(shape) < 0.2)  # noqa: E731
    equal = lambda shape: np.sign(RNG.standard_normal(shape))  # noqa: E731
    for draw, sign in ((few_units, 1), (equal, -1)):
        before, _ = stages(draw)
        assert sign * before["difference"] > 1
        assert before["p"] == pytest.approx(1 / (ROTATIONS + 1))
        turned = [TURNS[0] @ draw((UNITS, 60)) for _ in range(12)]
        hidden, _ = _stages([Layer(values, values) for values in turned], TURNS[1:])
        assert abs(hidden["difference"]) < 0.2


def test_a_mean_that_all_examples_share_is_no_basis():
    shift = 100 * np.eye(UNITS)[:, :1]
    before, _ = stages(lambda shape: RNG.standard_normal(shape) + shift)
    assert abs(before["difference"]) < 0.2


@pytest.mark.parametrize(
    ("ends", "expected"),
    [
        ((-0.5 * MARGIN, 0.5 * MARGIN), "none"),
        ((0.1 * MARGIN, 0.9 * MARGIN), "none"),
        ((0.1 * MARGIN, 2 * MARGIN), "above"),
        ((-2 * MARGIN, -0.1 * MARGIN), "below"),
        ((-2 * MARGIN, 0.1 * MARGIN), "undecided"),
        ((np.nan, np.nan), "undecided"),
    ],
)
def test_verdicts(ends, expected):
    assert verdict(*ends) == expected


def test_the_table_of_kept_policies_and_when_a_basis_appears(tmp_path: Path):
    folder = write_kept(tmp_path / "w", activation="linear", seeds=8, sparse=True)
    table = basis_table(read_conditions([folder])[0])
    assert len(table) == len(MARKS) * 2 * 2
    assert table["return_mean"].isna().sum() == 4, "nothing is measured before training"
    by_stage = [table[table["stage"] == stage]["kurtosis"] for stage in ("before", "after")]
    np.testing.assert_array_equal(*by_stage)  # of a linear network
    first, second = basis_entries(table)
    assert (first["layer"], second["layer"]) == (1, 2)
    assert first["verdict"] == "above"
    assert first["since"] == first["interactions"] == MARKS[-1]
    assert first["verdict_initial"] != "above"
    assert second["since"] is None
    assert second["verdict"] in ("none", "undecided")
    assert first["end"] == pytest.approx(UNITS - 3 - rotated_mean(UNITS))
    assert second["end_ci"][0] < second["end"] < second["end_ci"][1]
    assert first["return"] == 0.5
    assert first["seeds"] == first["seeds_initial"] == 8


def test_one_seed_has_no_interval(tmp_path: Path):
    table = basis_table(read_conditions([write_kept(tmp_path / "w", seeds=1)])[0])
    for entry in basis_entries(table):
        assert entry["end_ci"] is entry["initial_ci"] is None
        assert entry["verdict"] == "undecided"


def test_a_sign_that_changes_is_counted_from_its_last_change():
    ends = [(-0.1, 0.1), (0.2, 0.4), (-0.4, -0.2), (-0.5, -0.3)]
    rows = [
        {"label": "a", "layer": 1, "stage": "before", "interactions": 10 * place, "seeds": 3}
        | {"difference": sum(pair) / 2, "low": pair[0], "high": pair[1], "return_mean": 0.5}
        for place, pair in enumerate(ends)
    ]
    (entry,) = basis_entries(pd.DataFrame(rows))
    assert (entry["verdict"], entry["since"]) == ("below", 20)

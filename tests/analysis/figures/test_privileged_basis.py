"""The figure has a panel for each condition, a line and a band of rotations for each layer."""

from pathlib import Path

import numpy as np

from analysis.data.activations import read_conditions
from analysis.figures.privileged_basis import kurtosis_along_training
from analysis.laws.privileged_basis import basis_table
from tests.analysis.kept_runs import MARKS, write_kept


def test_layers_and_bands_of_rotations_are_drawn(tmp_path: Path):
    folders = [write_kept(tmp_path / name, activation=name) for name in ("relu", "tanh")]
    table = basis_table(read_conditions(folders)[0])
    figure, drawn = kurtosis_along_training(table)
    assert set(drawn["stage"]) == {"before"}
    assert [axis.get_title() for axis in figure.axes] == ["relu, adam", "tanh, adam"]
    for axis in figure.axes:
        rows = drawn[drawn["label"] == axis.get_title()]
        lines = [container.lines[0] for container in axis.containers]
        for line, (_, layer) in zip(lines, rows.groupby("layer"), strict=True):
            np.testing.assert_allclose(np.asarray(line.get_ydata(), float), layer["difference"])
        bands = [one for one in axis.collections if one.get_gid() == "rotations"]
        for band, (_, layer) in zip(bands, rows.groupby("layer"), strict=True):
            heights = band.get_paths()[0].vertices[:, 1]
            assert np.isclose(heights.min(), layer["band_low"].min())
            assert np.isclose(heights.max(), layer["band_high"].max())
        assert axis.get_xlim()[0] < 0 < MARKS[-1] < axis.get_xlim()[1]


def test_policies_before_training_alone_are_drawn(tmp_path: Path):
    table = basis_table(read_conditions([write_kept(tmp_path / "w")])[0])
    figure, _ = kurtosis_along_training(table[table["interactions"] == 0])
    assert len(figure.axes[0].containers) == 2

"""The command: its files and sentences, and what it refuses."""

import json
from pathlib import Path

import pytest

from analysis import action_baselines
from analysis.data import measurements
from mnist_horizon import cli
from mnist_horizon.errors import InputError
from tests.analysis.baseline_sweeps import made, sweeps
from tests.launch import commands


def test_figures_numbers_and_sentences_are_written(tmp_path: Path, monkeypatch) -> None:
    named = {tmp_path / name: one for name, one in sweeps().items()}
    monkeypatch.setattr(measurements, "read", lambda paths: named[paths[0]])
    out = tmp_path / "out"
    *sentences, place = action_baselines.write_comparison(list(named), out)
    assert str(out) in place
    names = {path.name for path in (out / "figures").iterdir()}
    expected = {f"{name}.{end}" for name in ("action_baselines", "variance_parts") for end in ENDS}
    assert names == expected
    fits = json.loads((out / "fits.json").read_text())
    assert [claim["text"] for claim in fits["claims"]] == sentences
    assert {claim["section"] for claim in fits["claims"]} == {"action-baselines"}
    assert set(fits["action_baselines"]) == {"parts", "ratios", "bias", "falls"}


ENDS = ("png", "svg", "csv")


def test_nothing_to_compare_is_refused_and_nothing_is_written(tmp_path: Path, monkeypatch) -> None:
    alone = made(action_baseline={"fraction": 1.0})
    monkeypatch.setattr(measurements, "read", lambda paths: alone)
    with pytest.raises(InputError, match="nothing to compare"):
        action_baselines.write_comparison([tmp_path / "a"], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_without_a_folder_the_command_says_what_to_type(tmp_path: Path) -> None:
    command = commands.run(tmp_path, module="analysis.action_baselines")
    assert command.process.exitcode == cli.BAD_INPUT
    (line,) = command.err.splitlines()
    assert "python -m analysis.action_baselines WORKDIR" in line

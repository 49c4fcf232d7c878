"""The command: its files and sentences, and what it refuses."""

import json
from pathlib import Path

import pytest

from analysis import action_baselines
from analysis.data import measurements
from analysis.page import comparison
from mnist_horizon.errors import InputError
from tests.analysis.baseline_sweeps import made, sweeps
from tests.launch import commands

ENDS = ("png", "svg", "csv")


def test_figures_numbers_and_sentences_are_written(tmp_path: Path, monkeypatch) -> None:
    named = {tmp_path / name: one for name, one in sweeps().items()}
    monkeypatch.setattr(measurements, "read", lambda paths: named[paths[0]])
    out = tmp_path / "out"
    found = action_baselines.compare(list(named))
    comparison.write(action_baselines.NAME, found, out)
    names = {path.name for path in (out / "figures").iterdir()}
    expected = {f"{name}.{end}" for name in ("action_baselines", "variance_parts") for end in ENDS}
    assert names == expected
    fits = json.loads((out / "fits.json").read_text())
    assert [claim["text"] for claim in fits["claims"]] == [one.text for one in found.claims]
    assert {claim["section"] for claim in fits["claims"]} == {"action-baselines"}
    assert set(fits["action_baselines"]) == {"parts", "ratios", "bias", "falls"}


def test_nothing_to_compare_is_refused(tmp_path: Path, monkeypatch) -> None:
    alone = made(action_baseline={"fraction": 1.0})
    monkeypatch.setattr(measurements, "read", lambda paths: alone)
    with pytest.raises(InputError, match="nothing to compare"):
        action_baselines.compare([tmp_path / "a"])


@pytest.mark.slow
def test_sweeps_of_the_config_are_compared(tmp_path: Path) -> None:
    """A small form of the experiment: phi with an error, and the bug; to a return of 0.5."""
    config = commands.CHECKOUT / "launch" / "configs" / "action_baselines.py"
    small = ("--config.seeds=2", "--config.horizons=(1.0,)", "--config.budget=10240")
    workdirs = [tmp_path / version for version in ("none", "wrong_advantage")]
    for workdir in workdirs:
        flags = (f"--config={config}:{workdir.name}", f"--workdir={workdir}", *small)
        done = commands.run(tmp_path / f"io_{workdir.name}", *flags)
        assert done.process.exitcode == 0, done.err
    entries = action_baselines.compare(workdirs).entries
    (bias,) = entries["bias"]
    assert bias["first_cosine"] < 0.8
    assert [one["part"] for one in entries["parts"]] == ["future", "action", "state"]

"""The command: its files and sentences, and what it refuses."""

import json
from pathlib import Path

import pandas as pd

from mnist_horizon import cli
from tests.analysis.kept_runs import write_kept
from tests.launch import commands

MODULE = "analysis.privileged_basis"


def test_figure_numbers_and_sentences_are_written(tmp_path: Path) -> None:
    workdir = write_kept(tmp_path / "w", activation="tanh", sparse=True)
    command = commands.run(tmp_path / "io", str(workdir), module=MODULE)
    assert command.process.exitcode == 0, command.err
    out = workdir / "privileged_basis"
    names = {f"privileged_basis.{ending}" for ending in ("png", "svg", "csv")}
    assert {path.name for path in (out / "figures").iterdir()} == names
    fits = json.loads((out / "fits.json").read_text())
    assert [entry["layer"] for entry in fits["privileged_basis"]] == [1, 2]
    claims = fits["claims"]
    assert {claim["section"] for claim in claims} == {"privileged-basis"}
    *sentences, place = command.out.splitlines()
    assert [claim["text"] for claim in claims] == sentences
    assert claims[2]["verdict"] == "above"
    assert str(out) in place
    assert set(pd.read_csv(out / "figures" / "privileged_basis.csv")["stage"]) == {
        "before",
        "after",
    }


def test_out_names_another_folder(tmp_path: Path) -> None:
    workdir, out = write_kept(tmp_path / "w"), tmp_path / "elsewhere"
    command = commands.run(tmp_path / "io", str(workdir), f"--out={out}", module=MODULE)
    assert command.process.exitcode == 0, command.err
    assert (out / "fits.json").exists()
    assert not (workdir / "privileged_basis").exists()


def test_what_has_no_kept_policies_is_refused_in_one_line(tmp_path: Path) -> None:
    workdir = write_kept(tmp_path / "w")
    for path in (workdir / "kept").iterdir():
        path.unlink()
    before = sorted(workdir.rglob("*"))
    cases = {str(workdir): "--config.policies_every=4", str(tmp_path / "no"): "no such folder"}
    for number, (folder, message) in enumerate({**cases, "": "name a sweep's"}.items()):
        arguments = [folder] if folder else []
        command = commands.run(tmp_path / f"io{number}", *arguments, module=MODULE)
        assert command.process.exitcode == cli.BAD_INPUT
        (line,) = command.err.splitlines()
        assert message in line
    assert sorted(workdir.rglob("*")) == before


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    workdir = write_kept(tmp_path / "w")
    path = workdir / "kept" / "program-at64.npz"
    path.write_bytes(path.read_bytes()[:100])
    command = commands.run(tmp_path / "io", str(workdir), module=MODULE)
    assert command.process.exitcode == cli.BAD_INPUT
    assert f"{path}: cannot be read" in command.err

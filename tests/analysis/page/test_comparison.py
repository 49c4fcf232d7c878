"""A comparison's files, the lines it prints, and what is refused."""

import json
from pathlib import Path

import pandas as pd
import pytest

from analysis.figures import theme
from analysis.page import comparison
from analysis.page.claims import Claim
from mnist_horizon.errors import InputError

CLAIMS = [Claim("It holds.", True, "it", "holds", {"a": (1.0, [0.5, 2.0])})]


def made() -> comparison.Comparison:
    drawn = theme.single()[0], pd.DataFrame({"x": [1.0]})
    return comparison.Comparison([{"a": 1.0}], CLAIMS, {"a_figure": drawn}, ["one run is left out"])


def test_numbers_sentences_and_figures_are_written(tmp_path: Path) -> None:
    lines = comparison.write("some_name", made(), tmp_path)
    assert lines[:2] == ["note: one run is left out", "It holds."]
    assert str(tmp_path) in lines[2]
    fits = json.loads((tmp_path / "fits.json").read_text())
    assert fits["some_name"] == [{"a": 1.0}]
    (claim,) = fits["claims"]
    assert claim == {"section": "some-name", **CLAIMS[0].to_json()} | {
        "numbers": {"a": {"value": 1.0, "ci": [0.5, 2.0]}}
    }
    figures = {path.name for path in (tmp_path / "figures").iterdir()}
    assert figures == {"a_figure.png", "a_figure.svg", "a_figure.csv"}


def test_without_a_folder_it_says_what_to_type() -> None:
    with pytest.raises(InputError, match=r"analysis.some_name WORKDIR \[MORE ...\] \[--out=DIR\]"):
        comparison.main("some_name", lambda workdirs: made(), ["command"])

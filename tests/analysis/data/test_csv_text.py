"""No text of a CSV file is a formula to a spreadsheet, and our own import reads it back."""

import csv
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.data.csv_text import quoted, unquoted
from analysis.data.foreign import read

FORMULAS = [
    *("=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "=", "-", "\uff1d1", "-x", "+A1"),
    *("=cmd|' /C calc'!A0", "'=1", "''-a"),
]
PLAIN = ["digits", "a=b", "", "'", "'a", "-1", "+1.5e-3", "1", "-.5", "x\t=1", "5-3"]


@pytest.mark.parametrize("text", FORMULAS)
def test_a_formula_becomes_text_and_is_read_back(text: str) -> None:
    table = pd.DataFrame({"a": [text], text: [1.5]})
    written = quoted(table)
    assert written["a"].tolist() == [f"'{text}"]
    assert list(written) == ["a", f"'{text}"]
    pd.testing.assert_frame_equal(unquoted(written), table)


@pytest.mark.parametrize("text", PLAIN)
def test_other_texts_and_numbers_in_texts_stay(text: str) -> None:
    table = pd.DataFrame({"a": [text]})
    pd.testing.assert_frame_equal(quoted(table), table)
    pd.testing.assert_frame_equal(unquoted(table), table)


def test_numbers_stay_numbers_of_their_type() -> None:
    table = pd.DataFrame({"a": [-1.5, np.nan], "b": [-3, 4], "c": [True, False], "d": [-1.0, "=x"]})
    found = quoted(table)
    assert found.dtypes.tolist() == table.dtypes.tolist()
    pd.testing.assert_frame_equal(found[["a", "b", "c"]], table[["a", "b", "c"]])
    assert found["d"].tolist() == [-1.0, "'=x"]


def test_the_import_reads_what_is_written(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    texts = [text for text in FORMULAS if "\r" not in text]  # readers take it for a new line
    quoted(pd.DataFrame({"run": texts, "=h": -1.5})).to_csv(path, index=False)
    with path.open(newline="") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert not [cell for cell in cells if cell[0] in "=+@\t\r\n" or cell in ("-", "-x", "-1+1")]
    found = read([path]).table
    assert found["run"].tolist() == texts
    assert found["=h"].tolist() == ["-1.5"] * len(texts)

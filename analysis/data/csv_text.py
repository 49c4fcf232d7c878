"""Texts in CSV files that a spreadsheet would execute: quoted when written, as they were when read.

A spreadsheet takes a cell that begins with `=`, `+`, `-`, `@`, a tab or a new line as a formula,
which may start programs and send data, whatever the file's quotation marks. An apostrophe before it
makes it text. Numbers are written as they are, also those in a column of texts.
"""

import re
from collections.abc import Callable

import pandas as pd

_FORMULA = r"'*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]"
"""The start of a formula; spreadsheets take the wide forms of the signs as well."""

_STARTS = re.compile(_FORMULA)
_QUOTED = re.compile(rf"\A'(?={_FORMULA})")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def quoted(table: pd.DataFrame) -> pd.DataFrame:
    """The table with an apostrophe before each text, or name of a column, that begins a formula."""
    return _map_texts(table, _quote)


def unquoted(table: pd.DataFrame) -> pd.DataFrame:
    """The table that `quoted` was given."""
    return _map_texts(table, lambda text: _QUOTED.sub("", text, count=1))


def _quote(text: str) -> str:
    is_formula = _STARTS.match(text) and not _NUMBER.fullmatch(text)
    return f"'{text}" if is_formula else text


def _map_texts(table: pd.DataFrame, change: Callable[[str], str]) -> pd.DataFrame:
    def changed(value: object) -> object:
        return change(value) if isinstance(value, str) else value

    result = table.copy()
    for name, column in table.items():
        if not pd.api.types.is_numeric_dtype(column):
            result[name] = column.map(changed)
    return result.rename(columns=changed)
